// Many requests at once on real D1: what the schema's indexes and the reservation's guard promise, and which of several
// rotations returns a secret.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CREATE, Deployment, SCALE, inWaves, secretsIn, sha256, tally } from "./support.mjs";

/**
 * Numbers of requests: claims of one member; members, the claims of each, and how many members come at a time (each
 * create has ten seconds, and with a larger crowd the machine is too slow for that); seats, and the members who want
 * one; claims while another one is held; rotations of one key, and rotations of one key for each member.
 */
const SIZES = { claims: 100 * SCALE, members: 20 * SCALE, each: 10, together: 20, seats: 10, crowd: 40, latecomers: 20, rotations: 30 * SCALE, rotating: 20 * SCALE };
const SEATS = `${1000 * SCALE}`;
/** The most requests at the same time, so that a larger run does not become a test of connections. */
const WIDTH = 1000;

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ vars: { MAX_TOTAL_KEYS: SEATS } });
});
after(async () => {
  await deployment?.close();
  console.log(`counted: ${claims} concurrent claims of ${people} members on workerd`);
  console.log(`counted: ${rotations} concurrent rotations on workerd`);
});

let claims = 0;
let people = 0;
let rotations = 0;

/**
 * Sends `count` claims at once, spread evenly over the members.
 * @param {import("../harness/index.mjs").Client[]} members
 * @param {number} count
 */
async function claimAtOnce(members, count) {
  claims += count;
  people += members.length;
  return inWaves(WIDTH, count, (n) => deployment.claim(members[n % members.length]));
}

/**
 * Asserts that all other claims say that the key is there or on its way; nobody gets an error.
 * @param {import("./support.mjs").Answer[]} answers
 */
function othersAreTold(answers) {
  const kinds = Object.keys(tally(answers)).filter((kind) => kind !== "201");
  assert.deepEqual(kinds.filter((kind) => !["200", "409 claim_in_progress"].includes(kind)), []);
}

test(`${SIZES.claims} concurrent claims of one member make one key and give out one secret`, async () => {
  const before = await deployment.calls(CREATE);
  const member = await deployment.member();
  const answers = await claimAtOnce([member], SIZES.claims);
  assert.equal(tally(answers)["201"], 1);
  othersAreTold(answers);
  assert.equal(answers.flatMap(secretsIn).length, 1);
  assert.equal((await deployment.calls(CREATE)) - before, 1);
  assert.deepEqual(await deployment.states(member), ["active"]);
  await deployment.promises({ settled: true });
});

test(`${SIZES.members} members with ${SIZES.each} concurrent claims each get one key and one secret each`, async () => {
  const before = await deployment.calls(CREATE);
  const members = await deployment.members(SIZES.members);
  const secrets = [];
  for (let first = 0; first < members.length; first += SIZES.together) {
    const crowd = members.slice(first, first + SIZES.together);
    const answers = await claimAtOnce(crowd, crowd.length * SIZES.each);
    assert.equal(tally(answers)["201"], crowd.length);
    othersAreTold(answers);
    for (const [n, member] of crowd.entries()) {
      const own = answers.filter((_, index) => index % crowd.length === n).flatMap(secretsIn);
      assert.equal(own.length, 1, "each member has one secret");
      secrets.push(...own);
      assert.equal((await member.get("/api/v1/keys")).body.keys.length, 1);
    }
  }
  assert.equal(new Set(secrets).size, members.length);
  assert.equal((await deployment.calls(CREATE)) - before, members.length);
  await deployment.promises({ settled: true });
});

test(`while a member's create is held, ${SIZES.latecomers} more claims of theirs are answered with a time to wait, and none makes a key`, async () => {
  const before = await deployment.calls(CREATE);
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const first = deployment.claim(member);
  await deployment.sandbox.held(CREATE);
  const meanwhile = await claimAtOnce([member], SIZES.latecomers);
  assert.deepEqual(tally(meanwhile), { "409 claim_in_progress": SIZES.latecomers });
  assert.ok(meanwhile.every(({ headers }) => Number(headers.get("retry-after")) > 0), "each says when to look again");
  await deployment.sandbox.release();
  const made = await first;
  assert.equal(made.status, 201);
  const afterwards = await deployment.claim(member);
  assert.deepEqual([afterwards.status, afterwards.body], [200, { key: made.body.key, secret: null, replayed: false, note: null }]);
  assert.equal((await deployment.calls(CREATE)) - before, 1);
  await deployment.promises({ settled: true });
});

