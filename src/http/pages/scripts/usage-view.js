// The view of the page `/usage`. It is made of templates only: it makes no calls and reads no clock.

import { nano, exact, shareOf, sum } from "./amounts.js";
import { html, nothing } from "./html.js";
import { billingName } from "./own-billing-words.js";
import { requestId } from "./parts.js";
import { signInButtons } from "./sign-in-view.js";
import { chartView } from "./usage-chart.js";
import { controlsView } from "./usage-controls.js";
import { hueOf } from "./usage-hues.js";
import { address, changed, narrowed } from "./usage-query.js";
import { eventsOf, limitHint, limitsOf, marksOf } from "./usage-steps.js";
import { tableView } from "./usage-table.js";
import { REST_MEANS, bucketText, certaintyText, comparisonText, driver, finding, percent, progressText, seriesText, stepText, tokensText, trendOf, unknownDays, whole } from "./usage-words.js";
import { counted, usd } from "./words.js";

/** @import { ProviderKey } from "./own-billing-types.js" */
/** @import { EndedKey, Key, Me } from "./types.js" */
/** @import { Filter, View } from "./usage-query.js" */
/** @import { Amounts, Series, Usage } from "./usage-types.js" */

/**
 * @typedef {object} UsageModel
 * @property {"loading" | "ready" | "failed" | "signed_out"} phase
 * @property {Me | null} me
 * @property {Key[]} keys
 * @property {EndedKey[]} ended
 * @property {Map<string, string>} names what groups are called, by their kind and id, as far as the page has seen them
 * @property {View} view what the address asks for
 * @property {Usage | null} usage the last answer; while another one is awaited or failed, it is still shown
 * @property {number} at which bucket is read
 * @property {number} width of the chart
 * @property {{ from: string, to: string, error: string }} range what stands in the fields
 * @property {{ isReached: boolean, text: string } | null} forecast
 * @property {{ id: string, name: string | null, kind: string, text: string }[]} remarkable
 * @property {{ title: string, text: string, requestId: string | null } | null} failed
 * @property {{ state: "" | "pending" | "saved" | "failed", text: string }} saving
 * @property {number} now
 */

/**
 * @typedef {object} UsageActions
 * @property {() => void} load
 * @property {(at: number) => void} read
 * @property {() => void} save
 * @property {(view: View) => void} go
 * @property {(change: { from?: string, to?: string }) => void} type
 * @property {(event: Event) => void} apply
 */

/** @param {UsageModel} model @param {UsageActions} actions */
export function usageView(model, actions) {
  if (model.phase === "signed_out") return signedOut;
  const { usage } = model;
  return html`
    ${controlsView(model, actions)}
    ${model.failed === null ? nothing : failedView(model, actions)}
    ${usage === null ? (model.phase === "loading" ? skeleton : nothing) : shown(usage, model, actions)}
  `;
}

const skeleton = html`
  <section class="card is-loading" aria-hidden="true">
    <div class="card-head"><span class="bone is-title"></span></div>
    <div class="bones"><span class="bone"></span><span class="bone"></span><span class="bone"></span><span class="bone"></span></div>
  </section>
`;

const signedOut = html`
  <section class="card" aria-labelledby="signed-out">
    <h2 id="signed-out" data-news tabindex="-1">You are signed out.</h2>
    <p>Sign in to see what your keys were used for.</p>
    ${signInButtons("usage")}
  </section>
`;

/** @param {UsageModel} model @param {UsageActions} actions */
const failedView = ({ failed, usage }, actions) => html`
  <section class="notice is-bad" aria-labelledby="failed">
    <h2 id="failed">${failed?.title ?? ""}</h2>
    <p>${failed?.text ?? ""} ${usage === null ? "" : "Below is what was shown before."}</p>
    ${requestId(failed?.requestId)}
    <p class="actions"><button class="button" type="button" @click=${actions.load}>Try again</button> <a class="button is-quiet" href="/usage">Show the usual range</a></p>
  </section>
`;

/** @param {Usage} usage @param {UsageModel} model @param {UsageActions} actions */
function shown(usage, model, actions) {
  const isEmpty = usage.series.every(({ totals }) => nano(totals.spend_usd) === 0n && totals.requests === 0 && nano(totals.byok_usd) === 0n);
  return html`
    <section class="card" aria-labelledby="finding">
      <h2 id="finding" class="finding" data-news tabindex="-1">${finding(usage, model.now)}</h2>
      ${driver(usage) === "" ? nothing : html`<p>${driver(usage)}</p>`}
      ${figures(usage)}
      <p class="hint">${comparisonText(usage)}</p>
      ${isEmpty ? emptyView(usage, model) : nothing}
      ${chart(usage, model, actions)}
      <p class="hint">${progressText(usage)} All days are UTC days.</p>
    </section>
    ${isEmpty ? nothing : drivers(usage, model)}
    ${model.forecast === null && eventsOf(usage).length === 0 ? nothing : limitView(usage, model)}
    ${model.remarkable.length === 0 ? nothing : remarkableView(model)}
    ${usage.provider_keys.length === 0 ? nothing : billedElsewhere(usage.provider_keys)}
    ${usage.reconciliation === null ? nothing : reconciliationView(usage.reconciliation)}
    ${tableView(usage, model.now)} ${exportView(usage, model, actions)}
  `;
}

