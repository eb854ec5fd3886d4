// The ten-minute trigger on workerd, seen by its rows in `runs`: one sweep at a time, never early, and only on keys
// that are certainly ours.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CREATE, DELETE, Deployment, LIST, TEN_MINUTES, tally } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/** @param {string} hash */
async function upstreamKey(hash) {
  const { keys } = await deployment.sandbox.ledger();
  return keys.find((/** @type {any} */ key) => key.hash === hash);
}

/** A member whose create has an unknown outcome; no key was made. */
async function memberWithUnknownMint() {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_before" });
  assert.equal((await deployment.claim(member)).status, 503);
  return member;
}

test("of two sweeps at once one runs and the other leaves no row; each run reports what it did", async () => {
  const member = await memberWithUnknownMint();
  await deployment.pass(TEN_MINUTES);
  const [{ count }] = await deployment.worker.d1("SELECT COUNT(*) AS count FROM runs");
  await deployment.sandbox.fault({ operation: LIST, kind: "hold_before" });
  const first = deployment.worker.cron();
  await deployment.sandbox.held(LIST);
  const lists = await deployment.calls(LIST);
  await deployment.worker.cron();
  assert.equal(await deployment.calls(LIST), lists, "the second asks for nothing");
  await deployment.sandbox.release();
  await first;
  const runs = await deployment.worker.d1("SELECT * FROM runs WHERE job = 'sweep' AND id > ?1 ORDER BY id", [count]);
  assert.deepEqual(runs.map((run) => [run.job, run.outcome, run.code, run.cursor]), [["sweep", "done", null, null]]);
  assert.ok(runs[0].started_at <= runs[0].ended_at && runs[0].ended_at < runs[0].lease_until);
  assert.equal(JSON.parse(runs[0].counts).cleared, 1);
  assert.ok(deployment.worker.logs().some((line) => line.includes('"run_skipped"')), "the skipped one is in the log");
  assert.deepEqual(await deployment.states(member), ["void"]);
  await deployment.promises({ settled: true });
});

test("many triggers at once leave no run unfinished and never two at a time", async () => {
  await Promise.all(Array.from({ length: 10 }, () => deployment.worker.cron()));
  const runs = await deployment.worker.d1("SELECT outcome, started_at, ended_at FROM runs WHERE job = 'sweep'");
  assert.ok(runs.length >= 1 && runs.every((run) => run.outcome === "done" && run.ended_at !== null), JSON.stringify(runs));
  await deployment.promises();
});

test("eleven triggers among thirty claims: one sweep at a time, no reservation freed early, and every claim gets its secret", async () => {
  const waiting = await memberWithUnknownMint();
  const members = await deployment.members(30);
  const [{ last }] = await deployment.worker.d1("SELECT COALESCE(MAX(id), 0) AS last FROM runs");
  // The sweep is held while claims pass it, and some claims are held while the next sweep passes them.
  await deployment.sandbox.fault([{ operation: LIST, kind: "hold_before" }, { operation: CREATE, kind: "hold_after", nth: 11, times: 10 }]);
  const first = deployment.worker.cron();
  await deployment.sandbox.held(LIST);
  const claims = members.map((member) => deployment.claim(member));
  await deployment.sandbox.held(CREATE, 10);
  await Promise.all(Array.from({ length: 5 }, () => deployment.worker.cron()));
  const meanwhile = await deployment.worker.d1("SELECT outcome FROM runs WHERE job = 'sweep' AND id > ?1", [last]);
  assert.deepEqual(meanwhile, [{ outcome: "running" }], "the others found the lease taken");
  const [listing] = (await deployment.sandbox.held(LIST)).held;
  await deployment.sandbox.release(listing.ticket);
  await first;
  await Promise.all(Array.from({ length: 5 }, () => deployment.worker.cron()));
  await deployment.sandbox.release();
  const answers = await Promise.all(claims);
  assert.deepEqual(tally(answers), { 201: members.length });
  const runs = await deployment.worker.d1("SELECT outcome, started_at, ended_at FROM runs WHERE job = 'sweep' AND id > ?1 ORDER BY id", [last]);
  assert.ok(runs.length > 1 && runs.every((run, n) => run.outcome === "done" && run.started_at >= (runs[n - 1]?.ended_at ?? 0)), JSON.stringify(runs));
  assert.deepEqual(await deployment.states(waiting), ["verifying"], "its five minutes are not over");
  await deployment.promises();
  await deployment.recovers(waiting);
  console.log(`counted: 11 triggers among ${members.length} claims, ${runs.length} sweeps on workerd`);
});

test("a sweep that is delayed beyond its lease counts as dead, and harms nothing when it continues beside the next one", async () => {
  const member = await memberWithUnknownMint();
  await deployment.pass(TEN_MINUTES);
  await deployment.sandbox.fault({ operation: LIST, kind: "hold_after" });
  const slow = deployment.worker.cron();
  await deployment.sandbox.held(LIST);
  await deployment.pass(TEN_MINUTES);
  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.deepEqual(await deployment.states(member), ["void"]);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.sandbox.release();
  await slow;
  assert.deepEqual(await deployment.states(member), ["void", "active"]);
  await deployment.promises({ settled: true });
});

test("a trigger with a time in the future frees nothing early; one in the past acts as of then", async () => {
  const member = await memberWithUnknownMint();
  const tomorrow = Date.now() + 86_400_000;
  const early = await deployment.sweep(tomorrow);
  assert.deepEqual([early?.outcome, early?.scheduled_at], ["done", Math.floor(tomorrow / 1000)]);
  assert.ok(early?.started_at < early?.scheduled_at, "it began now");
  assert.deepEqual(await deployment.states(member), ["verifying"], "its five minutes are not over");

  await deployment.pass(TEN_MINUTES);
  const [{ created_at }] = await deployment.generations(member);
  assert.equal((await deployment.sweep((created_at + 60) * 1000))?.outcome, "done");
  assert.deepEqual(await deployment.states(member), ["verifying"], "a minute after the claim they were not over");

  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.deepEqual(await deployment.states(member), ["void"]);
  await deployment.promises({ settled: true });
});

