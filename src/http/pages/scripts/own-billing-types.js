/**
 * The shapes of the API behind "Use your own billing". This file holds types only: nothing in it runs.
 *
 * @typedef {{ slug: string, name: string, about: string, keys_page: string | null }} Provider
 *
 * @typedef {object} ProviderKey
 * @property {string} id
 * @property {string} provider
 * @property {string | null} label
 * @property {string} mask
 * @property {string} handoff
 * @property {{ id: string, name: string } | null} project
 * @property {string} created_at
 * @property {string | null} leaked_at
 *
 * @typedef {{ id: string, provider: string, at: string }} UnknownHandoff
 *
 * @typedef {"pending" | "ready" | "redeeming" | "redeemed" | "expired" | "refused" | "unknown"} HandoffStatus
 *
 * @typedef {{ id: string, provider: string, status: HandoffStatus, confirmed: boolean, expires_at: string, poll_after_ms: number }} Handoff
 */
export {};