/** Keys that the member's own accounts pay for: what they spend is in none of the figures. @param {ProviderKey[]} keys */
const billedElsewhere = (keys) => html`
  <section class="card" aria-labelledby="billed-title">
    <h2 id="billed-title">Keys with your own billing</h2>
    <p>Your own accounts at these providers pay for them. Only the provider knows what they spend, so it is not in the figures above.</p>
    <ul class="plain">
      ${keys.map(({ label, mask, provider, project, leaked_at: leaked }) => html`<li><strong>${label ?? "Key"}</strong> <code translate="no">${mask}</code>, ${billingName(provider)}${project === null ? "" : `, in “${project.name}”`}. Spent: not known here.${leaked === null ? "" : " Reported as found: end it there."}</li>`)}
    </ul>
  </section>
`;

/** @param {Usage} usage */
function figures(usage) {
  const { totals } = usage;
  const money = (/** @type {"spend_usd" | "byok_usd"} */ name) => ({ exact: exact(totals[name]), of: (/** @type {Amounts} */ amounts) => usd(amounts[name]) });
  const tokens = (/** @type {Amounts} */ amounts) => whole(amounts.prompt_tokens + amounts.completion_tokens);
  return html`
    <dl class="figures is-wide">
      ${figure(usage, "Spend", money("spend_usd").of, money("spend_usd").exact)}
      ${figure(usage, "Requests", ({ requests }) => whole(requests))}
      ${figure(usage, "Tokens", tokens, tokensText(totals))}
      ${figure(usage, "BYOK, not in the spend", money("byok_usd").of, money("byok_usd").exact)}
    </dl>
  `;
}

/**
 * A figure of the whole range and, where it is fair, of its completed days beside the same part of the period before.
 * @param {Usage} usage @param {string} name @param {(amounts: Amounts) => string} of @param {string} [more]
 */
function figure(usage, name, of, more = "") {
  const text = of(usage.totals);
  const { compared } = usage;
  const isFair = trendOf(usage) !== null && compared !== null && compared.previous_totals !== null;
  return html`
    <div>
      <dt>${name}</dt>
      <dd><strong class="figure" data-figure=${name} data-exact=${more}>${text}</strong> ${more === "" || more === text || text === "$0" ? nothing : html`<span class="hint">${more}</span>`} ${isFair ? html`<span class="hint">${of(compared.totals)} in completed days, ${of(/** @type {Amounts} */ (compared.previous_totals))} before</span>` : nothing}</dd>
    </div>
  `;
}

/** @param {Usage} usage @param {UsageModel} model */
const emptyView = (usage, model) => html`
  <p>
    ${unknownDays(usage) > 0 ? `${counted(unknownDays(usage), "day")} of this range ${unknownDays(usage) === 1 ? "was" : "were"} not read, so there may have been usage.` : "There is no usage in this range."}
    ${usage.scope === "own" && model.keys.length === 0 ? html`<a href="/keys">Claim a key</a> to begin.` : "What a key spends is here within six hours, and by model on the next day."}
  </p>
`;

/** @param {Usage} usage @param {UsageModel} model @param {UsageActions} actions */
function chart(usage, model, actions) {
  const at = Math.min(model.at, usage.buckets.length - 1);
  return html`
    <figure class="chart-frame">
      ${chartView(usage, { at, width: model.width, spoken: spoken(usage, at, model.now), read: actions.read })}
      <figcaption class="hint" id="chart-help">${signs(usage)} Arrow keys move the reading.</figcaption>
    </figure>
    ${reading(usage, at, model)}
  `;
}

/** What the signs of this chart mean; only those that it has. @param {Usage} usage */
function signs(usage) {
  const has = (/** @type {string} */ certainty) => usage.buckets.some((bucket) => bucket.certainty === certainty);
  const marks = marksOf(usage).map(({ sign }) => sign);
  const said = [
    has("open") ? "Pale bars with an edge may still change." : "",
    has("unknown") ? "An empty frame is a time of which nothing is known: it is not a zero. OpenRouter reports only the last 30 completed days, so what was not read in time stays unknown." : "",
    limitsOf(usage).some((limit) => limit !== null) ? "The line is the highest limit of one secret at that time." : limitHint(usage),
    marks.includes("▲") ? "▲ is a raise of the limit." : "",
    marks.includes("◆") ? "◆ is a new secret." : "",
  ];
  return said.filter((text) => text !== "").join(" ");
}

