// One run: how far it has come, what it did, how it ended and why.

import { html, nothing, render } from "../html.js";
import { call, now } from "../api.js";
import { say } from "../say.js";
import { perform } from "./change.js";
import { age, cell, chip, failed, heads, rowHead } from "./parts.js";
import { codeWords, jobName, outcomeWords, tookWords } from "./run-words.js";

/** @import { Run } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const RUN_VIEW = { address: /^\/admin\/runs\/([^/]+)$/, open };

/** How often a run that works is looked at. */
const LOOK_MS = 2_000;

/** @param {HTMLElement} host @param {string} id */
async function open(host, id) {
  const path = `/api/v1/admin/runs/${encodeURIComponent(id)}`;
  let wasRunning = false;
  const look = async () => {
    const answer = /** @type {Outcome<{ run: Run }>} */ (await call("GET", path));
    if (answer.outcome !== "done") {
      // A run that was just asked for has its row in a moment.
      render(html`<h1>Run</h1>${answer.outcome === "refused" && answer.status === 404 ? html`<p class="empty">There is no such run: it has not begun yet, or it is so old that it was deleted. <a href="/admin/runs">All runs</a></p>` : failed(answer, look)}`, host);
      return;
    }
    const { run } = answer.body;
    render(view(run, () => perform({ act: { method: "POST", path: `${path}/stop` }, done: "The run stops before its next chunk of work. The next run continues.", after: look })), host);
    if (run.ended_at === null) setTimeout(look, LOOK_MS);
    else if (wasRunning) say(`The run has ended: ${outcomeWords(run).word}.`);
    wasRunning = run.ended_at === null;
  };
  await look();
}

/** @param {Run} run @param {() => void} stop */
function view(run, stop) {
  const { word, tone, means } = outcomeWords(run);
  const counts = Object.entries(run.counts).filter(([, value]) => typeof value === "number");
  const some = counts.filter(([, value]) => value !== 0);
  return html`
    <div class="view-head">
      <h1>${jobName(run.job)}${run.counts.dry_run === true ? " (dry run)" : ""}</h1>
      <p>${chip(word, tone)}</p>
    </div>
    <p>${means} ${codeWords(run.code)}${run.unfinished && run.ended_at !== null ? " The next run continues where this one ended." : ""}</p>
    <dl class="tiles">
      <div><dt>Began</dt><dd>${age(run.started_at)}</dd></div>
      <div><dt>${run.ended_at === null ? "Works for" : "Took"}</dt><dd class="figure">${tookWords(run, now())}</dd></div>
      <div><dt>Id</dt><dd><code translate="no">${run.id}</code></dd></div>
    </dl>
    ${run.ended_at !== null
      ? nothing
      : html`<div class="actions">
          ${run.stop_asked_at === null ? html`<button class="button" type="button" @click=${stop}>Stop this run</button>` : html`<p class="is-aside">It was asked to stop ${age(run.stop_asked_at)}.</p>`}
        </div>`}
    <section class="block" aria-labelledby="counts-title">
      <h2 id="counts-title">What it ${run.ended_at === null ? "has done so far" : "did"}</h2>
      ${some.length === 0
        ? html`<p class="empty">${run.ended_at === null ? "Nothing yet." : "Nothing was due."}</p>`
        : html`<table class="table is-narrow">${heads(["Count", "Number"])}<tbody>${some.map(([name, value]) => html`<tr>${rowHead("Count", name.replaceAll("_", " "))} ${cell("Number", String(value), "figure")}</tr>`)}</tbody></table>`}
    </section>
    <p><a class="more" href="/admin/runs">All runs</a> <a class="more" href=${`/admin/audit?target=${run.id}`}>Who asked for it</a></p>
  `;
}
