// What the pages say about a key's state. They say only what OpenRouter has confirmed: a key that should be disabled is
// "being disabled" until then, and still works. The functions are pure: they use no DOM, no clock and no network.

import { clockUtc, dateUtc, perPeriod, relative, resetRule, usd } from "./words.js";

/** @import { Claim, Hold, Key, KeyState } from "./types.js" */

/** @typedef {"good" | "warn" | "bad" | "plain"} Tone */
/** @typedef {{ word: string, tone: Tone, means: string }} Status */

/** @type {Record<KeyState, Status>} */
export const STATES = {
  minting: { word: "being made", tone: "plain", means: "Its secret is shown in the window that asked for it, once. This page looks again by itself." },
  verifying: { word: "being checked", tone: "warn", means: "OpenRouter did not answer, so it is not known yet whether this key was made. If it was, it is removed, usually within 10 minutes after OpenRouter answers again." },
  active: { word: "active", tone: "good", means: "" },
  disabled: { word: "being enabled", tone: "plain", means: "This key is being enabled. OpenRouter has not confirmed that yet: until then it refuses requests with this key." },
  revoking: { word: "being removed", tone: "warn", means: "OpenRouter has not confirmed yet that this key is disabled for good: until then it may still work. Its place is free again when that is confirmed." },
  stuck: { word: "needs attention", tone: "bad", means: "OpenRouter has not confirmed that this key is disabled, so it may still work. The service tries again every ten minutes, and the people who run it can see this." },
  expired: { word: "expired", tone: "plain", means: "This key stopped working at its expiry." },
  revoked: { word: "revoked", tone: "plain", means: "This key is disabled for good." },
  void: { word: "not created", tone: "plain", means: "OpenRouter never made this key." },
};

/** @type {Status} */
const MISSING = { word: "missing at OpenRouter", tone: "bad", means: "OpenRouter has no such key any more, so it no longer works. Make a new secret for it, or delete it and claim another." };

/**
 * Why a key is disabled, and who can change that. If a key has several holds, the page shows the first of this list.
 * @type {Record<Exclude<Hold, "budget">, { word: string, why: string, next: string }>}
 */
const HOLDS = {
  leak: { word: "disabled: leaked", why: "It was reported as leaked.", next: "This secret never works again. Make a new one." },
  offboarding: { word: "disabled: account ended", why: "Your account may not use keys here any more.", next: "Ask the people who run this service." },
  switch: { word: "disabled with all keys", why: "The people who run this service have disabled all keys.", next: "Only they can enable keys again." },
  admin: { word: "disabled by an administrator", why: "The people who run this service have disabled it.", next: "Only they can enable it: ask them." },
  upstream: { word: "disabled at OpenRouter", why: "Someone disabled it at OpenRouter. It stays disabled.", next: "Only an administrator can enable it: ask the people who run this service." },
  plan: { word: "disabled: over your plan", why: "Your plan allows fewer keys than you have.", next: "Keep this one instead of another, or delete another key." },
  owner: { word: "disabled by you", why: "You have disabled it.", next: "Enable it whenever you like." },
  idle: { word: "disabled: not used", why: "It was not used for a long time.", next: "Enable it whenever you like." },
  rotation: { word: "being rotated", why: "Its next secret is being made.", next: "Look again in a minute." },
};

/** @param {Key} key */
const foremost = ({ holds }) => Object.entries(HOLDS).find(([hold]) => holds.includes(/** @type {Hold} */ (hold)))?.[1];

/**
 * The key's state at a moment. After its expiry a key is expired, even if the service has not recorded that yet.
 * @param {Pick<Key, "state" | "expires_at">} key
 * @param {number} now
 * @returns {KeyState}
 */
export function stateAt(key, now) {
  const ended = Date.parse(key.expires_at ?? "") <= now;
  return ended && (key.state === "active" || key.state === "disabled") ? "expired" : key.state;
}

/**
 * @param {Key} key
 * @param {number} now
 * @returns {Status}
 */
export function statusOf(key, now) {
  const state = stateAt(key, now);
  if (state !== "active" && state !== "disabled") return STATES[state] ?? { word: state, tone: "plain", means: "" };
  if (key.missing) return MISSING;
  const hold = foremost(key);
  if (hold !== undefined && state === "active") return { word: "being disabled", tone: "warn", means: `${hold.why} OpenRouter has not confirmed yet that it is disabled: until then it still works.` };
  if (hold !== undefined) return { word: hold.word, tone: "warn", means: `${hold.why} OpenRouter refuses requests with it. ${hold.next}` };
  if (key.holds.includes("budget")) return spentStatus(key, now);
  if (state === "active" && isSpent(key)) return usedUp(key, now);
  if (state === "active" && inGrace(key, now)) return rotating(key, now);
  return STATES[state];
}

