// The overview: what waits for a person, then how the deployment stands.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { exact, nano } from "../amounts.js";
import { say } from "../say.js";
import { age, chip, failed, fullTime, grouped, hasSection, upTo, waited } from "./parts.js";
import { runsTable } from "./runs-table.js";
import { attentionWords } from "./attention-words.js";

/** @import { ConsoleOverview, AttentionItem } from "./types.js" */
/** @import { Outcome } from "../api.js" */

const PATH = "/api/v1/admin/overview";

/** @type {import("./frame.js").View} */
export const OVERVIEW_VIEW = { address: /^\/admin\/?$/, open };

/** @param {HTMLElement} host */
async function open(host) {
  const look = async (asked = false) => {
    const answer = /** @type {Outcome<ConsoleOverview>} */ (await call("GET", PATH));
    render(answer.outcome === "done" ? overview(answer.body, () => look(true)) : html`<h1>Overview</h1>${failed(answer, () => look(true))}`, host);
    if (asked) say(answer.outcome === "done" ? waitingWords(answer.body.attention.length) : "The overview could not be read.");
  };
  await look();
  document.addEventListener("visibilitychange", () => void (document.hidden || look()));
}

/** @param {number} n */
const waitingWords = (n) => (n === 0 ? "Nothing waits." : n === 1 ? "One thing waits." : `${n} things wait.`);

/** @param {ConsoleOverview} is @param {() => void} again */
const overview = (is, again) => html`
  <div class="view-head">
    <h1>Overview</h1>
    <p class="view-age">Read <time datetime=${is.as_of} title=${fullTime(Date.parse(is.as_of))}>${fullTime(Date.parse(is.as_of))}</time> <button class="button is-quiet" type="button" @click=${again}>Refresh</button></p>
  </div>
  <section class="block" aria-labelledby="waits">
    <h2 id="waits">${waitingWords(is.attention.length)}</h2>
    ${is.attention.length === 0
      ? html`<p class="is-aside">No stuck key, no late change, no failed or missing run, no open request, no finding, no difference, and every switch is as usual.</p>`
      : html`<ul class="waits">${is.attention.map((item) => waiting(item, is.counted_up_to))}</ul>`}
    ${is.closed_by.length === 0
      ? nothing
      : html`<p class="is-aside">Settings of the Worker that keep something closed: ${is.closed_by.map(({ setting, problem }, n) => html`${n === 0 ? "" : "; "}<code translate="no">${setting}</code> ${problem}`)}.</p>`}
  </section>
  <section class="block" aria-labelledby="keys-title">
    <h2 id="keys-title">Keys</h2>
    ${keysFigures(is)}
  </section>
  <section class="block" aria-labelledby="account-title">
    <h2 id="account-title">Account and database</h2>
    ${deploymentFigures(is)}
  </section>
  <section class="block" aria-labelledby="switches-title">
    <h2 id="switches-title">Switches</h2>
    ${switches(is)}
  </section>
  <section class="block" aria-labelledby="runs-title">
    <h2 id="runs-title">Last runs</h2>
    ${is.runs.length === 0 ? html`<p class="is-aside">No job has run yet. They run by themselves: the sweep every ten minutes, the comparison each night.</p>` : runsTable(is.runs)}
  </section>
`;

/** @param {AttentionItem} item @param {number} most */
function waiting(item, most) {
  const { tone, word, text, next } = attentionWords(item, most);
  return html`
    <li class="wait">
      ${chip(word, tone)}
      <span class="wait-text">${text} ${waited(item.since)}</span>
      ${next !== null && hasSection(next.href) ? html`<a class="button" data-opens href=${next.href}>${next.label}</a>` : nothing}
    </li>
  `;
}

/** @param {ConsoleOverview} is */
function deploymentFigures({ figures: is, database_most_bytes: most }) {
  /** @param {string} name @param {string | null} value @param {unknown} about @param {string | null} at */
  const figure = (name, value, about, at) => html`<div><dt>${name}</dt><dd><span class="figure">${value ?? "not known"}</span> <span class="is-aside">${about}${at === null ? nothing : html`, read ${age(at)}`}</span></dd></div>`;
  return html`
    <dl class="tiles">
      ${figure("Credit left", is.credit_usd === null ? null : exact(is.credit_usd), is.credit_usd === null && is.credit_read_at !== null ? "OpenRouter answers zeros" : "at OpenRouter", is.credit_read_at)}
      ${figure("Spent in seven days", exact(is.week_usd), "the last completed ones", null)}
      ${figure("Limits of all live keys", is.limits_usd === null ? null : exact(is.limits_usd), coverWords(is), is.limits_read_at)}
      ${figure("Database", is.database_bytes === null ? null : bytes(is.database_bytes), `of ${bytes(most)}`, is.database_read_at)}
    </dl>
  `;
}

/** What the limits together mean beside the credit. @param {import("./types.js").DeploymentFigures} is */
function coverWords({ credit_usd: credit, limits_usd: limits }) {
  if (credit === null || limits === null) return "what they may spend in one window each";
  return nano(limits) <= nano(credit) ? "the credit covers one window of each" : "more than the credit: it ends first if all are used up";
}

/** 12345678 → "12.3 MB". @param {number} n */
const bytes = (n) => (n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`);

/** @param {ConsoleOverview} is */
function keysFigures({ keys, seats, counted_up_to: most }) {
  const taken = keys.live + keys.retained;
  const exact = [keys.being_made, keys.disabled, keys.being_removed].every((n) => n < most);
  const working = keys.live - keys.being_made - keys.disabled - keys.being_removed;
  /** @param {string} name @param {unknown} value @param {string} about */
  const figure = (name, value, about) => html`<div><dt>${name}</dt><dd><span class="figure">${value}</span> <span class="is-aside">${about}</span></dd></div>`;
  return html`
    <dl class="tiles">
      ${figure("Seats taken", `${grouped(taken)} of ${grouped(seats)}`, `${grouped(Math.max(0, seats - taken))} left`)}
      ${figure("Live keys", grouped(keys.live), "each has a seat")}
      ${exact ? figure("Working", grouped(Math.max(0, working)), "as far as OpenRouter has confirmed") : nothing}
      ${figure("Disabled", upTo(keys.disabled, most), "confirmed by OpenRouter")}
      ${figure("To be disabled", upTo(keys.to_disable, most), "not confirmed yet")}
      ${figure("Being made", upTo(keys.being_made, most), "or it is not known yet whether they were")}
      ${figure("Being removed", upTo(keys.being_removed, most), "may still work")}
      ${figure("Seats kept", grouped(keys.retained), "of ended keys, until their window is over")}
    </dl>
  `;
}

/** @param {ConsoleOverview} is */
function switches({ settings: is }) {
  /** @type {[string, string, import("../state-words.js").Tone][]} */
  const all = [
    ["New keys", is.minting === "open" ? "open" : "stopped", is.minting === "open" ? "good" : "warn"],
    ["Keys", is.keys === "on" ? "work" : "all disabled", is.keys === "on" ? "good" : "bad"],
    ["Claims", is.claims === "open" ? "open" : "by approval", "plain"],
    ...(is.workspace === null ? [] : /** @type {[string, string, import("../state-words.js").Tone][]} */ ([["Workspace", is.workspace, "warn"]])),
  ];
  return html`
    <dl class="tiles">${all.map(([name, word, tone]) => html`<div><dt>${name}</dt><dd>${chip(word, tone)}</dd></div>`)}</dl>
    ${hasSection("/admin/switches") ? html`<p><a class="more" href="/admin/switches">Change a switch</a></p>` : nothing}
  `;
}
