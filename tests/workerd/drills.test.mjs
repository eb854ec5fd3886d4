// What an operator may do to a deployment, on real workerd: set a management key of another account, restore the
// database to an earlier day while KV keeps its state, run a second deployment on the same account.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { databaseFile, localVars } from "../../scripts/local.mjs";
import { startSandbox } from "../harness/index.mjs";
import { CREATE, DELETE, Deployment, secretsIn } from "./support.mjs";

const UPDATE = "openrouter.keys.update";

/** Runs the next sweep and the next nightly run; returns how each ended. @param {Deployment} deployment */
async function jobs(deployment) {
  const runs = [await deployment.sweep(), await deployment.night()];
  return runs.map((run) => (run?.code ? `${run.outcome} ${run.code}` : run?.outcome));
}

/**
 * How many changes the upstream received: keys made, changed and deleted.
 * @param {{ ledger: () => Promise<any> }} sandbox
 */
async function changes(sandbox) {
  const { counts } = await sandbox.ledger();
  return [CREATE, UPDATE, DELETE].map((operation) => counts[operation] ?? 0);
}

/** @param {import("../harness/index.mjs").Client} member @param {Deployment} deployment */
async function refusal(deployment, member) {
  const { status, body } = await deployment.claim(member);
  return `${status} ${body.code}`;
}

test("with the management key of another account nothing is claimed, concluded, disabled or deleted", async (t) => {
  const [deployment, other] = [await Deployment.open(), await startSandbox()];
  t.after(() => deployment.close());
  t.after(() => other.stop());
  const { data } = await deployment.management("POST", "/workspaces", { name: "Keys", slug: "keys" });
  await deployment.worker.restart({ vars: { OPENROUTER_WORKSPACE_ID: data.id } });
  const [member, leaver, latecomer] = [await deployment.member(), await deployment.member(), await deployment.member()];
  for (const each of [member, leaver]) assert.equal((await deployment.claim(each)).status, 201);
  assert.deepEqual(await jobs(deployment), ["done", "done"]);

  const at = (/** @type {{ url: string }} */ { url }) => ({ OPENROUTER_API_URL: localVars({ origin: "", sandboxUrl: url }).OPENROUTER_API_URL });
  await deployment.worker.restart({ vars: at(other) });
  const before = await changes(deployment.sandbox);
  // The other account answers that this key does not exist.
  assert.equal((await leaver.delete(await deployment.keyPath(leaver))).status, 202);
  for (let n = 0; n < 2; n += 1) assert.deepEqual(await jobs(deployment), ["stopped foreign_account", "stopped foreign_account"]);
  assert.equal(await refusal(deployment, latecomer), "403 foreign_account");
  assert.deepEqual([await deployment.states(member), await deployment.states(leaver)], [["active"], ["revoking"]]);
  assert.deepEqual(await changes(deployment.sandbox), before);
  assert.deepEqual([(await changes(other))[0], (await changes(other))[2], (await other.ledger()).keys], [0, 0, []]);

  await deployment.worker.restart({ vars: at(deployment.sandbox) });
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.deepEqual([await deployment.states(member), await deployment.states(leaver)], [["active"], ["revoked"]]);
  assert.equal((await deployment.claim(latecomer)).status, 201);
  await deployment.promises({ settled: true });
});

test("on a database restored to an earlier copy nothing is minted, disabled or deleted until an admin accepts it", async (t) => {
  const deployment = await Deployment.open();
  const copy = await mkdtemp(join(tmpdir(), "keycap-copy-"));
  t.after(() => rm(copy, { recursive: true }));
  t.after(() => deployment.close());
  const [member, later, operator] = [await deployment.member(), await deployment.member(), await deployment.member("operator")];
  assert.equal((await deployment.claim(member)).status, 201);
  assert.deepEqual(await jobs(deployment), ["done", "done"]);
  await deployment.worker.kill();
  const folder = dirname(await databaseFile(deployment.worker.persist));
  await cp(folder, copy, { recursive: true });
  await deployment.worker.restart();

  const forgotten = await deployment.claim(later);
  assert.equal(forgotten.status, 201);
  const [{ upstream_name: name }] = await deployment.generations(later);
  await jobs(deployment);
  await deployment.look();
  await deployment.worker.kill();
  await rm(folder, { recursive: true });
  await cp(copy, folder, { recursive: true });
  await deployment.worker.restart();
  // The restored database knows neither the row nor that its secret was given out.
  deployment.withoutRow.push(name);
  const [lost] = secretsIn(forgotten);
  deployment.delivered = deployment.delivered.filter((secret) => secret !== lost);

  const before = await changes(deployment.sandbox);
  for (let n = 0; n < 2; n += 1) assert.deepEqual(await jobs(deployment), ["stopped database_restored", "stopped database_restored"]);
  assert.equal(await refusal(deployment, later), "403 database_restored");
  assert.deepEqual([await changes(deployment.sandbox), await deployment.worker.d1("SELECT * FROM findings")], [before, []]);

  assert.equal((await operator.patch("/api/v1/admin/settings", { restore: "accept" })).body.restore, "none");
  assert.deepEqual(await jobs(deployment), ["done", "done"]);
  assert.deepEqual(await deployment.worker.d1("SELECT upstream_name FROM findings"), [{ upstream_name: name }]);
  assert.deepEqual((await changes(deployment.sandbox))[2], before[2], "what has no row is put off, and not deleted");
  assert.equal((await deployment.claim(later)).status, 201);
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
});

test("two deployments on one account do not touch each other's keys, not even strays", async (t) => {
  const first = await Deployment.open();
  const second = await Deployment.open({ beside: first });
  t.after(() => second.close());
  t.after(() => first.close());
  for (const deployment of [first, second]) {
    assert.equal((await deployment.claim(await deployment.member())).status, 201);
    assert.deepEqual(await jobs(deployment), ["done", "done"]);
  }
  const [made, ...untouched] = await changes(first.sandbox);
  // A key that only the first deployment can know, because the answer to its create was lost.
  const unknown = await first.member();
  await first.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await first.claim(unknown)).status, 503);
  for (let n = 0; n < 3; n += 1) assert.deepEqual(await jobs(second), ["done", "done"]);
  assert.deepEqual(await changes(first.sandbox), [made + 1, ...untouched]);
  await first.recovers(unknown);
  await jobs(second);
  assert.deepEqual(await changes(first.sandbox), [made + 2, untouched[0], untouched[1] + 1]);
  for (const deployment of [first, second]) {
    assert.deepEqual([await deployment.worker.d1("SELECT * FROM findings"), await deployment.worker.d1("SELECT * FROM drift")], [[], []]);
    await deployment.promises({ settled: true });
  }
});
