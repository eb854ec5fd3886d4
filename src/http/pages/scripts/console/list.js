// A list in pages: a head with a count, filters as chips that can be removed one by one, a table, and the way to the next
// page. The filters and the page are in the address.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { say } from "../say.js";
import { addressWith, inAddress } from "./address.js";
import { columnsView, showColumns } from "./columns.js";
import { saveList } from "./save.js";
import { Selection } from "./select.js";
import { failed } from "./parts.js";

/** @import { Outcome } from "../api.js" */
/** @import { Choice } from "./select.js" */

/**
 * @typedef {object} Filter
 * @property {string} name in the address
 * @property {string} label
 * @property {[string, string][]} [options] the values and their words; without them it is a field to type into
 * @property {string} [hint]
 */

/**
 * @template Row
 * @typedef {object} List
 * @property {string} title
 * @property {string} about
 * @property {(filters: Record<string, string>) => Promise<string>} path where the page is read
 * @property {(body: any) => Row[]} rows
 * @property {string[]} columns
 * @property {(row: Row, again: () => Promise<void>, pick: unknown, rows: Row[]) => unknown} row with the cell that selects it, if there is one, and the rows of the page
 * @property {Choice & { id: (row: Row) => string, name: (row: Row) => string }} [choice] what can be selected
 * @property {Filter[]} filters
 * @property {boolean} [saves] whether the list can be saved as a file
 * @property {string} none said if there is none at all
 * @property {(filters: Record<string, string>, again: () => Promise<void>) => unknown} [head] what stands beside the title
 * @property {(body: any, filters: Record<string, string>) => unknown} [note] what stands above the table
 */

/**
 * Opens a list. Its address is read anew whenever it changes.
 * @template Row
 * @param {HTMLElement} host @param {List<Row>} list
 */
export async function openList(host, list) {
  let turn = 0;
  /** @type {() => void} */
  let draw = () => {};
  const selection = list.choice === undefined ? null : new Selection(list.choice, () => draw());
  const look = async () => {
    const mine = (turn += 1);
    const { hide: _, ...filters } = inAddress();
    host.setAttribute("aria-busy", "true");
    const answer = /** @type {Outcome<any>} */ (await call("GET", await list.path(filters)));
    if (mine !== turn) return;
    selection?.under(filters);
    draw = () => {
      render(view(list, filters, answer, { go, look, selection }), host);
      showColumns(host);
    };
    draw();
    host.setAttribute("aria-busy", "false");
    if (answer.outcome === "done") say(found(list.rows(answer.body).length, answer.body.next));
  };
  /** @param {Record<string, string>} changes */
  const go = async (changes) => {
    history.pushState(null, "", addressWith({ after: "", ...changes }));
    await look();
    document.querySelector(".view-head h1")?.scrollIntoView({ block: "nearest" });
  };
  addEventListener("popstate", () => void look());
  await look();
}

/** @param {number} n @param {string | null} next */
const found = (n, next) => (n === 0 ? "None found." : `${n} shown${next ? ", and there are more" : ""}.`);

/**
 * @template Row
 * @param {List<Row>} list @param {Record<string, string>} filters @param {Outcome<any>} answer
 * @param {{ go: (changes: Record<string, string>) => Promise<void>, look: () => Promise<void>, selection: Selection | null }} way
 */
function view(list, filters, answer, { go, look, selection }) {
  return html`
    <div class="view-head">
      <h1>${list.title}</h1>
      ${list.head?.(filters, look) ?? nothing}
    </div>
    <p class="is-aside">${list.about}</p>
    ${list.filters.length === 0 ? nothing : filterRow(list, filters, go)}
    ${answer.outcome === "done" ? table(list, filters, answer.body, { go, look, selection }) : failed(answer, look)}
  `;
}

/**
 * @template Row
 * @param {List<Row>} list @param {Record<string, string>} filters @param {any} body
 * @param {{ go: (changes: Record<string, string>) => Promise<void>, look: () => Promise<void>, selection: Selection | null }} way
 */
