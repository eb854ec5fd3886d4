// Runs the sections, and ends with 1 when a budget is not met. Budgets are ratios of one run, counts and sizes. So the
// speed of this machine, and its other work, affect the figures but not the verdicts.

import { loadavg } from "node:os";
import { seconds } from "../scripts/process.mjs";
import { Advice, runMain } from "../scripts/setup.mjs";
import { alone } from "./alone.mjs";
import { claims, queries } from "./claims.mjs";
import { table } from "./numbers.mjs";
import { pages } from "./pages.mjs";
import { parts } from "./parts.mjs";
import { route } from "./route.mjs";
import { startup } from "./startup.mjs";

/**
 * One line of the last table.
 * @typedef {object} Verdict
 * @property {string} what
 * @property {string} limit
 * @property {string} measured
 * @property {boolean} [met] absent: it could not be measured here
 * @property {boolean} [aim] an aim beyond the budget, which is printed but not required
 */

/** @type {Record<string, () => Promise<Verdict[]>>} */
const SECTIONS = { startup, pages, alone: () => alone(), route, claims: () => claims(), parts: () => parts(), queries: () => queries() };

/** @param {Verdict} verdict */
function word({ met, aim }) {
  if (met === undefined) return "";
  if (aim) return met ? "reached" : "not reached";
  return met ? "met" : "NOT MET";
}

/** @param {string[]} args */
function chosen(args) {
  const unknown = args.find((name) => !(name in SECTIONS));
  if (unknown) throw new Advice(`There is no section "${unknown}", but ${Object.keys(SECTIONS).join(", ")}.`);
  return args.length ? args : Object.keys(SECTIONS);
}

const load = () => loadavg().map((average) => average.toFixed(1)).join(" ");

await runMain(async () => {
  const startedAt = performance.now();
  /** @type {Verdict[]} */
  const verdicts = [];
  for (const name of chosen(process.argv.slice(2))) {
    console.log(`\n── ${name} (load average ${load()})`);
    verdicts.push(...(await SECTIONS[name]()));
  }
  const rows = verdicts.map((verdict) => [verdict.what, verdict.limit, verdict.measured, word(verdict)]);
  console.log(`\n── budgets\n${table([["what", "budget", "measured", ""], ...rows])}`);
  console.log(`\n  in ${seconds(startedAt)}; load average ${load()}`);
  process.exitCode = verdicts.some(({ met, aim }) => met === false && !aim) ? 1 : 0;
});
