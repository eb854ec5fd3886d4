// Many at once: what the schema's indexes and the reservation's guard promise, on real D1 (S4-11, S4-16, S1-01, P1, P6).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CREATE, House, SCALE, inWaves, secretsIn, tally } from "./support.mjs";

/**
 * One member's claims; members, the claims of each, and how many members come at a time: their creates have ten seconds
 * each, which a machine needs for larger crowds alone; seats and those who want one; claims against a held one.
 */
const SIZES = { claims: 200 * SCALE, members: 50 * SCALE, each: 20, together: 50, seats: 10, crowd: 100, latecomers: 20 };
const SEATS = `${1000 * SCALE}`;
/** Requests under way at a time, so that a larger run does not become one of connections. */
const WIDTH = 1000;

/** @type {House} */
let house;
before(async () => {
  house = await House.open({ vars: { MAX_TOTAL_KEYS: SEATS } });
});
after(async () => {
  await house?.close();
  console.log(`counted: ${claims} concurrent claims of ${people} members on workerd`);
});

let claims = 0;
let people = 0;

/** `count` claims at once, spread evenly over the members. @param {import("../harness/index.mjs").Client[]} members @param {number} count */
async function claimAtOnce(members, count) {
  claims += count;
  people += members.length;
  return inWaves(WIDTH, count, (n) => house.claim(members[n % members.length]));
}

/** That their key is there, or on its way; nobody meets an error. @param {import("./support.mjs").Answer[]} answers */
function othersAreTold(answers) {
  const kinds = Object.keys(tally(answers)).filter((kind) => kind !== "201");
  assert.deepEqual(kinds.filter((kind) => !["200", "409 claim_in_progress"].includes(kind)), []);
}

test(`${SIZES.claims} concurrent claims of one member make one key and tell one secret (S4-11, S1-01, P1)`, async () => {
  const before = await house.calls(CREATE);
  const member = await house.member();
  const answers = await claimAtOnce([member], SIZES.claims);
  assert.equal(tally(answers)["201"], 1);
  othersAreTold(answers);
  assert.equal(answers.flatMap(secretsIn).length, 1);
  assert.equal((await house.calls(CREATE)) - before, 1);
  assert.deepEqual(await house.states(member), ["active"]);
  await house.promises({ settled: true });
});

test(`${SIZES.members} members with ${SIZES.each} concurrent claims each get one key and one secret each (S4-11, S1-01)`, async () => {
  const before = await house.calls(CREATE);
  const members = await house.members(SIZES.members);
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
  assert.equal((await house.calls(CREATE)) - before, members.length);
  await house.promises({ settled: true });
});

test(`while a member's create is held, ${SIZES.latecomers} more claims of theirs are told to wait, and none makes a key (S4-11)`, async () => {
  const before = await house.calls(CREATE);
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const first = house.claim(member);
  await house.sandbox.held(CREATE);
  const meanwhile = await claimAtOnce([member], SIZES.latecomers);
  assert.deepEqual(tally(meanwhile), { "409 claim_in_progress": SIZES.latecomers });
  assert.ok(meanwhile.every(({ headers }) => Number(headers.get("retry-after")) > 0), "each says when to look again");
  await house.sandbox.release();
  const made = await first;
  assert.equal(made.status, 201);
  const afterwards = await house.claim(member);
  assert.deepEqual([afterwards.status, afterwards.body], [200, { key: made.body.key }]);
  assert.equal((await house.calls(CREATE)) - before, 1);
  await house.promises({ settled: true });
});

test(`with ${SIZES.seats} seats left and ${SIZES.crowd} members at once, ${SIZES.seats} keys are made (S4-16, P6)`, async (t) => {
  const members = await house.members(SIZES.crowd);
  const [{ live }] = await house.worker.d1("SELECT live FROM seats");
  await house.worker.restart({ vars: { MAX_TOTAL_KEYS: `${live + SIZES.seats}` } });
  t.after(() => house.worker.restart({ vars: { MAX_TOTAL_KEYS: SEATS } }));
  const before = await house.calls(CREATE);
  // All of them are under way upstream at once: seats are taken by reservations, not by keys.
  await house.sandbox.fault({ operation: CREATE, kind: "hold_before", times: SIZES.seats });
  const crowd = claimAtOnce(members, members.length);
  await house.sandbox.held(CREATE, SIZES.seats);
  await house.sandbox.release();
  const answers = await crowd;
  assert.deepEqual(tally(answers), { 201: SIZES.seats, "403 seats_full": SIZES.crowd - SIZES.seats });
  assert.equal((await house.calls(CREATE)) - before, SIZES.seats);
  assert.deepEqual(await house.worker.d1("SELECT live FROM seats"), [{ live: live + SIZES.seats }]);
  await house.promises({ settled: true });
});
