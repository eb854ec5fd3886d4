/**
 * The shapes of the admins' API, as the console reads them. This file holds types only: nothing in it runs.
 *
 * @typedef {"database_restored" | "foreign_account" | "keys_stuck" | "workspace_closing" | "sweep_failed" | "sweep_missing" |
 *   "comparison_failed" | "comparison_missing" | "mints_unsure" | "switches_late" | "appeals" | "claim_requests" | "held_upstream" |
 *   "limited_upstream" | "findings" | "drift" | "all_keys_disabled" | "minting_stopped" | "upstream_terms_unconfirmed" |
 *   "seats_full"} AttentionKind
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
 * @property {string} as_of
 */
export {};
