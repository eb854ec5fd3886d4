/**
 * The shapes of the API's answers, as the pages read them. This file holds types only: nothing in it runs.
 *
 * @typedef {"minting" | "verifying" | "active" | "disabled" | "revoking" | "expired" | "stuck" | "revoked" | "void"} KeyState
 *
 * @typedef {"owner" | "admin" | "offboarding" | "leak" | "idle" | "budget" | "plan" | "switch" | "rotation" | "upstream"} Hold
 *
 * @typedef {object} Key
 * @property {string} id
 * @property {string | null} name
 * @property {string | null} mask
 * @property {{ id: string, name: string } | null} project
 * @property {WorkspaceName | null} workspace where it was made, if that has a name here
 * @property {KeyState} state
 * @property {boolean} missing whether OpenRouter no longer has this key
 * @property {Hold[]} holds why it is disabled or, while it is still `active`, why it is being disabled
 * @property {string} plan_limit_usd for a whole window
 * @property {string | null} own_limit_usd a lower limit that its owner has set
 * @property {string} limit_usd for this window
 * @property {string} limit_reset
 * @property {string | null} resets_at
 * @property {string} created_at
 * @property {string | null} expires_at
 * @property {string | null} renewable_from from this time on it can be renewed
 * @property {number} generation the number of its secret, from 1
 * @property {string} issued_at when that secret was made
 * @property {string | null} available_from the key does not work before this time, because its limit is spent
 * @property {string | null} grace_until until this time the previous secret works too
 * @property {Spend | null} spend null until it was first read
 * @property {Spendable | null} spendable what can still be spent; null if there is nothing to spend with
 *
 * What OpenRouter reported at `read_at`. The figure of a window is null if a new window has begun since.
 * @typedef {object} Spend
 * @property {string | null} used_usd
 * @property {string | null} left_usd
 * @property {string | null} day_usd
 * @property {string | null} week_usd
 * @property {string | null} month_usd
 * @property {string} total_usd
 * @property {string} read_at
 *
 * What bounds the spending with a key. Bounds that OpenRouter applies and that keycap does not know are named apart.
 * @typedef {"key" | "credit" | "guardrail" | "workspace" | "account"} Bound
 * @typedef {{ amount_usd: string | null, bound: Bound, until: string, unknown: Bound[] }} Spendable
 *
 * What a member groups their keys by.
 * @typedef {object} Project
 * @property {string} id
 * @property {string} name
 * @property {string | null} archived_at since when it is offered for no new key
 * @property {number} keys how many keys it has that have not ended
 * @property {number} ended_keys
 * @property {number} provider_keys
 *
 * A key that has ended.
 * @typedef {object} EndedKey
 * @property {string} id
 * @property {string | null} name
 * @property {string | null} mask
 * @property {KeyState} state
 * @property {string} created_at
 * @property {string | null} ended_at
 * @property {string | null} expires_at
 * @property {string | null} spent_usd what all of its secrets have spent, as far as it was read
 *
 * @typedef {{ answers: boolean, as_of: string | null }} Upstream
 *
 * @typedef {{ id: string, name: string }} WorkspaceName
 *
 * A workspace whose keys could not be read lately. It may have no name here.
 * @typedef {{ id: string | null, name: string | null, since: string }} UnreadWorkspace
 *
 * @typedef {{ keys: Key[], ended: EndedKey[], openrouter: Upstream, workspaces_unread: UnreadWorkspace[] }} Keys
 *
 * The answer to a claim, to a rotation or to a report of a leak.
 * @typedef {object} Issued
 * @property {Key} key
 * @property {string | null} secret only in the answer to the request that made it
 * @property {boolean} replayed whether this same request was answered before, and that answer was lost
 * @property {string | null} note what to know if there is no secret, or if it does not work yet
 *
 * What the service tells the member until they have read it. `kind` is one of those that the API's description lists.
 * @typedef {object} MemberNotice
 * @property {string} id
 * @property {string} kind
 * @property {string} at
 * @property {string | null} read_at
 * @property {{ id: string, name: string | null } | null} key
 * @property {string | null} expires_at
 * @property {{ id: string, kind: RequestKind, state: MemberRequest["state"] } | null} request
 * @property {string | null} before
 * @property {string | null} after
 * @property {string | null} before_usd
 * @property {string | null} after_usd
 *
 * Something that has happened. `event` is one of those that the API's description lists.
 * @typedef {object} HistoryEntry
 * @property {string} at
 * @property {string} event
 * @property {"you" | "administrator" | "keycap" | "openrouter" | "finder"} actor
 * @property {{ id: string, name: string | null } | null} key
 * @property {number | null} generation
 * @property {Hold | null} reason
 * @property {RequestKind | null} request_kind
 * @property {string | null} before
 * @property {string | null} after
 * @property {string | null} before_usd
 * @property {string | null} after_usd
 *
 * @typedef {{ events: HistoryEntry[], next: string | null }} HistoryPage
 *
 * @typedef {"claim" | "appeal" | "limit"} RequestKind
 *
 * @typedef {object} MemberRequest
 * @property {string} id
 * @property {RequestKind} kind
 * @property {"open" | "approved" | "declined" | "withdrawn"} state
 * @property {string | null} note
 * @property {string | null} answer
 * @property {string} created_at
 * @property {string | null} decided_at
 * @property {{ amount_usd: string } | null} limit what it asks for, if it asks for a higher limit
 *
 * @typedef {object} Refusal
 * @property {string} code
 * @property {string} detail
 * @property {string | null} retryAt
 * @property {number | null} accountAgeDays
 * @property {number | null} requiredDays
 * @property {"claim" | "appeal" | null} requestKind the kind of request that the member can make about it
 * @property {"open" | "declined" | null} request the state of the last such request
 *
 * @typedef {object} Claim
 * @property {boolean} open
 * @property {Refusal | null} refusal
 * @property {string} limit_usd for a whole window
 * @property {string | null} available_usd what a key claimed now could spend in this window; null if the member has a
 *   key
 * @property {string | null} available_from when a key claimed now starts to work, if not at once
 * @property {string} limit_reset
 * @property {number} expiry_days
 * @property {number} min_account_age_days
 * @property {number | null} seats_left
 * @property {WorkspaceName[]} workspaces where a key can be made; with several, the member chooses one
 *
 * @typedef {object} Me
 * @property {{ id: string, provider: string, login: string, created_at: string }} member
 * @property {string[]} roles
 * @property {{ revision: number, accepted_at: string | null }} terms
 * @property {number} keys_allowed how many keys the plan allows at a time
 * @property {Claim} claim
 *
 * What the page `/keys` shows: `requests` are the latest ones, newest first.
 * @typedef {Keys & { me: Me, projects: Project[], requests: MemberRequest[], notices: MemberNotice[] }} Overview
 *
 * @typedef {Refusal & { title: string, requestId: string | null, retryAfterSecs: number | null }} Problem
 */
export {};
