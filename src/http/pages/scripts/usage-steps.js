// The limits of one key over time, beside its usage: which limit was in force on each day, and what is marked above the
// bars. The functions are pure.

import { nano } from "./amounts.js";
import { startOf } from "./usage-query.js";

/** @import { Step, Usage } from "./usage-types.js" */

const DAY_MS = 86_400_000;

/** The windows whose limit can be compared with a bar: a day's limit with a day, a month's with a month. */
const COMPARABLE = { day: "daily", month: "monthly" };

/**
 * For each bucket the highest limit that one secret of the key had in it, in dollars; null where none is known, or where
 * a bar is another length of time than the limit.
 * @param {Usage} usage
 * @returns {(number | null)[]}
 */
export function limitsOf(usage) {
  const steps = (usage.steps ?? []).filter(({ kind, amount_usd }) => kind === "limit" && amount_usd !== null);
  return usage.buckets.map(({ from, to }) => {
    const [begins, ends] = [startOf(from), startOf(to) + DAY_MS];
    const before = steps.filter(({ at }) => Date.parse(at) <= begins).at(-1);
    const inForce = [before, ...steps.filter(({ at }) => Date.parse(at) > begins && Date.parse(at) < ends)];
    const limits = inForce.flatMap((step) => (step === undefined || step.limit_reset !== COMPARABLE[usage.bucket] ? [] : [Number(nano(step.amount_usd)) / 1e9]));
    return limits.length === 0 ? null : Math.max(...limits);
  });
}

/** Why the limit is not drawn; empty if it is, or if there is none. @param {Usage} usage */
export function limitHint(usage) {
  const last = (usage.steps ?? []).filter(({ kind }) => kind === "limit").at(-1);
  if (last === undefined || limitsOf(usage).some((limit) => limit !== null)) return "";
  return "The limit is not drawn, because it is for another length of time than a bar.";
}

/**
 * What is marked above the bars: raises, and secrets after the first.
 * @param {Usage} usage
 * @returns {{ n: number, sign: "▲" | "◆" }[]}
 */
export function marksOf(usage) {
  return eventsOf(usage).flatMap((step) => {
    const n = usage.buckets.findIndex(({ from, to }) => startOf(from) <= Date.parse(step.at) && Date.parse(step.at) < startOf(to) + DAY_MS);
    return step.kind === "limit" || n < 0 ? [] : [{ n, sign: step.kind === "raise" ? /** @type {const} */ ("▲") : /** @type {const} */ ("◆") }];
  });
}

/** What happened to the key's limit and secrets within the range, oldest first. @param {Usage} usage @returns {Step[]} */
export function eventsOf(usage) {
  const [begins, ends] = [startOf(usage.from), startOf(usage.to) + DAY_MS];
  return (usage.steps ?? []).filter(({ at }) => Date.parse(at) >= begins && Date.parse(at) < ends);
}
