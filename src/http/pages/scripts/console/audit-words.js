// What the audit says, in words. The functions are pure.

import { accountName, usd } from "../words.js";
import { holdWord } from "./key-words.js";
import { jobName } from "./run-words.js";

/** @import { AuditEntry } from "./types.js" */

/**
 * What each action of the audit is. An action that is not here is shown by its name.
 * @type {Record<string, string>}
 */
export const ACTIONS = {
  instance_bound: "bound the database to an origin",
  minting_switched: "switched the making of keys",
  keys_switched: "switched all keys",
  claims_switched: "switched who may claim",
  upstream_terms_confirmed: "confirmed OpenRouter’s terms",
  restore_suspected: "noticed that the database is older than it was",
  restore_accepted: "accepted the restored database",
  account_lost: "noticed another OpenRouter account",
  account_found: "saw the known account again",
  account_accepted: "accepted another OpenRouter account",
  workspaces_chosen: "chose how many workspaces are enabled",
  workspace_enabled: "let keys be made in a workspace",
  workspace_disabled: "let no more keys be made in a workspace",
  workspace_closing: "began to close the workspace",
  workspace_closed: "closed the workspace",
  workspace_opened: "opened the workspace again",
  job_asked: "started a run",
  stop_asked: "stopped a run",
  audit_pruned: "deleted old sign-ins from the audit",
  plan_seeded: "made a plan",
  plan_created: "made a plan",
  plan_changed: "changed a plan",
  plan_assigned: "gave a plan",
  provider_changed: "changed a billing provider",
  device_code_wrong: "typed a code that no terminal waits with",
  device_approved: "approved a terminal",
  device_denied: "denied a terminal",
  device_redeemed: "asked for a key in a terminal",
  device_failed: "got no key in a terminal",
  provider_key_leaked: "reported a key of a billing provider as found",
  handoff_started: "began a sign-in at a billing provider",
  handoff_ready: "came back from a billing provider",
  handoff_code_wrong: "typed a wrong code",
  handoff_confirmed: "typed the code",
  handoff_redeeming: "asked a billing provider for a key",
  handoff_redeemed: "got a key of a billing provider",
  handoff_refused: "got no key of a billing provider",
  handoff_unknown: "does not know whether a billing provider made a key",
  provider_key_linked: "recorded a key of a billing provider",
  provider_key_changed: "changed the name or project of a provider’s key",
  provider_key_unlinked: "forgot a key of a billing provider",
  member_created: "joined",
  signed_in: "signed in",
  login_passed_on: "signed in under a login that somebody else had",
  admin_pinned: "became an administrator under a Google address",
  admin_refused: "signed in under an administrator’s address",
  sessions_ended: "ended sessions",
  terms_accepted: "accepted the terms",
  member_suspended: "suspended a member",
  member_banned: "banned a member",
  member_reinstated: "reinstated a member",
  member_left: "left",
  member_returned: "came back",
  member_departed: "put out a member who is gone",
  member_erased: "erased a member who is gone",
  departures_listed: "listed people who are gone",
  departures_released: "released a list of people who are gone",
  departures_rejected: "rejected a list of people who are gone",
  departures_expired: "let a list of people who are gone expire",
  bulk_started: "started a bulk change",
  bulk_stopped: "stopped a bulk change",
  bulk_ended: "ended a bulk change",
  blocked: "blocked a person",
  unblocked: "lifted a block",
  key_renamed: "renamed a key",
  hold_put: "disabled a key",
  hold_lifted: "lifted a hold",
  own_limit_set: "set a lower limit",
  key_preferred: "preferred a key",
  key_ended: "ended a key",
  rotation_begun: "began to rotate a key",
  rotation_ended: "ended a rotation",
  upstream_limit_kept: "kept a lower limit that somebody set at OpenRouter",
  upstream_lifted: "lifted what somebody did at OpenRouter",
  reserved: "reserved a key",
  recorded: "made a secret",
  refused: "made no secret: OpenRouter refused",
  doubted: "does not know whether a secret was made",
  abandoned: "gave up a secret",
  cleared: "found that no secret was made",
  disabled: "disabled a secret",
  enabled: "enabled a secret",
  superseded: "replaced a secret",
  grace_ended: "ended the time of an old secret",
  expired: "expired",
  cap_changed: "changed a limit",
  guardrail_changed: "changed a guardrail",
  key_missed: "noticed that OpenRouter has no such key",
  key_found: "saw the key again",
  revoke_asked: "began to remove a secret",
  revoke_confirmed: "removed a secret",
  revoke_given_up: "was refused six times to remove a secret",
  erased: "deleted the key at OpenRouter",
  limit_raised: "raised a limit",
  raise_ended: "ended a raise",
  payment_booked: "booked a payment",
  request_made: "made a request",
  request_decided: "decided a request",
  allotted: "let a person claim",
  allotment_withdrawn: "withdrew a permission",
  finding_acknowledged: "acknowledged a finding",
};

/** @param {string} action */
export const actionWords = (action) => ACTIONS[action] ?? action.replaceAll("_", " ");

/** Who acted, in words: a login, or the name of a job. @param {AuditEntry} entry */
export const actorWords = ({ actor, actor_login: login }) => (login === null ? (actor.startsWith("mem_") ? "a member who left" : jobName(actor)) : accountName(login));

/** What was before and after: "open → stopped", "$5.00 → $8.00". @param {AuditEntry} entry */
export function changeWords({ action, before, after, before_usd: from, after_usd: to }) {
  if (action === "limit_raised") return to === null ? "" : `by ${usd(to)}`;
  if (action === "raise_ended") return from === null ? "" : `of ${usd(from)}`;
  if (from !== null || to !== null) return `${from === null ? "none" : usd(from)} → ${to === null ? "none" : usd(to)}`;
  if (action === "hold_put" || action === "hold_lifted") return holdWord(after ?? before ?? "");
  if (action === "job_asked" || action === "stop_asked") return jobName(after ?? "");
  if (before === null && after === null) return "";
  return before === null ? String(after).replaceAll("_", " ") : `${before.replaceAll("_", " ")} → ${(after ?? "none").replaceAll("_", " ")}`;
}
