// Many keys at once, on workerd and D1, while OpenRouter takes a tenth of a second for each answer. A part of them here;
// `npm run test:scale` has as many as a large deployment.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, SCALE, TEN_MINUTES } from "./support.mjs";

/** How much later OpenRouter's answers come. */
const LATENCY_MS = 100;
const KEYS = SCALE > 1 ? 10_000 : 200;
/** The most statements of D1 for a hundred keys. */
const STATEMENTS = 12;
/** How many calls are in flight at one time. */
const IN_FLIGHT = 6;
/** How long a hundred keys may take where no other test file runs: 10,000 in five minutes. */
const SECONDS = SCALE > 1 ? 3 : Infinity;

/** @type {Deployment} */
let deployment;
/** @type {import("../harness/index.mjs").Client} */
let operator;
before(async () => {
  deployment = await Deployment.open({ unreliable: true, delayMs: LATENCY_MS, vars: { MAX_TOTAL_KEYS: String(KEYS + 10) } });
  const members = await deployment.members(KEYS);
  operator = await deployment.member("operator");
  const lanes = Array.from({ length: 40 }, async (_, lane) => {
    for (let n = lane; n < KEYS; n += 40) assert.equal((await deployment.claim(members[n])).status, 201);
  });
  await Promise.all(lanes);
});
after(() => deployment?.close());

/**
 * Runs sweeps until one of them has counted no more of `what`. Returns how many runs did the work, and what they took.
 * @param {string} what
 */
async function sweepsFor(what) {
  const all = { runs: 0, seconds: 0, done: 0, statements: 0, calls: 0, inFlight: 0 };
  deployment.line?.most();
  for (;;) {
    await deployment.pass(TEN_MINUTES);
    const startedAt = performance.now();
    const run = await deployment.sweep();
    const seconds = (performance.now() - startedAt) / 1_000;
    assert.ok(run, "a run began");
    assert.ok(["done", "partial"].includes(run.outcome), JSON.stringify(run));
    if (run.counts[what] === 0) return all;
    all.inFlight = Math.max(all.inFlight, deployment.line?.most() ?? 0);
    all.runs += 1;
    all.seconds += seconds;
    all.done += run.counts[what];
    all.statements += run.counts.statements;
    all.calls += run.counts.calls;
    assert.ok(all.runs < 20, JSON.stringify(all));
  }
}

/** @param {string} what @param {Awaited<ReturnType<typeof sweepsFor>>} all @param {number} idle statements of a run without work */
function isWithinBudget(what, all, idle) {
  const each = (all.statements - all.runs * idle) / (KEYS / 100);
  const hundred = all.seconds / (KEYS / 100);
  console.log(`counted: ${KEYS} keys ${what} in ${all.runs} runs and ${all.seconds.toFixed(1)} s, ${all.calls} calls of ${LATENCY_MS} ms, ${each.toFixed(1)} statements for a hundred keys`);
  assert.equal(all.done, KEYS);
  assert.equal(all.inFlight, IN_FLIGHT);
  assert.ok(each <= STATEMENTS, `${each} statements for a hundred keys`);
  assert.ok(hundred <= SECONDS, `${hundred} s for a hundred keys`);
}

test(`${KEYS} keys are disabled, enabled and limited, six calls at a time and with few statements`, async () => {
  await deployment.pass(TEN_MINUTES);
  const idle = (await deployment.sweep())?.counts.statements;
  const live = (await operator.get("/api/v1/admin/settings")).body.live_keys;
  assert.equal((await operator.patch("/api/v1/admin/settings", { keys: "off", confirm: live })).status, 200);
  isWithinBudget("disabled", await sweepsFor("disabled"), idle);
  assert.equal((await operator.patch("/api/v1/admin/settings", { keys: "on" })).status, 200);
  isWithinBudget("enabled", await sweepsFor("enabled"), idle);
  assert.equal((await operator.patch("/api/v1/admin/plans/default", { limit_usd: "2" })).status, 200);
  isWithinBudget("limited", await sweepsFor("capped"), idle);
  const { most } = await deployment.batches();
  console.log(`counted: at most ${most} statements in one invocation`);
  assert.ok(most <= 900, `${most} statements in one invocation`);
  await deployment.promises({ settled: true });
});
