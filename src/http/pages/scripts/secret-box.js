// The secret box: the only place where a key's secret appears. It takes the focus and keeps it, and only "I have stored
// it" closes it. If somebody leaves the page while it is open, the browser asks first. Afterwards the secret is gone
// from the page.

import { html, nothing, render } from "./html.js";
import { SAID, copyText } from "./copy.js";

/** @import { Copying } from "./copy.js" */

/**
 * Shows the secret until its holder says that it is stored.
 * @param {{ secret: string, summary: string }} key
 * @returns {Promise<void>}
 */
export function showSecret({ secret, summary }) {
  const host = document.createElement("div");
  document.body.append(host);
  window.addEventListener("beforeunload", askBeforeLeaving);
  return new Promise((resolve) => {
    /** @param {Copying} copying */
    const show = (copying) => render(box({ secret, summary, copying, copy, close }), host);
    const copy = async () => show(await copyText(secret, host.querySelector("code")));
    const close = () => {
      window.removeEventListener("beforeunload", askBeforeLeaving);
      render(nothing, host);
      host.remove();
      resolve();
    };
    show("shown");
    holdOpen(/** @type {HTMLDialogElement} */ (host.querySelector("dialog")));
  });
}

/** @param {BeforeUnloadEvent} event */
function askBeforeLeaving(event) {
  event.preventDefault();
}

/**
 * Escape and a phone's back gesture ask a dialog to close. This dialog refuses; if a browser closes it anyway, it opens
 * again.
 * @param {HTMLDialogElement} dialog
 */
function holdOpen(dialog) {
  const reopen = () => {
    if (dialog.isConnected && !dialog.open) dialog.showModal();
  };
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.preventDefault();
  });
  dialog.addEventListener("close", reopen);
  reopen();
}

/**
 * @param {{ secret: string, summary: string, copying: Copying, copy: () => void, close: () => void }} view
 */
function box({ secret, summary, copying, copy, close }) {
  const copied = copying === "copied";
  return html`
    <dialog class="dialog secret" closedby="none" aria-labelledby="secret-title" aria-describedby="secret-why">
      <h2 id="secret-title">Your key, shown once</h2>
      <p id="secret-why">Store it now, in a password manager or wherever your tools read it. It cannot be shown again: we keep no copy.</p>
      <code class="well secret-text" translate="no" aria-label="The key">${secret}</code>
      <p class="hint">${summary}</p>
      <div class="actions">
        <button class=${copied ? "button" : "button is-primary"} type="button" autofocus @click=${copy}>${copied ? copiedMark : "Copy the key"}</button>
        <button class=${copied ? "button is-primary" : "button"} type="button" @click=${close}>I have stored it</button>
      </div>
      <p class=${copying === "selected" ? "hint" : "spoken"} role="status">${SAID[copying]}</p>
    </dialog>
  `;
}

const copiedMark = html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d="m3 8.5 3.2 3.2L13 5" /></svg>Copied`;