function table(list, filters, body, { go, look, selection }) {
  const rows = list.rows(body);
  const { choice } = list;
  const ids = choice === undefined ? [] : rows.map(choice.id);
  /** @param {Row} row @param {number} at */
  const pick = (row, at) => (selection === null || choice === undefined ? nothing : selection.cell(ids, at, choice.name(row)));
  const isFiltered = Object.keys(filters).some((name) => name !== "after");
  const none = body.next ? "None here yet. Look further." : filters.after ? "There are no more." : isFiltered ? "None match these filters." : list.none;
  return html`
    ${list.note?.(body, filters) ?? nothing}
    ${selection === null || rows.length === 0 ? nothing : selection.bar(ids, filters)}
    ${rows.length === 0
      ? html`<p class="empty">${none}</p>`
      : html`<table class="table"><thead><tr>${selection === null ? nothing : html`<th scope="col">Select</th>`}${list.columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map((row, at) => list.row(row, look, pick(row, at), rows))}</tbody></table>`}
    <p class="actions pages-row">
      <span class="is-aside">${rows.length === 0 ? nothing : `${rows.length} shown`}${body.more ? ", and there are more: type more of the name" : nothing}</span>
      ${filters.after ? html`<button class="button" type="button" @click=${() => go({})}>First page</button>` : nothing}
      ${body.next ? html`<button class="button" type="button" @click=${() => go({ after: body.next })}>${rows.length === 0 ? "Look further" : "Next page"}</button>` : nothing}
      ${list.saves
        ? html`<button class="button is-quiet" type="button" @click=${() => saveList(list, filters, "csv")}>Save all that match as CSV</button>
            <button class="button is-quiet" type="button" @click=${() => saveList(list, filters, "json")}>Save as JSON</button>`
        : nothing}
    </p>
    ${rows.length === 0 ? nothing : columnsView(list.columns)}
  `;
}

/**
 * The filters that are set, each with a button that removes it, and those that can be added.
 * @template Row
 * @param {List<Row>} list @param {Record<string, string>} filters @param {(changes: Record<string, string>) => Promise<void>} go
 */
function filterRow(list, filters, go) {
  const set = list.filters.filter(({ name }) => filters[name] !== undefined);
  const unset = list.filters.filter(({ name }) => filters[name] === undefined);
  return html`
    <div class="filters">
      ${set.map(({ name, label, options }) => {
        const words = options?.find(([value]) => value === filters[name])?.[1] ?? filters[name];
        return html`<button class="filter" type="button" aria-label=${`Remove the filter ${label}: ${words}`} @click=${() => go({ [name]: "" })}><span>${label}: <strong>${words}</strong></span><span aria-hidden="true">×</span></button>`;
      })}
      ${unset.map((filter) => (filter.options === undefined ? typed(filter, go) : chosen(filter, go)))}
    </div>
  `;
}

/** @param {Filter} filter @param {(changes: Record<string, string>) => Promise<void>} go */
function chosen({ name, label, options = [] }, go) {
  /** @param {HTMLSelectElement} select */
  const choose = (select) => {
    const { value } = select;
    select.value = ""; // the element may be used for another filter next
    void go({ [name]: value });
  };
  return html`
  <select class="select" aria-label=${`Filter by ${label.toLowerCase()}`} @change=${(/** @type {Event} */ event) => choose(/** @type {HTMLSelectElement} */ (event.target))}>
    <option value="">${label}…</option>
    ${options.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
  </select>
`;
}

/** @param {Filter} filter @param {(changes: Record<string, string>) => Promise<void>} go */
const typed = ({ name, label, hint }, go) => html`
  <form
    class="filter-field"
    @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem("value"));
      if (field.value.trim() !== "") void go({ [name]: field.value.trim() });
    }}
  >
    <input class="input" name="value" type="text" autocomplete="off" spellcheck="false" aria-label=${`Filter by ${label.toLowerCase()}`} placeholder=${hint ?? label} />
  </form>
`;
