// The table of runs: what each did, how it ended, and why.

import { html, nothing } from "../html.js";
import { now } from "../api.js";
import { age, cell, chip, hasSection, heads, rowHead } from "./parts.js";
import { codeWords, countsWords, jobName, outcomeWords, tookWords } from "./run-words.js";

/** @import { Run } from "./types.js" */

/** @param {Run[]} runs */
export const runsTable = (runs) => html`<table class="table">${heads(["Job", "Began", "Took", "Outcome", "What it did"])}<tbody>${runs.map(row)}</tbody></table>`;

/** @param {Run} run */
function row(run) {
  const { word, tone } = outcomeWords(run);
  const name = `${jobName(run.job)}${run.counts.dry_run === true ? " (dry run)" : ""}`;
  const why = codeWords(run.code);
  return html`
    <tr>
      ${rowHead("Job", hasSection("/admin/runs") ? html`<a data-opens href=${`/admin/runs/${run.id}`}>${name}</a>` : name)} ${cell("Began", age(run.started_at))}
      ${cell("Took", tookWords(run, now()), "figure")} ${cell("Outcome", chip(word, tone))}
      ${cell("What it did", html`${why === "" ? nothing : html`${why} `}<span class="is-aside">${countsWords(run.counts) || "nothing was due"}</span>`, "is-wide")}
    </tr>
  `;
}
