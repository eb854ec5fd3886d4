// The nightly trigger on real D1, and the mark of the audit's end in real KV: differences are reported and repaired, a
// key that vanished is marked as missing, and a database that is older than it was stops everything that could not be
// undone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CREATE, DELETE, Deployment, TEN_MINUTES } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** @param {import("../harness/index.mjs").Client} member */
async function holder(member) {
  assert.equal((await deployment.claim(member)).status, 201);
  const [{ upstream_hash }] = await deployment.generations(member);
  return `/keys/${upstream_hash}`;
}

test("the nightly comparison reports outside changes, sends a limit again that someone raised, and shows a missing key to its owner", async () => {
  const [switched, vanished] = await deployment.members(2);
  const [at, gone] = [await holder(switched), await holder(vanished)];
  await deployment.sandbox.addKey({ name: "somebody's own", limit: 1 });
  const first = await deployment.night();
  assert.deepEqual([first.outcome, first.counts.drift], ["done", 0]);

  await deployment.management("PATCH", at, { limit: 50 });
  await deployment.management("DELETE", gone);
  const run = await deployment.night();
  const { ours, others, drift, mended, missing, errors } = run.counts;
  assert.deepEqual([run.outcome, ours, others, drift, mended, missing, errors], ["done", 1, 1, 1, 1, 1, 0]);
  const operator = await deployment.member("operator");
  const jobs = (await operator.get("/api/v1/admin/jobs")).body;
  assert.deepEqual(jobs.drift.map((/** @type {any} */ one) => one.kind).sort(), ["limit", "missing"]);
  assert.equal(jobs.runs[0].job, "reconcile");
  const [shown] = (await vanished.get("/api/v1/keys")).body.keys;
  assert.deepEqual([shown.state, shown.missing], ["active", true]);

  assert.equal((await vanished.call(`/api/v1/keys/${shown.id}`, { method: "DELETE", json: {} })).status, 200);
  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.deepEqual([await deployment.states(switched), await deployment.states(vanished)], [["active"], ["revoked"]]);
  assert.deepEqual([(await deployment.night()).counts.drift, await deployment.worker.d1("SELECT * FROM drift")], [0, []]);
  await deployment.promises({ settled: true });

  // An admin starts this run, and it goes on working after its answer.
  const asked = await operator.post("/api/v1/admin/jobs/reconcile", { dry_run: true });
  assert.equal(asked.status, 202);
  for (let tries = 0; tries < 100; tries += 1) {
    const [{ ended_at, outcome }] = await deployment.worker.d1("SELECT ended_at, outcome FROM runs WHERE public_id = ?1", [asked.body.run]);
    if (ended_at !== null) {
      assert.equal(outcome, "done");
      return;
    }
  }
  assert.fail("it did not end");
});

test("a database that lost the end of its audit is recognised by KV: nothing is minted or deleted until an admin accepts it", async (t) => {
  const own = await Deployment.open();
  t.after(() => own.close());
  const operator = await own.member("operator");
  const member = await own.member();
  await own.pass(TEN_MINUTES);
  assert.equal((await own.sweep())?.outcome, "done");
  const [{ sql }] = await own.worker.d1("SELECT sql FROM sqlite_master WHERE name = 'audit_never_deleted'");
  await own.worker.d1(`DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE id = (SELECT MAX(id) FROM audit); ${sql}; SELECT 1`);
  const { name } = await own.markerWithoutRow(7);
  const [creates, deletes] = [await own.calls(CREATE), await own.calls(DELETE)];
  for (let n = 0; n < 2; n += 1) {
    await own.pass(TEN_MINUTES);
    const run = await own.sweep();
    assert.deepEqual([run?.outcome, run?.code], ["stopped", "database_restored"]);
  }
  const answer = await own.claim(member);
  assert.deepEqual([answer.status, answer.body.code], [403, "database_restored"]);
  assert.deepEqual([await own.calls(CREATE), await own.calls(DELETE)], [creates, deletes]);
  assert.deepEqual(await own.worker.d1("SELECT * FROM findings"), []);

  assert.equal((await operator.patch("/api/v1/admin/settings", { restore: "accept" })).body.restore, "none");
  assert.deepEqual(await own.twoSweeps(), ["done", "done"]);
  assert.deepEqual(await own.worker.d1("SELECT upstream_name FROM findings"), [{ upstream_name: name }]);
  assert.equal((await own.claim(member)).status, 201);
  await own.promises({ settled: true });
});
