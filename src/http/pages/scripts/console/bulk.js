// Changes of many keys or members: what one would do before it is started, how far it has come, and what can follow: stop it, go
// on, take it back, or try alone what has failed.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { Press } from "../press.js";
import { say } from "../say.js";
import { accountName, usd } from "../words.js";
import { addressWith, inAddress, queryOf } from "./address.js";
import { actionOf, isFinal, isOfMembers, reasonWords, stateOf, targetWords, things, titleOf } from "./bulk-words.js";
import { perform, send, tell } from "./change.js";
import { openForm } from "./form.js";
import { period } from "./key-words.js";
import { age, cell, chip, failed, failureText, fullTime, grouped, heads, rowHead } from "./parts.js";

/** @import { BulkAction, BulkBody, BulkReport, BulkTarget } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const BULK_VIEW = { address: /^\/admin\/bulk-changes\/([^/]+)$/, open };
/** @type {import("./frame.js").View} */
export const BULK_LIST_VIEW = { address: /^\/admin\/bulk-changes$/, open: openAll };

const PATH = "/api/v1/admin/bulk-changes";
/** How often a change that runs is looked at. */
const LOOK_MS = 2_000;

/** @param {HTMLElement} host */
async function openAll(host) {
  const look = async () => {
    const answer = /** @type {Outcome<{ bulk: BulkReport[] }>} */ (await call("GET", PATH));
    render(answer.outcome === "done" ? all(answer.body.bulk) : html`<h1>Bulk changes</h1>${failed(answer, look)}`, host);
  };
  await look();
}

/** @param {BulkReport[]} changes */
const all = (changes) => html`
  <h1>Bulk changes</h1>
  <p class="is-aside">Changes of many keys or members at once, the newest twenty. To make one, select rows in the list of <a href="/admin/keys">keys</a> or <a href="/admin/members">members</a>.</p>
  ${changes.length === 0
    ? html`<p class="empty">There is none yet.</p>`
    : html`<table class="table">${heads(["Change", "State", "Done", "Skipped", "Failed", "Left", "Asked"])}<tbody>${changes.map(changeRow)}</tbody></table>`}
`;

/** @param {BulkReport} is */
function changeRow(is) {
  const { word, tone } = stateOf(is);
  const { done = 0, skipped = 0, failed: wrong = 0 } = is.outcomes;
  return html`
    <tr>
      ${rowHead("Change", html`<a data-opens href=${`/admin/bulk-changes/${is.id}`}>${titleOf(is)}</a>`)} ${cell("State", chip(word, tone))} ${cell("Done", grouped(done), "figure")}
      ${cell("Skipped", grouped(skipped), "figure")} ${cell("Failed", grouped(wrong), "figure")} ${cell("Left", grouped(is.left), "figure")} ${cell("Asked", age(is.made_at))}
    </tr>
  `;
}

/** @param {HTMLElement} host @param {string} id */
async function open(host, id) {
  const path = `${PATH}/${encodeURIComponent(id)}`;
  let wasRunning = false;
  const look = async () => {
    const answer = /** @type {Outcome<BulkBody>} */ (await call("GET", path + queryOf(inAddress())));
    if (answer.outcome !== "done") return render(html`<h1>Bulk change</h1>${failed(answer, look)}`, host);
    const { bulk } = answer.body;
    render(view(answer.body, look), host);
    if (bulk.state === "running") setTimeout(look, LOOK_MS);
    else if (wasRunning) say(`The change is ${stateOf(bulk).word}: ${outcomeWords(bulk)}`);
    wasRunning = bulk.state === "running";
  };
  addEventListener("popstate", () => void look());
  await look();
}

/** "55 done, 1 skipped, 1 failed, 0 left." @param {BulkReport} is */
function outcomeWords({ outcomes: { done = 0, skipped = 0, failed: wrong = 0 }, left }) {
  return `${grouped(done)} done, ${grouped(skipped)} skipped, ${grouped(wrong)} failed, ${grouped(left)} left.`;
}

/** @param {BulkBody} body @param {() => Promise<unknown>} look */
function view({ bulk: is, targets, next }, look) {
  const { word, tone } = stateOf(is);
  const kept = Object.entries(is.verdicts).filter(([verdict]) => verdict !== "change");
  /** @param {string} after */
  const turn = (after) => {
    history.pushState(null, "", addressWith({ after }));
    void look();
  };
  return html`
    <div class="view-head"><h1>${titleOf(is)}</h1>${chip(word, tone)}</div>
    <p>${actionOf(is.action).loses}</p>
    <p class="is-aside">${things(is.action, is.targets)} selected ${age(is.made_at)}; ${things(is.action, is.verdicts.change ?? 0)} of ${grouped(is.members)} ${is.members === 1 ? "member" : "members"} to be changed.${is.state === "shown" ? ` What is shown here can be started until ${fullTime(Date.parse(is.expires_at))}.` : nothing}</p>
    ${is.state === "shown" ? nothing : html`<progress class="bulk-progress" max=${is.verdicts.change ?? 0} value=${(is.verdicts.change ?? 0) - is.left} aria-label="How far it has come"></progress><p><strong>${outcomeWords(is)}</strong> ${is.state === "done" && !isOfMembers(is.action) ? "The sweep makes OpenRouter agree within ten minutes." : nothing}</p>`}
    <div class="actions">${actions(is, look)}</div>
    ${kept.length === 0
      ? nothing
      : html`<section class="block" aria-labelledby="kept"><h2 id="kept">Left as they are</h2><table class="table is-narrow">${heads(["Why", "How many"])}<tbody>${kept.map(([verdict, n]) => html`<tr>${rowHead("Why", reasonWords(verdict))} ${cell("How many", grouped(n), "figure")}</tr>`)}</tbody></table></section>`}
    <section class="block" aria-labelledby="targets">
      <h2 id="targets">What is selected</h2>
      <table class="table">${heads(isOfMembers(is.action) ? ["Member", "Live keys", "What happens", "Why"] : ["Key", "Member", "Limit", "What happens", "Why"])}<tbody>${targets.map((target) => targetRow(target, is.action))}</tbody></table>
      <p class="actions">
        ${inAddress().after ? html`<button class="button" type="button" @click=${() => turn("")}>First page</button>` : nothing}
        ${next ? html`<button class="button" type="button" @click=${() => turn(next)}>Next page</button>` : nothing}
      </p>
    </section>
    <p><a class="more" href="/admin/bulk-changes">All bulk changes</a> <a class="more" href=${`/admin/audit?target=${is.id}`}>Who started it</a></p>
  `;
}

