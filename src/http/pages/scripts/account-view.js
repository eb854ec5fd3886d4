// The views of the page `/account`. They are templates only: they make no calls and read no clock.

import { quote } from "./ask-view.js";
import { html, nothing, repeat } from "./html.js";
import { ASKED } from "./history-words.js";
import { historyView } from "./history-view.js";
import { moment } from "./parts.js";
import { providerName, signInButtons } from "./sign-in-view.js";
import { accountName, counted, usd } from "./words.js";

/** @import { History } from "./history-view.js" */
/** @import { Me, MemberRequest, Overview } from "./types.js" */

/**
 * @typedef {object} AccountModel
 * @property {"loading" | "signed_out" | "failed" | "ready" | "left" | "leaving"} phase
 * @property {Overview | null} overview
 * @property {History | null} history what has happened, once it was asked for
 * @property {"" | "pending" | "saved" | "failed"} exporting
 * @property {{ title: string, text: string } | null} failed
 * @property {number} now
 */

/** @typedef {{ withdraw: (request: MemberRequest) => void } & Record<"load" | "save" | "history" | "moreHistory" | "signOutEverywhere" | "leave", () => void>} AccountActions */

/**
 * @param {AccountModel} model
 * @param {AccountActions} actions
 */
export function accountView(model, actions) {
  if (model.phase === "signed_out") return signedOut;
  if (model.phase === "left") return left(LEFT);
  if (model.phase === "leaving") return left(LEAVING);
  if (model.phase === "failed") return failed(model, actions);
  if (model.overview === null) return skeleton;
  return html`${who(model.overview, model.now)} ${model.overview.requests.length === 0 ? nothing : asked(model.overview.requests, model.now, actions)} ${kept(model, actions)} ${happened(model, actions)} ${sessions(actions)} ${leaving(actions)}`;
}

const skeleton = html`
  <section class="card is-loading" aria-hidden="true">
    <div class="card-head"><span class="bone is-title"></span></div>
    <div class="bones"><span class="bone"></span><span class="bone"></span><span class="bone"></span></div>
  </section>
`;

const signedOut = html`
  <section class="card" aria-labelledby="signed-out">
    <h2 id="signed-out" data-news tabindex="-1">You are signed out.</h2>
    <p>Sign in to see who you are here.</p>
    ${signInButtons("account")}
  </section>
`;

/** @param {AccountModel} model @param {AccountActions} actions */
const failed = (model, actions) => html`
  <section class="card" aria-labelledby="failed">
    <h2 id="failed" data-news tabindex="-1">${model.failed?.title ?? ""}</h2>
    <p>${model.failed?.text ?? ""}</p>
    <p class="actions"><button class="button is-primary" type="button" @click=${actions.load}>Look again</button></p>
  </section>
`;

const LEFT = { title: "You have left.", text: "Your keys no longer work, and who you are is erased." };
const LEAVING = { title: "You have left, and your keys are being disabled.", text: "Who you are is erased. OpenRouter has not confirmed yet that every key is disabled: until then one may still work. The service tries again until OpenRouter confirms it, usually within 10 minutes." };

/** @param {{ title: string, text: string }} words */
const left = ({ title, text }) => html`
  <section class="card" aria-labelledby="left">
    <h2 id="left" data-news tabindex="-1">${title}</h2>
    <p>${text}</p>
    <p class="actions"><a class="button" href="/">Go to the start page</a></p>
  </section>
`;

/** @param {Overview} overview @param {number} now */
const who = ({ me, keys }, now) => html`
  <section class="card" aria-labelledby="who-title">
    <div class="card-head">
      <h2 id="who-title">Who you are here</h2>
      ${me.roles.includes("admin") ? html`<span class="chip">administrator</span>` : nothing}
    </div>
    <dl class="facts">
      <div><dt>Account</dt><dd><strong translate="no">${accountName(me.member.login)}</strong> at ${providerName(me.member.provider)}</dd></div>
      <div><dt>Here since</dt><dd>${moment(Date.parse(me.member.created_at), now)}</dd></div>
      <div><dt>Keys</dt><dd><a href="/keys">${counted(keys.length, "key")}</a>; your plan allows <span class="figure">${me.keys_allowed}</span></dd></div>
      <div><dt>Rules</dt><dd>${me.terms.accepted_at === null ? html`not accepted yet; a claim asks for that` : html`accepted ${moment(Date.parse(me.terms.accepted_at), now)}`} <a href="/docs#rules">Read them</a></dd></div>
      <div><dt>Id</dt><dd><code translate="no">${me.member.id}</code></dd></div>
    </dl>
  </section>
`;

