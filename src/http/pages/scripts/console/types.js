/**
 * The shapes of the admins' API, as the console reads them. This file holds types only: nothing in it runs.
 *
 * @typedef {"database_restored" | "foreign_account" | "keys_stuck" | "workspace_closing" | "sweep_failed" | "sweep_missing" |
 *   "comparison_failed" | "comparison_missing" | "mints_unsure" | "switches_late" | "appeals" | "claim_requests" | "held_upstream" |
 *   "limited_upstream" | "offboarding_failed" | "offboarding_missing" | "directory_unknown" | "admins_gone" | "departures_held" | "admin_addresses_reused" |
 *   "findings" | "drift" | "all_keys_disabled" | "minting_stopped" | "upstream_terms_unconfirmed" |
 *   "workspaces_unread" | "seats_full" |
 *   "credit_low" | "database_large"} AttentionKind
 *
 * @typedef {object} AttentionItem
 * @property {AttentionKind} kind
 * @property {number | null} count
 * @property {string | null} since
 * @property {string | null} run
 * @property {string | null} code
 *
 * @typedef {{ live: number, retained: number, being_made: number, disabled: number, to_disable: number, being_removed: number }} KeyCounts
 *
 * @typedef {object} Settings
 * @property {"open" | "stopped"} minting
 * @property {"on" | "off"} keys
 * @property {number} live_keys
 * @property {string | null} bound_to
 * @property {number} session_epoch
 * @property {"open" | "by_approval"} claims
 * @property {"none" | "suspected"} restore
 * @property {"known" | "foreign"} account
 * @property {"unconfirmed" | "confirmed"} upstream_terms
 * @property {string | null} upstream_terms_by
 * @property {string | null} upstream_terms_at
 * @property {"closing" | "closed" | "opening" | null} workspace
 *
 * @typedef {object} Run
 * @property {string} id
 * @property {string} job
 * @property {string} scheduled_at
 * @property {string} started_at
 * @property {string | null} ended_at
 * @property {string} outcome
 * @property {string | null} code
 * @property {string | null} stop_asked_at
 * @property {boolean} unfinished
 * @property {Record<string, unknown>} counts
 *
 * @typedef {object} ConsoleOverview
 * @property {AttentionItem[]} attention
 * @property {KeyCounts} keys
 * @property {number} seats
 * @property {number} counted_up_to
 * @property {Settings} settings
 * @property {{ setting: string, problem: string }[]} closed_by
 * @property {Run[]} runs
 * @property {DeploymentFigures} figures
 * @property {number} database_most_bytes
 * @property {string} as_of
 *
 * @typedef {object} DeploymentFigures
 * @property {string | null} credit_usd what is left at OpenRouter
 * @property {string | null} credit_read_at
 * @property {string | null} limits_usd the limits of all live keys together
 * @property {string | null} limits_read_at
 * @property {number | null} database_bytes
 * @property {string | null} database_read_at
 * @property {string} week_usd spent in the last seven completed days
 *
 * @typedef {"active" | "suspended" | "banned" | "left"} MemberStatus
 *
 * @typedef {object} MemberCard
 * @property {string} id
 * @property {string} provider
 * @property {string | null} subject the account's number
 * @property {string | null} login
 * @property {string | null} login_passed_on_at
 * @property {MemberStatus} status
 * @property {string} plan
 * @property {boolean} blocked
 * @property {number} keys_live
 * @property {string} created_at
 * @property {string} signed_in_at
 *
 * @typedef {object} ListedKey
 * @property {string} id
 * @property {{ id: string, name: string } | null} project
 * @property {string | null} name
 * @property {string | null} mask
 * @property {import("../types.js").KeyState} state
 * @property {boolean} missing
 * @property {import("../types.js").Hold[]} holds
 * @property {string} limit_usd
 * @property {string} limit_reset
 * @property {string | null} upstream_limit_usd
 * @property {string | null} used_usd
 * @property {string | null} read_at
 * @property {string} created_at
 * @property {string} expires_at
 * @property {string | null} ended_at
 * @property {string} plan
 * @property {{ id: string, login: string | null, subject: string | null }} member
 * @property {{ id: string, name: string } | null} workspace
 *
 * @typedef {object} AccountWorkspace
 * @property {string} id
 * @property {string} name
 * @property {boolean} enabled
 * @property {boolean} is_default
 * @property {boolean | null} at_openrouter
 * @property {number | null} live_keys
 * @property {string | null} unread_since
 *
 * @typedef {object} AccountWorkspaces
 * @property {AccountWorkspace[]} workspaces
 * @property {boolean} is_whole
 * @property {number} counted_up_to
 * @property {{ name: string, workspace_id: string }[]} shut_plans
 * @property {import("../types.js").UnreadWorkspace[]} workspaces_unread
 *
 * @typedef {{ id: string, key: string, amount_usd: string, since: string, until: string | null }} Raise
 * @typedef {{ id: string, amount_usd: string, credit_usd: string, at: string }} Payment
 *
 * @typedef {object} MemberPage
 * @property {MemberCard} member
 * @property {ListedKey[]} keys
 * @property {Raise[]} raises
 * @property {Payment[]} payments
 * @property {import("../types.js").MemberRequest[]} requests
 *
 * @typedef {object} Asker
 * @property {string} id
 * @property {string} provider
 * @property {string | null} subject
 * @property {string | null} login
 * @property {string | null} account_created_at
 * @property {boolean} blocked
 *
 * @typedef {import("../types.js").MemberRequest & { member: Asker }} AskedRequest
 *
 * @typedef {object} Plan
 * @property {string} name
 * @property {string | null} limit_usd
 * @property {string} limit_reset
 * @property {number} expiry_days
 * @property {number} max_active_keys
 * @property {string | null} workspace_id
 * @property {string | null} guardrail_id
 * @property {string} margin_percent
 * @property {boolean} is_default
 *
 * @typedef {{ slug: string, name: string, about: string, enabled: boolean, position: number }} BillingProvider
 *
 * @typedef {{ reach: { members: number, keys: number, members_over: number, keys_over: number }, counted_up_to: number }} PlanReach
 *
 * @typedef {{ id: string, provider: string, subject: string, put_at: string, member: string | null, login: string | null }} Block
 * @typedef {Block & { kind: "claim" | "appeal", name: string | null }} Allotment
 *
 * @typedef {{ key: string, since: string, disabled: boolean, limit_usd: string | null }} HeldUpstream
 * @typedef {{ key: string, kind: string, first_seen_at: string, last_seen_at: string }} Drift
 *
 * @typedef {object} Finding
 * @property {string} id
 * @property {string} name
 * @property {string} first_seen_at
 * @property {string} last_seen_at
 * @property {string | null} disabled_at
 * @property {string | null} acknowledged_at
 *
 * @typedef {{ directory: string, good_at: string | null, people: number, unknown_since: string | null, code: string | null }} Directory
 * @typedef {{ id: string, directory: string, state: string, made_at: string, expires_at: string, decided_at: string | null, people: number, blocked: number }} DepartureList
 * @typedef {{ list: string, member: string, login: string, reason: string, since: string }} DepartingMember
 * @typedef {{ directories: Directory[], lists: DepartureList[], held: DepartingMember[] }} Departures
 *
 * @typedef {{ runs: Run[], drift: Drift[], held_upstream: HeldUpstream[], without_row: Finding[] }} Jobs
 *
 * @typedef {object} AuditEntry
 * @property {string} change
 * @property {string} at
 * @property {string} action
 * @property {string} target
 * @property {string} actor
 * @property {string | null} actor_login
 * @property {string | null} before
 * @property {string | null} after
 * @property {string | null} before_usd
 * @property {string | null} after_usd
 * @property {string | null} key
 * @property {string | null} key_name
 * @property {string | null} member
 * @property {string | null} login
 *
 * @typedef {"disable" | "enable" | "revoke" | "suspend" | "reinstate"} BulkAction
 *
 * @typedef {object} BulkReport
 * @property {string} id
 * @property {BulkAction} action
 * @property {"shown" | "running" | "stopped" | "done"} state
 * @property {string} made_at
 * @property {string} expires_at
 * @property {number} targets
 * @property {number} left
 * @property {number} members
 * @property {Record<string, number>} verdicts how many are to be changed, and how many are left for each reason
 * @property {Record<string, number>} outcomes
 *
 * @typedef {object} BulkTarget
 * @property {string} id
 * @property {string | null} name
 * @property {string | null} mask
 * @property {string | null} limit_usd
 * @property {string | null} limit_reset
 * @property {number | null} keys_live
 * @property {string} member
 * @property {string | null} login
 * @property {string} verdict
 * @property {string | null} outcome
 *
 * @typedef {{ bulk: BulkReport, targets: BulkTarget[], next: string | null }} BulkBody
 */
export {};
