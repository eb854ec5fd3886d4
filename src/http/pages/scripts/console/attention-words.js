// What the overview says about each thing that waits for a person, and where to act. The functions are pure.

import { counted } from "../words.js";
import { codeWords } from "./run-words.js";
import { upTo } from "./parts.js";

/** @import { AttentionItem, AttentionKind } from "./types.js" */
/** @import { Tone } from "../state-words.js" */

/** @typedef {{ label: string, href: string }} Next */
/** @typedef {{ tone: Tone, word: string, text: string, next: Next | null }} AttentionText */

/** "3 keys", "1,000 or more keys". @param {number | null} n @param {number} most @param {string} unit */
const many = (n, most, unit) => (n !== null && n < most ? counted(n, unit) : `${upTo(n ?? 0, most)} ${unit}s`);

/**
 * @type {Record<AttentionKind, (item: AttentionItem, most: number) => AttentionText>}
 */
const WORDS = {
  database_restored: () => ({ tone: "bad", word: "restored", text: "The database is older than it was. Claims are closed and nothing is deleted until you accept it.", next: { label: "Look", href: "/admin/switches" } }),
  foreign_account: () => ({ tone: "bad", word: "wrong account", text: "The management key belongs to another OpenRouter account. Claims are closed and nothing is swept.", next: { label: "Look", href: "/admin/switches" } }),
  keys_stuck: ({ count }, most) => ({ tone: "bad", word: "stuck", text: `OpenRouter refuses to disable ${many(count, most, "key")} that must not work any more. They may still work.`, next: { label: "See them", href: "/admin/keys?state=stuck" } }),
  workspace_closing: () => ({ tone: "bad", word: "closing", text: "The workspace is being closed. OpenRouter has not confirmed it.", next: { label: "Look", href: "/admin/switches" } }),
  sweep_failed: (item) => ({ tone: "bad", word: "run failed", text: `The last sweep ended early. ${codeWords(item.code)}`, next: run(item) }),
  sweep_missing: ({ since }) => ({ tone: "bad", word: "no run", text: since === null ? "No sweep has run yet. It should run every ten minutes." : "No sweep has begun since its last one. It should run every ten minutes.", next: { label: "Start one", href: "/admin/runs" } }),
  comparison_failed: (item) => ({ tone: "bad", word: "run failed", text: `The last comparison with OpenRouter ended early. ${codeWords(item.code)}`, next: run(item) }),
  comparison_missing: ({ since }) => ({ tone: "warn", word: "no run", text: since === null ? "No comparison with OpenRouter has run yet. It should run each night." : "No comparison with OpenRouter has begun since its last one. It should run each night.", next: { label: "Start one", href: "/admin/runs" } }),
  offboarding_failed: (item) => ({ tone: "bad", word: "run failed", text: `The last comparison with the directories ended early. ${codeWords(item.code)}`, next: run(item) }),
  offboarding_missing: ({ since }) => ({ tone: "warn", word: "no run", text: since === null ? "Members were never compared with the directory. That should happen each night." : "No comparison with the directory has begun since its last one. It should run each night.", next: { label: "Look", href: "/admin/departures" } }),
  directory_unknown: () => ({ tone: "bad", word: "unknown", text: "A directory has not been believed for a day, so nobody who has left is put out.", next: { label: "Look", href: "/admin/departures" } }),
  admins_gone: ({ count }, most) => ({ tone: "bad", word: "administrator gone", text: `A directory says that ${many(count, most, "administrator")} of the configuration ${count === 1 ? "is" : "are"} gone. They are not put out before you take them out of the configuration.`, next: { label: "See the members", href: "/admin/members" } }),
  departures_held: ({ count }, most) => ({ tone: "bad", word: "held", text: `${many(count, most, "member")} would be put out because they are gone. That is implausibly many, so the list waits for you.`, next: { label: "Decide", href: "/admin/departures" } }),
  mints_unsure: ({ count }, most) => ({ tone: "warn", word: "unsure", text: `It is not known whether ${many(count, most, "key")} were made. The sweep looks for them.`, next: { label: "See them", href: "/admin/keys?state=verifying" } }),
  switches_late: ({ count }, most) => ({ tone: "warn", word: "late", text: `OpenRouter has not confirmed a change of ${many(count, most, "key")}.`, next: { label: "See the runs", href: "/admin/runs" } }),
  appeals: ({ count }, most) => ({ tone: "warn", word: "appeals", text: `${many(count, most, "appeal")} to decide.`, next: { label: "Decide", href: "/admin/requests" } }),
  claim_requests: ({ count }, most) => ({ tone: "warn", word: "requests", text: `${many(count, most, "request")} to claim, to decide.`, next: { label: "Decide", href: "/admin/requests" } }),
  held_upstream: ({ count }, most) => ({ tone: "warn", word: "held upstream", text: `Somebody disabled ${many(count, most, "key")} at OpenRouter. They stay so until you lift it.`, next: { label: "See them", href: "/admin/runs#held" } }),
  limited_upstream: ({ count }, most) => ({ tone: "warn", word: "limited upstream", text: `Somebody lowered the limit of ${many(count, most, "key")} at OpenRouter.`, next: { label: "See them", href: "/admin/runs#held" } }),
  findings: ({ count }, most) => ({ tone: "warn", word: "findings", text: `${many(count, most, "key")} at OpenRouter with our marker and without a row here.`, next: { label: "Look", href: "/admin/runs#findings" } }),
  drift: ({ count }, most) => ({ tone: "warn", word: "differences", text: `Keys at OpenRouter differ from their rows in ${many(count, most, "point")}.`, next: { label: "Look", href: "/admin/runs#drift" } }),
  workspaces_unread: ({ count }, most) => ({ tone: "warn", word: "not read", text: `OpenRouter did not list the keys of ${many(count, most, "workspace")}. Their figures are old.`, next: { label: "Look", href: "/admin/workspaces" } }),
  admin_addresses_reused: ({ count }, most) => ({ tone: "bad", word: "address reused", text: `Another Google account has signed in under ${many(count, most, "administrator")}’s address in the last 30 days. It did not become an administrator.`, next: { label: "See the members", href: "/admin/members" } }),
  all_keys_disabled: () => ({ tone: "warn", word: "keys off", text: "Every key is disabled, and no new ones are made.", next: { label: "Look", href: "/admin/switches" } }),
  minting_stopped: () => ({ tone: "warn", word: "minting off", text: "No new keys are made.", next: { label: "Look", href: "/admin/switches" } }),
  upstream_terms_unconfirmed: () => ({ tone: "warn", word: "terms", text: "Nobody has confirmed OpenRouter’s terms yet. Claims are closed until then.", next: { label: "Look", href: "/admin/switches" } }),
  credit_low: () => ({ tone: "bad", word: "credit", text: "The credit of the account at OpenRouter is low: below $1, or below what three days cost lately. Keys stop working when it is used up. Buy credit at OpenRouter.", next: null }),
  database_large: () => ({ tone: "warn", word: "database", text: "The database is larger than four fifths of what the plan of Cloudflare allows. Shorten how long the audit is kept, or take a larger plan.", next: null }),
  seats_full: () => ({ tone: "warn", word: "full", text: "Every seat is taken. Nobody can claim until one is free.", next: null }),
};

/** @param {AttentionItem} item @returns {Next} */
const run = ({ run: id }) => ({ label: "See the run", href: id === null ? "/admin/runs" : `/admin/runs/${id}` });

/** @param {AttentionItem} item @param {number} most @returns {AttentionText} */
export function attentionWords(item, most) {
  const words = WORDS[item.kind];
  return words ? words(item, most) : { tone: "warn", word: item.kind, text: "", next: null };
}
