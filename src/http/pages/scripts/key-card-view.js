// The card of a key: its name, state, meter and facts, and what can be done with it. With many keys a card begins
// folded, with the one line that matters most.

import { html, nothing } from "./html.js";
import { historyView } from "./history-view.js";
import { historyButton, keyButtons } from "./key-actions-view.js";
import { meter, meterLine } from "./meter.js";
import { moment, requestId } from "./parts.js";
import { METERED, UNREAD, boundText, spendableUntil } from "./spend-words.js";
import { STATES, inGrace, statusOf } from "./state-words.js";
import { DEFAULT_NAME, dateUtc, masked, perPeriod, usd } from "./words.js";

/** @import { EndedKey, Key } from "./types.js" */
/** @import { History } from "./history-view.js" */
/** @import { Actions, Model, Notice } from "./keys-view.js" */

/** The name that a person types for a key, until it is saved. @typedef {{ name: string, error: string, sending: boolean }} Renaming */

/**
 * @typedef {object} CardState
 * @property {boolean} [open] whether the card shows everything; without it, the number of keys decides
 * @property {"" | "disable" | "enable" | "prefer"} doing the action that waits for its answer
 * @property {Notice | null} news what just happened to the key
 * @property {Renaming | null} renaming
 * @property {History | null} history what has happened to the key, once it was asked for
 */

/** @type {CardState} */
export const UNTOUCHED = { doing: "", news: null, renaming: null, history: null };

/** Up to so many keys are shown with everything. */
export const WHOLE_CARDS = 3;

/** The id of the field for a key's new name. @param {Key} key */
export const renameId = (key) => `name-${key.id}`;

/** @param {Model} model @param {Key} key */
const isOpen = (model, key) => model.cards[key.id]?.open ?? model.keys.length <= WHOLE_CARDS;

/**
 * @param {Key} key
 * @param {string} titleId
 * @param {Model} model
 * @param {Actions} actions
 */
export function keyCard(key, titleId, model, actions) {
  const { now } = model;
  const state = statusOf(key, now);
  const card = model.cards[key.id] ?? UNTOUCHED;
  const open = isOpen(model, key);
  const canFold = model.keys.length > WHOLE_CARDS;
  return html`
    <section class=${canFold ? "card is-foldable" : "card"} aria-labelledby=${titleId} data-key=${key.id}>
      <div class="card-head">
        ${card.renaming === null ? html`<h2 id=${titleId}>${key.name ?? DEFAULT_NAME}</h2>` : rename(key, titleId, card.renaming, actions)}
        <span class=${state.tone === "plain" ? "chip" : `chip is-${state.tone}`}>${state.word}</span>
      </div>
      ${card.news === null ? nothing : cardNews(key, card.news, actions)}
      ${open ? whole(key, card, state.means, model, actions) : meterLine(key, now)}
      ${canFold ? fold(key, titleId, open, actions) : nothing}
    </section>
  `;
}

/**
 * @param {Key} key
 * @param {CardState} card
 * @param {string} means what its state means
 * @param {Model} model
 * @param {Actions} actions
 */
const whole = (key, card, means, model, actions) => html`
  ${key.mask === null ? nothing : html`<p class="well mask" translate="no">${masked(key.mask)}</p>`} ${means === "" || card.news?.tone === "good" ? nothing : html`<p>${means}</p>`}
  ${METERED.has(key.state) && !key.missing ? meter(key, model, actions) : nothing}
  <dl class="facts">
    ${key.workspace === null ? nothing : html`<div><dt>Workspace</dt><dd>${key.workspace.name}</dd></div>`}
    ${key.project === null ? nothing : html`<div><dt>Project</dt><dd>${key.project.name}</dd></div>`}
    <div>
      <dt>Limit</dt>
      <dd><span class="figure">${usd(key.plan_limit_usd)}</span> ${perPeriod(key.limit_reset)}${key.own_limit_usd === null ? "" : ", set by you"}</dd>
    </div>
    ${key.spendable === null ? nothing : html`<div><dt>To spend</dt><dd><span class="figure">${key.spendable.amount_usd === null ? UNREAD : usd(key.spendable.amount_usd)}</span> <span class="is-aside">${spendableUntil(key.spendable, model.now)}</span><span class="hint bound">${boundText(key.spendable)}</span></dd></div>`}
    ${dated("Expires", key.expires_at, model.now)} ${dated("Made", key.created_at, model.now)}
    ${key.generation > 1 ? html`<div><dt>Secret</dt><dd>number <span class="figure">${key.generation}</span>, made ${moment(Date.parse(key.issued_at), model.now)}</dd></div>` : nothing}
    ${inGrace(key, model.now) ? dated("Old secret", key.grace_until, model.now, "ends ") : nothing}
  </dl>
  ${keyButtons(key, card, model.now, actions)}
  ${card.history === null ? nothing : historyView(card.history, { now: model.now, withKeys: false, more: () => actions.moreHistory(key) })}
  ${key.state === "active" ? html`<p class="hint">A secret is shown once, when it is made. Only this masked form is kept.</p>` : nothing}
`;