test(`with ${SIZES.seats} seats left and ${SIZES.crowd} members at once, ${SIZES.seats} keys are made`, async (t) => {
  const members = await deployment.members(SIZES.crowd);
  const [{ live }] = await deployment.worker.d1("SELECT live FROM seats");
  await deployment.worker.restart({ vars: { MAX_TOTAL_KEYS: `${live + SIZES.seats}` } });
  t.after(() => deployment.worker.restart({ vars: { MAX_TOTAL_KEYS: SEATS } }));
  const before = await deployment.calls(CREATE);
  // All of them are at the upstream at the same time: seats are taken by reservations, not by keys.
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_before", times: SIZES.seats });
  const crowd = claimAtOnce(members, members.length);
  await deployment.sandbox.held(CREATE, SIZES.seats);
  await deployment.sandbox.release();
  const answers = await crowd;
  assert.deepEqual(tally(answers), { 201: SIZES.seats, "403 seats_full": SIZES.crowd - SIZES.seats });
  assert.equal((await deployment.calls(CREATE)) - before, SIZES.seats);
  assert.deepEqual(await deployment.worker.d1("SELECT live FROM seats"), [{ live: live + SIZES.seats }]);
  await deployment.promises({ settled: true });
});

/** Rotates at once, one key for each given member. @param {import("../harness/index.mjs").Client[]} members */
async function rotateAtOnce(members) {
  rotations += members.length;
  const paths = await inWaves(25, members.length, (n) => deployment.keyPath(members[n]));
  return inWaves(WIDTH, members.length, (n) => members[n].post(`${paths[n]}/rotate`));
}

/** The hashes of the keys whose secrets were given out. @param {import("./support.mjs").Answer[]} answers */
const hashesOf = (answers) => answers.flatMap(secretsIn).map(sha256);

test(`of ${SIZES.rotations} rotations of one key at once one gives out a secret, and one key is left`, async () => {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const [{ upstream_hash: old }] = await deployment.generations(member);
  const before = await deployment.calls(CREATE);
  const answers = await rotateAtOnce(Array.from({ length: SIZES.rotations }, () => member));
  const kinds = tally(answers);
  assert.equal(kinds["201"], 1, JSON.stringify(kinds));
  assert.deepEqual(Object.keys(kinds).filter((kind) => !/^(201|409 (claim_in_progress|rotation_unsettled))$/.test(kind)), []);
  assert.equal((await deployment.calls(CREATE)) - before, 1);
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.deepEqual((await deployment.working(member)).map((/** @type {any} */ key) => key.hash), hashesOf(answers));
  const [off] = (await deployment.sandbox.ledger()).keys.filter((/** @type {any} */ key) => key.hash === old);
  assert.ok(off.disabled || off.deleted_at_ms !== null, "the old one is off");
  await deployment.promises({ settled: true });
});

test(`${SIZES.rotating} members who rotate at once get a secret each`, async () => {
  const members = await deployment.members(SIZES.rotating);
  const first = await inWaves(SIZES.together, members.length, (n) => deployment.claim(members[n]));
  const answers = [];
  for (let n = 0; n < members.length; n += SIZES.together) answers.push(...(await rotateAtOnce(members.slice(n, n + SIZES.together))));
  assert.deepEqual([tally(first), tally(answers)], [{ 201: members.length }, { 201: members.length }]);
  assert.equal(new Set([...first, ...answers].flatMap(secretsIn)).size, 2 * members.length);
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  const working = await inWaves(25, members.length, (n) => deployment.working(members[n]));
  assert.deepEqual(working.map((keys) => keys.map((/** @type {any} */ key) => key.hash)).flat(), hashesOf(answers));
  await deployment.promises({ settled: true });
});
