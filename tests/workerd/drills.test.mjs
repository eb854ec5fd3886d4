// What an operator may do to a deployment, on real workerd: set a management key of another account, restore the
// database to an earlier day while KV keeps its state, run a second deployment on the same account.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { databaseFile, localVars } from "../../scripts/local.mjs";
import { startSandbox } from "../harness/index.mjs";
import { CREATE, DELETE, House, secretsIn } from "./support.mjs";

const UPDATE = "openrouter.keys.update";

/** Runs the next sweep and the next nightly run; returns how each ended. @param {House} house */
async function jobs(house) {
  const runs = [await house.sweep(), await house.night()];
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

/** @param {import("../harness/index.mjs").Client} member @param {House} house */
async function refusal(house, member) {
  const { status, body } = await house.claim(member);
  return `${status} ${body.code}`;
}

test("with the management key of another account nothing is claimed, concluded, disabled or deleted", async (t) => {
  const [house, other] = [await House.open(), await startSandbox()];
  t.after(() => house.close());
  t.after(() => other.stop());
  const { data } = await house.management("POST", "/workspaces", { name: "Keys", slug: "keys" });
  await house.worker.restart({ vars: { OPENROUTER_WORKSPACE_ID: data.id } });
  const [member, leaver, latecomer] = [await house.member(), await house.member(), await house.member()];
  for (const each of [member, leaver]) assert.equal((await house.claim(each)).status, 201);
  assert.deepEqual(await jobs(house), ["done", "done"]);

  const at = (/** @type {{ url: string }} */ { url }) => ({ OPENROUTER_API_URL: localVars({ origin: "", sandboxUrl: url }).OPENROUTER_API_URL });
  await house.worker.restart({ vars: at(other) });
  const before = await changes(house.sandbox);
  // The other account answers that this key does not exist.
  assert.equal((await leaver.delete(await house.keyPath(leaver))).status, 202);
  for (let n = 0; n < 2; n += 1) assert.deepEqual(await jobs(house), ["stopped foreign_account", "stopped foreign_account"]);
  assert.equal(await refusal(house, latecomer), "403 foreign_account");
  assert.deepEqual([await house.states(member), await house.states(leaver)], [["active"], ["revoking"]]);
  assert.deepEqual(await changes(house.sandbox), before);
  assert.deepEqual([(await changes(other))[0], (await changes(other))[2], (await other.ledger()).keys], [0, 0, []]);

  await house.worker.restart({ vars: at(house.sandbox) });
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  assert.deepEqual([await house.states(member), await house.states(leaver)], [["active"], ["revoked"]]);
  assert.equal((await house.claim(latecomer)).status, 201);
  await house.promises({ settled: true });
});

test("on a database put back to an earlier copy nothing is minted, disabled or deleted until an admin accepts it", async (t) => {
  const house = await House.open();
  const copy = await mkdtemp(join(tmpdir(), "keycap-copy-"));
  t.after(() => rm(copy, { recursive: true }));
  t.after(() => house.close());
  const [member, later, operator] = [await house.member(), await house.member(), await house.member("operator")];
  assert.equal((await house.claim(member)).status, 201);
  assert.deepEqual(await jobs(house), ["done", "done"]);
  await house.worker.kill();
  const folder = dirname(await databaseFile(house.worker.persist));
  await cp(folder, copy, { recursive: true });
  await house.worker.restart();

  const forgotten = await house.claim(later);
  assert.equal(forgotten.status, 201);
  const [{ upstream_name: name }] = await house.generations(later);
  await jobs(house);
  await house.look();
  await house.worker.kill();
  await rm(folder, { recursive: true });
  await cp(copy, folder, { recursive: true });
  await house.worker.restart();
  // The restored database knows neither the row nor that its secret was given out.
  house.withoutRow.push(name);
  const [lost] = secretsIn(forgotten);
  house.delivered = house.delivered.filter((secret) => secret !== lost);

  const before = await changes(house.sandbox);
  for (let n = 0; n < 2; n += 1) assert.deepEqual(await jobs(house), ["stopped database_restored", "stopped database_restored"]);
  assert.equal(await refusal(house, later), "403 database_restored");
  assert.deepEqual([await changes(house.sandbox), await house.worker.d1("SELECT * FROM findings")], [before, []]);

  assert.equal((await operator.patch("/api/v1/admin/settings", { restore: "accept" })).body.restore, "none");
  assert.deepEqual(await jobs(house), ["done", "done"]);
  assert.deepEqual(await house.worker.d1("SELECT upstream_name FROM findings"), [{ upstream_name: name }]);
  assert.deepEqual((await changes(house.sandbox))[2], before[2], "what has no row is put off, and not deleted");
  assert.equal((await house.claim(later)).status, 201);
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  await house.promises({ settled: true });
});

test("two deployments on one account leave each other's keys alone, strays too", async (t) => {
  const first = await House.open();
  const second = await House.open({ beside: first });
  t.after(() => second.close());
  t.after(() => first.close());
  for (const house of [first, second]) {
    assert.equal((await house.claim(await house.member())).status, 201);
    assert.deepEqual(await jobs(house), ["done", "done"]);
  }
  const [made, ...untouched] = await changes(first.sandbox);
  // A key that only the first deployment can know, because the answer to its create was lost.
  const doubtful = await first.member();
  await first.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await first.claim(doubtful)).status, 503);
  for (let n = 0; n < 3; n += 1) assert.deepEqual(await jobs(second), ["done", "done"]);
  assert.deepEqual(await changes(first.sandbox), [made + 1, ...untouched]);
  await first.recovers(doubtful);
  await jobs(second);
  assert.deepEqual(await changes(first.sandbox), [made + 2, untouched[0], untouched[1] + 1]);
  for (const house of [first, second]) {
    assert.deepEqual([await house.worker.d1("SELECT * FROM findings"), await house.worker.d1("SELECT * FROM drift")], [[], []]);
    await house.promises({ settled: true });
  }
});
