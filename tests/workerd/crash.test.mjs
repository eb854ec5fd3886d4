// Power cuts: the tests kill the whole process group at the worst moments and start it again on the same database. What
// is left over ends within two sweeps, and no member stays locked out.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { until } from "../harness/index.mjs";
import { claiming, claimingWith, isOver, removing, signingIn, sweepingAHold, sweepingAStray, sweepingAnExpiry, sweepingUpAKey } from "./moments.mjs";
import { CREATE, DELETE, Deployment, LIST, SCALE, TEN_MINUTES, inLanes, tally } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ unreliable: true });
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/** Kills a Worker while calls wait; none of them gets an answer. @param {Promise<unknown>[]} waiting */
async function powerCut(waiting, where = deployment) {
  const lost = Promise.allSettled(waiting);
  await where.worker.kill();
  const answers = await lost;
  assert.ok(answers.every(({ status }) => status === "rejected"), "nobody was answered");
  await where.worker.restart();
}

/** A member's upstream keys that are not deleted. @param {import("../harness/index.mjs").Client} member */
async function keysOf(member) {
  const names = (await deployment.generations(member)).map((row) => row.upstream_name);
  const { keys } = await deployment.sandbox.ledger();
  return keys.filter((/** @type {any} */ key) => names.includes(key.name) && key.deleted_at_ms === null);
}

test("killed while the create's answer was on its way: the key exists, nobody has its secret, and the sweep removes it", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const claim = deployment.claim(member);
  await deployment.sandbox.held(CREATE);
  await powerCut([claim]);
  await deployment.sandbox.release();
  assert.deepEqual(await deployment.states(member), ["minting"]);
  assert.equal((await keysOf(member)).length, 1, "a key that nobody has the secret of");
  assert.deepEqual(tally([await deployment.claim(member)]), { "409 claim_in_progress": 1 }, "an unknown outcome frees no reservation");
  await deployment.promises();

  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.deepEqual(await deployment.states(member), ["void"]);
  assert.equal((await keysOf(member)).length, 0);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.promises({ settled: true });
});

test("killed before the create reached the upstream: the member is free again after two sweeps", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const claim = deployment.claim(member);
  await deployment.sandbox.held(CREATE);
  await powerCut([claim]);
  assert.deepEqual(await deployment.states(member), ["minting"]);

  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.deepEqual(await deployment.states(member), ["void"]);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.promises({ settled: true });

  // Only now does the network deliver what the killed Worker had sent.
  await deployment.sandbox.release();
  assert.equal((await keysOf(member)).length, 2);
  await deployment.twoSweeps();
  assert.equal((await keysOf(member)).length, 1, "the late key is gone, the delivered one stays");
  await deployment.promises({ settled: true });
});

test("killed while claims of many members are under way: each of them has one key or can claim one", async () => {
  const members = await deployment.members(12);
  // Some claims have an answer, some wait at the upstream, some have not reached it.
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after", nth: 5, times: 0 });
  const claims = Promise.allSettled(members.map((member) => deployment.claim(member)));
  await deployment.sandbox.held(CREATE, 4);
  await deployment.worker.kill();
  await claims;
  await deployment.sandbox.clearFaults();
  await deployment.sandbox.release();
  await deployment.worker.restart();
  await deployment.promises();

  await deployment.twoSweeps();
  await deployment.promises({ settled: true });
  const answers = await Promise.all(members.map((member) => deployment.claim(member)));
  const { 200: had, 201: made, ...others } = tally(answers);
  assert.deepEqual([others, (had ?? 0) + (made ?? 0)], [{}, members.length]);
  await deployment.promises({ settled: true });
});

test("killed during a sweep's listing: the next sweep waits only until the lease ends, and then the work is done", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await deployment.claim(member)).status, 503);
  await deployment.pass(TEN_MINUTES);
  await deployment.sandbox.fault({ operation: LIST, kind: "hold_before" });
  const sweep = deployment.worker.cron();
  await deployment.sandbox.held(LIST);
  await powerCut([sweep]);
  const dead = await deployment.lastRun();
  assert.deepEqual([dead?.outcome, dead?.ended_at], ["running", null]);

  assert.equal(await deployment.sweep(), undefined, "the lease of the dead run still holds");
  await deployment.pass(TEN_MINUTES);
  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.deepEqual(await deployment.worker.d1("SELECT outcome FROM runs WHERE id = ?1", [dead?.id]), [{ outcome: "abandoned" }]);
  assert.deepEqual(await deployment.states(member), ["void"]);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.promises({ settled: true });
});

