// Selecting rows of a list: one, a range with Shift, the page, or all that match its filters. What is selected is sent with the
// filters under which it was seen; the service freezes it and says what a change would do.

import { html, nothing } from "../html.js";
import { Press } from "../press.js";
import { say } from "../say.js";
import { send, tell } from "./change.js";
import { failureText, grouped } from "./parts.js";

/** @import { BulkAction, BulkBody } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/**
 * What can be selected in a list, and what can be done with it.
 * @typedef {object} Choice
 * @property {"key" | "member"} of
 * @property {[BulkAction, string][]} actions
 * @property {(filters: Record<string, string>) => Record<string, string | boolean> | null} matching the filters as the service names them;
 *   null if they are a search, which describes no set
 */

export class Selection {
  /** @type {Set<string>} */
  #ids = new Set();
  #all = false;
  #anchor = -1;
  #under = "";
  #press = new Press();

  /** @param {Choice} choice @param {() => void} draw */
  constructor(choice, draw) {
    this.choice = choice;
    this.draw = draw;
  }

  /** Other filters show other rows: what was selected under the former ones is selected no longer. @param {Record<string, string>} filters */
  under(filters) {
    const { after: _, ...rest } = filters;
    const under = JSON.stringify(rest);
    if (under !== this.#under) this.#clear();
    this.#under = under;
    this.#anchor = -1;
  }

  #clear() {
    this.#ids.clear();
    this.#all = false;
    this.#anchor = -1;
  }

  /** @param {string} id */
  has = (id) => this.#all || this.#ids.has(id);

  get count() {
    return this.#ids.size;
  }

  /** @param {string[]} ids the rows of the page @param {number} at @param {boolean} range @param {boolean} on */
  #pick(ids, at, range, on) {
    if (this.#all) {
      this.#all = false;
      for (const id of ids) this.#ids.add(id);
    }
    const from = range && this.#anchor !== -1 ? this.#anchor : at;
    for (const id of ids.slice(Math.min(from, at), Math.max(from, at) + 1)) {
      if (on) this.#ids.add(id);
      else this.#ids.delete(id);
    }
    this.#anchor = at;
    this.#tell();
  }

  #tell() {
    this.draw();
    say(this.words());
  }

  words = () => (this.#all ? "All that match are selected." : `${this.count === 0 ? "None" : grouped(this.count)} selected.`);

  /** The box for the whole page. @param {string[]} ids */
  #page(ids) {
    /** @param {Event} event */
    const click = (event) => {
      const on = /** @type {HTMLInputElement} */ (event.target).checked;
      this.#all = false;
      for (const id of ids) {
        if (on) this.#ids.add(id);
        else this.#ids.delete(id);
      }
      this.#tell();
    };
    return html`<label class="pick"><input type="checkbox" .checked=${ids.every(this.has)} @click=${click} /> The page</label>`;
  }

  /** The cell of one row. @param {string[]} ids @param {number} at @param {string} name */
  cell(ids, at, name) {
    /** @param {MouseEvent} event */
    const click = (event) => this.#pick(ids, at, event.shiftKey, /** @type {HTMLInputElement} */ (event.target).checked);
    return html`<td data-label="Select"><label class="pick"><input type="checkbox" data-pick aria-label=${`Select ${name}`} .checked=${this.has(ids[at])} @click=${click} /></label></td>`;
  }

  /** What is selected and what can be done with it. @param {string[]} ids the rows of the page @param {Record<string, string>} filters */
  bar(ids, filters) {
    const isAny = this.#all || this.count > 0;
    const canAll = this.choice.matching(filters) !== null && !this.#all;
    const all = () => {
      this.#all = true;
      this.#tell();
    };
    const none = () => {
      this.#clear();
      this.#tell();
    };
    return html`
      <section class="selection" aria-label="What is selected">
        ${this.#page(ids)} <strong>${this.words()}</strong>
        ${canAll ? html`<button class="button" type="button" @click=${all}>Select all that match</button>` : nothing}
        ${isAny ? this.choice.actions.map(([action, words]) => html`<button class="button" type="button" data-act @click=${() => this.#ask(action, filters)}>${words}…</button>`) : nothing}
        ${isAny ? html`<button class="button is-quiet" type="button" @click=${none}>Select none</button>` : nothing}
      </section>
    `;
  }

  /** Has the selection frozen, and opens the page that says what the change would do. @param {BulkAction} action @param {Record<string, string>} filters */
  async #ask(action, filters) {
    const matching = this.choice.matching(filters) ?? {};
    const body = this.#all ? { action, matching } : { action, ids: [...this.#ids], matching };
    const answer = /** @type {Outcome<BulkBody>} */ (await send(this.#press, { method: "POST", path: "/api/v1/admin/bulk-changes", body }));
    if (answer.outcome === "done") location.assign(`/admin/bulk-changes/${answer.body.bulk.id}`);
    else tell(failureText(answer), "bad");
  }
}
