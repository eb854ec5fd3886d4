/**
 * The shapes the API answers with, as the pages read them. Types only: nothing here runs.
 *
 * @typedef {"minting" | "verifying" | "active" | "disabled" | "revoking" | "expired" | "stuck" | "revoked" | "void"} KeyState
 *
 * @typedef {"owner" | "admin" | "offboarding" | "leak" | "idle" | "budget" | "plan" | "switch" | "rotation" | "upstream"} Hold
 *
 * @typedef {object} Key
 * @property {string} id
 * @property {string | null} name
 * @property {string | null} mask
 * @property {KeyState} state
 * @property {boolean} missing OpenRouter has no such key any more
 * @property {Hold[]} holds why it is disabled or, while it is still `active`, is being disabled
 * @property {string} plan_limit_usd of a whole window
 * @property {string} limit_usd of this window
 * @property {string} limit_reset
 * @property {string | null} resets_at
 * @property {string} created_at
 * @property {string | null} expires_at
 * @property {string | null} available_from the key does not work before, for the limit is spent
 * @property {string | null} grace_until until then the secret before this one works too
 * @property {Spend | null} spend null until it was first read
 *
 * What OpenRouter said at `read_at`; null where a window has begun since.
 * @typedef {object} Spend
 * @property {string | null} used_usd
 * @property {string | null} left_usd
 * @property {string | null} day_usd
 * @property {string | null} week_usd
 * @property {string | null} month_usd
 * @property {string} total_usd
 * @property {string} read_at
 *
 * @typedef {{ answers: boolean, as_of: string | null }} Upstream
 *
 * @typedef {{ keys: Key[], openrouter: Upstream }} Keys
 *
 * What a claim, a new secret or a report of a leak is answered with.
 * @typedef {object} Issued
 * @property {Key} key
 * @property {string | null} secret only in the answer that made it
 * @property {boolean} replayed this very request was answered before, and that answer was lost
 * @property {string | null} note what to know where there is no secret, or where it does not work yet
 *
 * @typedef {"claim" | "appeal"} RequestKind
 *
 * @typedef {object} MemberRequest
 * @property {string} id
 * @property {RequestKind} kind
 * @property {"open" | "approved" | "declined"} state
 * @property {string | null} note
 * @property {string | null} answer
 * @property {string} created_at
 * @property {string | null} decided_at
 *
 * @typedef {object} Refusal
 * @property {string} code
 * @property {string} detail
 * @property {string | null} retryAt
 * @property {number | null} accountAgeDays
 * @property {number | null} requiredDays
 * @property {RequestKind | null} requestKind what may be asked for against it
 * @property {"open" | "declined" | null} request how the last such request stands
 *
 * @typedef {object} Claim
 * @property {boolean} open
 * @property {Refusal | null} refusal
 * @property {string} limit_usd of a whole window
 * @property {string | null} available_usd what a key claimed now could spend in this window; null for who has one
 * @property {string | null} available_from when a key claimed now begins to work, if not at once
 * @property {string} limit_reset
 * @property {number} expiry_days
 * @property {number} min_account_age_days
 * @property {number | null} seats_left
 *
 * @typedef {object} Me
 * @property {{ id: string, provider: string, login: string, created_at: string }} member
 * @property {string[]} roles
 * @property {{ revision: number, accepted_at: string | null }} terms
 * @property {Claim} claim
 *
 * @typedef {Refusal & { title: string, requestId: string | null, retryAfterSecs: number | null }} Problem
 */
export {};