test("killed after a sweep deleted a key and before that was written down: the next sweep finds the key gone and closes the row", async () => {
  const member = await deployment.member();
  // A wrong echo and a delete that does not get through: the row is `revoking`, the key works, and nobody has its
  // secret.
  await deployment.sandbox.fault([
    { operation: CREATE, kind: "echo_limit_larger" },
    { operation: DELETE, kind: "error_before", times: 3 },
  ]);
  assert.deepEqual(tally([await deployment.claim(member)]), { "502 openrouter_mismatch": 1 });
  assert.deepEqual(await deployment.states(member), ["revoking"]);
  assert.deepEqual(tally([await deployment.claim(member)]), { "409 key_being_removed": 1 });
  await deployment.sandbox.clearFaults();
  await deployment.sandbox.fault({ operation: DELETE, kind: "hold_after" });
  await deployment.pass(TEN_MINUTES);
  const sweep = deployment.worker.cron();
  await deployment.sandbox.held(DELETE);
  await powerCut([sweep]);
  assert.deepEqual([await deployment.states(member), (await keysOf(member)).length], [["revoking"], 0]);

  await deployment.pass(TEN_MINUTES);
  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.deepEqual(await deployment.states(member), ["revoked"]);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.promises({ settled: true });
});

test("sessions, keys and records outlive the Worker: after a kill a member finds the key they had", async () => {
  const member = await deployment.member();
  const made = await deployment.claim(member);
  await powerCut([]);
  const { keys } = (await member.get("/api/v1/keys")).body;
  // The day's figures may have begun anew in the meantime.
  const identity = (/** @type {any} */ key) => [key.id, key.name, key.state, key.mask, key.limit_usd];
  assert.deepEqual(keys.map(identity), [identity(made.body.key)]);
  assert.equal((await deployment.claim(member)).status, 200);
  await deployment.promises({ settled: true });
});

/**
 * Where an operation is cut: at one of its calls, or at one of its batches.
 * @typedef {{ what: string, moment: Moment, call?: string, batch?: number }} Point
 */

/**
 * Points of requests. Many people can be at them at the same time, so one power cut hits them all. The points with a
 * short deadline come last, so that nobody gets an answer before the cut.
 * @type {Point[]}
 */
const IN_REQUESTS = [
  { what: "a sign-in", moment: signingIn, batch: 1 },
  { what: "a claim's reservation", moment: claiming, batch: 1 },
  { what: "a claim's record", moment: claiming, batch: 2 },
  { what: "a refusal written down", moment: claimingWith("refuse"), batch: 2 },
  { what: "an unknown outcome written down", moment: claimingWith("reset_after"), batch: 2 },
  { what: "a removal written down", moment: claimingWith("echo_limit_larger"), batch: 2 },
  { what: "a removal confirmed", moment: claimingWith("echo_limit_larger"), batch: 3 },
  { what: "a claim", moment: claiming, call: CREATE },
  { what: "a claim that completes its echo", moment: claimingWith("echo_expiry_missing"), call: "openrouter.keys.get" },
  { what: "a claim that removes a wrong key", moment: claimingWith("echo_limit_larger"), call: DELETE },
  ...["github.token", "github.user", "github.revoke"].map((call) => ({ what: "a sign-in", moment: signingIn, call })),
];

/** Points of removals, which end only a day later. They too are hit by one power cut. @type {Point[]} */
const IN_REMOVALS = [
  { what: "a removal written down", moment: removing, batch: 1 },
  { what: "a removal", moment: removing, call: "openrouter.keys.update" },
  { what: "a removal", moment: removing, call: "openrouter.keys.get" },
  { what: "a removal's figures", moment: removing, batch: 2 },
  { what: "a removal's end", moment: removing, batch: 3 },
];

/**
 * Points of a sweep, of which only one runs at a time. Each has a power cut of its own.
 * @type {Point[]}
 */
