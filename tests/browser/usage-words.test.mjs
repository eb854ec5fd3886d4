// The words, sums and forecasts of the page `/usage`, as tables: without a browser and without a clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import { amountOf, exact, nano, shareOf, sum } from "../../src/http/pages/scripts/amounts.js";
import { forecast, remarkable } from "../../src/http/pages/scripts/usage-forecast.js";
import { hueOf } from "../../src/http/pages/scripts/usage-hues.js";
import { address, apiQuery, daysIn, narrowed, presets, rangeError, viewOf } from "../../src/http/pages/scripts/usage-query.js";
import { limitHint, limitsOf, marksOf } from "../../src/http/pages/scripts/usage-steps.js";
import { certaintyText, comparisonText, driver, finding, labelText, percent, progressText, rangeText, seriesText, stepText, trendOf } from "../../src/http/pages/scripts/usage-words.js";
import { key } from "./states.mjs";

/** @typedef {import("../../src/http/pages/scripts/usage-types.js").Usage} Usage */
/** @typedef {import("../../src/http/pages/scripts/usage-types.js").Bucket} Bucket */
/** @typedef {import("../../src/http/pages/scripts/usage-types.js").Series} Series */

const NOW = Date.parse("2026-11-21T12:00:00Z");

/** @param {string} text */
const plain = (text) => text.replaceAll("\u00a0", " ");

/** @param {string} usd */
const amounts = (usd) => ({ spend_usd: usd, cost_usd: usd, not_broken_down_usd: "0.00", byok_usd: "0.00", requests: 1, prompt_tokens: 2, completion_tokens: 3, reasoning_tokens: 0, cached_tokens: 0 });

/** Days from a first one on; null is a day of which nothing is known. @param {string} from @param {(string | null)[]} spends @returns {Bucket[]} */
const days = (from, spends) =>
  spends.map((spend, n) => {
    const day = new Date(Date.parse(from) + n * 86_400_000).toISOString().slice(0, 10);
    return { from: day, to: day, certainty: spend === null ? "unknown" : "settled", as_of: null, source: null, failed_keys: null, totals: spend === null ? null : amounts(spend) };
  });

/** @param {Partial<Usage>} change @returns {Usage} */
const usage = (change) => {
  const buckets = change.buckets ?? days("2026-11-18", ["1.00", "2.00", "0.50"]);
  return {
    scope: "own", from: buckets[0].from, to: /** @type {Bucket} */ (buckets.at(-1)).to, bucket: "day", groups: [], progress: { through: "2026-11-20", days_behind: 0 },
    totals: amounts(sum(buckets.flatMap(({ totals }) => (totals === null ? [] : [totals.spend_usd])))), buckets, series: [], group_count: 0, skip: 0, compared: null, steps: null, provider_keys: [], reconciliation: null, ...change,
  };
};

/** @param {string} now @param {string | null} before @returns {Usage["compared"]} */
const compared = (now, before) => ({ from: "2026-11-18", to: "2026-11-20", totals: amounts(now), previous_from: "2026-11-15", previous_to: "2026-11-17", previous_totals: before === null ? null : amounts(before) });

/** @param {string} id @param {(string | null)[]} spends @param {Partial<Series>} [change] @returns {Series} */
const series = (id, spends, change = {}) => ({ kind: "group", one: { id, name: id, ended: false, slugs: [] }, two: null, totals: amounts(sum(spends.flatMap((spend) => (spend === null ? [] : [spend])))), values: spends.map((spend) => (spend === null ? null : amounts(spend))), ...change });

test("amounts are added exactly, and written as the API writes them", () => {
  assert.equal(sum(["0.1", "0.2", "0.000000001"]), "0.300000001");
  for (const amount of ["0.00", "5.00", "0.000000001", "-1.25", "9007199254740993.123456789"]) assert.equal(amountOf(nano(amount)), amount);
  for (const wrong of ["", "x", "1.0000000001", null, undefined]) assert.equal(nano(wrong), 0n);
  assert.equal(exact("-0.50"), "−$0.50");
  assert.equal(shareOf("1.00", "4.00"), 0.25);
  assert.equal(shareOf("1.00", "0.00"), 0);
  assert.deepEqual([0, 0.001, 0.128, 1].map(percent).map(plain), ["0 %", "<1 %", "13 %", "100 %"]);
});

