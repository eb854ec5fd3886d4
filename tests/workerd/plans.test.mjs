// Plans on the real Worker and D1: a change that the cron job carries out, keys that are requested at the same time,
// and a plan whose keys may use only some models.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, secretsIn } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("a change of a plan reaches its owners' keys at OpenRouter with the next sweep, without new keys", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  assert.equal((await deployment.claim(member)).status, 201);
  const changed = await operator.patch("/api/v1/admin/plans/default", { limit_usd: "2.50", limit_reset: "weekly" });
  assert.equal(changed.status, 200);
  await deployment.sweep();
  const [row] = await deployment.generations(member);
  assert.deepEqual([row.state, row.limit_nano, row.limit_reset, row.cap_due_at], ["active", 2_500_000_000, "weekly", null]);
  const key = (await member.get("/api/v1/keys")).body.keys[0];
  assert.deepEqual([key.limit_usd, key.limit_reset], ["2.50", "weekly"]);
  await deployment.promises({ settled: true });
});

test("of five keys requested at once one is made if the plan has room for one", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const id = await deployment.memberId(member);
  assert.equal((await operator.post(`/api/v1/admin/members/${id}/plan`, { plan: "basic" })).status, 200);
  assert.equal((await deployment.claim(member)).status, 201);
  const asked = await Promise.all([1, 2, 3, 4, 5].map((n) => member.post("/api/v1/keys", { name: `key ${n}` })));
  assert.deepEqual(asked.map(({ status }) => status).sort(), [201, 409, 409, 409, 409]);
  const live = (await deployment.generations(member)).filter(({ live }) => live === 1);
  assert.equal(live.length, 2);
  await deployment.promises({ settled: true });
});

test("a key of a plan with a guardrail gets its models and no others, and follows the plan", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const guardrail_id = await deployment.guardrail("cheap/one");
  const plan = { name: "dev", limit_usd: "5", limit_reset: "monthly", expiry_days: 30, max_active_keys: 1, guardrail_id };
  const made = await operator.post("/api/v1/admin/plans", plan);
  assert.deepEqual([made.status, made.body.plan.guardrail_id], [201, guardrail_id]);
  const gone = await operator.patch("/api/v1/admin/plans/dev", { guardrail_id: "ffffffff-0000-4000-8000-ffffffffffff" });
  assert.deepEqual([gone.status, gone.body.code], [409, "guardrail_missing"]);
  assert.equal((await operator.post(`/api/v1/admin/members/${await deployment.memberId(member)}/plan`, { plan: "dev" })).status, 200);
  await deployment.sandbox.fault({ operation: "openrouter.guardrails.assign", kind: "error_after" });
  const unsure = await deployment.claim(member);
  assert.deepEqual([unsure.status, unsure.body.code, secretsIn(unsure)], [503, "claim_unknown", []]);
  const { key, secret } = (await deployment.claim(member)).body;
  const asks = (/** @type {string} */ model) => deployment.sandbox.calls(secret, model);
  assert.deepEqual(await asks("dear/one"), { refused: "model_not_allowed", status: 403 });
  assert.deepEqual(await asks("cheap/one"), { booked_usd: 0.01 });
  assert.equal((await operator.patch("/api/v1/admin/plans/dev", { guardrail_id: null })).status, 200);
  await deployment.sweep();
  assert.deepEqual(await asks("dear/one"), { booked_usd: 0.01 });
  const rows = await deployment.generations(member);
  assert.deepEqual(rows.map(({ guardrail_id: held }) => held), [null, null]);
  assert.equal(key.limit_usd, "5.00");
  await deployment.promises({ settled: true });
});
