// The chart of the page `/usage`: what stands where, computed by d3's scales and shapes, and drawn as SVG by our own
// templates. Sizes and places are attributes, because the content security policy allows no inline styles.

import { scaleBand, scaleLinear } from "d3-scale";
import { curveStepAfter, line, stack } from "d3-shape";
import { nano } from "./amounts.js";
import { html, nothing, svg } from "./html.js";
import { hueOf } from "./usage-hues.js";
import { limitsOf, marksOf } from "./usage-steps.js";
import { bucketText, monthText, shortDay } from "./usage-words.js";

/** @import { Usage } from "./usage-types.js" */

const HEIGHT = 260;
const EDGE = { top: 20, right: 16, bottom: 28, left: 52 };
/** A bar of a single day is no wider than this. */
const WIDEST = 72;
/** What is not zero can be seen. */
const LEAST = 1;
/** The room that a label below the bars needs. */
const LABEL = 64;

/**
 * @param {Usage} usage
 * @param {number} width in pixels
 */
export function layOut(usage, width) {
  const right = Math.max(width, 260) - EDGE.right;
  const bottom = HEIGHT - EDGE.bottom;
  const x = scaleBand(usage.buckets.map((_, n) => String(n)), [EDGE.left, right]).paddingInner(0.2).paddingOuter(0.1);
  const limits = limitsOf(usage);
  const totals = usage.buckets.map(({ totals }) => dollars(totals?.spend_usd));
  const highest = Math.max(...totals, ...limits.map((limit) => limit ?? 0));
  const y = scaleLinear([0, highest > 0 ? highest : 1], [bottom, EDGE.top]).nice(4);
  const bar = Math.min(x.bandwidth(), WIDEST);
  const left = (/** @type {number} */ n) => (x(String(n)) ?? 0) + (x.bandwidth() - bar) / 2;
  return { width: right + EDGE.right, height: HEIGHT, bottom, right, step: x.step(), start: (/** @type {number} */ n) => (x(String(n)) ?? 0) - (x.step() - x.bandwidth()) / 2, left, bar, y, limits, bars: barsOf(usage, y), ticks: ticksOf(y), labels: labelsOf(usage, x.step()), marks: marksOf(usage) };
}

/** @typedef {ReturnType<typeof layOut>} Layout */

/** @param {string | null | undefined} amount */
const dollars = (amount) => Math.max(0, Number(nano(amount)) / 1e9);

/** @param {Usage} usage @param {import("d3-scale").ScaleLinear<number, number>} y */
function barsOf(usage, y) {
  const rows = usage.buckets.map((_, n) => usage.series.map(({ values }) => dollars(values[n]?.spend_usd)));
  const stacked = stack().keys(usage.series.map((_, n) => String(n))).value((row, key) => row[Number(key)])(/** @type {any} */ (rows));
  return stacked.flatMap((layer, of) =>
    layer.flatMap(([from, to], n) => {
      if (to <= from) return [];
      const height = Math.max(y(from) - y(to), LEAST);
      return [{ n, of, top: y(from) - height, height }];
    }),
  );
}

/** @param {import("d3-scale").ScaleLinear<number, number>} y */
function ticksOf(y) {
  const ticks = y.ticks(4);
  const step = (ticks[1] ?? 1) - (ticks[0] ?? 0);
  const decimals = step >= 1 ? 0 : Math.max(2, Math.ceil(-Math.log10(step) - 1e-9));
  return ticks.map((value) => ({ at: y(value), text: `$${value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })}` }));
}

/** The labels below the bars, so many as have room. @param {Usage} usage @param {number} step */
function labelsOf(usage, step) {
  const each = Math.max(1, Math.ceil(LABEL / step));
  const last = usage.buckets.length - 1;
  return usage.buckets.flatMap(({ from }, n) => ((last - n) % each === 0 ? [{ n, text: usage.bucket === "day" ? shortDay(from) : monthText(from) }] : []));
}

/**
 * The chart. Its reading can be moved with the arrow keys and with a pointer, and is spoken like the value of a slider.
 * @param {Usage} usage
 * @param {{ at: number, width: number, spoken: string, read: (at: number) => void }} model
 */
