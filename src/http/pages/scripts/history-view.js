// A history: what has happened, newest first, with the way to what was before.

import { html, nothing } from "./html.js";
import { historyWords } from "./history-words.js";
import { moment } from "./parts.js";
import { DEFAULT_NAME } from "./words.js";

/** @import { HistoryEntry } from "./types.js" */

/**
 * @typedef {object} History
 * @property {HistoryEntry[]} events
 * @property {string | null} next where the next page begins
 * @property {boolean} loading
 * @property {string} failed why nothing more could be read, in words
 */

/** @type {History} */
export const UNREAD_HISTORY = { events: [], next: null, loading: true, failed: "" };

/**
 * @param {History} history
 * @param {{ now: number, withKeys: boolean, more: () => void }} options withKeys: whether each event names its key
 */
export const historyView = ({ events, next, loading, failed }, { now, withKeys, more }) => html`
  <div class="history" aria-busy=${loading ? "true" : "false"}>
    ${events.length === 0 && !loading && failed === "" ? html`<p class="hint">Nothing is recorded yet.</p>` : nothing}
    <ol class="plain">
      ${events.map((entry) => html`<li>${withKeys && entry.key !== null ? html`<strong>${entry.key.name ?? DEFAULT_NAME}</strong>: ` : nothing}${historyWords(entry)}<span class="hint history-at">${moment(Date.parse(entry.at), now)}</span></li>`)}
    </ol>
    ${loading && events.length === 0 ? html`<p class="hint">Reading…</p>` : nothing} ${failed === "" ? nothing : html`<p class="hint is-bad">${failed}</p>`}
    ${next === null && failed === "" ? nothing : html`<button class="button is-quiet" type="button" aria-disabled=${loading ? "true" : "false"} @click=${more}>${loading ? "Reading…" : failed === "" ? "Show earlier" : "Try again"}</button>`}
  </div>
`;
