// Which columns of a list are shown. The choice stands in the address, as the names of those that are hidden; the first column
// names the row and is always there.

import { html } from "../html.js";
import { say } from "../say.js";
import { addressWith, inAddress } from "./address.js";

const SEPARATOR = "~";

const hidden = () => new Set((inAddress().hide ?? "").split(SEPARATOR).filter((name) => name !== ""));

/** Hides the columns that the address names. @param {HTMLElement} host */
export function showColumns(host) {
  const names = hidden();
  for (const head of host.querySelectorAll("table.table thead th")) /** @type {HTMLElement} */ (head).hidden = names.has(head.textContent ?? "");
  for (const cell of host.querySelectorAll("table.table [data-label]")) /** @type {HTMLElement} */ (cell).hidden = names.has(/** @type {HTMLElement} */ (cell).dataset.label ?? "");
}

/** A box for each column that can be hidden. @param {string[]} columns */
export function columnsView([, ...columns]) {
  const names = hidden();
  /** @param {string} name @param {Event} event */
  const choose = (name, event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    const now = hidden();
    if (box.checked) now.delete(name);
    else now.add(name);
    history.replaceState(null, "", addressWith({ hide: [...now].join(SEPARATOR) }));
    const host = box.closest(".console-view") ?? document.body;
    showColumns(/** @type {HTMLElement} */ (host));
    say(`The column ${name} is ${box.checked ? "shown" : "hidden"}.`);
  };
  return html`
    <details class="columns">
      <summary class="button is-quiet">Columns</summary>
      <div class="columns-boxes">
        ${columns.map((name) => html`<label class="pick"><input type="checkbox" .checked=${!names.has(name)} @change=${(/** @type {Event} */ event) => choose(name, event)} /> ${name}</label>`)}
      </div>
    </details>
  `;
}
