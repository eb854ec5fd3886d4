// A question before an action that cannot be undone. The dialog names the thing and says what will happen. If the
// action fails, the dialog says why; when the action is done, the dialog closes. "Cancel" has the focus.

import { html, nothing, render } from "./html.js";
import { say } from "./say.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text
 * @property {string} button
 * @property {string} pending what the button says while the action runs
 * @property {() => Promise<string | (() => unknown)>} act returns what failed, in words, or what to do once the
 *   dialog is closed
 */

/** @param {Question} question */
export function askFirst(question) {
  const host = document.createElement("div");
  document.body.append(host);
  let working = false;
  const dialog = () => host.querySelector("dialog");
  /** @param {string} failed */
  const show = (failed) => render(asked(question, { working, failed, act, close, leave }), host);
  const close = () => dialog()?.close();
  const leave = () => host.remove();
  const act = async () => {
    if (working) return;
    working = true;
    show("");
    const outcome = await question.act();
    working = false;
    if (typeof outcome !== "string") {
      close();
      return outcome();
    }
    show(outcome);
    say(outcome);
  };
  show("");
  dialog()?.showModal();
}

/**
 * @param {Question} question
 * @param {{ working: boolean, failed: string, act: () => void, close: () => void, leave: () => void }} view
 */
const asked = ({ title, text, button, pending }, { working, failed, act, close, leave }) => html`
  <dialog class="dialog" aria-labelledby="question-title" aria-describedby="question-text" @close=${leave}>
    <h2 id="question-title">${title}</h2>
    <div id="question-text" class="dialog-text">${text.map((sentence) => html`<p>${sentence}</p>`)}</div>
    <div class="actions">
      <button class="button is-final" type="button" aria-disabled=${working ? "true" : "false"} @click=${act}>${working ? pending : button}</button>
      <button class="button" type="button" autofocus @click=${close}>Cancel</button>
    </div>
    ${failed === "" ? nothing : html`<p class="hint is-bad">${failed}</p>`}
  </dialog>
`;
