// The views of a request to the people who run this service: not written yet, open, declined or approved.

import { html, nothing } from "./html.js";
import { moment, requestId } from "./parts.js";
import { ASKS, NOTE_CHARS, noteCount } from "./words.js";

/** @import { MemberRequest, Refusal } from "./types.js" */
/** @import { Actions, Model } from "./keys-view.js" */

/** The id of the note's field, which gets the focus when the note cannot be sent. */
export const NOTE_ID = "note";

/**
 * What the member can request after a refusal, or what became of their last request.
 * @param {Refusal} refusal
 * @param {Model} model
 * @param {Actions} actions
 */
export function asking(refusal, model, actions) {
  if (refusal.requestKind === null) return nothing;
  const last = model.requests?.find(({ kind }) => kind === refusal.requestKind) ?? null;
  if (refusal.request === "open") return asked(last, model.now);
  return html`${refusal.request === "declined" ? declined(last, model.now) : nothing} ${form(refusal.requestKind, refusal.request !== null, model, actions)}`;
}

/** @param {MemberRequest | null} last @param {number} now */
const asked = (last, now) => html`
  <div class="request">
    <h3>You have asked</h3>
    <p>${last === null ? nothing : html`${moment(Date.parse(last.created_at), now)}.`} The people who run this service will decide. Their answer will appear here.</p>
    ${quote("You wrote", last?.note)}
  </div>
`;

/** @param {MemberRequest | null} last @param {number} now */
const declined = (last, now) => html`
  <div class="request">
    <h3>Your request was declined</h3>
    ${last?.decided_at ? html`<p>${moment(Date.parse(last.decided_at), now)}${last.answer === null ? ". No reason was given." : ""}</p>` : nothing} ${quote("They answered", last?.answer)}
  </div>
`;

/**
 * Says, above the claim, that the member's request was approved. It is shown until a key was made after the approval.
 * @param {Model} model
 */
export function approved({ requests, ended, now }) {
  const last = requests?.find(({ kind }) => kind !== "limit");
  if (last?.state !== "approved" || last.decided_at === null) return nothing;
  if (ended.some((key) => key.created_at >= String(last.decided_at))) return nothing;
  return html`
    <div class="request">
      <h3>Your request was approved</h3>
      <p>${moment(Date.parse(last.decided_at), now)}. You can claim now.</p>
      ${quote("They answered", last.answer)}
    </div>
  `;
}

/** What a person wrote, word for word. @param {string} who @param {string | null | undefined} words */
export const quote = (who, words) => (words ? html`<figure class="quote"><figcaption class="hint">${who}</figcaption><blockquote>${words}</blockquote></figure>` : nothing);

/**
 * @param {"claim" | "appeal"} kind
 * @param {boolean} again
 * @param {Model} model
 * @param {Actions} actions
 */
const form = (kind, again, { wish }, actions) => html`
  <form class="request" novalidate @submit=${actions.ask}>
    <h3>${again ? "Ask again" : ASKS[kind].title}</h3>
    <p class="field">
      <label for=${NOTE_ID}>${ASKS[kind].label}</label>
      <textarea
        id=${NOTE_ID}
        rows="4"
        .value=${wish.note}
        aria-invalid=${wish.error === "" ? "false" : "true"}
        aria-describedby="note-count note-error"
        @input=${actions.write}
      ></textarea>
      <span id="note-count" class=${noteCount(wish.note) > NOTE_CHARS ? "hint is-bad" : "hint"}>${noteCount(wish.note)} of ${NOTE_CHARS} characters, optional</span>
      <span id="note-error" class="hint is-bad said">${wish.error}</span>
    </p>
    ${requestId(wish.requestId)}
    <p class="actions"><button class="button is-primary" type="submit" aria-disabled=${wish.sending ? "true" : "false"}>${wish.sending ? "Sending…" : ASKS[kind].button}</button></p>
  </form>
`;