const IN_SWEEPS = [
  { what: "a sweep of a stray", moment: sweepingAStray, call: LIST },
  { what: "a sweep of a stray", moment: sweepingAStray, call: DELETE },
  { what: "a sweep of a hold", moment: sweepingAHold, call: "openrouter.keys.update" },
  { what: "a sweep of an expiry", moment: sweepingAnExpiry, call: "openrouter.keys.get" },
  { what: "a sweep of a removed key", moment: sweepingUpAKey, call: DELETE },
];
/** Reading changes nothing, so these points are like those beside them. @type {Point[]} */
const MORE_IN_SWEEPS = [
  { what: "a sweep of a stray", moment: sweepingAStray, call: "openrouter.workspaces.get" },
  { what: "a sweep of a removed key", moment: sweepingUpAKey, call: "openrouter.keys.get" },
];

/**
 * Waits until the operation has reached the point.
 * @param {Deployment} deployment
 * @param {Point} point
 * @param {"hold_before" | "hold_after"} side
 */
async function holdAt(deployment, { moment, call, batch }, side) {
  const who = await moment.prepare(deployment);
  const { held } = await deployment.batches();
  const calls = (await deployment.sandbox.ledger()).held.filter((/** @type {any} */ one) => one.operation === call).length;
  if (call) await deployment.sandbox.fault({ operation: call, kind: side });
  else await deployment.trouble({ kind: side, nth: batch });
  const act = moment.act(deployment, who);
  if (call) await deployment.sandbox.held(call, calls + 1);
  else await until(async () => (await deployment.batches()).held > held, { seconds: 10, what: `batch ${batch} to be held` });
  await deployment.trouble(null);
  return { moment, who, act };
}

/**
 * Cuts the power for all of them. What they had sent arrives, but creates arrive only after everything is over.
 * @param {Deployment} deployment
 * @param {Awaited<ReturnType<typeof holdAt>>[]} waiting
 */
async function cutAll(deployment, waiting) {
  await powerCut(waiting.map(({ act }) => act), deployment);
  const { held } = await deployment.sandbox.ledger();
  for (const call of held) if (call.operation !== CREATE) await deployment.sandbox.release(call.ticket);
  await deployment.promises();
  const together = waiting.filter(({ moment }) => !moment.mend && !moment.tidy);
  if (together.length) await deployment.recovers(...together.map(({ who }) => who));
  for (const { moment, who } of waiting) if (moment.mend || moment.tidy) await isOver(deployment, moment, who);
  await deployment.sandbox.release();
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
  points += waiting.length;
}

let points = 0;
after(() => console.log(`counted: ${points} points of power cuts on workerd`));

const SIDES = /** @type {const} */ (["hold_before", "hold_after"]);

test("killed with members at every point of a sign-in and a claim, before and after each call and each batch: everybody ends with one key", async () => {
  const waiting = [];
  for (const point of IN_REQUESTS) for (const side of SIDES) waiting.push(await holdAt(deployment, point, side));
  await cutAll(deployment, waiting);
});

test("killed at every point of a removal, before and after each call and each batch: the key is gone, and its owner may claim again", async () => {
  const waiting = [];
  for (const point of IN_REMOVALS) for (const side of SIDES) waiting.push(await holdAt(deployment, point, side));
  await cutAll(deployment, waiting);
});

test("killed at every point of a sweep, before and after each call and its report: the next sweeps finish", async (t) => {
  const plain = await sweepingAStray.prepare(deployment);
  await deployment.trouble(null);
  await sweepingAStray.act(deployment, plain);
  const { batches } = await deployment.batches();
  await isOver(deployment, sweepingAStray, plain);
  // By default only the batch with the report, in a larger run every batch.
  const chosen = SCALE > 1 ? Array.from({ length: batches }, (_, n) => n + 1) : [batches];
  /** @type {Point[]} */
  const all = [...IN_SWEEPS, ...(SCALE > 1 ? MORE_IN_SWEEPS : []), ...chosen.map((batch) => ({ what: "a sweep of a stray", moment: sweepingAStray, batch }))];
  const cells = all.flatMap((point) => SIDES.map((side) => ({ name: `${point.what}, ${side} at ${point.call ?? `batch ${point.batch}`}`, point, side })));
  const second = await Deployment.open({ unreliable: true });
  t.after(() => second.close());
  assert.equal((await second.claim(await second.member())).status, 201);
  await inLanes([deployment, second], cells, async (deployment, { point, side }) => cutAll(deployment, [await holdAt(deployment, point, side)]));
});