export function chartView(usage, { at, width, spoken, read }) {
  const layout = layOut(usage, width);
  return html`
    <div
      class="chart"
      role="slider"
      tabindex="0"
      aria-label=${`Spend by UTC ${usage.bucket}`}
      aria-orientation="horizontal"
      aria-valuemin="1"
      aria-valuemax=${String(usage.buckets.length)}
      aria-valuenow=${String(at + 1)}
      aria-valuetext=${spoken}
      aria-describedby="chart-help"
      @keydown=${(/** @type {KeyboardEvent} */ event) => moved(event, at, usage.buckets.length, read)}
      @pointermove=${(/** @type {PointerEvent} */ event) => pointed(event, layout, usage.buckets.length, read)}
      @pointerdown=${(/** @type {PointerEvent} */ event) => pointed(event, layout, usage.buckets.length, read)}
    >
      <svg viewBox=${`0 0 ${layout.width} ${layout.height}`} width=${String(layout.width)} height=${String(layout.height)} aria-hidden="true" focusable="false">
        ${drawing(usage, layout, at)}
      </svg>
    </div>
  `;
}

/** @param {KeyboardEvent} event @param {number} at @param {number} count @param {(at: number) => void} read */
function moved(event, at, count, read) {
  /** @type {Record<string, number>} */
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 7, PageUp: at + 7, Home: 0, End: count - 1 };
  if (!(event.key in to) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  read(Math.min(Math.max(to[event.key], 0), count - 1));
}

/** @param {PointerEvent} event @param {Layout} layout @param {number} count @param {(at: number) => void} read */
function pointed(event, layout, count, read) {
  const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
  const x = ((event.clientX - box.left) / Math.max(box.width, 1)) * layout.width;
  const n = Math.floor((x - layout.start(0)) / layout.step);
  if (n >= 0 && n < count) read(n);
}

/** @param {Usage} usage @param {Layout} layout @param {number} at */
const drawing = (usage, layout, at) => svg`
  <rect class="chart-at" x=${round(layout.start(at))} y="0" width=${round(layout.step)} height=${layout.bottom} />
  ${layout.ticks.map(({ at: y, text }) => svg`<line class="chart-line" x1=${EDGE.left} x2=${layout.right} y1=${round(y)} y2=${round(y)} /><text class="chart-text is-end" x=${EDGE.left - 8} y=${round(y + 4)}>${text}</text>`)}
  ${usage.buckets.map((bucket, n) => (bucket.certainty === "unknown" ? gap(layout, n) : nothing))}
  ${limitLine(layout, usage.buckets.length)}
  ${layout.bars.map(({ n, of, top, height }) => svg`<rect class=${`bar ${hueOf(usage.series, of)} is-${usage.buckets[n].certainty}`} x=${round(layout.left(n))} y=${round(top)} width=${round(layout.bar)} height=${round(height)} />`)}
  ${layout.labels.map(({ n, text }) => svg`<text class="chart-text is-middle" x=${round(layout.left(n) + layout.bar / 2)} y=${layout.bottom + 18}>${text}</text>`)}
  ${layout.marks.map(({ n, sign }) => svg`<text class="chart-mark is-middle" x=${round(layout.left(n) + layout.bar / 2)} y="12">${sign}</text>`)}
`;

/** A day of which nothing is known: an empty frame with a question mark, and no bar. @param {Layout} layout @param {number} n */
const gap = (layout, n) => svg`
  <rect class="chart-gap" x=${round(layout.left(n))} y=${EDGE.top} width=${round(layout.bar)} height=${layout.bottom - EDGE.top} />
  ${layout.bar < 8 ? nothing : svg`<text class="chart-text is-middle" x=${round(layout.left(n) + layout.bar / 2)} y=${layout.bottom - 8}>?</text>`}
`;

/** The limit of each day as a line of steps, behind the bars. @param {Layout} layout @param {number} count */
function limitLine(layout, count) {
  if (!layout.limits.some((limit) => limit !== null)) return nothing;
  /** @type {[number, number | null][]} */
  const points = layout.limits.map((limit, n) => [layout.start(n), limit]);
  points.push([layout.start(0) + count * layout.step, layout.limits[count - 1]]);
  const path = line(/** @type {(point: [number, number | null]) => number} */ (([x]) => x), ([, limit]) => layout.y(limit ?? 0)).defined(([, limit]) => limit !== null).curve(curveStepAfter)(/** @type {any} */ (points));
  return svg`<path class="chart-limit" d=${path ?? ""} />`;
}

/** @param {number} value */
const round = (value) => Math.round(value * 100) / 100;

/** The name of the bucket that is read. @param {Usage} usage @param {number} at */
export const readingName = (usage, at) => bucketText(usage.buckets[at], usage.bucket);
