// The page `/usage`: what keys were used for, in figures that add up, in any time zone, by keyboard and on a phone, and
// what the page says while something is not known.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { after, afterEach, before, test } from "node:test";
import { amountOf, nano } from "../../src/http/pages/scripts/amounts.js";
import { CLAIM, signIn } from "../harness/index.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

const DAY_MS = 86_400_000;
const NIGHT = "30 0 * * *";
/** The members with a key that was used. */
const HOLDERS = ["load-801", "load-802", "load-803", "load-805", "load-806"];
const MODELS = ["openai/gpt-5", "anthropic/claude-sonnet-4.5", "google/gemini-3-pro", "mistralai/mistral-large"];

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
  for (const persona of HOLDERS) await isUsed(persona);
  // Once in the night: a second run on one day asks nothing.
  await deployment.worker.cron(Date.now(), NIGHT);
  await deployment.worker.cron();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/** A member whose key was used on several days, with different models. @param {string} persona */
async function isUsed(persona) {
  const client = await signIn(deployment.worker, deployment.sandbox, persona);
  assert.equal((await client.post("/api/v1/claim", CLAIM)).status, 201);
  const { hash } = (await deployment.sandbox.ledger()).keys.at(-1);
  for (const [n, model] of MODELS.entries()) {
    for (const back of [1, 2, 5, 9]) await deployment.sandbox.use(hash, 0.011 * (n + 1) + 0.001 * back, model, back * DAY_MS);
  }
  await deployment.sandbox.use(hash, 0.07, MODELS[0], 0);
}

/** @param {Page} page */
const isShown = (page) => page.locator('#usage[aria-busy="false"]').waitFor();

/** The headline's spend, exactly. @param {Page} page */
const spendOf = async (page) => (await page.locator('[data-figure="Spend"]').getAttribute("data-exact")) ?? "";

/** The amounts of a column, as exact texts. @param {Page} page @param {string} selector */
const amountsOf = async (page, selector) => (await page.locator(selector).allTextContents()).map((cell) => cell.trim().replace("$", "")).filter((cell) => cell !== "not known");

/** @param {string[]} amounts */
const added = (amounts) => amountOf(amounts.reduce((total, amount) => total + nano(amount), 0n));

/** The file that the button saves, as rows of cells. No cell of these tests has a comma. @param {Page} page */
async function saved(page) {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as CSV" }).press("Enter");
  const file = await download;
  const [head, ...rows] = (await text(await file.createReadStream())).replace("\ufeff", "").trimEnd().split("\r\n").map((line) => line.split(","));
  return { name: file.suggestedFilename(), rows: rows.map((row) => Object.fromEntries(head.map((name, n) => [name, row[n]]))) };
}

