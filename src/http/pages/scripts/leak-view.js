// The form of the page `/leak`, and what it says after a report. It says the same whatever was reported.

import { html } from "./html.js";

/** @typedef {{ phase: "empty" | "sending" | "told", error: string }} LeakModel */

/** The id of the field for the key. */
export const KEY_FIELD = "found-key";

/**
 * @param {LeakModel} model
 * @param {{ report: (event: Event) => void, another: () => void, typed: () => void }} actions
 */
export const leakView = (model, actions) => (model.phase === "told" ? told(actions) : form(model, actions));

/**
 * @param {LeakModel} model
 * @param {{ report: (event: Event) => void, typed: () => void }} actions
 */
const form = ({ phase, error }, { report, typed }) => html`
  <form class="card" novalidate @submit=${report}>
    <div class="field">
      <label for=${KEY_FIELD}>The key that you found</label>
      <textarea id=${KEY_FIELD} rows="3" autocomplete="off" autocapitalize="none" spellcheck="false" translate="no" aria-invalid=${error === "" ? "false" : "true"} aria-describedby="found-hint found-error" @input=${typed}></textarea>
      <p id="found-hint" class="hint">It stays in your browser. Only its SHA-256 is sent.</p>
      <p id="found-error" class="hint is-bad said">${error}</p>
    </div>
    <p class="actions"><button class="button is-primary" type="submit" aria-disabled=${phase === "sending" ? "true" : "false"}>${phase === "sending" ? "Reporting…" : "Report it"}</button></p>
  </form>
`;

/** @param {{ another: () => void }} actions */
const told = ({ another }) => html`
  <section class="card" aria-labelledby="told">
    <h2 id="told" data-news tabindex="-1">Thank you. Your report was received.</h2>
    <p>If this service gave the key out, it is being disabled now, and its owner is told. This answer is the same for every key.</p>
    <p>If you can, remove the key from the place where you found it as well, or tell the person who can. A key that was once committed to a repository stays in the history of that repository.</p>
    <p class="actions"><button class="button" type="button" @click=${another}>Report another</button></p>
  </section>
`;
