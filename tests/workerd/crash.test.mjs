// Power cuts: the whole process group killed at the worst moments, and started again on the same database (F9, F10).
// What is left over ends within two sweeps, and nobody stays locked out (P1, P2, P8, X1, S4-71).

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CREATE, DELETE, House, LIST, TEN_MINUTES, tally } from "./support.mjs";

/** @type {House} */
let house;
before(async () => {
  house = await House.open();
});
after(() => house?.close());
afterEach(() => house.sandbox.clearFaults());

/** Kills the Worker while calls wait; whoever waited for it gets nothing. @param {Promise<unknown>[]} waiting */
async function powerCut(waiting) {
  const lost = Promise.allSettled(waiting);
  await house.worker.kill();
  const answers = await lost;
  assert.ok(answers.every(({ status }) => status === "rejected"), "nobody was answered");
  await house.worker.restart();
}

/** The upstream's keys of a member that are not deleted. @param {import("../harness/index.mjs").Client} member */
async function keysOf(member) {
  const names = (await house.generations(member)).map((row) => row.upstream_name);
  const { keys } = await house.sandbox.ledger();
  return keys.filter((/** @type {any} */ key) => names.includes(key.name) && key.deleted_at_ms === null);
}

test("killed while the create's answer was on its way: the key exists, nobody has its secret, and the sweep removes it (S4-71, P2)", async () => {
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const claim = house.claim(member);
  await house.sandbox.held(CREATE);
  await powerCut([claim]);
  await house.sandbox.release();
  assert.deepEqual(await house.states(member), ["minting"]);
  assert.equal((await keysOf(member)).length, 1, "a key that nobody has the secret of");
  assert.deepEqual(tally([await house.claim(member)]), { "409 claim_in_progress": 1 }, "doubt frees no reservation (P8)");
  await house.promises();

  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  assert.deepEqual(await house.states(member), ["void"]);
  assert.equal((await keysOf(member)).length, 0);
  assert.equal((await house.claim(member)).status, 201);
  await house.promises({ settled: true });
});

test("killed before the create reached the upstream: the member is free again after two sweeps (S4-71, P8)", async () => {
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const claim = house.claim(member);
  await house.sandbox.held(CREATE);
  await powerCut([claim]);
  assert.deepEqual(await house.states(member), ["minting"]);

  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  assert.deepEqual(await house.states(member), ["void"]);
  assert.equal((await house.claim(member)).status, 201);
  await house.promises({ settled: true });

  // Only now the network delivers what the dead Worker had sent (X1).
  await house.sandbox.release();
  assert.equal((await keysOf(member)).length, 2);
  await house.twoSweeps();
  assert.equal((await keysOf(member)).length, 1, "the late key is gone, the delivered one stays");
  await house.promises({ settled: true });
});

test("killed with claims of many members under way: every one of them has one key or may claim one (P1, P2, P6)", async () => {
  const members = await house.members(12);
  // Some are answered, some wait upstream, some have not got there.
  await house.sandbox.fault({ operation: CREATE, kind: "hold_after", nth: 5, times: 0 });
  const claims = Promise.allSettled(members.map((member) => house.claim(member)));
  await house.sandbox.held(CREATE, 4);
  await house.worker.kill();
  await claims;
  await house.sandbox.clearFaults();
  await house.sandbox.release();
  await house.worker.restart();
  await house.promises();

  await house.twoSweeps();
  await house.promises({ settled: true });
  const answers = await Promise.all(members.map((member) => house.claim(member)));
  const { 200: had, 201: made, ...others } = tally(answers);
  assert.deepEqual([others, (had ?? 0) + (made ?? 0)], [{}, members.length]);
  await house.promises({ settled: true });
});

test("killed during a sweep's listing: its lease holds the next one up only until it ends, and then the work is done (X22, F10)", async () => {
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await house.claim(member)).status, 503);
  await house.pass(TEN_MINUTES);
  await house.sandbox.fault({ operation: LIST, kind: "hold_before" });
  const sweep = house.worker.cron();
  await house.sandbox.held(LIST);
  await powerCut([sweep]);
  const dead = await house.lastRun();
  assert.deepEqual([dead?.outcome, dead?.ended_at], ["running", null]);

  assert.equal(await house.sweep(), undefined, "the lease of the dead run still holds");
  await house.pass(TEN_MINUTES);
  assert.equal((await house.sweep())?.outcome, "done");
  assert.deepEqual(await house.worker.d1("SELECT outcome FROM runs WHERE id = ?1", [dead?.id]), [{ outcome: "abandoned" }]);
  assert.deepEqual(await house.states(member), ["void"]);
  assert.equal((await house.claim(member)).status, 201);
  await house.promises({ settled: true });
});

test("killed after a sweep's delete and before it was written down: the next one finds it gone and closes the row (X6, P2)", async () => {
  const member = await house.member();
  // A bad echo, and a delete that does not get through: the row is `revoking`, the key works, nobody has it.
  await house.sandbox.fault([
    { operation: CREATE, kind: "echo_limit_larger" },
    { operation: DELETE, kind: "error_before", times: 3 },
  ]);
  assert.deepEqual(tally([await house.claim(member)]), { "502 openrouter_mismatch": 1 });
  assert.deepEqual(await house.states(member), ["revoking"]);
  assert.deepEqual(tally([await house.claim(member)]), { "409 key_being_removed": 1 });
  await house.sandbox.clearFaults();
  await house.sandbox.fault({ operation: DELETE, kind: "hold_after" });
  await house.pass(TEN_MINUTES);
  const sweep = house.worker.cron();
  await house.sandbox.held(DELETE);
  await powerCut([sweep]);
  assert.deepEqual([await house.states(member), (await keysOf(member)).length], [["revoking"], 0]);

  await house.pass(TEN_MINUTES);
  assert.equal((await house.sweep())?.outcome, "done");
  assert.deepEqual(await house.states(member), ["revoked"]);
  assert.equal((await house.claim(member)).status, 201);
  await house.promises({ settled: true });
});

test("sessions, keys and records outlive the Worker: after a kill a member finds the key they had (F10, P4)", async () => {
  const member = await house.member();
  const made = await house.claim(member);
  await powerCut([]);
  assert.deepEqual((await member.get("/api/v1/keys")).body.keys, [made.body.key]);
  assert.equal((await house.claim(member)).status, 200);
  await house.promises({ settled: true });
});
