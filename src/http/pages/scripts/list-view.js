// What stands above a list of keys: how many there are, what is shown of them, and the way to a further one.

import { html, nothing } from "./html.js";
import { WHOLE_CARDS } from "./key-card-view.js";
import { NO_PROJECT, ORDERS, SHOWN } from "./list.js";
import { refreshButton } from "./meter.js";
import { hasProjects } from "./projects-view.js";
import { counted } from "./words.js";

/** @import { Key, Me } from "./types.js" */
/** @import { Actions, Model } from "./keys-view.js" */

/**
 * @param {Model} model
 * @param {number} shown how many keys are shown
 * @param {Me} me
 * @param {Actions} actions
 */
export const listHead = (model, shown, me, actions) => html`
  <div class="list-head">
    <p>${shown === model.keys.length ? keysOf(model.keys.length, me.keys_allowed) : `${shown} of ${counted(model.keys.length, "key")} shown`}</p>
    <div class="actions">
      ${model.keys.length > 1 ? refreshButton(model, actions) : nothing}
      ${model.keys.length < me.keys_allowed && model.making === null ? html`<button class="button is-primary is-create" type="button" @click=${actions.begin}>Create a key</button>` : nothing}
    </div>
  </div>
  ${model.keys.length > WHOLE_CARDS || hasProjects(model) ? tools(model, actions) : nothing}
`;

/** How many keys there are, of how many. @param {number} count @param {number} allowed */
const keysOf = (count, allowed) => (count > allowed ? `${counted(count, "key")}; your plan allows ${allowed}` : `${count} of ${counted(allowed, "key")}`);

/** @param {Model} model @param {Actions} actions */
const tools = ({ arrangement, keys }, actions) => html`
  <form class="list-tools" role="search" aria-label="Keys" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="field">
      <label for="list-q">Search</label>
      <input id="list-q" type="text" autocomplete="off" spellcheck="false" .value=${arrangement.q} @input=${(/** @type {Event} */ event) => actions.arrange("q", event)} />
    </div>
    ${keys.some(({ project }) => project !== null) ? choice("list-project", "Project", projectsIn(keys), arrangement.project, (event) => actions.arrange("project", event)) : nothing}
    ${choice("list-state", "Show", SHOWN, arrangement.state, (event) => actions.arrange("state", event))} ${choice("list-sort", "Sort by", ORDERS, arrangement.sort, (event) => actions.arrange("sort", event))}
  </form>
`;

/** The projects of these keys, each with how many keys it has. @param {Key[]} keys @returns {Record<string, string>} */
function projectsIn(keys) {
  const count = (/** @type {string | null} */ id) => keys.filter(({ project }) => (project?.id ?? null) === id).length;
  const named = keys.flatMap(({ project }) => (project === null ? [] : [project])).sort((a, b) => a.name.localeCompare(b.name));
  return { "": "All", ...Object.fromEntries(named.map(({ id, name }) => [id, `${name} (${count(id)})`])), ...(count(null) === 0 ? {} : { [NO_PROJECT]: `No project (${count(null)})` }) };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {Record<string, string>} options
 * @param {string} chosen
 * @param {(event: Event) => void} change
 */
export const choice = (id, label, options, chosen, change) => html`
  <div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} @change=${change}>
      ${Object.entries(options).map(([value, words]) => html`<option value=${value} .selected=${value === chosen}>${words}</option>`)}
    </select>
  </div>
`;

/** @param {Actions} actions */
export const noneFound = (actions) => html`
  <section class="card" aria-labelledby="none-title">
    <h2 id="none-title">No key matches.</h2>
    <p class="actions"><button class="button" type="button" @click=${actions.showAll}>Show all keys</button></p>
  </section>
`;
