// The states of the page `/keys`, as its templates take them: one of each kind, with figures that differ.

/** @typedef {import("../../src/http/pages/scripts/keys-view.js").Model} Model */
/** @typedef {import("../../src/http/pages/scripts/types.js").Key} Key */
/** @typedef {import("../../src/http/pages/scripts/types.js").Me} Me */
/** @typedef {import("../../src/http/pages/scripts/types.js").Refusal} Refusal */
/** @typedef {import("../../src/http/pages/scripts/types.js").MemberRequest} MemberRequest */

export const NOW = Date.parse("2026-11-21T20:59:30Z");

/** @type {Me} */
const ME = {
  member: { id: "mem_1", provider: "github", login: "somebody", created_at: "2026-11-01T00:00:00Z" },
  roles: ["member"],
  terms: { revision: 1, accepted_at: null },
  keys_allowed: 1,
  claim: { open: true, refusal: null, limit_usd: "5.00", limit_reset: "daily", available_usd: "5.00", available_from: null, expiry_days: 90, min_account_age_days: 30, seats_left: 7, workspaces: [] },
};

/** @param {Partial<Me["claim"]>} claim @returns {Me} */
const me = (claim) => ({ ...ME, claim: { ...ME.claim, ...claim } });

/** @type {Key} */
const KEY = {
  id: "key_1", name: "OpenRouter key", mask: "sk-or-v1-5a4...eef", project: null, workspace: null, state: "active", missing: false, holds: [], plan_limit_usd: "5.00", own_limit_usd: null, limit_usd: "5.00", limit_reset: "daily", resets_at: "2026-11-22T00:00:00Z",
  renewable_from: "2027-02-04T08:00:00Z", generation: 1, issued_at: "2026-11-20T08:00:00Z",
  created_at: "2026-11-20T08:00:00Z", expires_at: "2027-02-18T08:00:00Z", available_from: null, grace_until: null, spendable: null,
  spend: { used_usd: "0.00", left_usd: "5.00", day_usd: "0.00", week_usd: "0.00", month_usd: "0.00", total_usd: "0.00", read_at: "2026-11-21T20:59:10Z" },
};

/** @param {Partial<Key>} change @returns {Key} */
export const key = (change) => ({ ...KEY, ...change });

/** @type {Me} */
const THREE = { ...ME, keys_allowed: 3 };

/** @param {Partial<import("../../src/http/pages/scripts/key-card-view.js").CardState>} change @returns {import("../../src/http/pages/scripts/key-card-view.js").CardState} */
const card = (change) => ({ doing: "", news: null, renaming: null, history: null, ...change });

/** @param {string} used @param {string} left @param {string} readAt */
const spent = (used, left, readAt) => ({ used_usd: used, left_usd: left, day_usd: used, week_usd: used, month_usd: used, total_usd: used, read_at: readAt });

/** @param {Partial<import("../../src/http/pages/scripts/types.js").HistoryEntry>} change @returns {import("../../src/http/pages/scripts/types.js").HistoryEntry} */
export const event = (change) => ({ at: "2026-11-21T19:00:00Z", event: "secret_issued", actor: "you", key: { id: "key_1", name: "Laptop" }, generation: 2, reason: null, request_kind: null, before: null, after: null, before_usd: null, after_usd: null, ...change });

const LAPTOP = key({ id: "key_2", name: "Laptop", spend: spent("1.00", "4.00", "2026-11-21T20:59:20Z") });

/** @param {Partial<import("../../src/http/pages/scripts/types.js").EndedKey>} change @returns {import("../../src/http/pages/scripts/types.js").EndedKey} */
const ended = (change) => ({ id: "key_0", name: "Old", mask: "sk-or-v1-999...abc", state: "revoked", created_at: "2026-11-01T12:00:00Z", ended_at: "2026-11-21T12:00:00Z", expires_at: "2027-02-18T08:00:00Z", spent_usd: "12.00", ...change });

