// What the pages say about spend: the figures, their share of the limit and their age. The functions are pure: they use
// no DOM, no clock and no network.

import { clockUtc, dateUtc, relative, resetText, span, usd } from "./words.js";

/** @import { Bound, Key, Spendable, Upstream } from "./types.js" */

/** A figure that was not read yet is not shown as $0. */
export const UNREAD = "not read yet";

/** The service asks OpenRouter about a key no more often than this; figures younger than this are called live. */
export const LIVE_MS = 60_000;

/** The states in which a key's limit is in use, or will be in use again. */
export const METERED = new Set(["active", "disabled"]);

/** @param {string | null | undefined} amount */
export const spent = (amount) => (amount ? usd(amount) : UNREAD);

/**
 * The share of the limit that is used, from 0 to 1, for the bar; null if it is unknown. The figures beside it are
 * exact.
 * @param {Key} key
 */
export function share(key) {
  const [used, left] = [key.spend?.used_usd, key.spend?.left_usd].map((amount) => Number.parseFloat(amount ?? ""));
  const limit = Number.parseFloat(key.limit_usd);
  if (!Number.isFinite(used) || !(limit > 0)) return null;
  // Less can be left than this key has not used, because earlier keys may have spent the rest.
  return Math.min(1, Math.max(0, used / limit, Number.isFinite(left) ? 1 - left / limit : 0));
}

/** From this share on the bar has the colour of a warning, until the limit is reached. */
const NEARLY = 0.8;

/** @param {number | null} part @returns {"good" | "warn" | "bad" | "plain"} */
export function shareTone(part) {
  if (part === null) return "plain";
  return part >= 1 ? "bad" : part >= NEARLY ? "warn" : "good";
}

/** "$1.20 used, $3.80 left of $5.00". @param {Key} key */
export function meterText(key) {
  const used = key.spend?.used_usd;
  return used ? `${usd(used)} used, ${spent(key.spend?.left_usd)} left of ${usd(key.limit_usd)}` : UNREAD;
}

/**
 * The meter of a key in one line: "$1.20 used of $5.00, resets in 3 h (00:00 UTC)".
 * @param {Key} key
 * @param {number} now
 */
export const lineText = (key, now) => `${key.spend?.used_usd ? `${usd(key.spend.used_usd)} used` : UNREAD} of ${usd(key.limit_usd)}, ${resetText(key, now)}`;

/** What the known bounds are called. @type {Partial<Record<Bound, string>>} */
const BOUNDS = { key: "this key’s limit", credit: "what was paid", guardrail: "the key’s guardrail" };

/**
 * Until when an amount can be spent: "until 00:00 UTC (in 3 h)".
 * @param {Spendable} spendable
 * @param {number} now
 */
export function spendableUntil({ until }, now) {
  const at = Date.parse(until);
  if (!Number.isFinite(at)) return "";
  return `until ${at - now > DAY_MS ? `${dateUtc(at)}, ` : ""}${clockUtc(at)} (${relative(at, now)})`;
}

/** By which bound, and that OpenRouter may know a tighter one. @param {Spendable} spendable */
export function boundText({ bound, unknown }) {
  const tighter = unknown.length === 0 ? "" : unknown.includes("guardrail") ? "; the key’s guardrail or OpenRouter’s own limits may allow less" : "; OpenRouter’s own limits may allow less";
  return `by ${BOUNDS[bound] ?? "a limit at OpenRouter"}${tighter}`;
}

const DAY_MS = 86_400_000;

/**
 * What becomes of a key's spend when the key is deleted.
 * @param {Key} key
 * @param {number} now
 */
export function endingWords(key, now) {
  const used = key.spend?.used_usd ?? null;
  const spentText = used === null ? "What it has spent" : usd(used) === "$0" ? "What it has spent by then" : `It has spent ${usd(used)}, which`;
  const at = Date.parse(key.resets_at ?? "");
  const until = Number.isFinite(at) ? `until the reset at ${clockUtc(at)} (${relative(at, now)})` : "for good, because this limit does not reset";
  return `${spentText} stays counted ${until}: a key that you claim before then gets what is left.`;
}

/**
 * Says that a key has less than its whole limit in this window; empty if it has all of it.
 * @param {Pick<Key, "limit_usd" | "plan_limit_usd">} key
 */
export function partText({ limit_usd: part, plan_limit_usd: whole }) {
  return Number.parseFloat(part) < Number.parseFloat(whole) ? `This secret may spend ${usd(part)} of the ${usd(whole)} until the reset. Earlier secrets used the rest.` : "";
}

/**
 * How old figures are: "live", "2 min ago".
 * @param {string | null | undefined} readAt
 * @param {number} now
 */
export function age(readAt, now) {
  const at = Date.parse(readAt ?? "");
  if (!Number.isFinite(at)) return UNREAD;
  return now - at < LIVE_MS ? "live" : `${span(now - at)} ago`;
}

/**
 * The same as the beginning of a sentence. With a reason why nothing newer could be read, the figures are not called
 * live.
 * @param {string | null | undefined} readAt
 * @param {number} now
 * @param {string} because
 */
export function ageText(readAt, now, because) {
  const figures = age(readAt, now);
  if (figures === UNREAD) return because === "" ? "Figures not read yet" : `Figures not read yet: ${because}`;
  if (because !== "") return `Figures from ${figures === "live" ? "1 min ago" : figures}: ${because}`;
  return figures === "live" ? "Figures are live" : `Figures from ${figures}`;
}

/**
 * The later of two reports on whether OpenRouter answers: an older report never replaces a newer one.
 * @param {Upstream | null} known
 * @param {Upstream} report
 */
export function newer(known, report) {
  /** @param {Upstream} upstream */
  const at = (upstream) => Date.parse(upstream.as_of ?? "") || 0;
  return known !== null && at(known) > at(report) ? known : report;
}

/**
 * What the page says while OpenRouter does not answer: what still works, and how old the figures are.
 * @param {Upstream} upstream
 * @param {Key[]} keys
 * @param {number} now
 */
export function outageText(upstream, keys, now) {
  const since = Date.parse(upstream.as_of ?? "");
  const asked = Number.isFinite(since) ? ` The service last asked OpenRouter at ${dateUtc(since)}, ${clockUtc(since)}.` : "";
  const [key, ...others] = keys;
  if (key === undefined) return `This page works, and nothing was changed. A claim needs OpenRouter, so it may fail; the page then says whether a key was made.${asked}`;
  if (others.length > 0) return `Your keys are not changed. Their requests go to OpenRouter directly, not through this service, and may still work. This page works too; each key says how old its figures are.${asked}`;
  const readAge = age(key.spend?.read_at, now);
  const figures = readAge === UNREAD ? "its figures are not read yet" : `its figures are ${readAge === "live" ? "less than 1 min old" : `from ${readAge}`}`;
  return `Your key is not changed. Its requests go to OpenRouter directly, not through this service, and may still work. This page works too; ${figures}.${asked}`;
}
