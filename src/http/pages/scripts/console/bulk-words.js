// What the console says about changes of many keys or members. The functions are pure.

import { grouped } from "./parts.js";

/** @import { BulkAction, BulkReport } from "./types.js" */
/** @import { Tone } from "../state-words.js" */

/** @param {BulkAction} action */
export const isOfMembers = (action) => action === "suspend" || action === "reinstate";

/** @type {Record<BulkAction, { verb: string, done: string, loses: string, back: BulkAction | null }>} */
const ACTIONS = {
  disable: { verb: "Disable", done: "disabled", loses: "Each key stops working within minutes. Its secret, its history and what it has spent stay, and an administrator can enable it again.", back: "enable" },
  enable: { verb: "Enable", done: "enabled", loses: "Nothing is lost: the hold of an administrator is lifted, and each key works again within its limit.", back: "disable" },
  revoke: { verb: "Revoke", done: "revoked", loses: "Each key ends for good: its secret stops working and is never accepted again. Its owner can claim a new key. This cannot be undone.", back: null },
  suspend: { verb: "Suspend", done: "suspended", loses: "Each member is signed out, cannot claim, and all of their keys end for good. Reinstating them later brings no key back.", back: null },
  reinstate: { verb: "Reinstate", done: "reinstated", loses: "Nothing is lost: each member can sign in and claim again. Their old keys stay dead.", back: null },
};

/** @param {BulkAction} action */
export const actionOf = (action) => ACTIONS[action];

/** A change is final if no other change takes all of it back. @param {BulkAction} action */
export const isFinal = (action) => action === "revoke" || action === "suspend";

/** "1 key", "1,200 members". @param {BulkAction} action @param {number} n */
export const things = (action, n) => `${grouped(n)} ${isOfMembers(action) ? "member" : "key"}${n === 1 ? "" : "s"}`;

/** "Disable 57 keys". @param {BulkReport} is */
export const titleOf = (is) => `${ACTIONS[is.action].verb} ${things(is.action, is.verdicts.change ?? 0)}`;

/** @type {Record<string, string>} */
const REASONS = {
  already: "it is so already",
  ended: "it has ended",
  being_made: "it is being made at this moment",
  being_removed: "it is being removed",
  own: "it is your own",
  held: "something else than an administrator keeps it disabled",
  admin: "the configuration names them as an administrator",
  banned: "a ban is lifted one by one",
  left: "they have left",
};

/** Why a target is left as it is. @param {string} verdict */
export const reasonWords = (verdict) => REASONS[verdict] ?? verdict.replaceAll("_", " ");

/** @param {BulkReport} is @returns {{ word: string, tone: Tone }} */
export function stateOf({ state, left, outcomes }) {
  if (state === "shown") return { word: "not started", tone: "plain" };
  if (state === "running") return { word: "running", tone: "plain" };
  if (state === "stopped") return { word: left === 0 ? "done" : "stopped", tone: "warn" };
  return (outcomes.failed ?? 0) > 0 ? { word: "done, with failures", tone: "bad" } : { word: "done", tone: "good" };
}

/** What came of a target. @param {{ verdict: string, outcome: string | null }} target @param {BulkAction} action @returns {{ word: string, tone: Tone }} */
export function targetWords({ verdict, outcome }, action) {
  if (verdict !== "change") return { word: "left as it is", tone: "plain" };
  if (outcome === "done") return { word: ACTIONS[action].done, tone: "good" };
  if (outcome === "skipped") return { word: "skipped: it had changed", tone: "warn" };
  if (outcome === "failed") return { word: "failed", tone: "bad" };
  return { word: "to be changed", tone: "plain" };
}
