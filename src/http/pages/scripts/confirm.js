// A question before an action that needs an answer or cannot be undone. The dialog names the thing and says what will
// happen. If the action fails, the dialog says why and stays; when the action is done, the dialog closes. What does
// nothing has the focus, unless a field takes it.

import { html, nothing, render } from "./html.js";
import { say } from "./say.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text
 * @property {() => unknown} [fields] what the person fills in, below the text
 * @property {() => string} [refuse] why the fields cannot be sent, in words; empty if they can. It marks the field.
 * @property {string} button
 * @property {"final" | "primary"} [kind] "final" unless given
 * @property {string} pending what the button says while the action runs
 * @property {() => Promise<string | (() => unknown)>} act returns what failed, in words, or what to do once the
 *   dialog is closed
 */

/**
 * Asks. `redraw` shows the fields anew after one of them has changed.
 * @param {Question} question
 * @returns {{ redraw: () => void }}
 */
export function askFirst(question) {
  const host = document.createElement("div");
  document.body.append(host);
  let [working, failed] = [false, ""];
  const dialog = () => host.querySelector("dialog");
  const redraw = () => render(asked(question, { working, failed, act, close, leave }), host);
  const close = () => dialog()?.close();
  const leave = () => host.remove();
  /** @param {Event} event */
  const act = async (event) => {
    event.preventDefault();
    if (working) return;
    failed = question.refuse?.() ?? "";
    if (failed !== "") return refused();
    working = true;
    redraw();
    const outcome = await question.act();
    working = false;
    if (typeof outcome !== "string") {
      close();
      return outcome();
    }
    failed = outcome;
    redraw();
    say(outcome);
  };
  const refused = () => {
    say(failed);
    failed = "";
    redraw();
    /** @type {HTMLElement | null} */ (host.querySelector('[aria-invalid="true"]'))?.focus();
  };
  redraw();
  dialog()?.showModal();
  return { redraw };
}

/**
 * @param {Question} question
 * @param {{ working: boolean, failed: string, act: (event: Event) => void, close: () => void, leave: () => void }} view
 */
const asked = ({ title, text, fields, button, kind = "final", pending }, { working, failed, act, close, leave }) => html`
  <dialog class="dialog" aria-labelledby="question-title" aria-describedby="question-text" @close=${leave}>
    <h2 id="question-title">${title}</h2>
    <div id="question-text" class="dialog-text">${text.map((sentence) => html`<p>${sentence}</p>`)}</div>
    <form class="dialog-form" novalidate @submit=${act}>
      ${fields === undefined ? nothing : fields()}
      <div class="actions">
        <button class=${`button is-${kind}`} type="submit" aria-disabled=${working ? "true" : "false"}>${working ? pending : button}</button>
        <button class="button" type="button" autofocus @click=${close}>Cancel</button>
      </div>
    </form>
    ${failed === "" ? nothing : html`<p class="hint is-bad">${failed}</p>`}
  </dialog>
`;