test("a sweep does not touch a mint under way, whatever time the sweep acts for", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const claim = deployment.claim(member);
  await deployment.sandbox.held(CREATE);
  assert.equal((await deployment.sweep(Date.now() + 86_400_000))?.outcome, "done");
  assert.deepEqual(await deployment.states(member), ["minting"]);
  await deployment.sandbox.release();
  assert.equal((await claim).status, 201, "the key is there and its secret arrives");
  await deployment.promises({ settled: true });
});

test("a mint older than a minute, or fenced by a sweep, is not recorded: its key is deleted and its secret never leaves", async () => {
  for (const [age, sweeps] of [[61, false], [TEN_MINUTES, true]]) {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
    const claim = deployment.claim(member);
    await deployment.sandbox.held(CREATE);
    await deployment.pass(Number(age));
    if (sweeps) assert.equal((await deployment.sweep())?.outcome, "done");
    await deployment.sandbox.release();
    const answer = await claim;
    assert.ok(answer.status >= 400, `${answer.status}`);
    await deployment.promises();
    await deployment.twoSweeps();
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.promises({ settled: true });
  }
});

test("keys of others are never touched, whatever their names", async () => {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const [{ name: instance }] = await deployment.worker.d1("SELECT name FROM instance");
  const names = ["somebody's own", "keycap", "keycap/", `keycap/${instance}`, `Keycap/${instance}/gen_${"0".repeat(24)}`, `keycap/0123456789ab/gen_${"0".repeat(24)}`];
  for (const name of names) await deployment.sandbox.addKey({ name, limit: 1 });
  const deletes = await deployment.calls(DELETE);
  await deployment.twoSweeps();
  const { keys, counts } = await deployment.sandbox.ledger();
  const theirs = keys.filter((/** @type {any} */ key) => names.includes(key.name));
  assert.deepEqual(theirs.map((/** @type {any} */ key) => [key.disabled, key.deleted_at_ms, key.updated_at_ms]), names.map(() => [false, null, null]));
  assert.equal(counts[DELETE] ?? 0, deletes);
  await deployment.promises({ settled: true });
});

test("a marked key without a row is disabled, listed and logged, and never deleted", async () => {
  const { name, hash } = await deployment.markerWithoutRow(1);
  await deployment.pass(TEN_MINUTES);
  const run = await deployment.sweep();
  assert.deepEqual([run?.outcome, run?.counts.quarantined], ["done", 1]);
  for (let n = 0; n < 2; n += 1) {
    const key = await upstreamKey(hash);
    assert.deepEqual([key.disabled, key.deleted_at_ms], [true, null]);
    const findings = await deployment.worker.d1("SELECT upstream_name, upstream_hash, disabled_at > 0 AS disabled FROM findings");
    assert.deepEqual(findings, [{ upstream_name: name, upstream_hash: hash, disabled: 1 }]);
    assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  }
  assert.ok(deployment.worker.logs().some((line) => line.includes('"marker_without_row"') && line.includes('"level":"error"')));
  await deployment.promises({ settled: true });
  await forget([hash]);
});

test("more than ten marked keys without a row stop the run, which says so and touches none of them", async () => {
  const markers = [];
  for (let n = 100; n < 111; n += 1) markers.push(await deployment.markerWithoutRow(n));
  await deployment.pass(TEN_MINUTES);
  const [deletes, run] = [await deployment.calls(DELETE), await deployment.sweep()];
  assert.deepEqual([run?.outcome, run?.code], ["stopped", "brake"]);
  for (const { hash } of markers) {
    const key = await upstreamKey(hash);
    assert.deepEqual([key.disabled, key.deleted_at_ms, key.updated_at_ms], [false, null, null]);
  }
  assert.equal(await deployment.calls(DELETE), deletes);
  const listed = await deployment.worker.d1("SELECT upstream_name FROM findings WHERE disabled_at IS NULL ORDER BY upstream_name");
  assert.deepEqual(listed.map((row) => row.upstream_name), markers.map(({ name }) => name).sort());
  await deployment.promises();
  await forget(markers.map(({ hash }) => hash));
  await deployment.pass(TEN_MINUTES);
  assert.equal((await deployment.sweep())?.outcome, "done", "once somebody has seen to them, sweeps go on");
});

/** What an operator does after looking at the findings. @param {string[]} hashes */
async function forget(hashes) {
  for (const hash of hashes) await deployment.management("DELETE", `/keys/${hash}`);
  await deployment.worker.d1("DELETE FROM findings");
}

test("a key past its expiry is closed five minutes later, and its owner may claim again", async (t) => {
  // This test has a deployment of its own, because every key in it expires after ninety days.
  const own = await Deployment.open();
  t.after(() => own.close());
  const member = await own.member();
  assert.equal((await own.claim(member)).status, 201);
  await own.pass(90 * 86_400 + 200);
  assert.equal((await own.sweep())?.counts.expired, 0, "clocks may differ by five minutes");
  assert.deepEqual(await own.states(member), ["active"]);
  // The upstream ends the key by its own clock.
  await own.sandbox.clock(90 * 86_400_000 + 800_000);
  await own.pass(TEN_MINUTES);
  assert.equal((await own.sweep())?.counts.expired, 1);
  assert.deepEqual(await own.states(member), ["expired"]);
  await own.promises({ settled: true });
  const me = (await member.get("/api/v1/me")).body;
  assert.equal(me.claim.open, true);
});
