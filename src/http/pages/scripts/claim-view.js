// The views of the claim: offered, refused or in progress. They are templates only: they turn the model into markup,
// make no calls and read no clock.

import { html, nothing } from "./html.js";
import { approved, asking } from "./ask-view.js";
import { requestId } from "./parts.js";
import { anotherAccount } from "./sign-in-view.js";
import { beforeClaim } from "./state-words.js";
import { UNKNOWN_OUTCOME, closedButton, counted, isAboutAccount, perPeriod, refusalAdvice, resetRule, retryText, usd } from "./words.js";
import { CLAIM_WORKSPACE, workspaceField } from "./workspaces-view.js";

/** @import { Claim, Me } from "./types.js" */
/** @import { Actions, Model } from "./keys-view.js" */

/** The id of the checkbox that accepts the rules. It gets the focus if a claim is tried while it is not ticked. */
export const ACCEPT_ID = "accept";

/**
 * The offer of a claim: its rules and its one button.
 * @param {Model} model
 * @param {Me} me
 * @param {Actions} actions
 */
export function offer(model, { claim, terms }, actions) {
  const left = beforeClaim(claim, model.now);
  return html`
  <section class="card" aria-labelledby="subject">
    <div class="card-head">
      <h2 id="subject">Claim your key</h2>
      <span class="chip is-good">claims open</span>
    </div>
    ${approved(model)}
    ${left === null ? nothing : html`<div class="remark is-warn"><h3>${left.title}</h3><p>${left.text}</p></div>`}
    <dl class="facts">
      <div><dt>Limit</dt><dd><span class="figure">${usd(claim.limit_usd)}</span> ${perPeriod(claim.limit_reset)}</dd></div>
      <div><dt>Resets</dt><dd>${resetRule(claim.limit_reset)}</dd></div>
      <div><dt>Expires</dt><dd><span class="figure">${counted(claim.expiry_days, "day")}</span> after the claim</dd></div>
      ${claim.seats_left === null ? nothing : html`<div><dt>Left</dt><dd><span class="figure">${counted(claim.seats_left, "key")}</span></dd></div>`}
    </dl>
    ${workspaceField(CLAIM_WORKSPACE, claim, model.workspace, actions.place)}
    <p>The key is shown once, right after the claim. Decide first where you will store it.</p>
    ${terms.accepted_at === null ? acceptance(model, actions) : nothing}
    <p class="actions">
      <button class="button is-primary is-claim" type="button" aria-disabled=${model.claiming ? "true" : "false"} @click=${actions.claim}>${model.claiming ? "Claiming…" : "Claim my key"}</button>
    </p>
  </section>
  `;
}

/**
 * The rules are accepted once, before the first key. The button is never disabled: if the box is not ticked, a press
 * says so.
 * @param {Model} model
 * @param {Actions} actions
 */
const acceptance = (model, actions) => html`
  <div class="consent">
    <div class="consent-row">
      <label class="check"><input id=${ACCEPT_ID} type="checkbox" .checked=${model.accepts} aria-invalid=${model.missesTerms ? "true" : "false"} aria-describedby="accept-missing" @change=${actions.accept} /> I accept the rules</label>
      <a class="more" href="/docs#rules">Read the rules</a>
    </div>
    <p id="accept-missing" class="hint is-bad said">${model.missesTerms ? ACCEPT_FIRST : ""}</p>
  </div>
`;

export const ACCEPT_FIRST = "Accept the rules first; then you can claim.";

/**
 * A claim that is refused: which rule refuses it, and what the member can do.
 * @param {Model} model
 * @param {Claim} claim
 * @param {Actions} actions
 */
export function refused(model, claim, actions) {
  const refusal = model.refusal ?? claim.refusal ?? CLOSED;
  const advice = refusalAdvice(refusal);
  const pending = closedButton(refusal.code);
  return html`
    <section class="card" aria-labelledby="subject">
      <div class="card-head">
        <h2 id="subject" data-news tabindex="-1">${advice.title}</h2>
        <span class="chip is-warn">${refusal.request === "open" ? "asked" : "no claim now"}</span>
      </div>
      ${advice.text === "" ? nothing : html`<p>${advice.text}</p>`}
      <p id="refused-next">${retryText(refusal, model.now) || advice.next}</p>
      ${asking(refusal, model, actions)}
      <p class="actions">
        ${pending === null ? nothing : html`<button class="button" type="button" disabled aria-describedby="subject refused-next">${pending}</button>`}
        <button class="button" type="button" @click=${actions.load}>Look again</button>
        ${isAboutAccount(refusal.code) ? anotherAccount(model.me?.member) : nothing}
      </p>
      ${requestId(model.refusal?.requestId)}
    </section>
  `;
}

/** Claims are closed, and the API gives no reason. @type {import("./types.js").Refusal} */
const CLOSED = { code: "provisioning_closed", detail: "", retryAt: null, accountAgeDays: null, requiredDays: null, requestKind: null, request: null };

export const inProgress = html`
  <section class="card" aria-labelledby="subject">
    <div class="card-head">
      <h2 id="subject" data-news tabindex="-1">A claim of yours is in progress.</h2>
      <span class="chip">being made</span>
    </div>
    <p>It was started in another window, or a moment ago in this one. The key is shown there, once. This page looks again by itself until the claim is settled.</p>
  </section>
`;

export const unknown = html`
  <section class="card" aria-labelledby="subject">
    <div class="card-head">
      <h2 id="subject" data-news tabindex="-1">It is not known yet whether your key was made.</h2>
      <span class="chip is-warn">being checked</span>
    </div>
    <p>${UNKNOWN_OUTCOME}</p>
    <p class="hint">This page looks again by itself and says when you can. You may also close it.</p>
  </section>
`;
