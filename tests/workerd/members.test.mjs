// Members whom an admin suspends, and members who leave, on the real Worker and D1.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CREATE, Deployment, secretsIn } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/** @param {string} id */
const at = (id) => `/api/v1/admin/members/${id}`;

test("a member who is suspended while OpenRouter delays their claim has no live key afterwards, and claims anew once reinstated", async () => {
  const persona = "load-70001";
  const [member, operator] = [await deployment.member(persona), await deployment.member("operator")];
  const id = await deployment.memberId(member);
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const claim = deployment.claim(member);
  await deployment.sandbox.held(CREATE);
  const answer = await operator.patch(at(id), { status: "suspended" });
  assert.deepEqual([answer.status, answer.body.member.status], [202, "suspended"]);
  assert.equal((await member.get("/api/v1/me")).body.code, "member_suspended");
  await deployment.sandbox.release();
  const refused = await claim;
  assert.deepEqual([refused.status >= 400, secretsIn(refused)], [true, []]);
  await deployment.twoSweeps();
  const { keys } = await deployment.sandbox.ledger();
  const [{ upstream_name }] = await deployment.worker.d1("SELECT g.upstream_name FROM generations g JOIN members m ON m.owner_id = g.owner_id WHERE m.public_id = ?1", [id]);
  const alive = keys.filter((/** @type {any} */ key) => key.name === upstream_name && key.deleted_at_ms === null && !key.disabled);
  assert.deepEqual(alive, []);
  await assert.rejects(deployment.member(persona), /auth_error=blocked/);
  assert.equal((await operator.patch(at(id), { status: "active" })).status, 200);
  assert.equal((await deployment.claim(await deployment.member(persona))).status, 201);
  await deployment.promises({ settled: true });
});

test("a member who leaves has no key and no name any more, and is recognised when they come back", async () => {
  const persona = "load-70002";
  const member = await deployment.member(persona);
  const id = await deployment.memberId(member);
  assert.equal((await deployment.claim(member)).status, 201);
  const file = await member.get("/api/v1/me/export");
  assert.deepEqual([file.headers.get("content-disposition"), file.body.member.login], ['attachment; filename="keycap-export.json"', persona]);
  assert.equal((await member.call("/api/v1/me", { method: "DELETE", json: { confirm: "somebody" } })).status, 400);
  const left = await member.call("/api/v1/me", { method: "DELETE", json: { confirm: persona } });
  assert.equal(left.status, 204);
  assert.match(left.headers.get("set-cookie") ?? "", /Max-Age=0/);
  const [row] = await deployment.worker.d1("SELECT login, status, account_created_at, subject GLOB 'left:*' AS hashed FROM members WHERE public_id = ?1", [id]);
  assert.deepEqual(row, { login: "", status: "left", account_created_at: 0, hashed: 1 });
  await deployment.twoSweeps();
  await deployment.promises({ settled: true });
  const back = await deployment.member(persona);
  assert.equal(await deployment.memberId(back), id);
  assert.equal((await deployment.claim(back)).status, 201);
  await deployment.promises({ settled: true });
});