/** Whether two secrets of the key work. @param {Key} key @param {number} now */
export const inGrace = (key, now) => Date.parse(key.grace_until ?? "") > now;

/** @param {Key} key @param {number} now @returns {Status} */
function rotating(key, now) {
  const until = worksFrom(key.grace_until, now);
  return { word: `rotating, old secret until ${until}`, tone: "good", means: `Two secrets of this key work, together within one limit. The old one stops at ${until} (${relative(Date.parse(key.grace_until ?? ""), now)}): replace it everywhere before then.` };
}

/** Whether OpenRouter has said that nothing is left in this window. @param {Key} key */
const isSpent = ({ spend }) => spend?.used_usd != null && spend.left_usd !== null && Number.parseFloat(spend.left_usd) === 0;

/** An active key that has spent its limit: OpenRouter refuses it until the reset. @param {Key} key @param {number} now @returns {Status} */
function usedUp(key, now) {
  const until = worksFrom(key.resets_at, now);
  if (until === "") return { word: "limit spent", tone: "warn", means: "OpenRouter refuses requests with it." };
  return { word: `limit spent until ${until}`, tone: "warn", means: `${limitSpent(key.limit_reset)} OpenRouter refuses requests with it until ${until} (${relative(Date.parse(key.resets_at ?? ""), now)}). Then it works again by itself.` };
}

/** The status of a key whose limit is spent for this window. @param {Key} key @param {number} now @returns {Status} */
function spentStatus(key, now) {
  const from = worksFrom(key.available_from, now);
  if (from === "") return { word: "limit spent", tone: "warn", means: "This key’s limit is spent." };
  return { word: `works from ${from}`, tone: "warn", means: `${limitSpent(key.limit_reset)} The key starts to work at ${from} (${relative(Date.parse(key.available_from ?? ""), now)}), or up to an hour later.` };
}

/** "Today's limit is spent." @param {string} reset */
export const limitSpent = (reset) => `${{ daily: "Today’s limit", weekly: "This week’s limit", monthly: "This month’s limit" }[reset] ?? "The limit"} is spent.`;

/**
 * When a key starts to work: the time alone within 24 hours, otherwise also the date; empty if the moment is not to
 * come.
 * @param {string | null} at
 * @param {number} now
 */
export function worksFrom(at, now) {
  const ms = Date.parse(at ?? "");
  if (!(ms > now)) return "";
  return ms - now > 24 * 3_600_000 ? `${dateUtc(ms)}, ${clockUtc(ms)}` : clockUtc(ms);
}

/** Whether the key is active, has not expired and still exists at OpenRouter. @param {Key} key @param {number} now */
export const isUsableAt = (key, now) => stateAt(key, now) === "active" && !key.missing;

/** Whether the limit is spent, so that the key waits for its reset. @param {Key} key */
export const waitsForReset = (key) => key.holds.includes("budget");

/**
 * Says that a key which was just made works only later: the end of a title, and the text below it.
 * @param {Key} key
 * @param {number} now
 */
export function laterWords(key, now) {
  const from = worksFrom(key.available_from, now);
  const title = from === "" ? "it works once there is something left to spend." : `it works from ${from}.`;
  return { title, text: `${limitSpent(key.limit_reset)} You need to do nothing: the key starts to work by itself.` };
}

/**
 * The limit, reset and expiry of a new secret, and when it starts to work if that is not now.
 * @param {Key} key
 * @param {number} now
 */
export function keySummary(key, now) {
  const ends = Date.parse(key.expires_at ?? "");
  const expiry = Number.isFinite(ends) ? `, expires ${dateUtc(ends)}` : "";
  const from = worksFrom(key.available_from, now);
  return `Limit ${usd(key.plan_limit_usd)} ${perPeriod(key.limit_reset)}, resets ${resetRule(key.limit_reset)}${expiry}.${from === "" ? "" : ` It works from ${from}.`}`;
}

/**
 * What a key that is claimed now could spend, if that is less than the whole limit. The page says it before the claim.
 * @param {Claim} claim
 * @param {number} now
 * @returns {{ title: string, text: string } | null}
 */
export function beforeClaim({ available_usd: left, available_from: availableFrom, limit_usd: limit, limit_reset: reset }, now) {
  const from = worksFrom(availableFrom, now);
  if (from !== "") return { title: limitSpent(reset), text: `You can claim now. The key is made at once, and starts to work at ${from} (${relative(Date.parse(availableFrom ?? ""), now)}), or up to an hour later.` };
  if (left === null || Number.parseFloat(left) >= Number.parseFloat(limit)) return null;
  return { title: `${usd(left)} of ${usd(limit)} is left.`, text: "The rest was spent with keys that you had before. A key claimed now has what is left until the reset." };
}
