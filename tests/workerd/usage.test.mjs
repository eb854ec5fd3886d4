// The trigger after midnight on real D1: it reads the usage of the days that are over, once, however often it fires, and
// a Worker that is killed in the middle leaves nothing half done.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Deployment } from "./support.mjs";

const AFTER_MIDNIGHT = "30 0 * * *";
const ANALYTICS = "openrouter.analytics.query";
const DAY_MS = 86_400_000;

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

const fires = () => deployment.worker.cron(Date.now(), AFTER_MIDNIGHT);

/** The runs of the job after the one of this number, oldest first. @param {number} after */
const runs = (after = 0) => deployment.worker.d1("SELECT id, outcome, code, counts FROM runs WHERE job = 'usage_sync' AND id > ?1 ORDER BY id", [after]);

test("the trigger after midnight reads what keys were used for, and the API answers it to the member", async () => {
  const [member, other] = await deployment.members(2);
  const used = [];
  for (const one of [member, other]) {
    assert.equal((await deployment.claim(one)).status, 201);
    const [{ upstream_hash }] = await deployment.generations(one);
    used.push(String(upstream_hash));
  }
  await deployment.sandbox.use(used[0], 0.123456789, "anthropic/claude-sonnet-4.5", DAY_MS);
  await deployment.sandbox.use(used[0], 0.25, "openai/gpt-5.6", 3 * DAY_MS);
  await deployment.sandbox.use(used[1], 1, "openai/gpt-5.6", DAY_MS);
  await fires();
  const [run] = await runs();
  assert.deepEqual([run.outcome, run.code, JSON.parse(run.counts).days], ["done", null, 30]);

  const from = new Date(Date.now() - 5 * DAY_MS).toISOString().slice(0, 10);
  const { status, body } = await member.get(`/api/v1/usage?from=${from}&group=model`);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.totals.cost_usd, "0.373456789");
  assert.deepEqual(body.series.map((/** @type {any} */ one) => one.one?.name), ["GPT-5.6", "Claude Sonnet 4.5"]);
  assert.equal((await member.get("/api/v1/usage?scope=all")).status, 404);
  const operator = await deployment.member("operator");
  const all = (await operator.get(`/api/v1/usage?scope=all&from=${from}&group=member,model`)).body;
  assert.equal(all.totals.cost_usd, "1.373456789");
  assert.equal(all.reconciliation.keys_differing, 0);

  // Everything is read today, so the next one asks nothing.
  const asked = await deployment.calls(ANALYTICS);
  await Promise.all([fires(), fires()]);
  assert.equal(await deployment.calls(ANALYTICS), asked);
});

test("a Worker that is killed while it reads usage is continued by the ten-minute trigger with the same totals", async () => {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const [{ upstream_hash }] = await deployment.generations(member);
  await deployment.sandbox.use(String(upstream_hash), 0.5, "openai/gpt-5.6", DAY_MS);
  await deployment.worker.d1("UPDATE usage_days_read SET as_of = as_of - 86400; SELECT 1");
  const [{ last }] = await deployment.worker.d1("SELECT MAX(id) AS last FROM runs");
  await deployment.sandbox.fault({ operation: ANALYTICS, kind: "hold_before", nth: 3 });
  const firing = fires().catch(() => "killed");
  await deployment.sandbox.held(ANALYTICS);
  await deployment.worker.kill();
  await firing;
  await deployment.worker.restart();
  await deployment.sandbox.release();
  await deployment.pass(600);
  await deployment.worker.cron();
  const [dead, done] = await runs(Number(last));
  assert.deepEqual([dead.outcome, done.outcome], ["abandoned", "done"]);
  const yesterday = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10);
  const { body } = await member.get(`/api/v1/usage?from=${yesterday}&to=${yesterday}`);
  assert.equal(body.totals.cost_usd, "0.50");
});
