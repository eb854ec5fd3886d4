// Small parts that several views use.

import { html, nothing } from "./html.js";
import { clockUtc, dateUtc, relative } from "./words.js";

/** @param {string | null | undefined} id */
export const requestId = (id) => (id ? html`<p class="hint">Request id <span class="figure" translate="no">${id}</span></p>` : nothing);

/**
 * A time in both forms: "3 h ago (21 Nov 2026, 12:00 UTC)".
 * @param {number} ms
 * @param {number} now
 */
export const moment = (ms, now) => (Number.isFinite(ms) ? known(ms, now) : "at an unknown time");

/** @param {number} ms @param {number} now */
const known = (ms, now) => html`${relative(ms, now)} <time class="is-aside" datetime=${new Date(ms).toISOString()}>(${dateUtc(ms)}, ${clockUtc(ms)})</time>`;