for (const [viewport, colorScheme, timezoneId, persona] of /** @type {const} */ ([[PHONE, "dark", "America/Los_Angeles", "load-801"], [DESK, "light", "Pacific/Kiritimati", "load-802"]])) {
  test(`at ${viewport.width} px in ${timezoneId}, bars, headline, groups, table and file are one sum of UTC days, by keyboard`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme, timezoneId });
    const { page } = visitor;
    await visitor.signIn(persona);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Usage" }).press("Enter");
    await page.waitForURL(/\/usage\?from=\d{4}-\d{2}-\d{2}&to=\d{4}-\d{2}-\d{2}&group=model$/);
    await isShown(page);
    const today = new Date().toISOString().slice(0, 10);
    assert.match(page.url(), new RegExp(`to=${today}&`), "today is that of UTC");
    await page.getByRole("heading", { name: /^\$\d+\.\d\d from .* so far/ }).waitFor();

    const total = (await spendOf(page)).replace("$", "");
    assert.ok(nano(total) > nano("0.50"), total);
    await page.locator(".behind summary").press("Enter");
    const days = await amountsOf(page, "tr[data-bucket] td[data-label=Spend]");
    assert.equal(days.length, 30);
    assert.equal(added(days), total, "the days");
    assert.deepEqual(await amountsOf(page, ".behind tfoot td[data-label=Spend]"), [total], "the table's foot");
    assert.deepEqual(await amountsOf(page, "section[aria-labelledby=drivers-title] tfoot td[data-label=Spend]"), [total]);
    assert.equal(added(await amountsOf(page, "section[aria-labelledby=drivers-title] tbody td[data-label=Spend]")), total, "the groups");
    assert.equal(await page.locator("[data-equal]").innerText(), `The days, the groups and the total are the same sum: $${total}.`);
    const dates = await page.locator("tr[data-bucket]").evaluateAll((rows) => rows.map((row) => /** @type {HTMLElement} */ (row).dataset.bucket));
    const first = Date.parse(`${today}T00:00:00Z`) - 29 * DAY_MS;
    assert.deepEqual(dates, Array.from({ length: 30 }, (_, n) => new Date(first + n * DAY_MS).toISOString().slice(0, 10)));

    const file = await saved(page);
    assert.equal(file.name, `keycap-usage_${dates[0]}_${today}_UTC.csv`);
    assert.equal(added(file.rows.map((row) => row.spend_usd)), total, "the file");
    assert.deepEqual([...new Set(file.rows.map((row) => row.settled))].sort(), ["no", "yes"]);
    await sees(page, `The file ${file.name} is saved.`);

    const chart = page.getByRole("slider", { name: "Spend by UTC day" });
    await chart.focus();
    const read = async () => (await chart.getAttribute("aria-valuetext"))?.replaceAll("\u00a0", " ") ?? "";
    assert.match(await read(), /: \$0\.07, today, so it may still grow/);
    await page.keyboard.press("ArrowLeft");
    const yesterday = await read();
    assert.match(yesterday, /: \$0\.11, may still change, read /);
    await page.keyboard.press("Home");
    assert.match(await read(), /: \$0, settled, read /);
    await page.keyboard.press("End");
    assert.match(await read(), /today/);
    await page.locator(".reading").getByText("not broken down", { exact: false }).first().waitFor();
    await isAccessible(page, "usage");
    await fitsFingers(page, "usage");

    await page.getByLabel("Group by").selectOption("key");
    await page.waitForURL(/group=key$/);
    await page.getByLabel("and by").selectOption("model");
    await page.waitForURL(/group=key%2Cmodel$/);
    await page.locator("section[aria-labelledby=drivers-title]").getByText("OpenRouter key · GPT-5").waitFor();
    assert.equal(added(await amountsOf(page, "section[aria-labelledby=drivers-title] tbody td[data-label=Spend]")), total, "two groups");
    await page.goBack();
    await page.waitForURL(/group=key$/);
    await page.locator("section[aria-labelledby=drivers-title]").getByRole("link", { name: "OpenRouter key", exact: true }).press("Enter");
    await page.waitForURL(/group=model&key=key_/);
    await page.getByRole("link", { name: "Key: OpenRouter key. Remove this choice" }).waitFor();
    await page.getByRole("heading", { name: "Its limit" }).waitFor();
    assert.equal(await page.locator(".chart-limit").count(), 1, "the limit is drawn");
    await isAccessible(page, "usage of one key");
    await fitsFingers(page, "usage of one key");
    const shared = page.url();
    await page.reload();
    await isShown(page);
    assert.equal(page.url(), shared);

    await page.getByRole("link", { name: "7 days" }).press("Enter");
    await page.locator("tr[data-bucket]").nth(6).waitFor({ state: "attached" });
    await page.waitForFunction(() => document.querySelectorAll("tr[data-bucket]").length === 7);
    await page.getByLabel("From", { exact: true }).fill("2020-01-01");
    await page.getByRole("button", { name: "Show", exact: true }).press("Enter");
    await sees(page, "Choose at most three years.");
    await page.getByLabel("From", { exact: true }).fill(today);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll("tr[data-bucket]").length === 1);
    await page.getByRole("heading", { name: /so far/ }).waitFor();
    await isAccessible(page, "one day");
    await fitsFingers(page, "one day");
    await page.getByRole("link", { name: "12 months" }).press("Enter");
    await page.getByRole("slider", { name: "Spend by UTC month" }).waitFor();
    assert.equal(added(await amountsOf(page, "tr[data-bucket] td[data-label=Spend]")), (await spendOf(page)).replace("$", ""));
    await visitor.leave();
  });
}

test("a gap is drawn as one and is no zero, and no file is made that would show too little", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(503);
  const { page } = visitor;
  await visitor.signIn("load-803");
  const lost = new Date(Date.now() - 3 * DAY_MS).toISOString().slice(0, 10);
  await page.route(/\/api\/v1\/usage\?/, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const n = body.buckets.findIndex((/** @type {{ from: string }} */ { from }) => from === lost);
    body.buckets[n] = { ...body.buckets[n], certainty: "unknown", as_of: null, source: null, totals: null };
    for (const series of body.series) series.values[n] = null;
    await route.fulfill({ response, json: body });
  });
  await visitor.open("/usage");
  await isShown(page);
  await page.getByRole("heading", { name: /^At least \$/ }).waitFor();
  await sees(page, "An empty frame is a time of which nothing is known: it is not a zero.");
  assert.equal(await page.locator(".chart-gap").count(), 1);
  await page.locator(".behind summary").click();
  assert.match(await page.locator(`tr[data-bucket="${lost}"]`).innerText(), /not known/);
  await sees(page, "Some of these days are not known, so a comparison would be unfair.");
  await isAccessible(page, "a gap");
  const day = lost;
  await page.route(/\/api\/v1\/usage\.csv/, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", json: { title: "Some usage is not read yet", detail: `No file was made, because it would show too little: the usage of ${day} is not read completely.`, code: "usage_unread", status: 503, instance: "req_12345678" } }));
  await page.getByRole("button", { name: "Save as CSV" }).click();
  await sees(page, `Some usage is not read yet. No file was made, because it would show too little: the usage of ${day} is not read completely.`);
  await visitor.leave();
});

