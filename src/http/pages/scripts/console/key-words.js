// What the console says about a key: its state, its holds, and who can lift them. The functions are pure.

/** @import { Hold, KeyState } from "../types.js" */
/** @import { Tone } from "../state-words.js" */
/** @import { ListedKey } from "./types.js" */

/** @type {Record<KeyState, [string, Tone]>} */
const STATES = {
  minting: ["being made", "plain"],
  verifying: ["not known whether made", "warn"],
  active: ["active", "good"],
  disabled: ["disabled", "warn"],
  revoking: ["being removed", "warn"],
  stuck: ["stuck", "bad"],
  expired: ["expired", "plain"],
  revoked: ["removed", "plain"],
  void: ["never made", "plain"],
};

/** @type {Record<Hold, string>} */
export const HOLD_WORDS = {
  owner: "by its owner",
  admin: "by an administrator",
  offboarding: "account ended",
  leak: "leaked",
  idle: "not used",
  budget: "limit spent",
  plan: "over the plan",
  switch: "all keys disabled",
  rotation: "being rotated",
  upstream: "at OpenRouter",
};

/** @type {[string, string][]} */
export const STATE_OPTIONS = Object.entries(STATES)
  .filter(([state]) => state !== "void")
  .map(([state, [word]]) => [state, word]);

/** @type {[string, string][]} */
export const HOLD_OPTIONS = Object.entries(HOLD_WORDS);

/** @param {string} hold */
export const holdWord = (hold) => HOLD_WORDS[/** @type {Hold} */ (hold)] ?? hold;

/**
 * The state in a word. A key with a hold that still works is "being disabled" until OpenRouter has confirmed it.
 * @param {ListedKey} key @returns {{ word: string, tone: Tone }}
 */
export function keyStatus({ state, holds, missing }) {
  if (missing && (state === "active" || state === "disabled")) return { word: "missing at OpenRouter", tone: "bad" };
  if (state === "active" && holds.length > 0) return { word: "being disabled", tone: "warn" };
  if (state === "disabled" && holds.length === 0) return { word: "being enabled", tone: "plain" };
  const [word, tone] = STATES[state] ?? [state, "plain"];
  return { word, tone };
}

/** Whether a key can still be changed: it is made, and has not ended. @param {ListedKey} key */
export const canChange = ({ state, ended_at: ended }) => ended === null && (state === "active" || state === "disabled");

/** @type {Record<string, string>} */
const PERIODS = { daily: "a day", weekly: "a week", monthly: "a month", none: "in all" };

/** @param {string} reset */
export const period = (reset) => PERIODS[reset] ?? reset;