/**
 * @param {Key} key
 * @param {string} titleId
 * @param {boolean} open
 * @param {Actions} actions
 */
const fold = (key, titleId, open, actions) => html`
  <button class="button is-quiet is-fold" type="button" aria-expanded=${open ? "true" : "false"} aria-describedby=${titleId} @click=${() => actions.fold(key, !open)}>${open ? "Show less" : "Show everything"}</button>
`;

/**
 * The name becomes a field in its place. The heading stays for screen readers.
 * @param {Key} key
 * @param {string} titleId
 * @param {Renaming} renaming
 * @param {Actions} actions
 */
const rename = (key, titleId, { name, error, sending }, actions) => html`
  <h2 id=${titleId} class="spoken">${key.name ?? DEFAULT_NAME}</h2>
  <form class="rename" novalidate @submit=${(/** @type {Event} */ event) => actions.saveName(event, key)} @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && actions.stopRenaming(key)}>
    <label class="spoken" for=${renameId(key)}>Name of this key</label>
    <input id=${renameId(key)} type="text" autocomplete="off" .value=${name} aria-invalid=${error === "" ? "false" : "true"} aria-describedby=${`${renameId(key)}-error`} @input=${(/** @type {Event} */ event) => actions.typeName(event, key)} />
    <button class="button is-primary" type="submit" aria-disabled=${sending ? "true" : "false"}>${sending ? "Saving…" : "Save"}</button>
    <button class="button is-quiet" type="button" @click=${() => actions.stopRenaming(key)}>Cancel</button>
    <p id=${`${renameId(key)}-error`} class="hint is-bad said">${error}</p>
  </form>
`;

/**
 * What just happened to this key, with the way back or the way on.
 * @param {Key} key
 * @param {Notice} news
 * @param {Actions} actions
 */
const cardNews = (key, news, actions) => html`
  <div class=${news.tone === "plain" ? "notice is-inner" : `notice is-inner is-${news.tone}`}>
    <h3 data-news tabindex="-1">${news.title}</h3>
    <p>${news.text}</p>
    ${requestId(news.requestId)}
    ${news.offer === undefined ? nothing : html`<p class="actions"><button class="button" type="button" @click=${() => news.offer && actions[news.offer.action](key)}>${news.offer.text}</button></p>`}
  </div>
`;

/**
 * A row of the facts that holds a time.
 * @param {string} label
 * @param {string | null} at
 * @param {number} now
 * @param {string} [before]
 */
function dated(label, at, now, before = "") {
  const ms = Date.parse(at ?? "");
  if (!Number.isFinite(ms)) return nothing;
  return html`<div><dt>${ms <= now && label === "Expires" ? "Expired" : label}</dt><dd>${before}${moment(ms, now)}</dd></div>`;
}

/**
 * A key that has ended: what is left of it.
 * @param {EndedKey} key
 * @param {Model} model
 * @param {Actions} actions
 */
export function endedKey(key, { cards, now }, actions) {
  const history = cards[key.id]?.history ?? null;
  return html`
    <li>
      <p><strong>${key.name ?? DEFAULT_NAME}</strong> <span class="figure" translate="no">${masked(key.mask) ?? ""}</span>, ${STATES[key.state].word}, ${dateUtc(Date.parse(key.created_at))} to ${dateUtc(Date.parse(key.ended_at ?? key.expires_at ?? ""))}${key.spent_usd === null ? "" : `, ${usd(key.spent_usd)} spent`}</p>
      ${historyButton(key, history !== null, actions)} ${history === null ? nothing : historyView(history, { now, withKeys: false, more: () => actions.moreHistory(key) })}
    </li>
  `;
}