/** @param {BulkTarget} target @param {BulkAction} action */
function targetRow(target, action) {
  const { word, tone } = targetWords(target, action);
  const why = cell("Why", target.verdict === "change" ? html`<span class="is-aside">–</span>` : reasonWords(target.verdict));
  const login = html`<span translate="no">${target.login === null ? "left" : accountName(target.login)}</span>`;
  const address = `/admin/members/${target.member}`;
  if (isOfMembers(action)) return html`<tr>${rowHead("Member", html`<a data-opens href=${address}>${login}</a>`)} ${cell("Live keys", grouped(target.keys_live ?? 0), "figure")} ${cell("What happens", chip(word, tone))} ${why}</tr>`;
  return html`
    <tr>
      ${rowHead("Key", html`<a data-opens href=${`${address}#${target.id}`}>${target.name === null ? nothing : html`${target.name} `}<span class="figure is-aside" translate="no">${target.mask ?? target.id}</span></a>`)}
      ${cell("Member", login)} ${cell("Limit", target.limit_usd === null ? html`<span class="is-aside">–</span>` : html`<span class="figure">${usd(target.limit_usd)}</span> ${period(target.limit_reset ?? "")}`)} ${cell("What happens", chip(word, tone))} ${why}
    </tr>
  `;
}

/** @param {BulkReport} is @param {() => Promise<unknown>} look */
function actions(is, look) {
  const { verb, back } = actionOf(is.action);
  const { done = 0, failed: wrong = 0 } = is.outcomes;
  const again = html`<button class="button" type="button" @click=${() => select({ action: is.action, of: is.id })}>Look again</button>`;
  if (is.state === "running") return html`<button class="button" type="button" data-opens @click=${() => perform({ act: { method: "POST", path: `${PATH}/${is.id}/stop` }, done: "It stops before its next chunk.", after: look })}>Stop</button>`;
  if (is.state !== "done" && is.left > 0) {
    const words = is.state === "shown" ? `${verb} ${things(is.action, is.left)}` : `Go on with ${things(is.action, is.left)}`;
    return html`<button class=${isFinal(is.action) ? "button is-final" : "button is-primary"} type="button" data-opens @click=${() => start(is, words, look)}>${words}${isFinal(is.action) ? "…" : ""}</button> ${again}`;
  }
  return html`
    ${wrong === 0 ? nothing : html`<button class="button" type="button" data-opens @click=${() => select({ action: is.action, of: is.id, outcome: "failed" })}>Try ${things(is.action, wrong)} again</button>`}
    ${back === null || done === 0 ? nothing : html`<button class="button" type="button" data-opens @click=${() => select({ action: back, of: is.id, outcome: "done" })}>Undo: ${actionOf(back).verb.toLowerCase()} ${things(is.action, done)}</button>`}
    ${is.state === "done" ? nothing : again}
  `;
}

/** What can be undone is started at once; for what is final the number is typed. @param {BulkReport} is @param {string} words @param {() => Promise<unknown>} look */
function start(is, words, look) {
  const act = { method: /** @type {const} */ ("POST"), path: `${PATH}/${is.id}/start`, body: { count: is.left } };
  const done = `${things(is.action, is.left)} ${is.left === 1 ? "is" : "are"} being changed.`;
  // The answer says 202: what follows is shown on this page.
  if (!isFinal(is.action)) return void perform({ act, done, after: look });
  openForm({
    title: words,
    text: [actionOf(is.action).loses],
    fields: [{ name: "confirm", label: `Type ${is.left} to confirm`, keys: "numeric", must: String(is.left) }],
    button: actionOf(is.action).verb,
    final: true,
    act: () => act,
    done: () => done,
    after: look,
  });
}

/** Selects the targets of an earlier change, and opens what the next one would do. @param {{ action: BulkAction, of: string, outcome?: "done" | "failed" }} body */
async function select(body) {
  const answer = /** @type {Outcome<BulkBody>} */ (await send(new Press(), { method: "POST", path: PATH, body }));
  if (answer.outcome === "done") location.assign(`/admin/bulk-changes/${answer.body.bulk.id}`);
  else tell(failureText(answer), "bad");
}
