// What the page `/usage` says: titles, comparisons, names and how certain figures are. A text promises no more than is
// known: today is still open, and a day that was not read is not a day without usage. The functions are pure.

import { nano, shareOf } from "./amounts.js";
import { daysIn, startOf } from "./usage-query.js";
import { clockUtc, counted, dateUtc, usd } from "./words.js";

/** @import { Amounts, Bucket, Certainty, Comparison, Group, Label, Series, Step, Usage } from "./usage-types.js" */

/** A smaller change is called none. */
const SAME = 0.03;

/** @param {number} count */
export const whole = (count) => count.toLocaleString("en-US");

/** "22 Nov 2026". @param {string} day */
export const dayText = (day) => dateUtc(startOf(day));

/** "22 Nov" @param {string} day */
export const shortDay = (day) => dayText(day).replace(/ \d{4}$/, "");

/** "Nov 2026" @param {string} day */
export const monthText = (day) => dayText(day).replace(/^\d+ /, "");

/** "on 22 Nov 2026", "from 1 to 30 Nov 2026". @param {string} from @param {string} to */
export function rangeText(from, to) {
  if (from === to) return `on ${dayText(from)}`;
  if (from.slice(0, 7) === to.slice(0, 7)) return `from ${Number(from.slice(8))} to ${dayText(to)}`;
  return `from ${from.slice(0, 4) === to.slice(0, 4) ? shortDay(from) : dayText(from)} to ${dayText(to)}`;
}

/** The name of a bucket: a day, or a month, or the part of a month that it has. @param {Bucket} bucket @param {"day" | "month"} kind */
export function bucketText(bucket, kind) {
  if (kind === "day") return dayText(bucket.from);
  return isWholeMonth(bucket) ? monthText(bucket.from) : `${monthText(bucket.from)}, to the ${Number(bucket.to.slice(8))}.`;
}

/** @param {Bucket} bucket */
const isWholeMonth = ({ from, to }) => from.endsWith("-01") && new Date(startOf(to) + 86_400_000).getUTCDate() === 1;

/** @type {Record<Certainty, string>} */
export const CERTAINTY = { settled: "settled", open: "may still change", unknown: "not known", by_month: "settled, kept by month" };

/** How certain a bucket is, in a word or two. @param {Bucket} bucket @param {number} now */
export function certaintyWord(bucket, now) {
  const isToday = startOf(bucket.to) + 86_400_000 > now;
  const word = bucket.certainty === "open" && isToday ? "still running" : CERTAINTY[bucket.certainty];
  return bucket.failed_keys ? `${word}, without ${counted(bucket.failed_keys, "key")}` : word;
}

/** How a bucket's figures came, and how old they are. @param {Bucket} bucket @param {number} now */
export function certaintyText(bucket, now) {
  const isToday = startOf(bucket.to) + 86_400_000 > now;
  if (bucket.certainty === "unknown") return "not known: nothing was read of it. That is not a zero";
  if (isToday && bucket.from === bucket.to) return "today, so it may still grow; it is known from the keys’ counters, which are read up to six hours apart";
  const read = bucket.as_of === null ? "" : `, read ${dateUtc(Date.parse(bucket.as_of))}, ${clockUtc(Date.parse(bucket.as_of))}`;
  const failed = bucket.failed_keys ? `, without ${counted(bucket.failed_keys, "key")} that could not be read` : "";
  return `${CERTAINTY[bucket.certainty]}${read}${failed}`;
}

/** @type {Record<Exclude<Series["kind"], "group">, string>} */
const RESTS = { other: "Other", not_broken_down: "Not broken down", unattributed: "Unattributed" };

/** @type {Record<Exclude<Series["kind"], "group">, string>} */
export const REST_MEANS = {
  other: "all groups that do not stand by themselves",
  not_broken_down: "what the keys’ counters show and OpenRouter has not split by model yet",
  unattributed: "keys of the account that are not keycap’s",
};

/** @type {Partial<Record<Group, string>>} */
const NAMELESS = { project: "No project", workspace: "Default workspace", key: "OpenRouter key", member: "A member who left", plan: "No plan" };

/** @param {Label | null} label @param {Group} group */
export function labelText(label, group) {
  const name = label?.name ?? (group === "workspace" ? label?.id : null) ?? NAMELESS[group] ?? "Unknown";
  return label?.ended && group === "key" ? `${name} (ended)` : name;
}

/** @param {Series} series @param {Group[]} groups */
export function seriesText(series, groups) {
  if (series.kind !== "group") return RESTS[series.kind];
  if (groups.length === 0) return "All usage";
  const one = labelText(series.one, groups[0]);
  return groups.length === 1 ? one : `${one} · ${labelText(series.two, groups[1])}`;
}

/** Whether today is part of the range. @param {Usage} usage @param {number} now */
export const isRunning = (usage, now) => startOf(usage.to) + 86_400_000 > now;