test("a title says no more than is known of its days", () => {
  /** @type {[Partial<Usage>, string][]} */
  const cases = [
    [{}, "$3.50 from 18 to 20 Nov 2026."],
    [{ buckets: days("2026-11-20", ["1.00", "0.50"]) }, "$1.50 from 20 to 21 Nov 2026 so far."],
    [{ buckets: days("2026-11-18", ["1.00", null]) }, "At least $1.00 from 18 to 19 Nov 2026."],
    [{ buckets: days("2026-11-20", ["1.00", null]) }, "At least $1.00 from 20 to 21 Nov 2026 so far."],
    [{ buckets: days("2026-11-18", ["0.00", null]) }, "No spend is known from 18 to 19 Nov 2026."],
    [{ buckets: days("2026-11-18", [null, null]) }, "Nothing is known of the usage from 18 to 19 Nov 2026."],
    [{ buckets: days("2026-11-18", ["0.00"]) }, "Nothing was spent on 18 Nov 2026."],
    [{ buckets: days("2026-11-21", ["0.00"]) }, "Nothing was spent on 21 Nov 2026 so far."],
    [{ compared: compared("3.50", "4.00") }, "$3.50 from 18 to 20 Nov 2026, 13 % less than before."],
    [{ compared: compared("3.50", "3.45") }, "$3.50 from 18 to 20 Nov 2026, about as much as before."],
    [{ compared: compared("3.50", "0.10") }, "$3.50 from 18 to 20 Nov 2026, 35 times as much as before."],
    [{ buckets: days("2026-11-19", ["1.00", "2.00", "0.50"]), compared: compared("3.00", "2.00") }, "$3.50 from 19 to 21 Nov 2026 so far. The completed days cost 50 % more than before."],
  ];
  for (const [change, expected] of cases) assert.equal(plain(finding(usage(change), NOW)), expected);
});

test("a running period is compared with the same part of the one before, or the page says why nothing is compared", () => {
  assert.match(comparisonText(usage({})), /^No day of this range is over/);
  assert.match(comparisonText(usage({ compared: compared("3.50", "4.00") })), /^Compared: \$3\.50 in 3 completed days \(from 18 to 20 Nov 2026\), \$4\.00 in the same part of the period before \(from 15 to 17 Nov 2026\)\.$/);
  assert.match(comparisonText(usage({ compared: compared("3.50", null) })), /^Not compared: .* is not known completely\.$/);
  const gap = usage({ buckets: days("2026-11-18", ["1.00", null, "1.00"]), compared: compared("2.00", "4.00") });
  assert.match(comparisonText(gap), /^Some of these days are not known/);
  assert.equal(trendOf(gap), null);
  assert.equal(trendOf(usage({ compared: compared("3.50", "0.00") })), null, "no part of nothing");
});

test("how certain a day is stands in words, and a gap is no zero", () => {
  const [bucket] = days("2026-11-18", ["1.00"]);
  assert.equal(plain(certaintyText({ ...bucket, as_of: "2026-11-19T00:30:00Z", failed_keys: 2 }, NOW)), "settled, read 19 Nov 2026, 00:30 UTC, without 2 keys that could not be read");
  assert.match(certaintyText({ ...bucket, from: "2026-11-21", to: "2026-11-21", certainty: "open" }, NOW), /^today, so it may still grow/);
  assert.match(certaintyText({ ...bucket, certainty: "unknown", totals: null }, NOW), /not a zero$/);
  assert.match(progressText(usage({ progress: { through: null, days_behind: null } })), /was not read yet/);
  assert.equal(progressText(usage({ progress: { through: "2026-11-18", days_behind: 2 } })), "Completed days are read up to 18 Nov 2026. 2 completed days after that are not read completely.");
});

test("names outlive their keys and members, and what has no name says what it is", () => {
  const label = (/** @type {Partial<import("../../src/http/pages/scripts/usage-types.js").Label>} */ change) => ({ id: "x", name: null, ended: false, slugs: [], ...change });
  assert.equal(labelText(label({ name: "Laptop", ended: true }), "key"), "Laptop (ended)");
  assert.equal(labelText(label({ ended: true }), "member"), "A member who left");
  assert.equal(labelText(label({ id: null }), "project"), "No project");
  assert.equal(labelText(label({ id: null }), "workspace"), "Default workspace");
  assert.equal(seriesText(series("m", [], { kind: "not_broken_down", one: null }), ["model"]), "Not broken down");
  assert.equal(seriesText(series("m", [], { two: label({ name: "Laptop" }) }), ["model", "key"]), "m · Laptop");
  const driven = usage({ groups: ["model"], series: [series("gpt-5", ["3.00"]), series("", ["0.50"], { kind: "other", one: null })] });
  assert.equal(plain(driver(driven)), "gpt-5 is 86 % of it.");
  assert.equal(driver({ ...driven, skip: 8 }), "");
});

