// The answer of `/api/v1/usage`, as the page `/usage` gets it. The service describes it in its OpenAPI document.

/**
 * @typedef {object} Amounts
 * @property {string} spend_usd `cost_usd` and `not_broken_down_usd` together
 * @property {string} cost_usd what OpenRouter reports by model
 * @property {string} not_broken_down_usd what the counters of keys show and no model explains yet
 * @property {string} byok_usd through own provider keys; in no other amount
 * @property {number} requests
 * @property {number} prompt_tokens
 * @property {number} completion_tokens reasoning included
 * @property {number} reasoning_tokens
 * @property {number} cached_tokens
 *
 * @typedef {"settled" | "open" | "unknown" | "by_month"} Certainty
 *
 * A day or a month, both ends included. `totals` is null if nothing is known of it.
 * @typedef {object} Bucket
 * @property {string} from
 * @property {string} to
 * @property {Certainty} certainty
 * @property {string | null} as_of
 * @property {string | null} source
 * @property {number | null} failed_keys
 * @property {Amounts | null} totals
 *
 * @typedef {"model" | "key" | "member" | "plan" | "project" | "workspace" | "source"} Group
 *
 * @typedef {{ id: string | null, name: string | null, ended: boolean, slugs: string[] }} Label
 *
 * One group in all buckets.
 * @typedef {object} Series
 * @property {"group" | "other" | "not_broken_down" | "unattributed"} kind
 * @property {Label | null} one
 * @property {Label | null} two
 * @property {Amounts} totals
 * @property {(Amounts | null)[]} values
 *
 * @typedef {object} Comparison
 * @property {string} from
 * @property {string} to
 * @property {Amounts} totals
 * @property {string} previous_from
 * @property {string} previous_to
 * @property {Amounts | null} previous_totals
 *
 * @typedef {object} Step
 * @property {"limit" | "raise" | "secret"} kind
 * @property {string} at
 * @property {string | null} until
 * @property {string | null} amount_usd
 * @property {string | null} limit_reset
 *
 * @typedef {object} Reconciliation
 * @property {string} ours_usd
 * @property {string} unattributed_usd
 * @property {string | null} as_of
 * @property {string} counters_above_usd
 * @property {string} counters_below_usd
 * @property {number} keys_differing
 * @property {string | null} oldest_reading
 * @property {{ key: string, generation: string, ours_usd: string, counter_above_usd: string, counter_below_usd: string, read_at: string }[]} differing
 *
 * @typedef {object} Usage
 * @property {"own" | "all"} scope
 * @property {string} from
 * @property {string} to
 * @property {"day" | "month"} bucket
 * @property {Group[]} groups
 * @property {{ through: string | null, days_behind: number | null }} progress
 * @property {Amounts} totals
 * @property {Bucket[]} buckets
 * @property {Series[]} series
 * @property {number} group_count
 * @property {number} skip
 * @property {Comparison | null} compared
 * @property {Step[] | null} steps
 * @property {import("./own-billing-types.js").ProviderKey[]} provider_keys
 * @property {Reconciliation | null} reconciliation
 */
export {};
