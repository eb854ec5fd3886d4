// Copies to the clipboard. If the browser refuses that, the page selects the text, so that one keystroke copies it, and
// says so. The page never puts anything else into the clipboard.

import { html, render } from "./html.js";
import { say } from "./say.js";

/** @typedef {"shown" | "copied" | "selected"} Copying */

/** What the page says after each outcome. @type {Record<Copying, string>} */
export const SAID = {
  shown: "",
  copied: "Copied.",
  selected: "Copying was refused. The text is selected: copy it with Ctrl+C or ⌘C, or hold it and choose Copy.",
};

/**
 * @param {string} text
 * @param {Element | null} shown the element that shows the same text
 * @returns {Promise<Copying>}
 */
export async function copyText(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    if (shown) getSelection()?.selectAllChildren(shown);
    return "selected";
  }
}

/** Gives every snippet of the page a copy button. Without this script there is no button, but the text is complete. */
export function equipSnippets() {
  for (const snippet of document.querySelectorAll("[data-snippet]")) equip(/** @type {HTMLElement} */ (snippet));
}

/** @param {HTMLElement} snippet */
function equip(snippet) {
  const code = snippet.querySelector("code");
  const head = snippet.querySelector("figcaption");
  if (code === null || head === null) return;
  const place = document.createElement("span");
  head.append(place);
  const note = document.createElement("p");
  note.className = "hint snippet-note";
  note.hidden = true;
  snippet.append(note);
  /** @param {Copying} copying */
  const show = (copying) => {
    render(button(snippet.dataset.snippet ?? "", copying, copy), place);
    note.hidden = copying !== "selected";
    note.textContent = note.hidden ? "" : SAID.selected;
    say(SAID[copying]);
  };
  const copy = async () => show(await copyText(code.textContent ?? "", code));
  // "Copied" stays on the button until the focus leaves it.
  place.addEventListener("focusout", () => render(button(snippet.dataset.snippet ?? "", "shown", copy), place));
  render(button(snippet.dataset.snippet ?? "", "shown", copy), place);
}

/**
 * @param {string} what
 * @param {Copying} copying
 * @param {() => void} copy
 */
const button = (what, copying, copy) => html`
  <button class="button is-quiet is-copy" type="button" @click=${copy}>${copying === "copied" ? "Copied" : "Copy"}<span class="spoken"> ${what}</span></button>
`;
