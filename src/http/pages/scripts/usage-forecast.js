// What a single key is heading for, and which keys are silent or spend unusually much. Where too little is known, nothing
// is said. The functions are pure: they use no DOM, no clock and no network.

import { nano } from "./amounts.js";
import { dayOf, startOf } from "./usage-query.js";
import { dayText } from "./usage-words.js";
import { clockUtc, counted, dateUtc, span, usd } from "./words.js";

/** @import { Key } from "./types.js" */
/** @import { Usage } from "./usage-types.js" */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Figures older than this say nothing about the present pace. */
const FRESH_MS = HOUR_MS;
/** A window must have run for this long before it has a pace. @type {Record<string, number>} */
const LEAST_MS = { daily: HOUR_MS, weekly: DAY_MS, monthly: 2 * DAY_MS };
/** A key that has spent less than this part of its limit has no pace yet. */
const LEAST_PART = 0.02;

/**
 * When a key reaches its limit if it goes on as in this window; null if that cannot be said.
 * @param {Key} key
 * @param {number} now
 * @returns {{ isReached: boolean, text: string } | null}
 */
export function forecast(key, now) {
  const { spend } = key;
  const resets = Date.parse(key.resets_at ?? "");
  const least = LEAST_MS[key.limit_reset];
  if (key.state !== "active" || key.missing || !spend || spend.used_usd === null || spend.left_usd === null || !Number.isFinite(resets) || least === undefined) return null;
  const until = `it resets at ${when(resets, now)}`;
  if (nano(spend.left_usd) <= 0n) return { isReached: true, text: `The limit is reached; ${until}.` };
  const read = Date.parse(spend.read_at);
  const since = Math.max(windowBegan(key.limit_reset, read), Date.parse(key.issued_at));
  const [used, left] = [Number(nano(spend.used_usd)), Number(nano(spend.left_usd))];
  if (now - read > FRESH_MS || read - since < least || used < LEAST_PART * (used + left)) return null;
  const reached = read + (left / used) * (read - since);
  if (reached >= resets) return { isReached: false, text: `At this pace the limit is not reached before ${until}.` };
  const at = Math.max(reached, now);
  return { isReached: true, text: `At this pace the limit is reached at ${when(at, now)}; ${until}.` };
}

/** "16:40 UTC", with the day if it is more than a day away. @param {number} at @param {number} now */
const when = (at, now) => (at - now > DAY_MS ? `${dateUtc(at)}, ${clockUtc(at)}` : clockUtc(at));

/** When the window of a time began, in UTC. @param {string} reset @param {number} at */
function windowBegan(reset, at) {
  const day = startOf(dayOf(at));
  if (reset === "daily") return day;
  const date = new Date(day);
  if (reset === "monthly") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  return day - ((date.getUTCDay() + 6) % 7) * DAY_MS;
}

/** A key that is not used for so many completed days is idle. */
const IDLE_DAYS = 7;
/** Today is unusual from so many times the usual on. */
const SPIKE = 3;
/** Fewer days with use than this have no usual. */
const LEAST_DAYS = 5;

/**
 * The keys that are silent or spend unusually much today.
 * @param {Key[]} keys
 * @param {Usage} usage of the last weeks, by day and key
 * @param {number} now
 * @returns {{ id: string, name: string | null, kind: "never" | "idle" | "spike", text: string }[]}
 */
export function remarkable(keys, usage, now) {
  // A key that is one of the others cannot be told from one that is not used.
  if (usage.series.some(({ kind }) => kind === "other")) return [];
  return keys.flatMap((key) => {
    if (key.state !== "active" || key.missing) return [];
    const found = spike(key, usage) ?? silent(key, usage, now);
    return found === null ? [] : [{ id: key.id, name: key.name, ...found }];
  });
}

/** The completed days of a key, with what it spent; null where that is not known. @param {Key} key @param {Usage} usage */
function daysOf(key, usage) {
  const series = usage.series.find(({ kind, one }) => kind === "group" && one?.id === key.id);
  return usage.buckets.slice(0, -1).map((bucket, n) => ({ day: bucket.from, spend: bucket.certainty === "unknown" ? null : (series?.values[n]?.spend_usd ?? "0.00") }));
}

/** @param {Key} key @param {Usage} usage */
function spike(key, usage) {
  const today = key.spend?.day_usd;
  const used = daysOf(key, usage).flatMap(({ spend }) => (spend !== null && nano(spend) > 0n ? [spend] : [])).sort((one, other) => Number(nano(one) - nano(other)));
  if (!today || used.length < LEAST_DAYS) return null;
  const median = used[Math.floor(used.length / 2)];
  if (nano(today) <= BigInt(SPIKE) * nano(median)) return null;
  return { kind: /** @type {const} */ ("spike"), text: `${usd(today)} today, more than ${SPIKE} times its usual ${usd(median)} (the median of ${counted(used.length, "day")} with use)` };
}

/** @param {Key} key @param {Usage} usage @param {number} now */
function silent(key, usage, now) {
  const { spend } = key;
  if (spend === null || nano(spend.day_usd ?? "") > 0n) return null;
  const days = daysOf(key, usage);
  const last = days.map(({ spend }) => spend !== null && nano(spend) > 0n).lastIndexOf(true);
  const age = now - Date.parse(key.created_at);
  const since = days.slice(last + 1);
  if (age < IDLE_DAYS * DAY_MS || since.length < IDLE_DAYS || since.some(({ spend }) => spend === null)) return null;
  if (last >= 0) return { kind: /** @type {const} */ ("idle"), text: `not used since ${dayText(days[last].day)}` };
  if (key.generation === 1 && nano(spend.total_usd) === 0n) return { kind: /** @type {const} */ ("never"), text: `never used since it was made ${span(age)} ago` };
  return { kind: /** @type {const} */ ("idle"), text: `not used in the last ${counted(since.length, "completed day")}` };
}