/** @param {Usage} usage @param {number} at @param {number} now */
function spoken(usage, at, now) {
  const bucket = usage.buckets[at];
  const amount = bucket.totals === null ? "not known" : `${usd(bucket.totals.spend_usd)}, ${certaintyText(bucket, now)}`;
  const limit = limitsOf(usage)[at];
  return `${bucketText(bucket, usage.bucket)}: ${amount}${limit === null ? "" : `; limit ${usd(limit.toFixed(2))}`}`;
}

/** The bucket that is read, with what it is made of. @param {Usage} usage @param {number} at @param {UsageModel} model */
function reading(usage, at, model) {
  const bucket = usage.buckets[at];
  const limit = limitsOf(usage)[at];
  const parts = usage.series.flatMap((series, of) => (nano(series.values[at]?.spend_usd) > 0n ? [{ series, of, amount: /** @type {Amounts} */ (series.values[at]).spend_usd }] : []));
  return html`
    <div class="reading">
      <p><strong>${bucketText(bucket, usage.bucket)}</strong> <span class="figure">${bucket.totals === null ? "not known" : exact(bucket.totals.spend_usd)}</span>${limit === null ? nothing : html` of <span class="figure">${usd(limit.toFixed(2))}</span>`}</p>
      <p class="hint">${certaintyText(bucket, model.now)}.</p>
      ${usage.groups.length === 0 ? nothing : html`<ul class="reading-parts">${parts.map(({ series, of, amount }) => html`<li>${swatch(usage.series, of)} <span translate="no">${seriesText(series, usage.groups)}</span> <span class="figure">${exact(amount)}</span></li>`)}</ul>`}
      ${usage.buckets.length === 1 ? nothing : html`<p><a href=${address(changed(model.view, { from: bucket.from, to: bucket.to }))} data-view>Show only this ${usage.bucket}</a></p>`}
    </div>
  `;
}

/** @param {Series[]} series @param {number} of */
export const swatch = (series, of) => html`<svg class="swatch" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false"><rect class=${`bar ${hueOf(series, of)}`} width="12" height="12" rx="3" /></svg>`;

/** Who and what drives the usage, the largest first, each one click deeper. @param {Usage} usage @param {UsageModel} model */
function drivers(usage, model) {
  if (usage.groups.length === 0) return nothing;
  return html`
    <section class="card" aria-labelledby="drivers-title">
      <h2 id="drivers-title">What it is made of</h2>
      <div class="scrolls">
        <table class="table is-cards">
          <thead><tr><th scope="col">Group</th><th scope="col" class="is-number">Spend</th><th scope="col" class="is-number">Share</th><th scope="col" class="is-number">Requests</th><th scope="col" class="is-number">Tokens in</th><th scope="col" class="is-number">Tokens out</th><th scope="col" class="is-number">BYOK</th></tr></thead>
          <tbody>${usage.series.map((series, of) => driverRow(usage, model.view, series, of))}</tbody>
          <tfoot>
            <tr><th scope="row">Total</th>${cells(usage.totals, 1)}</tr>
          </tfoot>
        </table>
      </div>
      ${pages(usage, model.view)}
    </section>
  `;
}

/** @param {Usage} usage @param {View} view @param {Series} series @param {number} of */
function driverRow(usage, view, series, of) {
  const text = seriesText(series, usage.groups);
  const filter = /** @type {Filter | "source" | undefined} */ (usage.groups[0]);
  const id = series.one?.id ?? null;
  const deeper = series.kind === "group" && id !== null && filter !== undefined && filter !== "source" ? address(narrowed(view, filter, id)) : null;
  const name = html`<span translate="no">${text}</span>`;
  const means = series.kind === "group" ? (usage.groups[0] === "model" ? slugs(series) : "") : REST_MEANS[series.kind];
  return html`
    <tr>
      <th scope="row"><span class="row-name">${swatch(usage.series, of)} ${deeper === null ? name : html`<a href=${deeper} data-view>${name}</a>`}</span>${means === "" ? nothing : html`<span class="hint">${means}</span>`}</th>
      ${cells(series.totals, shareOf(series.totals.spend_usd, usage.totals.spend_usd))}
    </tr>
  `;
}

/** The names that the source has for a model, if they say more. @param {Series} series */
const slugs = ({ one }) => (one === null || (one.slugs.length === 1 && one.slugs[0] === one.name) ? "" : one.slugs.join(", "));

/** @param {Amounts} amounts @param {number} share */
const cells = (amounts, share) => html`
  <td class="is-number" data-label="Spend">${exact(amounts.spend_usd)}</td>
  <td class="is-number" data-label="Share">${percent(share)}</td>
  <td class="is-number" data-label="Requests">${whole(amounts.requests)}</td>
  <td class="is-number" data-label="Tokens in">${whole(amounts.prompt_tokens)}</td>
  <td class="is-number" data-label="Tokens out">${whole(amounts.completion_tokens)}</td>
  <td class="is-number" data-label="BYOK">${exact(amounts.byok_usd)}</td>
`;

