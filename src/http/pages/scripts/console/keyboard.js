// The keyboard: "/" goes to the search box, the arrows move between the rows of a list, Enter opens the row, Esc goes
// back, "u" takes the latest change back, "?" lists the keys. Keys that a person types into a field are left alone.

import { html, render } from "../html.js";
import { undoLatest } from "./change.js";

/** The link or button that opens a row. Each row of a list has one. */
const OPENERS = "[data-opens]";

/** @param {EventTarget | null} target */
const isField = (target) => target instanceof HTMLElement && target.matches("input, textarea, select");

const openers = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(OPENERS)]);
const findBox = () => /** @type {HTMLInputElement | null} */ (document.getElementById("find-box"));

/** Moves the focus by so many rows. From outside the list it begins at its first row. @param {number} by */
function moveBy(by) {
  const all = openers();
  const here = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = here === -1 ? 0 : Math.min(Math.max(here + by, 0), all.length - 1);
  all[next]?.focus();
  return all.length > 0;
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]") !== null) return;
  const inFind = event.target === findBox();
  if (isField(event.target) && !inFind) return;
  /** @type {Record<string, () => boolean>} */
  const keys = {
    "/": () => !inFind && focusFind(),
    ArrowDown: () => moveBy(1),
    ArrowUp: () => !inFind && moveBy(-1),
    Home: () => !inFind && moveBy(-Infinity),
    End: () => !inFind && moveBy(Infinity),
    Escape: () => leave(inFind),
    x: () => !inFind && pickRow(false),
    X: () => !inFind && pickRow(true),
    u: () => !inFind && undoLatest(),
    "?": () => !inFind && showKeys(),
  };
  const did = keys[event.key]?.();
  if (did) event.preventDefault();
}

/** Selects the row that has the focus, or the rows from the one selected before to it. @param {boolean} range */
function pickRow(range) {
  const box = document.activeElement?.closest("tr")?.querySelector("[data-pick]") ?? null;
  box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: range }));
  return box !== null;
}

function focusFind() {
  findBox()?.focus();
  findBox()?.select();
  return findBox() !== null;
}

/** Esc leaves the box, and leads from a row to the box. @param {boolean} inFind */
function leave(inFind) {
  if (inFind) {
    document.getElementById("main")?.focus();
    return true;
  }
  return document.activeElement?.matches(OPENERS) === true && focusFind();
}

/** What each key does. @type {[string, string][]} */
const KEYS = [["/", "Go to the search box"], ["↓ ↑", "Move between rows; Home and End go to the first and the last"], ["Enter", "Open the row, or press its first button"], ["x", "Select the row; Shift and x select all rows from the one before"], ["Esc", "Close a dialog; from a row, go to the search box"], ["u", "Undo what was just done, within ten seconds"], ["?", "Show this list"]];

function showKeys() {
  const host = document.createElement("div");
  document.body.append(host);
  const close = () => host.querySelector("dialog")?.close();
  render(
    html`<dialog class="dialog" aria-labelledby="keys-help" @close=${() => host.remove()}>
      <h2 id="keys-help">Keys of the keyboard</h2>
      <dl class="keys-help">${KEYS.map(([key, does]) => html`<dt class="figure">${key}</dt><dd>${does}</dd>`)}</dl>
      <p class="actions"><button class="button" type="button" autofocus @click=${close}>Close</button></p>
    </dialog>`,
    host,
  );
  host.querySelector("dialog")?.showModal();
  return true;
}

export function equipKeyboard() {
  document.addEventListener("keydown", onKey);
}
