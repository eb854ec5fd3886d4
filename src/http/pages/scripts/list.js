// How a long list of keys is arranged: what is searched for, which keys are shown and in which order. It stands in the
// address, so that a reload, a bookmark and a shared link show the same. The functions are pure.

import { stateAt } from "./state-words.js";
import { DEFAULT_NAME } from "./words.js";

/** @import { Key } from "./types.js" */

/**
 * `project` is the id of a project, or "none"; it narrows the keys with own billing, too. `provider` is the slug of a billing
 * provider, and narrows only those.
 * @typedef {{ q: string, state: string, project: string, sort: string, provider?: string }} Arrangement
 */

/** The states to choose from; the first one is all. */
export const SHOWN = { "": "All", working: "Working", stopped: "Not working" };

/** The keys that are in no project, as an address names them. */
export const NO_PROJECT = "none";

/** The orders to choose from; the first one is the service's own. */
export const ORDERS = { "": "First made", project: "Project", name: "Name", spent: "Most spent", left: "Least left", expires: "Expires soonest" };

/** @param {string} search the query of an address @returns {Arrangement} */
export function arrangementOf(search) {
  const query = new URLSearchParams(search);
  const oneOf = (/** @type {Record<string, string>} */ words, /** @type {string | null} */ value) => (value !== null && Object.hasOwn(words, value) ? value : "");
  return { q: query.get("q") ?? "", state: oneOf(SHOWN, query.get("state")), project: query.get("project") ?? "", sort: oneOf(ORDERS, query.get("sort")), provider: query.get("provider") ?? "" };
}

/** The query of the address, empty if everything is shown as it comes. @param {Arrangement} arrangement */
export function searchOf(arrangement) {
  const query = new URLSearchParams(Object.entries(arrangement).filter(([, value]) => value !== ""));
  return query.size === 0 ? "" : `?${query}`;
}

/**
 * The keys with own billing that an address asks for.
 * @template {{ provider: string, project: { id: string } | null }} T
 * @param {T[]} keys @param {Arrangement} arrangement
 */
export const ownBilled = (keys, { project, provider = "" }) => keys.filter((key) => (project === "" || (key.project?.id ?? NO_PROJECT) === project) && (provider === "" || key.provider === provider));

/** @param {string | null | undefined} amount what is not read counts as nothing */
const amountOf = (amount) => Number.parseFloat(amount ?? "0");

/** @type {Record<string, (a: Key, b: Key) => number>} */
const COMPARE = {
  project: (a, b) => Number(a.project === null) - Number(b.project === null) || (a.project?.name ?? "").localeCompare(b.project?.name ?? ""),
  name: (a, b) => nameOf(a).localeCompare(nameOf(b)),
  spent: (a, b) => amountOf(b.spend?.used_usd) - amountOf(a.spend?.used_usd),
  left: (a, b) => amountOf(a.spend?.left_usd ?? a.limit_usd) - amountOf(b.spend?.left_usd ?? b.limit_usd),
  expires: (a, b) => Date.parse(a.expires_at ?? "") - Date.parse(b.expires_at ?? ""),
};

/** @param {Key} key */
const nameOf = ({ name }) => name ?? DEFAULT_NAME;

/** @param {Key} key @param {number} now */
const works = (key, now) => stateAt(key, now) === "active" && key.holds.length === 0 && !key.missing;

/**
 * @param {Key[]} keys
 * @param {Arrangement} arrangement
 * @param {number} now
 */
export function arranged(keys, { q, state, project, sort }, now) {
  const wanted = q.trim().toLowerCase();
  const found = keys
    .filter((key) => `${nameOf(key)} ${key.mask ?? ""}`.toLowerCase().includes(wanted))
    .filter((key) => state === "" || works(key, now) === (state === "working"))
    .filter((key) => project === "" || (key.project?.id ?? NO_PROJECT) === project);
  const compare = COMPARE[sort];
  return compare === undefined ? found : found.sort(compare);
}
