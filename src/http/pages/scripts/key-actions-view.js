// The buttons below a key. A button is shown only if it makes sense in the key's present state.

import { html, nothing } from "./html.js";
import { inGrace, stateAt } from "./state-words.js";

/** @import { Hold, Key } from "./types.js" */
/** @import { Actions } from "./keys-view.js" */
/** @import { CardState } from "./key-card-view.js" */

/**
 * The holds under which a key can be rotated. The service refuses a rotation under any other hold.
 * @type {Set<Hold>}
 */
const ROTATABLE = new Set(["leak", "budget"]);

/** The holds that an owner can do something about by enabling the key. @type {Hold[]} */
const OWN = ["owner", "idle"];

/**
 * @param {Key} key
 * @param {CardState} card
 * @param {number} now
 * @param {Actions} actions
 */
export function keyButtons(key, card, now, actions) {
  const state = stateAt(key, now);
  if (state !== "active" && state !== "disabled") return html`<div class="actions is-key">${historyButton(key, card.history !== null, actions)}</div>`;
  const isDisabled = OWN.some((hold) => key.holds.includes(hold));
  const leaked = key.holds.includes("leak");
  const rotatable = key.missing || (key.holds.every((hold) => ROTATABLE.has(hold)) && !inGrace(key, now));
  const works = !key.missing && !leaked;
  return html`
    <div class="actions is-key">
      ${works && key.holds.includes("plan") ? button(card.doing === "prefer" ? "Keeping it…" : "Keep this one", "button", card.doing !== "", () => actions.prefer(key)) : nothing}
      ${rotatable ? button("New secret…", "button", false, () => actions.newSecret(key)) : nothing}
      ${works ? toggle(key, isDisabled, card, actions) : nothing}
      ${works && isRenewable(key, now) ? button("Renew…", "button", false, () => actions.renew(key)) : nothing}
      <div class="actions is-quiet">
        ${historyButton(key, card.history !== null, actions)}
        ${button("Rename", "button is-quiet", false, () => actions.rename(key))}
        ${button("Project…", "button is-quiet", false, () => actions.move(key))}
        ${works ? button("Own limit…", "button is-quiet", false, () => actions.limit(key)) : nothing}
        ${works && key.limit_reset !== "none" ? button("Ask for more…", "button is-quiet", false, () => actions.askForMore(key)) : nothing}
        ${works ? button("It leaked…", "button is-quiet is-final", false, () => actions.reportLeak(key)) : nothing}
        ${button("Delete…", "button is-quiet is-final", false, () => actions.remove(key))}
      </div>
    </div>
  `;
}

/**
 * @param {{ id: string }} key
 * @param {boolean} open
 * @param {Actions} actions
 */
export const historyButton = (key, open, actions) => html`<button class="button is-quiet" type="button" aria-expanded=${open ? "true" : "false"} @click=${() => actions.history(key)}>History</button>`;

/**
 * Whether the service renews the key now: in the last part of its life, and not while two of its secrets work.
 * @param {Key} key
 * @param {number} now
 */
export const isRenewable = (key, now) => Date.parse(key.renewable_from ?? "") <= now && key.holds.length === 0 && !key.missing && !inGrace(key, now);

/**
 * One button for both directions, so that the focus stays on it.
 * @param {Key} key
 * @param {boolean} isDisabled
 * @param {CardState} card
 * @param {Actions} actions
 */
function toggle(key, isDisabled, { doing }, actions) {
  const words = doing === "disable" ? "Disabling…" : doing === "enable" ? "Enabling…" : isDisabled ? "Enable" : "Disable";
  return button(words, "button", doing !== "", () => (isDisabled ? actions.enable(key) : actions.disable(key)));
}

/** @param {string} text @param {string} kind @param {boolean} waits @param {() => void} press */
const button = (text, kind, waits, press) => html`<button class=${kind} type="button" aria-disabled=${waits ? "true" : "false"} @click=${press}>${text}</button>`;
