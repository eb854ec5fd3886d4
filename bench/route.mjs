// The signed-in route against its peer: requests per second and processor time, in alternating pairs.

import assert from "node:assert/strict";
import autocannon from "autocannon";
import { PATH, answerOf, startPair } from "./pair.mjs";
import { fixed, median, table } from "./numbers.mjs";
import { cookie } from "./seed.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {{ rps: number, cpuMs: number | undefined }} Load  cpuMs: of the workerd process, for each request */
/** @typedef {import("./run.mjs").Verdict} Verdict */

/**
 * There are many short rounds. The machine's other work changes from second to second, and so it affects both halves of
 * a pair.
 */
const PAIRS = 15;
const SECONDS = 2;
const CONNECTIONS = 16;
/** V8 compiles hot code anew; until that is done, the bench would measure V8's compiler. */
const WARM_UP_SECONDS = 8;

/** @returns {Promise<Verdict[]>} */
export async function route() {
  const { ours, peer } = await startPair();
  try {
    assert.deepEqual(await answerOf(peer), await answerOf(ours), "the peer's answer differs from ours");
    for (const program of [ours, peer]) await load(program, WARM_UP_SECONDS);
    const pairs = [];
    for (let n = 0; n < PAIRS; n += 1) pairs.push(await pair(ours, peer, n % 2 === 0));
    return judged(pairs);
  } finally {
    await Promise.all([ours.stop(), peer.stop()]);
  }
}

/** @param {Program} ours @param {Program} peer @param {boolean} oursFirst */
async function pair(ours, peer, oursFirst) {
  const first = await load(oursFirst ? ours : peer, SECONDS);
  const second = await load(oursFirst ? peer : ours, SECONDS);
  return oursFirst ? { ours: first, peer: second } : { ours: second, peer: first };
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
  return { rps: answered / took, cpuMs: before === undefined || after === undefined ? undefined : (after - before) / answered };
}

/** @param {{ ours: Load, peer: Load }[]} pairs @returns {Verdict[]} */
function judged(pairs) {
  const cpu = (/** @type {Load} */ { cpuMs }) => (cpuMs === undefined ? "not measured here" : fixed(cpuMs));
  console.log(table([
    ["pair", "requests/s", "peer's", "ratio", "CPU ms/request", "peer's"],
    ...pairs.map(({ ours, peer }, n) => [`${n + 1}`, fixed(ours.rps, 0), fixed(peer.rps, 0), fixed(ours.rps / peer.rps), cpu(ours), cpu(peer)]),
  ]));
  const speed = median(pairs.map(({ ours, peer }) => ours.rps / peer.rps));
  const cpus = pairs.map(({ ours, peer }) => (ours.cpuMs === undefined || peer.cpuMs === undefined ? undefined : ours.cpuMs / peer.cpuMs));
  const known = cpus.filter((ratio) => ratio !== undefined);
  return [
    { what: "session + D1: requests/s against Hono + jose", limit: "≥ 1.00 ×", measured: `${fixed(speed)} ×`, met: speed >= 1 },
    { what: "  aim", limit: "≥ 1.10 ×", measured: `${fixed(speed)} ×`, aim: true, met: speed >= 1.1 },
    { what: "session + D1: CPU per request against Hono + jose, aim", limit: "≤ 0.90 ×", ...(known.length ? { measured: `${fixed(median(known))} ×`, aim: true, met: median(known) <= 0.9 } : { measured: "not measured here" }) },
  ];
}