/** How many days nothing is known of. @param {Usage} usage */
export const unknownDays = (usage) => usage.buckets.filter(({ certainty }) => certainty === "unknown").reduce((sum, { from, to }) => sum + daysIn(from, to), 0);

/** The finding, as a title. @param {Usage} usage @param {number} now */
export function finding(usage, now) {
  const range = rangeText(usage.from, usage.to);
  const unknown = usage.buckets.filter(({ certainty }) => certainty === "unknown").length;
  const spent = nano(usage.totals.spend_usd) > 0n;
  if (unknown === usage.buckets.length) return `Nothing is known of the usage ${range}.`;
  if (!spent && unknown > 0) return `No spend is known ${range}.`;
  const soFar = isRunning(usage, now) ? " so far" : "";
  if (!spent) return `Nothing was spent ${range}${soFar}.`;
  const amount = usd(usage.totals.spend_usd);
  if (unknown > 0) return `At least ${amount} ${range}${soFar}.`;
  const trend = trendOf(usage);
  if (trend === null) return `${amount} ${range}${soFar}.`;
  return soFar === "" ? `${amount} ${range}, ${trend} before.` : `${amount} ${range}${soFar}. The completed days cost ${trend} before.`;
}

/** Which group is the largest, and how much of all it is. Empty if there is nothing to tell apart. @param {Usage} usage */
export function driver(usage) {
  const first = usage.series.find(({ kind }) => kind === "group");
  if (first === undefined || usage.groups.length === 0 || usage.skip > 0 || usage.series.length < 2) return "";
  const share = shareOf(first.totals.spend_usd, usage.totals.spend_usd);
  return share < 0.01 ? "" : `${seriesText(first, usage.groups)} is ${percent(share)} of it.`;
}

/** @param {number} share */
export const percent = (share) => (share > 0 && share < 0.005 ? "<1 %" : `${Math.round(share * 100)} %`).replace(" ", "\u00a0");

/** "12 % more than", "about as much as"; null if there is nothing to compare fairly. @param {Usage} usage */
export function trendOf(usage) {
  const { compared } = usage;
  if (compared === null || compared.previous_totals === null || !isKnown(usage, compared)) return null;
  const [now, before] = [nano(compared.totals.spend_usd), nano(compared.previous_totals.spend_usd)];
  if (before <= 0n) return null;
  const change = Number(now) / Number(before) - 1;
  if (Math.abs(change) < SAME) return "about as much as";
  if (change > 9) return `${Math.round(change + 1)} times as much as`;
  return `${percent(Math.abs(change))} ${change > 0 ? "more" : "less"} than`;
}

/** Whether all days that are compared are known. @param {Usage} usage @param {Comparison} compared */
const isKnown = (usage, compared) => !usage.buckets.some(({ certainty, from }) => certainty === "unknown" && from <= compared.to);

/** What is compared with what, or why nothing is. @param {Usage} usage */
export function comparisonText(usage) {
  const { compared } = usage;
  if (compared === null) return "No day of this range is over, so there is nothing to compare yet.";
  const days = `${counted(daysIn(compared.from, compared.to), "completed day")} (${rangeText(compared.from, compared.to)})`;
  const before = `the same part of the period before (${rangeText(compared.previous_from, compared.previous_to)})`;
  if (!isKnown(usage, compared)) return "Some of these days are not known, so a comparison would be unfair.";
  if (compared.previous_totals === null) return `Not compared: ${before} is not known completely.`;
  const [now, then] = [usd(compared.totals.spend_usd), usd(compared.previous_totals.spend_usd)];
  return `Compared: ${now} in ${days}, ${then} in ${before}.`;
}

/** @param {Amounts} amounts */
export const tokensText = ({ prompt_tokens, completion_tokens }) => `${whole(prompt_tokens)} in, ${whole(completion_tokens)} out`;

/** Up to where usage was read. @param {Usage} usage */
export function progressText({ progress: { through, days_behind } }) {
  if (through === null) return "Usage by model was not read yet. It is read every night at 00:30 UTC.";
  const behind = days_behind ? ` ${counted(days_behind, "completed day")} after that ${days_behind === 1 ? "is" : "are"} not read completely.` : "";
  return `Completed days are read up to ${dayText(through)}.${behind}`;
}

/** @type {Record<string, string>} */
const PERIODS = { daily: "a day", weekly: "a week", monthly: "a month", none: "in all" };

/** @param {Step} step */
export function stepText(step) {
  const when = `${dateUtc(Date.parse(step.at))}, ${clockUtc(Date.parse(step.at))}`;
  const until = step.until === null ? "" : ` until ${dateUtc(Date.parse(step.until))}, ${clockUtc(Date.parse(step.until))}`;
  if (step.kind === "secret") return `${when}: a new secret`;
  if (step.kind === "raise") return `${when}: raised by ${usd(step.amount_usd ?? "")}${until}`;
  return `${when}: limit ${usd(step.amount_usd ?? "")} ${PERIODS[step.limit_reset ?? "none"] ?? ""}`.trimEnd();
}
