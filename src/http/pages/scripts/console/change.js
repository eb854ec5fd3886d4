// Changes that an administrator makes. What can be undone is done at once and offers to undo it for ten seconds; what
// cannot is asked first, by the dialogs in `form.js`.

import { html, nothing, render } from "../html.js";
import { Press } from "../press.js";
import { say } from "../say.js";
import { failureText } from "./parts.js";

/** @import { Change, Outcome } from "../api.js" */

/** How long the way back is offered. */
const UNDO_MS = 10_000;

/**
 * A request that changes something.
 * @typedef {{ method: Change, path: string, body?: Record<string, unknown> }} Act
 *
 * @typedef {object} Step
 * @property {Act} act
 * @property {string} done what the page says once it is done
 * @property {Act} [undo] the change that takes it back
 * @property {string} [undone]
 * @property {() => unknown} after what is read again afterwards
 */

/** @type {{ text: string, tone: "plain" | "bad", undo: (() => void) | null } | null} */
let shown = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function host() {
  const found = document.getElementById("toasts");
  if (found !== null) return found;
  const made = document.createElement("div");
  made.id = "toasts";
  document.querySelector(".console")?.append(made);
  return made;
}

const draw = () =>
  render(
    shown === null
      ? nothing
      : html`
          <section class=${shown.tone === "bad" ? "toast is-bad" : "toast"} aria-label="What was just done">
            <p>${shown.text}</p>
            ${shown.undo === null ? nothing : html`<button class="button" type="button" data-undo aria-keyshortcuts="u" @click=${shown.undo}>Undo</button>`}
            <button class="button is-quiet" type="button" @click=${hide}>Close</button>
          </section>
        `,
    host(),
  );

function hide() {
  clearTimeout(timer);
  shown = null;
  draw();
}

/**
 * Says what was done, and offers the way back. A failure stays until it is closed.
 * @param {string} text @param {"plain" | "bad"} tone @param {(() => void) | null} undo
 */
export function tell(text, tone = "plain", undo = null) {
  clearTimeout(timer);
  shown = { text, tone, undo };
  draw();
  say(undo === null ? text : `${text} Press U within ten seconds to undo it.`);
  if (tone === "plain") timer = setTimeout(hide, UNDO_MS);
}

/** Takes the latest change back, if that is still offered. */
export function undoLatest() {
  const undo = shown?.undo ?? null;
  undo?.();
  return undo !== null;
}

/** @param {Press} press @param {Act} act @returns {Promise<Outcome<any>>} */
export const send = (press, { method, path, body = {} }) => press.send(method, path, body);

/** Whether a change is on its way: a second press of the same button does nothing. */
let working = false;

/**
 * Carries out a change that can be undone, or that needs no question. @param {Step} step
 */
export async function perform({ act, done, undo, undone, after }) {
  if (working) return;
  working = true;
  const answer = await send(new Press(), act);
  working = false;
  if (answer.outcome !== "done") {
    await after();
    return tell(failureText(answer), "bad");
  }
  await after();
  const later = answer.status === 202 ? " OpenRouter has not confirmed it yet; the sweep goes on with it." : "";
  const back = undo === undefined ? null : () => void perform({ act: undo, done: undone ?? "Undone.", after });
  tell(done + later, "plain", back);
}
