// The meter: what a key has used and what is left, as figures and as a bar, with the reset and the age of the figures.
// Its elements stay when the figures change, so that nothing moves and the focus is not lost.

import { html, nothing } from "./html.js";
import { METERED, ageText, lineText, meterText, partText, share, shareTone, spent } from "./spend-words.js";
import { resetText } from "./words.js";

/** @import { Key } from "./types.js" */
/** @import { Actions, Model } from "./keys-view.js" */

/**
 * @param {Key} key
 * @param {Model} model
 * @param {Actions} actions
 */
export function meter(key, model, actions) {
  const part = share(key);
  return html`
    <div class=${`meter is-${shareTone(part)}`}>
      ${figures([["Used", key.spend?.used_usd], ["Left", key.spend?.left_usd], ["Limit", key.limit_usd]], "figures is-main")}
      ${bar(key, part)}
      <p class="hint">${part === 1 ? "limit reached, " : ""}${resetText(key, model.now)}</p>
      ${partText(key) === "" ? nothing : html`<p class="hint">${partText(key)}</p>`}
      ${figures([["Today", key.spend?.day_usd], ["This week", key.spend?.week_usd], ["This month", key.spend?.month_usd]], "figures")}
      ${foot(key, model, actions)}
    </div>
  `;
}

/**
 * The meter of a folded card: the bar and one line.
 * @param {Key} key
 * @param {number} now
 */
export function meterLine(key, now) {
  if (!METERED.has(key.state) || key.missing) return nothing;
  const part = share(key);
  return html`<div class=${`meter is-${shareTone(part)}`}>${bar(key, part)}<p class="hint">${lineText(key, now)}</p></div>`;
}

/**
 * Three figures side by side, each below its name.
 * @param {[string, string | null | undefined][]} amounts
 * @param {string} classes
 */
const figures = (amounts, classes) => html`
  <dl class=${classes}>
    ${amounts.map(([name, amount]) => html`<div><dt>${name}</dt><dd class=${amount ? "figure" : "unread"}>${spent(amount)}</dd></div>`)}
  </dl>
`;

/**
 * Without figures there is nothing to measure: the bar is then a plain line without the role of a meter.
 * @param {Key} key
 * @param {number | null} part
 */
const bar = (key, part) => html`
  <div
    class="meter-bar"
    role=${part === null ? nothing : "meter"}
    aria-label=${part === null ? nothing : "Limit used"}
    aria-valuemin=${part === null ? nothing : "0"}
    aria-valuemax=${part === null ? nothing : "100"}
    aria-valuenow=${part === null ? nothing : String(Math.round(part * 100))}
    aria-valuetext=${part === null ? nothing : meterText(key)}
  >
    <svg width="100%" height="100%" aria-hidden="true" focusable="false"><rect class="meter-fill" width=${`${(part ?? 0) * 100}%`} height="100%" /></svg>
  </div>
`;

/**
 * The age of the figures, and the button that asks for newer ones if there is but one key.
 * @param {Key} key
 * @param {Model} model
 * @param {Actions} actions
 */
function foot(key, model, actions) {
  const because = model.upstream?.answers === false ? "OpenRouter does not answer" : model.refreshing === "failed" ? "no answer just now" : "";
  return html`
    <div class=${model.keys.length > 1 ? "meter-foot is-lone" : "meter-foot"}>
      <p class=${because === "" ? "hint age" : "hint age is-warn"}>${ageText(key.spend?.read_at, model.now, because)}</p>
      ${model.keys.length > 1 ? nothing : refreshButton(model, actions)}
    </div>
  `;
}

/**
 * Asks for newer figures of all keys. With one key it stands beside the age of that key's figures, with several above
 * them all.
 * @param {Model} model
 * @param {Actions} actions
 */
export function refreshButton({ refreshing }, actions) {
  const pending = refreshing === "pending";
  return html`<button class="button is-quiet is-refresh" type="button" aria-disabled=${pending ? "true" : "false"} @click=${actions.refresh}>${pending ? "Asking…" : "Refresh"}</button>`;
}
