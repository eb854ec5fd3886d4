// The views of the page `/keys`, one for each state. They are templates only: they turn the model into markup, make no
// calls and read no clock.

import { html, nothing } from "./html.js";
import { inProgress, offer, refused, unknown } from "./claim-view.js";
import { meter } from "./meter.js";
import { moment, requestId } from "./parts.js";
import { keyButtons } from "./key-actions-view.js";
import { METERED, outageText } from "./spend-words.js";
import { isUsableAt, statusOf } from "./state-words.js";
import { dateUtc, limitRules, masked, perPeriod, usd } from "./words.js";

/** @import { Key, Me, MemberRequest, Problem, Upstream } from "./types.js" */

/** @typedef {{ tone: "plain" | "good" | "warn" | "bad", title: string, text: string, requestId?: string | null }} Notice */

/** @typedef {{ note: string, sending: boolean, error: string, requestId: string | null }} Wish */

/**
 * @typedef {object} Model
 * @property {"loading" | "signed_out" | "failed" | "ready"} phase
 * @property {Me | null} me
 * @property {Key | null} key the first key that has not ended
 * @property {Key[]} others the other keys that have not ended, if the plan allows several
 * @property {Key[]} ended keys that have ended
 * @property {Upstream | null} upstream whether OpenRouter answers
 * @property {"idle" | "pending" | "failed"} refreshing whether newer figures were requested, or that request failed
 * @property {MemberRequest[] | null} requests the latest ones, newest first
 * @property {Wish} wish the request that the member is writing
 * @property {boolean} accepts whether the box that accepts the rules is ticked
 * @property {boolean} missesTerms whether the member tried to claim without ticking that box
 * @property {boolean} claiming whether a claim waits for its answer
 * @property {"in_progress" | "unknown" | null} waiting the kind of an earlier claim that is not settled yet
 * @property {Notice | null} notice what just happened
 * @property {Problem | null} refusal the rule that refused the last claim
 * @property {number} now the time by the service's clock, in milliseconds
 */

/** @typedef {Record<"newSecret" | "reportLeak" | "remove" | "disable" | "enable", (key: Key) => void>} KeyActions */

/** @typedef {{ claim: () => void, accept: (event: Event) => void, ask: (event: Event) => void, write: (event: Event) => void, refresh: () => void, load: () => void } & KeyActions} Actions */

/**
 * @param {Model} model
 * @param {Actions} actions
 */
export function page(model, actions) {
  if (model.phase === "loading") return skeleton;
  if (model.phase === "signed_out") return signedOut;
  if (model.phase === "failed" || model.me === null) return failed(model.notice, actions);
  return html`
    ${model.upstream?.answers === false ? outage(model.upstream, model) : nothing} ${model.notice === null ? nothing : notice(model.notice)} ${subject(model, model.me, actions)}
    ${model.key === null || model.waiting !== null ? nothing : model.others.map((key) => keyCard(key, key.id, model, actions))}
    ${model.ended.length === 0 ? nothing : earlier(model.ended, model.now)}
  `;
}

/**
 * How the limit works, for the key or for a key that could be claimed; shown beside it.
 * @param {Model} model
 */
export const aside = (model) => (model.phase === "ready" && model.me !== null ? rules(model.key === null ? model.me.claim.limit_usd : model.key.plan_limit_usd, (model.key ?? model.me.claim).limit_reset) : nothing);

/** Whether the page shows a key that can be used. @param {Model} model */
export const isUsable = (model) => model.phase === "ready" && model.waiting === null && model.key !== null && isUsableAt(model.key, model.now);

/**
 * The main card: the one thing that this page is about at the moment.
 * @param {Model} model
 * @param {Me} me
 * @param {Actions} actions
 */
function subject(model, me, actions) {
  if (model.waiting === "unknown") return unknown;
  if (model.waiting === "in_progress") return inProgress;
  if (model.key !== null) return keyCard(model.key, "subject", model, actions);
  if (model.refusal !== null || me.claim.refusal !== null || !me.claim.open) return refused(model, me.claim, actions);
  return offer(model, me, actions);
}

const skeleton = html`
  <section class="card is-loading" aria-hidden="true">
    <div class="card-head"><span class="bone is-title"></span><span class="bone is-chip"></span></div>
    <div class="bones"><span class="bone"></span><span class="bone"></span><span class="bone"></span><span class="bone"></span></div>
    <span class="bone is-button"></span>
  </section>
`;

