// The runs of the jobs, what they found at OpenRouter, and one more run on request.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { usd } from "../words.js";
import { perform, tell } from "./change.js";
import { openForm } from "./form.js";
import { age, cell, chip, failed, failureText, heads, rowHead } from "./parts.js";
import { runsTable } from "./runs-table.js";

/** @import { Drift, Finding, HeldUpstream, Jobs } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const RUNS_VIEW = { address: /^\/admin\/runs$/, open };

/** @param {HTMLElement} host */
async function open(host) {
  const look = async () => {
    const answer = /** @type {Outcome<Jobs>} */ (await call("GET", "/api/v1/admin/jobs"));
    render(answer.outcome === "done" ? view(answer.body, look) : html`<h1>Runs</h1>${failed(answer, look)}`, host);
  };
  await look();
  if (location.hash !== "") document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** Starts a run, and opens its page. @param {"sweep" | "reconcile" | "offboard"} job @param {boolean} dry */
async function start(job, dry) {
  const answer = /** @type {Outcome<{ run: string }>} */ (await call("POST", `/api/v1/admin/jobs/${job}`, { dry_run: dry }));
  if (answer.outcome === "done") location.assign(`/admin/runs/${answer.body.run}`);
  else tell(failureText(answer), "bad");
}

/** @param {Jobs} is @param {() => Promise<void>} look */
const view = (is, look) => html`
  <h1>Runs</h1>
  <p class="is-aside">The sweep runs every ten minutes: it makes OpenRouter agree with what was decided here. The comparison runs each night: it compares every key with its row. A run that you start begins at once.</p>
  <div class="actions">
    <button class="button" type="button" @click=${() => start("sweep", false)}>Start a sweep</button>
    <button class="button" type="button" @click=${() => start("reconcile", false)}>Start a comparison</button>
    <button class="button" type="button" @click=${() => start("reconcile", true)}>Compare, change nothing</button>
    <button class="button" type="button" @click=${() => start("offboard", true)}>See who has left</button>
  </div>
  <section class="block" aria-labelledby="runs-title">
    <h2 id="runs-title">The latest fifty</h2>
    ${is.runs.length === 0 ? html`<p class="empty">No job has run yet.</p>` : runsTable(is.runs)}
  </section>
  <section class="block" aria-labelledby="held">
    <h2 id="held">Disabled or lowered at OpenRouter</h2>
    <p class="is-aside">Somebody outside keycap did this. It stays so until you lift it.</p>
    ${is.held_upstream.length === 0
      ? html`<p class="empty">Nobody has disabled or lowered a key there.</p>`
      : html`<table class="table">${heads(["Key", "What", "Since", "Actions"])}<tbody>${is.held_upstream.map((held) => heldRow(held, look))}</tbody></table>`}
  </section>
  <section class="block" aria-labelledby="findings">
    <h2 id="findings">Keys at OpenRouter without a row</h2>
    <p class="is-aside">They carry our marker. The comparison disables them and never deletes them. Acknowledge one once you know where it came from.</p>
    ${is.without_row.length === 0
      ? html`<p class="empty">There is none.</p>`
      : html`<table class="table">${heads(["Name", "First seen", "Last seen", "State", "Actions"])}<tbody>${is.without_row.map((finding) => findingRow(finding, look))}</tbody></table>`}
  </section>
  <section class="block" aria-labelledby="drift">
    <h2 id="drift">Differences</h2>
    <p class="is-aside">Points in which a key at OpenRouter differs from its row. The sweep corrects what was decided here; the next comparison says whether it has.</p>
    ${is.drift.length === 0
      ? html`<p class="empty">No key differs from its row.</p>`
      : html`<table class="table">${heads(["Key", "Differs in", "First seen", "Last seen"])}<tbody>${is.drift.map(driftRow)}</tbody></table>`}
  </section>
`;

/** @param {HeldUpstream} held @param {() => Promise<void>} look */
const heldRow = (held, look) => html`
  <tr>
    ${rowHead("Key", html`<a data-opens href=${`/admin/keys?q=${held.key}`}><span class="figure" translate="no">${held.key}</span></a>`)}
    ${cell("What", html`${held.disabled ? "disabled" : ""}${held.disabled && held.limit_usd !== null ? " and " : ""}${held.limit_usd === null ? nothing : html`lowered to <span class="figure">${usd(held.limit_usd)}</span>`}`)}
    ${cell("Since", age(held.since))}
    ${cell(
      "Actions",
      html`<button
        class="button"
        type="button"
        @click=${() =>
          openForm({
            title: "Lift what somebody did at OpenRouter?",
            text: ["The key works again within its limit, unless it has another hold."],
            fields: [],
            button: "Lift it",
            act: () => ({ method: "PATCH", path: `/api/v1/admin/keys/${held.key}`, body: { upstream_hold: "lift" } }),
            done: () => "It is lifted.",
            after: look,
          })}
      >
        Lift…
      </button>`,
    )}
  </tr>
`;

/** @param {Finding} finding @param {() => Promise<void>} look */
const findingRow = (finding, look) => html`
  <tr>
    ${rowHead("Name", html`<span class="figure" translate="no">${finding.name}</span>`)} ${cell("First seen", age(finding.first_seen_at))} ${cell("Last seen", age(finding.last_seen_at))}
    ${cell("State", finding.disabled_at === null ? chip("not disabled yet", "bad") : chip("disabled", "warn"))}
    ${cell("Actions", finding.acknowledged_at === null ? html`<button class="button" type="button" data-opens @click=${() => perform({ act: { method: "PATCH", path: `/api/v1/admin/findings/${finding.id}`, body: { acknowledged: true } }, done: "The finding is acknowledged. It is reported again if its key is found enabled.", after: look })}>Acknowledge</button>` : html`acknowledged ${age(finding.acknowledged_at)}`)}
  </tr>
`;

/** @type {Record<string, string>} */
const DRIFTS = { name: "its name", disabled: "whether it is disabled", limit: "its limit", limit_reset: "when its limit resets", byok: "whether own keys count", expires_at: "its expiry", on_after_end: "it is enabled although it has ended", missing: "OpenRouter does not have it" };

/** @param {Drift} drift */
const driftRow = (drift) => html`
  <tr>
    ${rowHead("Key", html`<a data-opens href=${`/admin/keys?q=${drift.key}`}><span class="figure" translate="no">${drift.key}</span></a>`)} ${cell("Differs in", DRIFTS[drift.kind] ?? drift.kind)} ${cell("First seen", age(drift.first_seen_at))}
    ${cell("Last seen", age(drift.last_seen_at))}
  </tr>
`;
