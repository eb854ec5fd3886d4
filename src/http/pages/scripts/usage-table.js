// The table behind the chart: the same figures, exact, so that they can be added.

import { exact } from "./amounts.js";
import { html, nothing } from "./html.js";
import { bucketText, certaintyWord, seriesText } from "./usage-words.js";
import { clockUtc, dateUtc } from "./words.js";

/** @import { Usage } from "./usage-types.js" */

/** @param {Usage} usage @param {number} now */
export const tableView = (usage, now) => html`
  <section class="card" aria-labelledby="table-title">
    <details class="behind">
      <summary><h2 id="table-title">The chart as a table</h2></summary>
      <div class="scrolls" tabindex="0" role="region" aria-label="Figures by time and group">
        <table class="table is-cards is-dense">
          <thead>
            <tr>
              <th scope="col">${usage.bucket === "day" ? "UTC day" : "Month"}</th>
              <th scope="col" class="is-number">Spend</th>
              ${usage.groups.length === 0 ? nothing : usage.series.map((series) => html`<th scope="col" class="is-number" translate="no">${seriesText(series, usage.groups)}</th>`)}
              <th scope="col">Certainty</th>
              <th scope="col">Read</th>
            </tr>
          </thead>
          <tbody>
            ${usage.buckets.map(
              (bucket, n) => html`
                <tr data-bucket=${bucket.from}>
                  <th scope="row">${bucketText(bucket, usage.bucket)}</th>
                  <td class="is-number" data-label="Spend">${bucket.totals === null ? "not known" : exact(bucket.totals.spend_usd)}</td>
                  ${usage.groups.length === 0 ? nothing : usage.series.map((series) => html`<td class="is-number" data-label=${seriesText(series, usage.groups)}>${amountAt(series.values[n])}</td>`)}
                  <td data-label="Certainty">${certaintyWord(bucket, now)}</td>
                  <td data-label="Read">${bucket.as_of === null ? "" : `${dateUtc(Date.parse(bucket.as_of))}, ${clockUtc(Date.parse(bucket.as_of))}`}</td>
                </tr>
              `,
            )}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">Total</th>
              <td class="is-number" data-label="Spend">${exact(usage.totals.spend_usd)}</td>
              ${usage.groups.length === 0 ? nothing : usage.series.map((series) => html`<td class="is-number" data-label=${seriesText(series, usage.groups)}>${exact(series.totals.spend_usd)}</td>`)}
              <td></td>
              <td></td>
            </tr>
          </tfoot>
        </table>
      </div>
    </details>
  </section>
`;

/** @param {import("./usage-types.js").Amounts | null | undefined} amounts */
const amountAt = (amounts) => (amounts ? exact(amounts.spend_usd) : "not known");