const signedOut = html`
  <section class="card" aria-labelledby="subject">
    <h2 id="subject" data-news tabindex="-1">You are signed out.</h2>
    <p>Sign in to claim your key or to see the one you have.</p>
    <p class="actions"><a class="button is-primary" href="/auth/github?next=keys">Continue with GitHub</a></p>
  </section>
`;

/**
 * @param {Notice | null} news
 * @param {Actions} actions
 */
const failed = (news, actions) => html`
  <section class="card" aria-labelledby="subject">
    <h2 id="subject" data-news tabindex="-1">${news?.title ?? "The service did not answer."}</h2>
    <p>${news?.text ?? ""}</p>
    <p class="actions"><button class="button is-primary" type="button" @click=${actions.load}>Look again</button></p>
    ${requestId(news?.requestId)}
  </section>
`;

/**
 * @param {Upstream} upstream
 * @param {Model} model
 */
const outage = (upstream, { key, now }) => html`
  <section class="notice is-warn" aria-labelledby="outage">
    <h2 id="outage">OpenRouter does not answer.</h2>
    <p>${outageText(upstream, key, now)}</p>
  </section>
`;

/** @param {Notice} news */
const notice = (news) => html`
  <section class=${news.tone === "plain" ? "notice" : `notice is-${news.tone}`} aria-labelledby="news">
    <h2 id="news" data-news tabindex="-1">${news.title}</h2>
    <p>${news.text}</p>
    ${requestId(news.requestId)}
  </section>
`;

/**
 * @param {Key} key
 * @param {string} titleId
 * @param {Model} model
 * @param {Actions} actions
 */
function keyCard(key, titleId, model, actions) {
  const { now } = model;
  const state = statusOf(key, now);
  return html`
    <section class="card" aria-labelledby=${titleId}>
      <div class="card-head">
        <h2 id=${titleId}>${key.name ?? "OpenRouter key"}</h2>
        <span class=${state.tone === "plain" ? "chip" : `chip is-${state.tone}`}>${state.word}</span>
      </div>
      ${key.mask === null ? nothing : html`<p class="well mask" translate="no">${masked(key.mask)}</p>`} ${state.means === "" ? nothing : html`<p>${state.means}</p>`}
      ${METERED.has(key.state) && !key.missing ? meter(key, model, actions) : nothing}
      <dl class="facts">
        <div><dt>Limit</dt><dd><span class="figure">${usd(key.plan_limit_usd)}</span> ${perPeriod(key.limit_reset)}</dd></div>
        ${dated("Expires", key.expires_at, now)} ${dated("Claimed", key.created_at, now)}
        ${Date.parse(key.grace_until ?? "") > now ? dated("The old secret ends", key.grace_until, now) : nothing}
      </dl>
      ${keyButtons(key, now, actions)}
      ${key.state === "active" ? html`<p class="hint">A secret is shown once, when it is made. Only this masked form is kept.</p>` : nothing}
    </section>
  `;
}

/**
 * A row of the facts that holds a time.
 * @param {string} label
 * @param {string | null} at
 * @param {number} now
 */
function dated(label, at, now) {
  const ms = Date.parse(at ?? "");
  if (!Number.isFinite(ms)) return nothing;
  return html`<div><dt>${ms <= now && label === "Expires" ? "Expired" : label}</dt><dd>${moment(ms, now)}</dd></div>`;
}

/** @param {string} limitUsd @param {string} reset */
const rules = (limitUsd, reset) => html`
  <section class="section" aria-labelledby="limit-title">
    <h2 id="limit-title">How the limit works</h2>
    <ul class="plain">
      ${limitRules(limitUsd, reset).map((rule) => html`<li>${rule}</li>`)}
    </ul>
  </section>
`;

/**
 * @param {Key[]} keys
 * @param {number} now
 */
const earlier = (keys, now) => html`
  <section class="section" aria-labelledby="earlier-title">
    <h2 id="earlier-title">Earlier keys</h2>
    <ul class="plain">
      ${keys.map((key) => html`<li><span class="figure" translate="no">${masked(key.mask) ?? "no key"}</span>, ${statusOf(key, now).word}, claimed ${dateUtc(Date.parse(key.created_at))}</li>`)}
    </ul>
  </section>
`;