test("a group has the same colour in every chart, and no two groups of one chart share one", () => {
  const eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map((id) => series(id, []));
  assert.equal(new Set(eight.map((_, n) => hueOf(eight, n))).size, 8);
  const [alone, among] = [[series("c", [])], [series("c", []), series("a", [])]];
  assert.equal(hueOf(alone, 0), hueOf(among, 0));
  assert.equal(hueOf([series("", [], { kind: "unattributed" })], 0), "is-unattributed");
});

test("an address says all that is shown, with exact dates, and leads to the same view", () => {
  const view = viewOf("?from=2026-11-01&to=2026-11-20&group=key,model&scope=all&key=key_1&skip=8");
  assert.deepEqual(viewOf(new URL(address(view), "https://x.example").search), view);
  assert.equal(viewOf("").group, "model");
  assert.equal(apiQuery(viewOf("?group=none")), "");
  assert.equal(address(viewOf("?group=none")), "/usage?group=none");
  const one = narrowed(view, "model", "gpt-5");
  assert.deepEqual([one.only, one.group, one.skip], [{ key: "key_1", model: "gpt-5" }, "key", ""]);
  assert.equal(narrowed(viewOf("?group=model"), "model", "gpt-5").group, "key", "one click deeper");
  assert.deepEqual(narrowed(one, "key", null).only, { model: "gpt-5" });
  const dates = presets(NOW).map(({ from, to }) => `${from} ${to}`);
  assert.deepEqual(dates, ["2026-11-15 2026-11-21", "2026-10-23 2026-11-21", "2026-08-24 2026-11-21", "2026-11-01 2026-11-21", "2026-10-01 2026-10-31", "2025-12-01 2026-11-21"]);
  for (const { from, to } of presets(NOW)) assert.equal(rangeError(from, to, NOW), "");
  assert.equal(daysIn("2028-02-28", "2028-03-01"), 3, "a leap day");
  assert.equal(rangeText("2026-10-30", "2026-11-02"), "from 30 Oct to 2 Nov 2026");
  for (const [from, to, expected] of [["", "2026-11-01", /two dates/], ["2026-02-30", "2026-11-01", /two dates/], ["2026-11-02", "2026-11-01", /must not be later/], ["2026-11-02", "2026-11-22", /today, 2026-11-21/], ["2020-01-01", "2026-11-01", /three years/], ["2026-01-02", "2026-11-01", /first of a month/]]) assert.match(rangeError(String(from), String(to), NOW), /** @type {RegExp} */ (expected));
});

/** @param {"limit" | "raise" | "secret"} kind @param {string} at @param {string | null} [amount] @param {string | null} [reset] */
const step = (kind, at, amount = null, reset = null) => ({ kind, at, until: null, amount_usd: amount, limit_reset: reset });

test("the limit is a line of steps beside bars of the same length of time, and raises and new secrets are marked on their days", () => {
  const steps = [step("limit", "2026-11-17T10:00:00Z", "5.00", "daily"), step("secret", "2026-11-17T10:00:00Z"), step("limit", "2026-11-19T10:00:00Z", "7.00", "daily"), step("raise", "2026-11-19T10:00:00Z", "2.00"), step("secret", "2026-11-20T10:00:00Z"), step("limit", "2026-11-20T10:00:00Z", "3.00", "daily")];
  assert.deepEqual(limitsOf(usage({ steps })), [5, 7, 7]);
  assert.deepEqual(limitsOf(usage({ steps: [step("limit", "2026-11-19T10:00:00Z", "5.00", "daily")] })), [null, 5, 5], "before the key there was none");
  assert.deepEqual(marksOf(usage({ steps })), [{ n: 1, sign: "▲" }, { n: 2, sign: "◆" }]);
  const weekly = usage({ steps: [step("limit", "2026-11-17T10:00:00Z", "5.00", "weekly")] });
  assert.deepEqual(limitsOf(weekly), [null, null, null]);
  assert.match(limitHint(weekly), /not drawn/);
  assert.equal(limitHint(usage({ steps })), "");
  assert.equal(plain(stepText(steps[3])), "19 Nov 2026, 10:00 UTC: raised by $2.00");
  assert.equal(plain(stepText(steps[0])), "17 Nov 2026, 10:00 UTC: limit $5.00 a day");
});

