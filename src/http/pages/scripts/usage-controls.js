// The choices of the page `/usage`: whose usage, which days, by which groups, and of what alone.

import { html, nothing } from "./html.js";
import { FILTERS, GROUPS, address, changed, groupName, narrowed, presets } from "./usage-query.js";

/** @import { Filter } from "./usage-query.js" */
/** @import { UsageActions, UsageModel } from "./usage-view.js" */

/** @param {UsageModel} model @param {UsageActions} actions */
export const controlsView = (model, actions) => html`
  <section class="controls" aria-label="What is shown">
    ${model.me?.roles.includes("admin") ? scopes(model) : nothing} ${ranges(model)} ${days(model, actions)} ${groups(model, actions)} ${filters(model)}
  </section>
`;

/** @param {UsageModel} model */
const scopes = ({ view }) => html`
  <nav class="choice" aria-label="Whose usage">
    ${link("My usage", address(changed(view, { scope: "own", only: {} })), view.scope === "own")}
    ${link("Everybody’s", address(changed(view, { scope: "all", only: {} })), view.scope === "all")}
  </nav>
`;

/** @param {UsageModel} model */
const ranges = ({ view, now }) => html`
  <nav class="choice" aria-label="Range of days">
    ${presets(now).map(({ name, from, to }) => link(name, address(changed(view, { from, to })), view.from === from && view.to === to))}
  </nav>
`;

/** @param {string} name @param {string} href @param {boolean} isCurrent */
const link = (name, href, isCurrent) => html`<a class="button is-choice" href=${href} data-view aria-current=${isCurrent ? "true" : nothing}>${name}</a>`;

/** @param {UsageModel} model @param {UsageActions} actions */
const days = ({ range }, actions) => html`
  <form class="range" novalidate @submit=${actions.apply}>
    <div class="field"><label for="range-from">From</label><input id="range-from" type="date" .value=${range.from} aria-invalid=${range.error === "" ? "false" : "true"} aria-describedby="range-error" @input=${(/** @type {Event} */ event) => actions.type({ from: valueOf(event) })} /></div>
    <div class="field"><label for="range-to">To, in UTC days</label><input id="range-to" type="date" .value=${range.to} aria-invalid=${range.error === "" ? "false" : "true"} aria-describedby="range-error" @input=${(/** @type {Event} */ event) => actions.type({ to: valueOf(event) })} /></div>
    <button class="button" type="submit">Show</button>
    <p id="range-error" class="hint is-bad said">${range.error}</p>
  </form>
`;

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value;

/** @param {UsageModel} model @param {UsageActions} actions */
function groups({ view }, actions) {
  const [one = "none", two = "none"] = view.group.split(",");
  const offered = GROUPS.filter(({ isAdmins }) => !isAdmins || view.scope === "all");
  const choose = (/** @type {string[]} */ chosen) => actions.go(changed(view, { group: chosen.filter((group) => group !== "none").join(",") || "none" }));
  return html`
    <div class="groups">
      <div class="field">
        <label for="group-one">Group by</label>
        <select id="group-one" @change=${(/** @type {Event} */ event) => choose([valueOf(event), valueOf(event) === two ? "none" : two])}>
          ${option("none", "Nothing", one)} ${offered.map(({ id, name }) => option(id, name, one))}
        </select>
      </div>
      <div class="field">
        <label for="group-two">and by</label>
        <select id="group-two" ?disabled=${one === "none"} @change=${(/** @type {Event} */ event) => choose([one, valueOf(event)])}>
          ${option("none", "Nothing", two)} ${offered.filter(({ id }) => id !== one).map(({ id, name }) => option(id, name, two))}
        </select>
      </div>
    </div>
  `;
}

/** @param {string} id @param {string} name @param {string} chosen */
const option = (id, name, chosen) => html`<option value=${id} .selected=${id === chosen}>${name}</option>`;

/** What the usage is narrowed to, each with a way out. @param {UsageModel} model */
function filters(model) {
  const { view } = model;
  const narrowing = FILTERS.filter((filter) => view.only[filter] !== undefined);
  if (narrowing.length === 0) return nothing;
  return html`
    <ul class="filters" aria-label="Only">
      ${narrowing.map((filter) => html`<li><a class="button is-choice" href=${address(narrowed(view, filter, null))} data-view aria-label=${`${filterText(model, filter)}. Remove this choice`}>${filterText(model, filter)} <span aria-hidden="true">×</span></a></li>`)}
    </ul>
  `;
}

/** "Key: Laptop". What the page has not seen yet is named by its id. @param {UsageModel} model @param {Filter} filter */
function filterText({ keys, ended, names, view }, filter) {
  const id = view.only[filter] ?? "";
  const key = [...keys, ...ended].find((key) => key.id === id);
  if (filter === "key" && key) return `Key: ${key.name ?? "OpenRouter key"}`;
  return `${groupName(filter)}: ${names.get(`${filter} ${id}`) ?? id}`;
}
