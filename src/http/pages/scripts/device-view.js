// The views of the page `/device`. They are templates only: they make no calls and read no clock.

import { html, nothing } from "./html.js";
import { moment } from "./parts.js";
import { signInButtons } from "./sign-in-view.js";
import { perPeriod, refusalAdvice, usd } from "./words.js";
import { workspaceField } from "./workspaces-view.js";

/** @import { Overview } from "./types.js" */

/**
 * A terminal that asks for a key, as the API shows it. What it says about itself is nobody's word but its own.
 * @typedef {object} DeviceGrant
 * @property {string} client
 * @property {string | null} device
 * @property {"pending" | "approved" | "denied" | "redeemed" | "failed"} state
 * @property {boolean | null} same_address
 * @property {string} created_at
 * @property {string} expires_at
 */

/**
 * @typedef {object} DeviceModel
 * @property {"loading" | "signed_out" | "failed" | "type" | "decide" | "approved" | "denied" | "decided"} phase
 * @property {Overview | null} overview
 * @property {DeviceGrant | null} grant
 * @property {string} code the code of the grant
 * @property {boolean} isTyped whether the member typed it; otherwise it was in the address
 * @property {boolean} accepts
 * @property {string} workspace
 * @property {boolean} working
 * @property {string} error
 * @property {number} now
 */

/** @typedef {Record<"load" | "again" | "deny" | "typed", () => unknown> & Record<"find" | "approve" | "accept" | "place", (event: Event) => unknown>} DeviceActions */

/** The id of the field for the code. */
export const CODE_FIELD = "user-code";
const WORKSPACE = "device-workspace";

/** @param {DeviceModel} model @param {DeviceActions} actions */
export function deviceView(model, actions) {
  if (model.phase === "signed_out") return signedOut;
  if (model.phase === "failed") return failed(model, actions);
  if (model.overview === null) return nothing;
  if (model.phase === "type" || model.grant === null) return typing(model, actions);
  if (model.phase === "decide") return deciding(model, model.overview, model.grant, actions);
  if (model.phase === "approved") return approved(model, actions);
  return ended(ENDINGS[model.phase === "denied" ? "denied" : model.grant.state], actions);
}

const signedOut = html`
  <section class="card" aria-labelledby="signed-out">
    <h2 id="signed-out" data-news tabindex="-1">Sign in first.</h2>
    <p>The key is made for your account. Type the code after you have signed in.</p>
    ${signInButtons("device")}
  </section>
`;

/** @param {DeviceModel} model @param {DeviceActions} actions */
const failed = ({ error }, { load }) => html`
  <section class="card" aria-labelledby="failed">
    <h2 id="failed" data-news tabindex="-1">This page could not be read.</h2>
    <p>${error}</p>
    <p class="actions"><button class="button is-primary" type="button" @click=${load}>Look again</button></p>
  </section>
`;

/** @param {DeviceModel} model @param {DeviceActions} actions */
const field = ({ error }, { typed }) => html`
  <div class="field">
    <label for=${CODE_FIELD}>The code that your terminal shows</label>
    <input id=${CODE_FIELD} class="figure" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" translate="no" maxlength="20" aria-invalid=${error === "" ? "false" : "true"} aria-describedby="code-hint device-error" @input=${typed} />
    <p id="code-hint" class="hint">Eight letters, such as BCDF-GHJK.</p>
  </div>
`;

/** @param {DeviceModel} model */
const problem = ({ error }) => html`<p id="device-error" class="hint is-bad said">${error}</p>`;

/** @param {DeviceModel} model @param {DeviceActions} actions */
const typing = (model, actions) => html`
  <form class="card" novalidate @submit=${actions.find}>
    ${field(model, actions)} ${problem(model)}
    <p class="actions"><button class="button is-primary" type="submit" aria-disabled=${model.working ? "true" : "false"}>${model.working ? "Looking…" : "Continue"}</button></p>
  </form>
`;

/** @param {DeviceModel} model @param {DeviceGrant} grant */
const terminal = ({ now }, grant) => html`
  <dl class="facts">
    <div><dt>It calls itself</dt><dd translate="no">${grant.client}</dd></div>
    ${grant.device === null ? nothing : html`<div><dt>It says it runs on</dt><dd translate="no">${grant.device}</dd></div>`}
    <div><dt>It asked</dt><dd>${moment(Date.parse(grant.created_at), now)}</dd></div>
    <div><dt>From</dt><dd>${addressWords(grant.same_address)}</dd></div>
  </dl>
`;

