/**
 * The shapes the API answers with, as the pages read them. Types only: nothing here runs.
 *
 * @typedef {"minting" | "verifying" | "active" | "disabled" | "revoking" | "expired" | "stuck" | "revoked" | "void"} KeyState
 *
 * @typedef {object} Key
 * @property {string} id
 * @property {string | null} name
 * @property {string | null} mask
 * @property {KeyState} state
 * @property {string} limit_usd
 * @property {string} limit_reset
 * @property {string | null} resets_at
 * @property {string} created_at
 * @property {string | null} expires_at
 *
 * @typedef {object} Refusal
 * @property {string} code
 * @property {string} detail
 * @property {string | null} retry_at
 *
 * @typedef {object} Claim
 * @property {boolean} open
 * @property {Refusal | null} refusal
 * @property {string} limit_usd
 * @property {string} limit_reset
 * @property {number} expiry_days
 * @property {number} min_account_age_days
 * @property {number | null} seats_left
 *
 * @typedef {object} Me
 * @property {{ id: string, provider: string, login: string, created_at: string }} member
 * @property {string[]} roles
 * @property {Claim} claim
 *
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} title
 * @property {string} detail
 * @property {string | null} requestId
 * @property {number | null} retryAfterSecs
 * @property {string | null} retryAt
 * @property {number | null} accountAgeDays
 * @property {number | null} requiredDays
 */
export {};