/** Opens the rest: the groups after those that stand by themselves, and back. @param {Usage} usage @param {View} view */
function pages(usage, view) {
  const alone = usage.series.filter(({ kind }) => kind === "group").length;
  if (usage.group_count <= alone) return nothing;
  const next = usage.skip + alone;
  return html`
    <p class="hint">Groups ${usage.skip + 1} to ${next} of ${whole(usage.group_count)} stand by themselves${usage.skip > 0 ? "; the larger ones are in Other" : ""}.</p>
    <p class="actions">
      ${usage.skip > 0 ? html`<a class="button" href=${address({ ...view, skip: String(Math.max(0, usage.skip - 8)) })} data-view>Larger groups</a>` : nothing}
      ${next < usage.group_count ? html`<a class="button" href=${address({ ...view, skip: String(next) })} data-view>Open Other</a>` : nothing}
    </p>
  `;
}

/** @param {Usage} usage @param {UsageModel} model */
const limitView = (usage, { forecast }) => html`
  <section class="card" aria-labelledby="limit-title">
    <h2 id="limit-title">Its limit</h2>
    ${forecast === null ? nothing : html`<p class=${forecast.isReached ? "is-warn" : ""}>${forecast.text}</p>`}
    ${eventsOf(usage).length === 0 ? nothing : html`<ul class="plain">${eventsOf(usage).map((step) => html`<li>${stepText(step)}</li>`)}</ul>`}
  </section>
`;

/** @param {UsageModel} model */
const remarkableView = ({ remarkable, view }) => html`
  <section class="card" aria-labelledby="remarkable-title">
    <h2 id="remarkable-title">Keys to look at</h2>
    <ul class="plain">
      ${remarkable.map(({ id, name, text }) => html`<li><a href=${address(narrowed(view, "key", id))} data-view translate="no">${name ?? "OpenRouter key"}</a>: ${text}</li>`)}
    </ul>
    <p><a href="/keys">Disable or delete a key</a></p>
  </section>
`;

/** @param {NonNullable<Usage["reconciliation"]>} reconciliation */
const reconciliationView = ({ ours_usd, unattributed_usd, counters_above_usd, counters_below_usd, keys_differing, differing }) => html`
  <section class="card" aria-labelledby="reconciliation-title">
    <h2 id="reconciliation-title">Beside OpenRouter’s counters</h2>
    <p>
      Our rows of all days: <span class="figure">${exact(ours_usd)}</span>, and <span class="figure">${exact(unattributed_usd)}</span> unattributed.
      ${keys_differing === 0 ? "The counters of all keys say the same." : `The counters of ${counted(keys_differing, "key")} differ: ${exact(counters_above_usd)} above the rows, ${exact(counters_below_usd)} below them.`}
    </p>
    ${keys_differing === 0 ? nothing : html`<ul class="plain">${differing.map(({ key, counter_above_usd, counter_below_usd }) => html`<li><a href=${`/usage?scope=all&key=${key}`}><code translate="no">${key}</code></a>: ${nano(counter_above_usd) > 0n ? `${exact(counter_above_usd)} above` : `${exact(counter_below_usd)} below`}</li>`)}</ul>`}
  </section>
`;

/** @param {Usage} usage @param {UsageModel} model @param {UsageActions} actions */
function exportView(usage, { saving }, actions) {
  const days = sum(usage.buckets.flatMap(({ totals }) => (totals === null ? [] : [totals.spend_usd])));
  const groups = sum(usage.series.map(({ totals }) => totals.spend_usd));
  const adds = nano(days) === nano(usage.totals.spend_usd) && nano(groups) === nano(usage.totals.spend_usd);
  return html`
    <section class="card" aria-labelledby="export-title">
      <h2 id="export-title">Take it with you</h2>
      <p class=${adds ? "hint" : "hint is-bad"} data-equal>${adds ? `${usage.bucket === "day" ? "The days" : "The months"}, the groups and the total are the same sum: ${exact(usage.totals.spend_usd)}.` : `The parts do not add up: ${exact(days)} by time, ${exact(groups)} by group, ${exact(usage.totals.spend_usd)} in all. Load the page again.`}</p>
      <p class="actions"><button class="button" type="button" aria-disabled=${saving.state === "pending" ? "true" : "false"} @click=${actions.save}>${saving.state === "pending" ? "Asking…" : "Save as CSV"}</button></p>
      <p class=${saving.state === "failed" ? "hint is-bad said" : "hint said"}>${saving.text}</p>
    </section>
  `;
}