/** @param {boolean | null} same */
const addressWords = (same) => (same === null ? "an address that is not known" : same ? "the internet address of this browser" : "another internet address than this browser’s");

/** @param {DeviceModel} model @param {Overview} overview @param {DeviceGrant} grant @param {DeviceActions} actions */
function deciding(model, { me, keys }, grant, actions) {
  const refusal = me.claim.refusal;
  const barred = keys.length > 0 ? HAS_KEY : me.claim.open || refusal === null ? null : refusalAdvice(refusal);
  return html`
    <form class="card" novalidate aria-labelledby="device-title" @submit=${actions.approve}>
      <h2 id="device-title" data-news tabindex="-1">Do you want to give this terminal a key?</h2>
      ${terminal(model, grant)}
      <p class="hint">The names are the terminal’s own words. Nobody has checked them.</p>
      ${grant.same_address === false ? html`<div class="remark is-warn"><h3>It is on another network.</h3><p>That is usual over SSH or with a VPN. If you have started nothing on another machine, deny it.</p></div>` : nothing}
      ${barred === null ? offer(model, me, actions) : html`<div class="remark is-warn"><h3>${barred.title}</h3><p>${barred.text} ${barred.next}</p></div>`}
      ${problem(model)}
      <p class="actions">
        ${barred === null ? html`<button class="button is-primary" type="submit" aria-disabled=${model.working ? "true" : "false"}>${model.working ? "One moment…" : "Approve"}</button>` : nothing}
        <button class="button is-quiet is-final" type="button" @click=${actions.deny}>Deny</button>
      </p>
    </form>
  `;
}

/** @param {DeviceModel} model @param {Overview["me"]} me @param {DeviceActions} actions */
const offer = (model, { claim, terms }, actions) => html`
  <p>It gets your one key here, with a limit of <span class="figure">${usd(claim.limit_usd)}</span> ${perPeriod(claim.limit_reset)}. What is spent with it counts as yours.</p>
  ${model.isTyped ? nothing : field(model, actions)} ${workspaceField(WORKSPACE, claim, model.workspace, actions.place)}
  ${
    terms.accepted_at === null
      ? html`<div class="consent"><div class="consent-row"><label class="check"><input id="accept" type="checkbox" .checked=${model.accepts} @change=${actions.accept} /> I accept the rules</label><a class="more" href="/docs#rules">Read the rules</a></div></div>`
      : nothing
  }
`;

const HAS_KEY = { title: "You already have a key.", text: "There is one per account, and a terminal gets only a key that is made for it.", next: "To use yours there, make a new secret on the page of your keys." };

/** @param {DeviceModel} model @param {DeviceActions} actions */
const approved = (model, { deny }) => html`
  <section class="card" aria-labelledby="device-done">
    <h2 id="device-done" data-news tabindex="-1">Approved. The terminal gets its key within seconds.</h2>
    <p>It is shown there, once. You can close this page; <a href="/keys">your keys’ page</a> shows the key from then on.</p>
    ${problem(model)}
    <p class="actions"><button class="button is-quiet is-final" type="button" @click=${deny}>Take it back</button></p>
  </section>
`;

/** @type {Record<string, { title: string, text: string }>} */
const ENDINGS = {
  denied: { title: "Denied. The terminal gets no key.", text: "Nothing was made. You can close this page." },
  redeemed: { title: "The terminal has asked for its key.", text: "If the terminal does not have it, look at the page of your keys: make a new secret of the key there." },
  failed: { title: "No key was made.", text: "The terminal says why. Begin again there." },
};

/** @param {{ title: string, text: string }} words @param {DeviceActions} actions */
const ended = ({ title, text }, { again }) => html`
  <section class="card" aria-labelledby="device-ended">
    <h2 id="device-ended" data-news tabindex="-1">${title}</h2>
    <p>${text}</p>
    <p class="actions"><a class="button is-primary" href="/keys">Go to your keys</a> <button class="button" type="button" @click=${again}>Type another code</button></p>
  </section>
`;
