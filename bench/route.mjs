// The signed-in route against its peer and the floor: requests per second and processor time, in alternating rounds.

import assert from "node:assert/strict";
import autocannon from "autocannon";
import { answerOf, startFloor, startPair } from "./pair.mjs";
import { fixed, inRounds, medianRatio, table } from "./numbers.mjs";
import { PATH } from "./paths.mjs";
import { cookie } from "./seed.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {{ rps: number, cpuMs: number }} Load  cpuMs: of the workerd process, for each request */
/** @typedef {import("./run.mjs").Verdict} Verdict */

/** There are many short rounds, because the machine's other work changes from second to second. */
const ROUNDS = 15;
const SECONDS = 2;
const CONNECTIONS = 16;
/** V8 compiles hot code anew; until that is done, the bench would measure V8's compiler. */
const WARM_UP_SECONDS = 8;
const BUDGET = { speed: 1, cpu: 0.97 };

/** @returns {Promise<Verdict[]>} */
export async function route() {
  const { ours, peer } = await startPair();
  const programs = { ours, peer, floor: await startFloor(ours) };
  try {
    const answer = await answerOf(ours);
    for (const program of Object.values(programs)) assert.deepEqual(await answerOf(program), answer, "a program's answer differs from ours");
    for (const program of Object.values(programs)) await load(program, WARM_UP_SECONDS);
    return judged(await inRounds(programs, ROUNDS, (program) => load(program, SECONDS)));
  } finally {
    await Promise.all(Object.values(programs).map((program) => program.stop()));
  }
}

/** @param {Program} program @param {number} seconds @returns {Promise<Load>} */
async function load(program, seconds) {
  const before = program.cpuMs();
  const startedAt = performance.now();
  const result = await autocannon({ url: `${program.url}${PATH}`, connections: CONNECTIONS, duration: seconds, headers: { cookie: await cookie() } });
  const took = (performance.now() - startedAt) / 1000;
  const after = program.cpuMs();
  const answered = result["2xx"];
  if (answered === 0 || result.non2xx || result.errors) throw new Error(`${answered} good answers, ${result.non2xx} bad ones, ${result.errors} errors`);
  return { rps: answered / took, cpuMs: (after - before) / answered };
}

/** @param {Record<string, Load>[]} rounds @returns {Verdict[]} */
function judged(rounds) {
  const cpu = (/** @type {Load} */ { cpuMs }) => (Number.isNaN(cpuMs) ? "not measured here" : fixed(cpuMs, 3));
  console.log(table([
    ["round", "requests/s", "peer's", "floor's", "CPU ms/request", "peer's", "floor's"],
    ...rounds.map(({ ours, peer, floor }, n) => [`${n + 1}`, ...[ours, peer, floor].map(({ rps }) => fixed(rps, 0)), ...[ours, peer, floor].map(cpu)]),
  ]));
  const speed = medianRatio(rounds.map(({ ours, peer }) => ours.rps / peer.rps));
  const cpus = (/** @type {"ours" | "floor"} */ name) => medianRatio(rounds.map(({ [name]: { cpuMs }, peer }) => cpuMs / peer.cpuMs));
  const [cpuOfOurs, cpuOfFloor] = [cpus("ours"), cpus("floor")];
  const budget = { what: "session + D1: CPU per request against Hono + jose", limit: `≤ ${fixed(BUDGET.cpu)} ×` };
  return [
    { what: "session + D1: requests/s against Hono + jose", limit: `≥ ${fixed(BUDGET.speed)} ×`, measured: speed.shown, met: speed.ratio >= BUDGET.speed },
    Number.isNaN(cpuOfOurs.ratio) ? { ...budget, measured: "not measured here" } : { ...budget, measured: cpuOfOurs.shown, met: cpuOfOurs.ratio <= BUDGET.cpu },
    { what: "  the floor: D1, rate limiter and answer alone", limit: "", measured: Number.isNaN(cpuOfFloor.ratio) ? "not measured here" : cpuOfFloor.shown },
  ];
}
