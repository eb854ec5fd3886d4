// A dialog with fields, for changes that need words or amounts, or that are asked first: it names the thing and says what
// happens. For what is final and concerns many, the number is typed.

import { html, nothing, render } from "../html.js";
import { Press } from "../press.js";
import { say } from "../say.js";
import { requestId } from "../parts.js";
import { send, tell } from "./change.js";
import { failureText } from "./parts.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} [hint]
 * @property {string} [value]
 * @property {[string, string][]} [options] a choice: the value and the words of each
 * @property {boolean} [long] several lines
 * @property {"text" | "numeric" | "decimal"} [keys]
 * @property {boolean} [optional]
 * @property {string} [must] the one text that is accepted, for a number that is typed to confirm
 *
 * @typedef {Record<string, string>} Values
 *
 * @typedef {object} Form
 * @property {string} title
 * @property {unknown[]} text
 * @property {Field[]} fields
 * @property {string} button
 * @property {boolean} [final] red, because it cannot be undone
 * @property {(values: Values) => import("./change.js").Act | string} act the change, or what is wrong with the values
 * @property {(values: Values) => Promise<unknown>} [preview] what the values would do, read as they change
 * @property {(body: any, values: Values, status: number) => unknown} done called once it is done; returns what to say
 * @property {() => unknown} after
 */

/** @param {Form} form */
export function openForm(form) {
  const host = document.createElement("div");
  document.body.append(host);
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const press = new Press();
  /** @type {Values} */
  const values = Object.fromEntries(form.fields.map(({ name, value }) => [name, value ?? ""]));
  let [working, failed, id, preview] = [false, "", /** @type {string | null} */ (null), /** @type {unknown} */ (nothing)];
  const dialog = () => host.querySelector("dialog");
  const show = () => render(view(form, { values, working, failed, id, preview, write, submit, close, leave }), host);
  const close = () => dialog()?.close();
  const leave = () => {
    host.remove();
    if (before?.isConnected) before.focus();
  };
  const look = async () => {
    if (form.preview === undefined) return;
    const asked = JSON.stringify(values);
    const found = await form.preview({ ...values });
    if (asked !== JSON.stringify(values)) return;
    preview = found;
    show();
  };
  /** @param {Event} event */
  const write = (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    values[field.name] = field.value;
    failed = "";
    show();
    void look();
  };
  /** @param {string} text @param {string | null} request */
  const fail = (text, request = null) => {
    [failed, id] = [text, request];
    show();
    say(text);
  };
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (working) return;
    const wrong = form.fields.find(({ name, optional, must }) => (must === undefined ? !optional && values[name].trim() === "" : values[name].trim() !== must));
    if (wrong) return fail(wrong.must === undefined ? `${wrong.label}: fill this in.` : `Type ${wrong.must} to confirm.`);
    const act = form.act({ ...values });
    if (typeof act === "string") return fail(act);
    working = true;
    show();
    const answer = await send(press, act);
    working = false;
    if (answer.outcome !== "done") {
      if (answer.outcome === "refused") await form.after();
      return fail(failureText(answer), answer.outcome === "refused" ? answer.problem.requestId : null);
    }
    close();
    await form.after();
    const words = form.done(answer.body, values, answer.status);
    if (typeof words === "string") tell(words);
  };
  show();
  dialog()?.showModal();
  void look();
}

/**
 * @param {Form} form
 * @param {{ values: Values, working: boolean, failed: string, id: string | null, preview: unknown, write: (event: Event) => void, submit: (event: Event) => void, close: () => void, leave: () => void }} is
 */
const view = (form, is) => html`
  <dialog class="dialog" aria-labelledby="form-title" @close=${is.leave}>
    <form class="form" novalidate @submit=${is.submit}>
      <h2 id="form-title">${form.title}</h2>
      ${form.text.length === 0 ? nothing : html`<div class="dialog-text">${form.text.map((sentence) => html`<p>${sentence}</p>`)}</div>`}
      ${form.fields.map((field) => fieldView(field, is))} ${is.preview === nothing ? nothing : html`<div class="preview">${is.preview}</div>`}
      <div class="actions">
        <button class=${form.final ? "button is-final" : "button is-primary"} type="submit" aria-disabled=${is.working ? "true" : "false"}>${is.working ? "Working…" : form.button}</button>
        <button class="button" type="button" @click=${is.close}>Cancel</button>
      </div>
      ${is.failed === "" ? nothing : html`<p class="hint is-bad">${is.failed}</p>`} ${requestId(is.id)}
    </form>
  </dialog>
`;

/** @param {Field} field @param {{ values: Values, write: (event: Event) => void }} is */
function fieldView(field, { values, write }) {
  const id = `field-${field.name}`;
  const about = field.hint === undefined ? "" : `${id}-hint`;
  return html`
    <p class="field">
      <label for=${id}>${field.label}${field.optional ? html` <span class="is-aside">(optional)</span>` : nothing}</label>
      ${field.options !== undefined
        ? html`<select id=${id} class="select" name=${field.name} aria-describedby=${about} @change=${write}>
            ${field.options.map(([value, words]) => html`<option value=${value} ?selected=${values[field.name] === value}>${words}</option>`)}
          </select>`
        : field.long
          ? html`<textarea id=${id} name=${field.name} rows="4" .value=${values[field.name]} aria-describedby=${about} @input=${write}></textarea>`
          : html`<input id=${id} class="input" name=${field.name} type="text" inputmode=${field.keys ?? "text"} autocomplete="off" spellcheck="false" .value=${values[field.name]} aria-describedby=${about} @input=${write} />`}
      ${field.hint === undefined ? nothing : html`<span id=${about} class="hint">${field.hint}</span>`}
    </p>
  `;
}