test("without a key the page says what it will be; signed out, it leads to a sign-in that comes back", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  visitor.expects(401);
  const { page } = visitor;
  await visitor.open("/usage");
  await sees(page, "You are signed out.");
  assert.equal(await page.getByRole("link", { name: "Continue with GitHub" }).getAttribute("href"), "/auth/github?next=usage");
  await isAccessible(page, "signed out");
  await visitor.signIn("load-804");
  await visitor.open("/usage");
  await isShown(page);
  await page.getByRole("heading", { name: /^Nothing was spent from .* so far\.$/ }).waitFor();
  await sees(page, "There is no usage in this range.");
  await page.getByRole("link", { name: "Claim a key" }).waitFor();
  await fitsFingers(page, "empty");
  await isAccessible(page, "empty");
  await visitor.leave();
});

test("with every upstream down the page shows what was read; if the service does not answer, it keeps what was shown and says so", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(400, 503);
  visitor.unheard(/net::ERR_FAILED/);
  const { page } = visitor;
  await visitor.signIn("load-805");
  await visitor.open("/usage");
  await isShown(page);
  const total = await spendOf(page);
  for (const operation of ["openrouter.keys.list", "openrouter.keys.get", "openrouter.analytics.query", "openrouter.activity.get"]) await deployment.sandbox.fault({ operation, kind: "reset_before", times: 0 });
  await page.reload();
  await isShown(page);
  assert.equal(await spendOf(page), total);
  await page.route(/\/api\/v1\/usage\?/, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", json: { title: "The database did not answer", detail: "Try again.", code: "storage_unavailable", status: 503, instance: "req_12345678" } }));
  await page.getByRole("link", { name: "7 days" }).click();
  await sees(page, "The database did not answer.");
  await sees(page, "Below is what was shown before.");
  await sees(page, "req_12345678");
  assert.equal(await spendOf(page), total);
  await isAccessible(page, "a failure");
  await page.unroute(/\/api\/v1\/usage\?/);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForFunction(() => document.querySelectorAll("tr[data-bucket]").length === 7);
  await page.route(/\/api\/v1\/usage\.csv/, (route) => route.abort());
  await page.getByRole("button", { name: "Save as CSV" }).click();
  await sees(page, "The service did not answer. Check your connection, then try again.");
  await visitor.open("/usage?from=30d");
  await sees(page, "The request was not understood.");
  await visitor.leave();
});

test("an administrator sees everybody's usage by member, and a member who asks for it sees nothing", async () => {
  const member = await deployment.visitor();
  member.expects(404);
  await member.signIn("load-806");
  await member.open("/usage?scope=all&group=member");
  await sees(member.page, "There is nothing here.");
  assert.equal(await member.page.getByRole("link", { name: "Everybody’s" }).count(), 0);
  await member.leave();
  const operator = await deployment.visitor();
  const { page } = operator;
  await operator.signIn("operator");
  await operator.open("/usage");
  await isShown(page);
  await page.getByRole("link", { name: "Everybody’s" }).click();
  await page.waitForURL(/scope=all/);
  await page.getByLabel("Group by").selectOption("member");
  const drivers = page.locator("section[aria-labelledby=drivers-title]");
  await drivers.getByRole("link", { name: "load-806" }).waitFor();
  const total = (await spendOf(page)).replace("$", "");
  assert.equal(added(await amountsOf(page, "section[aria-labelledby=drivers-title] tbody td[data-label=Spend]")), total);
  await page.getByRole("heading", { name: "Beside OpenRouter’s counters" }).waitFor();
  const client = await signIn(deployment.worker, deployment.sandbox, "operator");
  assert.equal((await client.get("/api/v1/usage?scope=all")).body.totals.spend_usd, total);
  await isAccessible(page, "everybody's usage");
  await drivers.getByRole("link", { name: "load-806" }).click();
  await page.waitForURL(/member=mem_/);
  await page.getByRole("link", { name: /^Member: load-806/ }).waitFor();
  await operator.leave();
});
