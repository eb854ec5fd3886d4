// What a person fills in before an action on a key: how long the old secret works, and a limit of one's own.

import { html, nothing } from "./html.js";

/**
 * When the old secret stops working. The service takes a whole number of hours within these bounds, as its description
 * says (`RotateRequest`).
 * @typedef {{ when: "now" | "later", hours: string, error: string }} Grace
 */

export const GRACE_HOURS = { least: 1, most: 168 };

/** @type {Grace} */
export const NO_GRACE = { when: "now", hours: "24", error: "" };

/** @param {Grace} grace */
export function hoursError({ when, hours }) {
  const fits = /^\d{1,3}$/.test(hours.trim()) && Number(hours) >= GRACE_HOURS.least && Number(hours) <= GRACE_HOURS.most;
  return when === "now" || fits ? "" : `Write a whole number of hours from ${GRACE_HOURS.least} to ${GRACE_HOURS.most}. Nothing was sent.`;
}

/**
 * @param {Grace} grace
 * @param {(change: Partial<Grace>) => void} change
 * @param {"now" | "later"} least "later" where the old secret cannot end at once
 */
export const graceFields = (grace, change, least) => html`
  ${least === "later" ? nothing : choices(grace, change)}
  ${grace.when === "now" ? nothing : hoursField(grace, change)}
`;

/** @param {Grace} grace @param {(change: Partial<Grace>) => void} change */
const choices = (grace, change) => html`
  <fieldset class="choices">
    <legend>The old secret</legend>
    <label class="check"><input type="radio" name="when" value="now" .checked=${grace.when === "now"} @change=${() => change({ when: "now" })} /> stops working at once</label>
    <label class="check"><input type="radio" name="when" value="later" .checked=${grace.when === "later"} @change=${() => change({ when: "later" })} /> works on for a while</label>
  </fieldset>
`;

/** @param {Grace} grace @param {(change: Partial<Grace>) => void} change */
const hoursField = (grace, change) => html`
  <div class="field">
    <label for="grace-hours">Hours until the old secret ends</label>
    <input id="grace-hours" class="is-short" type="text" inputmode="numeric" autocomplete="off" .value=${grace.hours} aria-invalid=${grace.error === "" ? "false" : "true"} aria-describedby="grace-hint grace-error" @input=${(/** @type {Event} */ event) => change({ hours: valueOf(event) })} />
    <p id="grace-hint" class="hint">${GRACE_HOURS.least} to ${GRACE_HOURS.most}. Until then both secrets work, together within the one limit: each may spend half of what is left.</p>
    <p id="grace-error" class="hint is-bad said">${grace.error}</p>
  </div>
`;

/**
 * @param {{ amount: string, error: string }} own
 * @param {(change: { amount: string }) => void} change
 * @param {boolean} canBeEmpty
 */
export const limitFields = (own, change, canBeEmpty) => html`
  <div class="field">
    <label for="own-limit">Limit in US dollars</label>
    <input id="own-limit" class="is-short" type="text" inputmode="decimal" autocomplete="off" autofocus .value=${own.amount} aria-invalid=${own.error === "" ? "false" : "true"} aria-describedby="own-limit-hint own-limit-error" @input=${(/** @type {Event} */ event) => change({ amount: valueOf(event) })} />
    <p id="own-limit-hint" class="hint">${canBeEmpty ? "Such as 2.50. Leave it empty to go back to your plan’s limit." : "Such as 2.50."}</p>
    <p id="own-limit-error" class="hint is-bad said">${own.error}</p>
  </div>
`;

/** A wish for a higher limit. */
export const NO_WISH_FOR_MORE = { amount: "", until: "", note: "", errors: { amount: "", until: "", note: "" } };

/**
 * @param {typeof NO_WISH_FOR_MORE} wish
 * @param {(change: Partial<typeof NO_WISH_FOR_MORE>) => void} change
 */
export const moreFields = (wish, change) => html`
  <div class="field">
    <label for="more-amount">How much more, in US dollars</label>
    <input id="more-amount" class="is-short" type="text" inputmode="decimal" autocomplete="off" autofocus .value=${wish.amount} aria-invalid=${wish.errors.amount === "" ? "false" : "true"} aria-describedby="more-amount-error" @input=${(/** @type {Event} */ event) => change({ amount: valueOf(event) })} />
    <p id="more-amount-error" class="hint is-bad said">${wish.errors.amount}</p>
  </div>
  <div class="field">
    <label for="more-until">Until which day (optional)</label>
    <input id="more-until" class="is-short" type="text" autocomplete="off" .value=${wish.until} aria-invalid=${wish.errors.until === "" ? "false" : "true"} aria-describedby="more-until-hint more-until-error" @input=${(/** @type {Event} */ event) => change({ until: valueOf(event) })} />
    <p id="more-until-hint" class="hint">Such as 2027-01-31, 00:00 UTC. Without one you ask for good.</p>
    <p id="more-until-error" class="hint is-bad said">${wish.errors.until}</p>
  </div>
  <div class="field">
    <label for="more-note">Why (optional)</label>
    <textarea id="more-note" rows="3" .value=${wish.note} aria-invalid=${wish.errors.note === "" ? "false" : "true"} aria-describedby="more-note-error" @input=${(/** @type {Event} */ event) => change({ note: valueOf(event) })}></textarea>
    <p id="more-note-error" class="hint is-bad said">${wish.errors.note}</p>
  </div>
`;

/**
 * A field for a name.
 * @param {{ id: string, label: string, hint: string, list?: string }} about list: the id of the names that it suggests
 * @param {{ name: string, error: string }} typed
 * @param {(change: { name: string }) => void} change
 */
export const textField = ({ id, label, hint, list }, typed, change) => html`
  <div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type="text" list=${list ?? nothing} autocomplete="off" autofocus .value=${typed.name} aria-invalid=${typed.error === "" ? "false" : "true"} aria-describedby=${`${id}-hint ${id}-error`} @input=${(/** @type {Event} */ event) => change({ name: valueOf(event) })} />
    <p id=${`${id}-hint`} class="hint">${hint}</p>
    <p id=${`${id}-error`} class="hint is-bad said">${typed.error}</p>
  </div>
`;

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;