/** @param {Partial<Refusal>} change @returns {Refusal} */
const refusal = (change) => ({ code: "", detail: "", retryAt: null, accountAgeDays: null, requiredDays: null, requestKind: null, request: null, ...change });

/** @param {Partial<MemberRequest>} change @returns {MemberRequest} */
const request = (change) => ({ id: "req_1", kind: "claim", state: "open", note: "For a course.", answer: null, created_at: "2026-11-21T10:00:00Z", decided_at: null, limit: null, ...change });

/** @type {Model} */
const BLANK = {
  phase: "ready", me: ME, keys: [], ended: [], cards: {}, making: null, projects: [], arrangement: { q: "", state: "", project: "", sort: "" }, upstream: { answers: true, as_of: null }, refreshing: "idle", requests: null,
  wish: { note: "", sending: false, error: "", requestId: null }, accepts: false, missesTerms: false, workspace: "", unread: [], claiming: false, waiting: null, notice: null, refusal: null, now: NOW,
};

/** @param {Partial<Model>} change @returns {Model} */
const model = (change) => ({ ...BLANK, ...change });

/** @type {Record<string, Model>} */
export const STATES = {
  loading: model({ phase: "loading" }),
  "signed out": model({ phase: "signed_out", me: null }),
  failed: model({ phase: "failed", notice: { tone: "bad", title: "The service did not answer.", text: "Nothing was changed.", requestId: null } }),
  "failed with a request id": model({ phase: "failed", notice: { tone: "bad", title: "Something went wrong here.", text: "Try again.", requestId: "req_123" } }),
  offered: model({}),
  "offered with fewer seats": model({ me: me({ seats_left: 6, limit_usd: "7.50" }), accepts: true }),
  "offered, the rules missed": model({ missesTerms: true }),
  "offered after an approval": model({ me: me({ seats_left: null }), requests: [request({ state: "approved", decided_at: "2026-11-21T18:00:00Z", answer: "Welcome." })] }),
  "offered in two workspaces": model({ me: me({ workspaces: [{ id: "wsp_1", name: "Blue" }, { id: "wsp_2", name: "Red" }] }), workspace: "wsp_2" }),
  claiming: model({ claiming: true, accepts: true }),
  "too young": model({ me: me({ open: false, refusal: refusal({ code: "account_too_young", accountAgeDays: 4, requiredDays: 30, retryAt: "2026-12-17T00:00:00Z", requestKind: "appeal" }) }) }),
  "too young a day later": model({ now: NOW + 86_400_000, me: me({ open: false, refusal: refusal({ code: "account_too_young", accountAgeDays: 5, requiredDays: 30, retryAt: "2026-12-17T00:00:00Z", requestKind: "appeal" }) }) }),
  closed: model({ me: me({ open: false, refusal: refusal({ code: "minting_stopped" }) }) }),
  asked: model({ me: me({ open: false, refusal: refusal({ code: "approval_needed", requestKind: "claim", request: "open" }) }), requests: [request({})] }),
  declined: model({ me: me({ open: false, refusal: refusal({ code: "approval_needed", requestKind: "claim", request: "declined" }) }), requests: [request({ state: "declined", decided_at: "2026-11-21T11:00:00Z", answer: "Not now." })] }),
  "writing a request": model({ me: me({ open: false, refusal: refusal({ code: "approval_needed", requestKind: "claim" }) }), wish: { note: "For a", sending: false, error: "", requestId: null } }),
  "a request that is too long": model({ me: me({ open: false, refusal: refusal({ code: "approval_needed", requestKind: "claim" }) }), wish: { note: "x".repeat(501), sending: false, error: "The note is 1 character too long. Nothing was sent.", requestId: null } }),
  "sending a request": model({ me: me({ open: false, refusal: refusal({ code: "approval_needed", requestKind: "claim" }) }), wish: { note: "For a course", sending: true, error: "", requestId: null } }),
  "in progress": model({ waiting: "in_progress" }),
  unknown: model({ waiting: "unknown" }),
  "a fresh key": model({ keys: [KEY], notice: { tone: "good", title: "Your key is ready to use.", text: "It works." } }),
  "a key with $2 spent": model({ keys: [key({ spend: spent("2.00", "3.00", "2026-11-21T20:59:20Z") })], refreshing: "pending" }),
  "a key with all spent": model({ keys: [key({ spend: spent("5.00", "0.00", "2026-11-21T20:40:00Z") })], refreshing: "failed" }),
  "a key not read yet": model({ keys: [key({ spend: null })], now: NOW + 3_600_000 }),
  "an outage": model({ keys: [key({ spend: spent("1.00", "4.00", "2026-11-21T20:30:00Z") })], upstream: { answers: false, as_of: "2026-11-21T20:50:00Z" } }),
  "an outage without a key": model({ upstream: { answers: false, as_of: "2026-11-21T20:55:00Z" } }),
  ...Object.fromEntries(/** @type {const} */ (["owner", "admin", "upstream", "leak"]).map((hold) => [`a key disabled: ${hold}`, model({ keys: [key({ state: "disabled", holds: [hold] })] })])),
  "a key being disabled": model({ keys: [key({ holds: ["owner"] })] }),
  "a key being enabled": model({ keys: [key({ state: "disabled" })] }),
  "a key with a part of its limit": model({ keys: [key({ limit_usd: "3.00", spend: spent("1.00", "2.00", "2026-11-21T20:59:20Z") })] }),
  "a missing key": model({ keys: [key({ missing: true })] }),
  "a key that works later": model({ keys: [key({ state: "disabled", holds: ["budget"], available_from: "2026-11-22T00:00:00Z", spend: spent("0.00", "0.00", "2026-11-21T20:59:20Z") })] }),
  "a key with an old secret in grace": model({ keys: [key({ grace_until: "2026-11-22T10:00:00Z" })] }),
  "two keys": model({ me: THREE, keys: [KEY, LAPTOP] }),
  "two keys, one renamed": model({ me: THREE, keys: [KEY, key({ ...LAPTOP, name: "Desk" })], cards: { key_2: card({ news: { tone: "good", title: "The key is disabled.", text: "OpenRouter refuses requests with it.", offer: { text: "Undo", action: "enable" } } }) } }),
  "a key that is being renamed": model({ keys: [KEY], cards: { key_1: card({ renaming: { name: "Lap", error: "Write a name. Nothing was sent.", sending: false } }) } }),
  "a key that is being disabled": model({ keys: [key({ holds: ["owner"] })], cards: { key_1: card({ doing: "disable" }) } }),
  "a key with an own limit and its third secret": model({ keys: [key({ own_limit_usd: "2.00", plan_limit_usd: "2.00", limit_usd: "2.00", generation: 3, issued_at: "2026-11-21T19:00:00Z" })] }),
  "a key to renew": model({ keys: [key({ renewable_from: "2026-11-20T00:00:00Z", expires_at: "2026-11-30T00:00:00Z" })] }),
  "a key over the plan's number": model({ me: { ...ME, keys_allowed: 1 }, keys: [KEY, key({ ...LAPTOP, state: "disabled", holds: ["plan"] })] }),
  "four keys, folded": model({ me: { ...ME, keys_allowed: 4 }, keys: [KEY, LAPTOP, key({ id: "key_3", name: "CI" }), key({ id: "key_4", name: "Phone", missing: true })] }),
  "four keys, one opened": model({ me: { ...ME, keys_allowed: 4 }, keys: [KEY, LAPTOP, key({ id: "key_3", name: "CI" }), key({ id: "key_4", name: "Phone" })], cards: { key_2: card({ open: true }) } }),
  "a key with its history": model({ keys: [KEY], cards: { key_1: card({ history: { events: [event({}), event({ event: "own_limit_set", before_usd: "5.00", after_usd: "2.00", generation: null })], next: "x", loading: false, failed: "" } }) } }),
  "a key whose history is read": model({ keys: [KEY], cards: { key_1: card({ history: { events: [], next: null, loading: true, failed: "" } }) } }),
  "a key whose history could not be read": model({ keys: [KEY], cards: { key_1: card({ history: { events: [], next: null, loading: false, failed: "The service did not answer." } }) } }),
  "keys by project": model({ me: THREE, keys: [key({ project: { id: "prj_1", name: "Parser" } }), LAPTOP], arrangement: { q: "", state: "", project: "", sort: "project" }, projects: [{ id: "prj_1", name: "Parser", archived_at: null, keys: 1, ended_keys: 2, provider_keys: 0 }, { id: "prj_2", name: "Old", archived_at: "2026-11-01T00:00:00Z", keys: 0, ended_keys: 0, provider_keys: 0 }] }),
  "keys of a renamed project": model({ me: THREE, keys: [key({ project: { id: "prj_1", name: "Lexer" } }), LAPTOP], arrangement: { q: "", state: "", project: "", sort: "project" }, projects: [{ id: "prj_1", name: "Lexer", archived_at: "2026-11-21T00:00:00Z", keys: 1, ended_keys: 0, provider_keys: 0 }] }),
  "a further key": model({ me: THREE, keys: [KEY], making: { name: "", limit: "", project: "", workspace: "", errors: { name: "", limit: "", project: "", form: "" }, sending: false, requestId: null } }),
  "a further key in one of two workspaces": model({ me: { ...THREE, claim: { ...THREE.claim, workspaces: [{ id: "wsp_1", name: "Blue" }, { id: "wsp_2", name: "Red" }] } }, keys: [key({ workspace: { id: "wsp_1", name: "Blue" } })], making: { name: "", limit: "", project: "", workspace: "wsp_2", errors: { name: "", limit: "", project: "", form: "" }, sending: false, requestId: null } }),
  "keys of workspaces that could not be read": model({ me: THREE, keys: [key({ workspace: { id: "wsp_1", name: "Blue" } }), LAPTOP], unread: [{ id: "wsp_1", name: "Blue", since: "2026-11-21T20:50:00Z" }, { id: null, name: null, since: "2026-11-21T20:40:00Z" }] }),
  "a further key with errors": model({ me: THREE, keys: [KEY], making: { name: " ", limit: "x", project: "", workspace: "", errors: { name: "Write a name. Nothing was sent.", limit: "Write an amount.", project: "", form: "The key was not handed out." }, sending: true, requestId: "req_7" } }),
  "offered with a spent limit": model({ me: me({ available_usd: "0.00", available_from: "2026-11-22T00:00:00Z" }) }),
  "offered with part of the limit": model({ me: me({ available_usd: "3.00" }) }),
  "a key with another name": model({ keys: [key({ name: "Laptop", plan_limit_usd: "10.00", limit_usd: "10.00", limit_reset: "monthly", resets_at: "2026-12-01T00:00:00Z" })] }),
  ...Object.fromEntries(/** @type {const} */ (["minting", "verifying", "revoking", "stuck"]).map((state) => [`a key that is ${state}`, model({ keys: [key({ state, mask: null, spend: null })] })])),
  "with an earlier key": model({ ended: [ended({ id: "key_0", state: "revoked", mask: "sk-or-v1-999...abc" })] }),
  "a key with what can still be spent": model({ keys: [key({ spendable: { amount_usd: "3.75", bound: "key", until: "2026-11-22T00:00:00Z", unknown: ["workspace", "account"] } })] }),
  "with two earlier keys": model({ ended: [ended({ id: "key_0", state: "expired", mask: "sk-or-v1-999...abc" }), ended({ id: "key_9", state: "revoked", mask: null })] }),
};
