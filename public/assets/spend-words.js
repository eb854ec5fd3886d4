// What the pages say about spend: figures, their share of the limit, their age. Pure: no DOM, no clock, no network.

import { clockUtc, dateUtc, span, usd } from "./words.js";

/** @import { Key, Upstream } from "./types.js" */

/** What has not been read is not $0. */
export const UNREAD = "not read yet";

/** As often as OpenRouter is asked about a key; figures younger than this are as new as they get. */
export const LIVE_MS = 60_000;

/** States in which a key's limit is in use, or will be again. */
export const METERED = new Set(["active", "disabled"]);

/** @param {string | null | undefined} amount */
export const spent = (amount) => (amount ? usd(amount) : UNREAD);

/**
 * How much of the limit is used, from 0 to 1, for a bar; null where it is not known. The figures beside it are exact.
 * @param {Key} key
 */
export function share(key) {
  const [used, left] = [key.spend?.used_usd, key.spend?.left_usd].map((amount) => Number.parseFloat(amount ?? ""));
  const limit = Number.parseFloat(key.limit_usd);
  if (!Number.isFinite(used) || !(limit > 0)) return null;
  // What is left may be less than the key has not used: earlier keys have spent the rest.
  return Math.min(1, Math.max(0, used / limit, Number.isFinite(left) ? 1 - left / limit : 0));
}

/** At this share the bar turns to a warning, while there is something left to warn about. */
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
 * That a key has less than its whole limit in this window; nothing where it has all of it.
 * @param {Pick<Key, "limit_usd" | "plan_limit_usd">} key
 */
export function partText({ limit_usd: part, plan_limit_usd: whole }) {
  return Number.parseFloat(part) < Number.parseFloat(whole) ? `Of ${usd(whole)} this secret has ${usd(part)} until the reset; the rest went to the ones before it.` : "";
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
 * The same as a sentence's beginning, with the reason where nothing newer could be had: such figures are not live.
 * @param {string | null | undefined} readAt
 * @param {number} now
 * @param {string} because
 */
export function ageText(readAt, now, because) {
  const told = age(readAt, now);
  if (told === UNREAD) return because === "" ? "Figures not read yet" : `Figures not read yet: ${because}`;
  if (because !== "") return `Figures from ${told === "live" ? "1 min ago" : told}: ${because}`;
  return told === "live" ? "Figures are live" : `Figures from ${told}`;
}

/**
 * What is known last about whether OpenRouter answers: what was found out before counts until somebody has asked again.
 * @param {Upstream | null} known
 * @param {Upstream} told
 */
export function newer(known, told) {
  /** @param {Upstream} upstream */
  const at = (upstream) => Date.parse(upstream.as_of ?? "") || 0;
  return known !== null && at(known) > at(told) ? known : told;
}

/**
 * That OpenRouter does not answer: what still works, and how old the figures are.
 * @param {Upstream} upstream
 * @param {Key | null} key
 * @param {number} now
 */
export function outageText(upstream, key, now) {
  const since = Date.parse(upstream.as_of ?? "");
  const asked = Number.isFinite(since) ? ` It was last asked at ${dateUtc(since)}, ${clockUtc(since)}.` : "";
  if (key === null) return `This page works, and nothing of yours is changed. A claim needs OpenRouter, so it may fail; the page then says whether a key was made.${asked}`;
  const told = age(key.spend?.read_at, now);
  const figures = told === UNREAD ? "its figures are not read yet" : `its figures are ${told === "live" ? "less than 1 min old" : `from ${told}`}`;
  return `Your key is not changed. Its requests go to OpenRouter directly, not through this service, and may work all the same. This page works too; ${figures}.${asked}`;
}
