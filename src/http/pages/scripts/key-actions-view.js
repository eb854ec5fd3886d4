// The buttons below a key. A button is shown only if it makes sense in the key's present state.

import { html, nothing } from "./html.js";
import { stateAt } from "./state-words.js";

/** @import { Hold, Key } from "./types.js" */
/** @import { Actions } from "./keys-view.js" */

/**
 * The holds under which a key can be rotated. The service refuses a rotation under any other hold.
 * @type {Set<Hold>}
 */
const ROTATABLE = new Set(["leak", "budget"]);

/**
 * @param {Key} key
 * @param {number} now
 * @param {Actions} actions
 */
export function keyButtons(key, now, actions) {
  const state = stateAt(key, now);
  if (state !== "active" && state !== "disabled") return nothing;
  const isDisabled = key.holds.includes("owner");
  const has = /** @type {(hold: Hold) => boolean} */ ((hold) => key.holds.includes(hold));
  return html`
    <div class="actions is-key">
      ${key.missing || key.holds.every((hold) => ROTATABLE.has(hold)) ? button("New secret…", "button", () => actions.newSecret(key)) : nothing}
      ${key.missing || has("leak") ? nothing : isDisabled ? button("Enable", "button", () => actions.enable(key)) : button("Disable", "button", () => actions.disable(key))}
      ${key.missing || has("leak") ? nothing : button("It leaked…", "button is-quiet is-final", () => actions.reportLeak(key))}
      ${button("Delete…", "button is-quiet is-final", () => actions.remove(key))}
    </div>
  `;
}

/** @param {string} text @param {string} kind @param {() => void} press */
const button = (text, kind, press) => html`<button class=${kind} type="button" @click=${press}>${text}</button>`;
