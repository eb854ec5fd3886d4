// Workspaces on the real Worker and D1: the set is replaced as a whole, and a key is made where its owner chose.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("of sets that are chosen at once one is in force as a whole, and each change is in the audit", async () => {
  const operator = await deployment.member("operator");
  /** @param {string} slug @returns {Promise<string>} */
  const made = async (slug) => (await deployment.management("POST", "/workspaces", { name: slug, slug })).data.id;
  const ids = [await made("blue"), await made("red"), await made("green")];
  const sets = [[ids[0], ids[1]], [ids[1], ids[2]], [ids[2]], [ids[0], ids[2]]];
  const answers = await Promise.all(sets.map((workspace_ids) => operator.call("/api/v1/admin/workspaces", { method: "PUT", json: { workspace_ids } })));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  const enabled = await deployment.worker.d1("SELECT upstream_id AS id FROM workspaces WHERE enabled = 1 ORDER BY upstream_id");
  const is = enabled.map(({ id }) => id).join(" ");
  assert.ok(sets.some((set) => [...set].sort().join(" ") === is), is);
  const [{ on, off }] = await deployment.worker.d1("SELECT SUM(action = 'workspace_enabled') AS 'on', SUM(action = 'workspace_disabled') AS 'off' FROM audit");
  assert.equal(Number(on) - Number(off), enabled.length);
});

test("a key is made in the workspace that its owner chose, and nowhere if they chose none of several", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const { body } = await operator.get("/api/v1/admin/workspaces");
  const named = (/** @type {string} */ name) => body.workspaces.find((/** @type {{ name: string }} */ one) => one.name === name).id;
  const chosen = await operator.call("/api/v1/admin/workspaces", { method: "PUT", json: { workspace_ids: [named("blue"), named("red")] } });
  assert.equal(chosen.status, 200);
  const refused = await member.post("/api/v1/claim", { accept_terms: 1 });
  assert.deepEqual([refused.status, refused.body.errors[0].pointer], [400, "/workspace_id"]);
  const offered = (await member.get("/api/v1/workspaces")).body.workspaces;
  assert.deepEqual(offered.map((/** @type {{ name: string }} */ one) => one.name), ["blue", "red"]);
  const answer = await member.post("/api/v1/claim", { accept_terms: 1, workspace_id: offered[1].id });
  assert.deepEqual([answer.status, answer.body.key.workspace.name], [201, "red"]);
  const [key] = (await deployment.sandbox.ledger()).keys;
  assert.equal(key.workspace_id, named("red"));
  await deployment.sweep();
  await deployment.promises({ settled: true });
});