/**
 * What the member has asked the people who run the service, with their answers.
 * @param {MemberRequest[]} requests
 * @param {number} now
 * @param {AccountActions} actions
 */
const asked = (requests, now, actions) => html`
  <section class="card" aria-labelledby="asked-title">
    <h2 id="asked-title">What you have asked</h2>
    <ul class="plain">
      ${repeat(requests, ({ id }) => id, (request) => html`<li>${requestView(request, now, actions)}</li>`)}
    </ul>
  </section>
`;

/** @param {MemberRequest} request @param {number} now @param {AccountActions} actions */
const requestView = (request, now, actions) => html`
  <div class="asked">
    <p class="card-head"><strong>${ASKED[request.kind]}${request.limit === null ? "" : `: ${usd(request.limit.amount_usd)} more`}</strong> <span class=${`chip is-${REQUEST_STATES[request.state].tone}`}>${REQUEST_STATES[request.state].word}</span></p>
    <p class="hint">${request.decided_at === null ? html`asked ${moment(Date.parse(request.created_at), now)}` : html`decided ${moment(Date.parse(request.decided_at), now)}`}</p>
    ${quote("You wrote", request.note)} ${quote("They answered", request.answer)} ${request.state === "declined" && request.answer === null ? html`<p class="hint">No reason was given.</p>` : nothing}
    ${request.state === "open" ? html`<p class="actions"><button class="button" type="button" @click=${() => actions.withdraw(request)}>Withdraw it</button></p>` : nothing}
  </div>
`;

/** @type {Record<MemberRequest["state"], { word: string, tone: string }>} */
const REQUEST_STATES = { open: { word: "waits for an answer", tone: "warn" }, approved: { word: "approved", tone: "good" }, declined: { word: "declined", tone: "bad" }, withdrawn: { word: "withdrawn", tone: "plain" } };

/** @param {AccountModel} model @param {AccountActions} actions */
const kept = ({ exporting }, actions) => html`
  <section class="card" aria-labelledby="kept-title">
    <h2 id="kept-title">What is kept about you</h2>
    <p>Your account number, login or e-mail address, your account’s creation date or Workspace, when you signed in, your plan, your keys with their names, limits and spend, your requests and their answers. Never a key itself, and no prompts: your requests go to OpenRouter directly. <a href="/#stored">All of it, in detail</a></p>
    <p class="actions"><button class="button" type="button" aria-disabled=${exporting === "pending" ? "true" : "false"} @click=${actions.save}>${exporting === "pending" ? "Collecting…" : "Save everything as a file"}</button></p>
    <p class=${exporting === "failed" ? "hint is-bad said" : "hint said"}>${EXPORTED[exporting]}</p>
  </section>
`;

/** @type {Record<AccountModel["exporting"], string>} */
const EXPORTED = { "": "", pending: "", saved: "The file keycap-export.json is saved.", failed: "The file could not be made. Nothing was changed. Try again in a minute." };

/** @param {AccountModel} model @param {AccountActions} actions */
const happened = ({ history, now }, actions) => html`
  <section class="card" aria-labelledby="history-title">
    <h2 id="history-title">History</h2>
    <p>What has happened to your account and your keys, also to those that have ended.</p>
    <p class="actions"><button class="button" type="button" aria-expanded=${history === null ? "false" : "true"} @click=${actions.history}>${history === null ? "Show the history" : "Hide the history"}</button></p>
    ${history === null ? nothing : historyView(history, { now, withKeys: true, more: actions.moreHistory })}
  </section>
`;

/** @param {AccountActions} actions */
const sessions = (actions) => html`
  <section class="card" aria-labelledby="sessions-title">
    <h2 id="sessions-title">Sessions</h2>
    <p>A session lasts seven days. If a device of yours is lost, end them all, this one included. Your keys are not affected.</p>
    <p class="actions"><button class="button" type="button" @click=${actions.signOutEverywhere}>Sign out everywhere…</button></p>
  </section>
`;

/** @param {AccountActions} actions */
const leaving = (actions) => html`
  <section class="card" aria-labelledby="leave-title">
    <h2 id="leave-title">Leave</h2>
    <p>Your keys end, and who you are is erased. Save what is kept about you first, if you want it.</p>
    <p class="actions"><button class="button is-final" type="button" @click=${actions.leave}>Leave…</button></p>
  </section>
`;
