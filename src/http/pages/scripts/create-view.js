// The form for a further key: its name, and a limit of one's own if it should be lower than the plan's.

import { html, nothing } from "./html.js";
import { requestId } from "./parts.js";
import { PROJECT_NAMES } from "./projects-view.js";
import { NAME_CHARS, perPeriod, usd } from "./words.js";
import { workspaceField } from "./workspaces-view.js";

/** @import { Me } from "./types.js" */
/** @import { Actions } from "./keys-view.js" */

/**
 * The key that is about to be made. An error stands beside its field, or below the form.
 * @typedef {object} Making
 * @property {string} name
 * @property {string} limit
 * @property {string} project
 * @property {string} workspace the id of the one that was chosen; empty for the first
 * @property {{ name: string, limit: string, project: string, form: string }} errors
 * @property {boolean} sending
 * @property {string | null} requestId
 */

/** @type {Making} */
export const NOTHING_FILLED = { name: "", limit: "", project: "", workspace: "", errors: { name: "", limit: "", project: "", form: "" }, sending: false, requestId: null };

/** The ids of the fields, which get the focus if something is wrong with them. */
export const CREATE_IDS = { name: "create-name", limit: "create-limit", project: "create-project" };

/**
 * @param {Making} making
 * @param {Me} me
 * @param {Actions} actions
 */
export const createForm = (making, { claim }, actions) => html`
  <section class="card" aria-labelledby="create-title">
    <h2 id="create-title">Create a key</h2>
    <form class="create" novalidate @submit=${actions.create}>
      ${field("name", "Name", `1 to ${NAME_CHARS} characters, such as where you will use it.`, making, actions)}
      ${field("limit", "Own limit in US dollars (optional)", `Without it, your plan’s limit: ${usd(claim.limit_usd)} ${perPeriod(claim.limit_reset)}.`, making, actions)}
      ${field("project", "Project (optional)", "It groups your keys. Choose one, or write a new name.", making, actions)}
      ${workspaceField("create-workspace", claim, making.workspace, actions.placeNew)}
      <p class="hint">The secret is shown once, right after. Decide first where you will store it.</p>
      <div class="actions">
        <button class="button is-primary" type="submit" aria-disabled=${making.sending ? "true" : "false"}>${making.sending ? "Creating…" : "Create it"}</button>
        <button class="button" type="button" @click=${actions.cancel}>Cancel</button>
      </div>
      ${making.errors.form === "" ? nothing : html`<p class="hint is-bad">${making.errors.form}</p>`} ${requestId(making.requestId)}
    </form>
  </section>
`;

/**
 * @param {keyof typeof CREATE_IDS} what
 * @param {string} label
 * @param {string} hint
 * @param {Making} making
 * @param {Actions} actions
 */
const field = (what, label, hint, making, actions) => html`
  <div class="field">
    <label for=${CREATE_IDS[what]}>${label}</label>
    <input
      id=${CREATE_IDS[what]}
      class=${what === "limit" ? "is-short" : ""}
      type="text"
      inputmode=${what === "limit" ? "decimal" : "text"}
      autocomplete="off"
      list=${what === "project" ? PROJECT_NAMES : nothing}
      .value=${making[what]}
      aria-invalid=${making.errors[what] === "" ? "false" : "true"}
      aria-describedby=${`${CREATE_IDS[what]}-hint ${CREATE_IDS[what]}-error`}
      @input=${(/** @type {Event} */ event) => actions.fill(what, event)}
    />
    <p id=${`${CREATE_IDS[what]}-hint`} class="hint">${hint}</p>
    <p id=${`${CREATE_IDS[what]}-error`} class="hint is-bad said">${making.errors[what]}</p>
  </div>
`;