/** @param {string | null} used @param {string | null} left @param {string} read */
const spend = (used, left, read = "2026-11-21T11:50:00Z") => ({ used_usd: used, left_usd: left, day_usd: used, week_usd: used, month_usd: used, total_usd: "9.00", read_at: read });

test("a forecast knows the reset, and is silent where too little is known", () => {
  const of = (/** @type {Partial<import("../../src/http/pages/scripts/types.js").Key>} */ change) => plain(forecast(key(change), NOW)?.text ?? "");
  assert.equal(of({ spend: spend("2.50", "2.50") }), "At this pace the limit is reached at 23:40 UTC; it resets at 00:00 UTC.");
  assert.equal(of({ spend: spend("1.00", "4.00") }), "At this pace the limit is not reached before it resets at 00:00 UTC.");
  assert.equal(of({ spend: spend("5.00", "0.00") }), "The limit is reached; it resets at 00:00 UTC.");
  assert.equal(of({ spend: spend("2.50", "2.50"), issued_at: "2026-11-21T09:50:00Z" }), "At this pace the limit is reached at 13:50 UTC; it resets at 00:00 UTC.", "the pace of this secret");
  assert.equal(of({ spend: spend("2.50", "2.50"), limit_reset: "weekly", resets_at: "2026-11-23T00:00:00Z", issued_at: "2026-11-01T00:00:00Z" }), "At this pace the limit is not reached before it resets at 23 Nov 2026, 00:00 UTC.");
  for (const silent of [{ spend: null }, { spend: spend(null, null) }, { spend: spend("2.50", "2.50", "2026-11-21T10:00:00Z") }, { spend: spend("0.05", "4.95") }, { spend: spend("2.50", "2.50"), issued_at: "2026-11-21T11:30:00Z" }, { spend: spend("2.50", "2.50"), state: /** @type {const} */ ("disabled") }, { spend: spend("2.50", "2.50"), limit_reset: "none", resets_at: null }]) assert.equal(of(silent), "", JSON.stringify(silent));
});

test("keys that were never used, are idle or spend unusually much are listed, unless the days are not known", () => {
  const zeros = Array.from({ length: 29 }, () => "0.00");
  /** @param {(string | null)[]} spends @param {Partial<Usage>} [change] */
  const month = (spends, change = {}) => usage({ buckets: days("2026-10-23", [...spends, "0.00"]), groups: ["key"], series: [series("key_1", [...spends, "0.00"])], ...change });
  const old = { id: "key_1", name: "Laptop", created_at: "2026-10-01T00:00:00Z", generation: 1 };
  const said = (/** @type {Partial<import("../../src/http/pages/scripts/types.js").Key>} */ change, /** @type {Usage} */ usage) => remarkable([key({ ...old, ...change })], usage, NOW).map(({ kind, text }) => `${kind}: ${text}`);
  const unused = { ...spend("0.00", "5.00"), total_usd: "0.00" };
  assert.deepEqual(said({ spend: unused }, month(zeros, { series: [] })), ["never: never used since it was made 52 days ago"]);
  assert.deepEqual(said({ spend: spend("0.00", "5.00") }, month(zeros)), ["idle: not used in the last 29 completed days"]);
  assert.deepEqual(said({ spend: spend("0.00", "5.00") }, month([...zeros.slice(0, 20), "1.00", ...zeros.slice(0, 8)])), ["idle: not used since 12 Nov 2026"]);
  assert.deepEqual(said({ spend: spend("0.00", "5.00") }, month([...zeros.slice(0, 28), null])), [], "a day that is not known may have usage");
  assert.deepEqual(said({ spend: unused, created_at: "2026-11-20T00:00:00Z" }, month(zeros)), [], "made yesterday");
  assert.deepEqual(said({ spend: spend("3.10", "1.90") }, month([...zeros.slice(0, 24), "1.00", "1.00", "1.00", "0.50", "2.00"])), ["spike: $3.10 today, more than 3 times its usual $1.00 (the median of 5 days with use)"]);
  assert.deepEqual(said({ spend: spend("3.00", "2.00") }, month([...zeros.slice(0, 24), "1.00", "1.00", "1.00", "0.50", "2.00"])), []);
  assert.deepEqual(said({ spend: unused }, month(zeros, { series: [series("", [], { kind: "other", one: null })] })), [], "it may be one of the others");
});
