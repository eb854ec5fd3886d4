// The size of the Worker, and how long a fresh process of it takes to its first answer, compared with a Worker that
// does nothing. `wrangler check startup` takes one or two samples of some milliseconds, and none in a bare Worker, so
// it gives no ratio.

import { SIZE_BUDGET_KB, workerSizeKb } from "../scripts/build.mjs";
import { inRoot } from "../scripts/paths.mjs";
import { fixed, median } from "./numbers.mjs";
import { builtWorker, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Module} Module */
/** @typedef {import("./run.mjs").Verdict} Verdict */

const ROUNDS = 5;

/** @type {Module} */
const BARE = { type: "ESModule", path: inRoot("build", "bare.js"), contents: 'export default { fetch: () => new Response("hello") };' };

/** @returns {Promise<Verdict[]>} */
export async function startup() {
  const kb = await workerSizeKb();
  const ours = [];
  const bare = [];
  for (let n = 0; n < ROUNDS; n += 1) {
    ours.push(await firstAnswerMs(await builtWorker()));
    bare.push(await firstAnswerMs([BARE]));
  }
  const ratio = median(ours) / median(bare);
  console.log(`  to the first answer of a fresh process: ${fixed(median(ours), 0)} ms, a bare Worker ${fixed(median(bare), 0)} ms (medians of ${ROUNDS})`);
  return [
    { what: "Worker, gzipped", limit: `≤ ${SIZE_BUDGET_KB} KB`, measured: `${fixed(kb, 0)} KB`, met: kb <= SIZE_BUDGET_KB },
    { what: "start-up against a bare Worker", limit: "≤ 2.00 ×", measured: `${fixed(ratio)} ×`, met: ratio <= 2 },
  ];
}

/** @param {Module[]} modules */
async function firstAnswerMs(modules) {
  const startedAt = performance.now();
  const program = await start(modules, { empty: true });
  await (await program.fetch("/healthz")).text();
  const took = performance.now() - startedAt;
  await program.stop();
  return took;
}
