// The size of the Worker, and how long a fresh process of it takes to its first answer, compared with a Worker that
// does nothing but ask D1 once, as ours does for that answer. D1 is a process's slowest part to start, and no part of
// the Worker. `wrangler check startup` takes one or two samples of some milliseconds, and none in a bare Worker, so
// it gives no ratio.

import assert from "node:assert/strict";
import { SIZE_BUDGET_KB, workerSizeKb } from "../scripts/build.mjs";
import { inRoot } from "../scripts/paths.mjs";
import { fixed, inRounds, median, medianRatio } from "./numbers.mjs";
import { builtWorker, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Module} Module */
/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {import("./run.mjs").Verdict} Verdict */

const ROUNDS = 9;

/** @type {Module} */
const BARE = { type: "ESModule", path: inRoot("build", "bare.js"), contents: `export default { fetch: async (_, env) => Response.json(await env.DB.batch([env.DB.prepare("SELECT minting FROM settings")])) };` };

/** @returns {Promise<Verdict[]>} */
export async function startup() {
  const kb = await workerSizeKb();
  const migrated = await start([BARE]);
  await migrated.end();
  const programs = { ours: await builtWorker(), bare: [BARE] };
  const rounds = await inRounds(programs, ROUNDS, (modules) => firstAnswerMs(modules, migrated));
  await migrated.stop();
  const [ours, bare] = [median(rounds.map((round) => round.ours)), median(rounds.map((round) => round.bare))];
  const { ratio, shown } = medianRatio(rounds.map((round) => round.ours / round.bare));
  console.log(`  to the first answer of a fresh process: ${fixed(ours, 0)} ms, a bare Worker ${fixed(bare, 0)} ms (medians of ${ROUNDS})`);
  return [
    { what: "Worker, gzipped", limit: `≤ ${SIZE_BUDGET_KB} KB`, measured: `${fixed(kb, 0)} KB`, met: kb <= SIZE_BUDGET_KB },
    { what: "start-up against a bare Worker with D1", limit: "≤ 2.00 ×", measured: shown, met: ratio <= 2 },
  ];
}

/** @param {Module[]} modules @param {Program} migrated */
async function firstAnswerMs(modules, migrated) {
  const startedAt = performance.now();
  const program = await start(modules, { like: migrated });
  const answer = await program.fetch("/healthz");
  assert.equal(answer.status, 200, await answer.text());
  const took = performance.now() - startedAt;
  await program.stop();
  return took;
}
