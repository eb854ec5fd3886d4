// What has happened to a key or an account, as a sentence. The functions are pure: they use no DOM, no clock and no
// network.

import { billingName } from "./own-billing-words.js";
import { usd } from "./words.js";

/** @import { HistoryEntry, RequestKind } from "./types.js" */

/** @param {HistoryEntry} entry */
const by = ({ actor }) => ({ you: " by you", administrator: " by an administrator", keycap: "", openrouter: " at OpenRouter", finder: " by somebody who found it" })[actor] ?? "";

/** "secret 2". @param {HistoryEntry} entry */
const secret = ({ generation }) => (generation === null ? "a secret" : `secret ${generation}`);

/** @param {string} text */
const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** "from $5.00 to $2.00", as far as both are known. @param {HistoryEntry} entry */
const fromTo = ({ before_usd: before, after_usd: after }) => `${before === null ? "" : ` from ${usd(before)}`}${after === null ? "" : ` to ${usd(after)}`}`;

/** Why a key was disabled. @type {Record<string, (entry: HistoryEntry) => string>} */
const DISABLED = {
  leak: (entry) => `Reported as leaked${by(entry)}, and disabled for good`,
  budget: () => "Stopped: its limit was spent",
  idle: () => "Disabled: not used for a long time",
  plan: () => "Disabled: more keys than the plan allows",
  switch: () => "Disabled together with all keys",
  offboarding: () => "Disabled: the account may not use keys here any more",
  rotation: () => "Its next secret was begun",
};

/** Why a key works again, or would if nothing else held it. @type {Record<string, (entry: HistoryEntry) => string>} */
const ENABLED = {
  leak: () => "The leak was dealt with",
  budget: () => "Something was left to spend again",
  plan: () => "Within the plan’s number of keys again",
  switch: () => "All keys were enabled again",
  offboarding: () => "The account may use keys here again",
  rotation: () => "Its next secret was settled",
  upstream: (entry) => `What was done at OpenRouter was lifted${by(entry)}`,
};

/** What each kind of request asked for. @type {Record<RequestKind, string>} */
export const ASKED = { claim: "Asked for approval", appeal: "Asked for an exception", limit: "Asked for a higher limit" };

/** @param {HistoryEntry} entry */
const at = ({ after }) => (after === null ? "" : `: ${billingName(after)}`);

/** @type {Record<string, (entry: HistoryEntry) => string>} */
const EVENTS = {
  renamed: (entry) => `Renamed${by(entry)}`,
  disabled: (entry) => DISABLED[entry.reason ?? ""]?.(entry) ?? `Disabled${by(entry)}`,
  enabled: (entry) => ENABLED[entry.reason ?? ""]?.(entry) ?? `Enabled${by(entry)}`,
  own_limit_set: (entry) => (entry.after_usd === null ? `Own limit removed${by(entry)}` : `Own limit set${fromTo(entry)}${by(entry)}`),
  preferred: (entry) => `Chosen to stay${by(entry)}`,
  ended: (entry) => `Deleted${by(entry)}`,
  limit_lowered_upstream: (entry) => `Limit lowered${fromTo(entry)} at OpenRouter`,
  upstream_lifted: (entry) => `What was done at OpenRouter was lifted${by(entry)}`,
  limit_raised: (entry) => `Limit raised${entry.after_usd === null ? "" : ` by ${usd(entry.after_usd)}`}${by(entry)}`,
  raise_ended: (entry) => `Raise${entry.before_usd === null ? "" : ` of ${usd(entry.before_usd)}`} ended${by(entry)}`,
  limit_changed: (entry) => `Limit at OpenRouter changed${fromTo(entry)}`,
  guardrail_changed: () => "Rules for models changed at OpenRouter",
  secret_issued: (entry) => (entry.generation === 1 ? "Made, with its first secret" : `${capital(secret(entry))} issued${by(entry)}`),
  secret_not_made: () => "A secret was asked for and not made",
  secret_cleared: () => "It was uncertain whether a secret had been made: there is none",
  secret_off: (entry) => `${capital(secret(entry))} disabled, as OpenRouter confirmed`,
  secret_on: (entry) => `${capital(secret(entry))} enabled, as OpenRouter confirmed`,
  secret_replaced: (entry) => `${capital(secret(entry))} replaced by a newer one`,
  grace_ended: (entry) => `${capital(secret(entry))} ended with its grace period`,
  secret_expired: (entry) => `${capital(secret(entry))} expired`,
  secret_missing: (entry) => `OpenRouter no longer had ${secret(entry)}`,
  secret_found: (entry) => `OpenRouter had ${secret(entry)} again`,
  secret_removed: (entry) => `${capital(secret(entry))} disabled for good, as OpenRouter confirmed`,
  removal_delayed: (entry) => `OpenRouter did not disable ${secret(entry)}; it is still tried`,
  secret_deleted: (entry) => `${capital(secret(entry))} deleted at OpenRouter`,
  joined: () => "Signed in for the first time",
  signed_in: () => "Signed in",
  login_passed_on: () => "Another account signed in under the same login",
  provider_key_linked: (entry) => `Key of a billing provider linked${at(entry)}`,
  provider_key_unlinked: (entry) => `Key of a billing provider forgotten here${at(entry)}`,
  provider_key_leaked: (entry) => `Somebody reported a key of a billing provider as found${at(entry)}`,
  provider_key_unknown: (entry) => `Not known whether a billing provider made a key${at(entry)}`,
  terminal_approved: () => "Let a terminal have the key",
  terminal_denied: () => "Denied a terminal",
  terminal_asked: () => "The terminal asked for its key",
  sessions_ended: (entry) => `All sessions ended${by(entry)}`,
  terms_accepted: (entry) => `Rules accepted${entry.after === null ? "" : `, revision ${entry.after}`}`,
  suspended: (entry) => `Suspended${by(entry)}`,
  banned: (entry) => `Blocked${by(entry)}`,
  departed: () => "Suspended, because a directory said that the account was gone",
  reinstated: (entry) => `Reinstated${by(entry)}`,
  left: () => "Left",
  returned: () => "Came back",
  plan_assigned: (entry) => `Plan changed${entry.before === null ? "" : ` from “${entry.before}”`}${entry.after === null ? "" : ` to “${entry.after}”`}${by(entry)}`,
  payment_booked: (entry) => `Payment booked${by(entry)}`,
  request_made: (entry) => (entry.request_kind === null ? "Asked the people who run this service" : ASKED[entry.request_kind]),
  key_moved: (entry) => (entry.after === null ? `Taken out of its project${by(entry)}` : `Put into a project${by(entry)}`),
  project_created: (entry) => `Project created${by(entry)}`,
  project_renamed: (entry) => `Project renamed${by(entry)}`,
  project_archived: (entry) => `Project archived${by(entry)}`,
  project_restored: (entry) => `Project brought back${by(entry)}`,
  request_withdrawn: (entry) => `Request withdrawn${by(entry)}`,
  request_decided: (entry) => `Request ${entry.after ?? "decided"}${by(entry)}`,
};

/** The events that have words of their own. */
export const KNOWN_EVENTS = Object.keys(EVENTS);

/** @param {HistoryEntry} entry */
export const historyWords = (entry) => EVENTS[entry.event]?.(entry) ?? capital(entry.event.replaceAll("_", " "));
