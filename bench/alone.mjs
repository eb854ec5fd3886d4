// The program alone: the signed-in route without D1, the rate limiter, the log and the network, which take nine tenths
// of a request and cost both programs the same. The fakes are the same on both sides.

import assert from "node:assert/strict";
import { PREFIX } from "./fakes.mjs";
import { fixed, inRounds, median, medianRatio } from "./numbers.mjs";
import { answerOf, startAlone } from "./pair.mjs";
import { PATH } from "./paths.mjs";
import { cookie } from "./seed.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {import("./run.mjs").Verdict} Verdict */

/**
 * How much is measured. There are many rounds of some tens of milliseconds: what else the machine does is then the same
 * in both halves of most of them. The test that runs the section to its end takes less.
 */
const SIZES = { rounds: 150, requests: 250, warmUps: 60 };
const BUDGET = 0.95;

/** @param {Partial<typeof SIZES>} [sizes] @returns {Promise<Verdict[]>} */
export async function alone(sizes) {
  const { rounds: count, requests, warmUps } = { ...SIZES, ...sizes };
  const programs = await startAlone();
  const { ours, peer } = programs;
  try {
    assert.deepEqual(await answerOf(peer), await answerOf(ours), "the peer's answer differs from ours");
    const measure = (/** @type {Program} */ program) => cpuMs(program, requests);
    await inRounds(programs, warmUps, measure);
    const rounds = await inRounds(programs, count, measure);
    return judged(rounds.filter((round) => Object.values(round).every(Number.isFinite)));
  } finally {
    await Promise.all([ours.stop(), peer.stop()]);
  }
}

/** The processor time of a request in milliseconds; NaN where it cannot be measured. @param {Program} program @param {number} requests */
async function cpuMs(program, requests) {
  const before = program.cpuMs();
  const answer = await program.fetch(`${PREFIX}${PATH}?times=${requests}`, { headers: { cookie: await cookie() } });
  assert.equal(answer.status, 200, await answer.text());
  return (program.cpuMs() - before) / requests;
}

/** @param {Record<string, number>[]} rounds @returns {Verdict[]} */
function judged(rounds) {
  const verdict = { what: "program alone: CPU per request against Hono + jose", limit: `≤ ${fixed(BUDGET)} ×` };
  if (!rounds.length) return [{ ...verdict, measured: "not measured here" }];
  const micro = (/** @type {"ours" | "peer"} */ name) => fixed(median(rounds.map((round) => round[name] * 1000)), 1);
  console.log(`  ${micro("ours")} µs of processor time for a request, the peer ${micro("peer")} µs (medians of ${rounds.length} rounds)`);
  const { ratio, shown } = medianRatio(rounds.map(({ ours, peer }) => ours / peer));
  return [{ ...verdict, measured: shown, met: ratio <= BUDGET }];
}
