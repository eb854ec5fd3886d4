// What a key has spent: shown at once with its age, updated without moving anything, and still shown while no upstream
// answers.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(async () => {
  await deployment.sandbox.clearFaults();
  await deployment.sandbox.release();
});

for (const [viewport, persona] of /** @type {const} */ ([[PHONE, "load-61"], [DESK, "load-62"]])) {
  test(`at ${viewport.width} px the meter says used, left, limit, reset and age, as figures and to a screen reader; Refresh works by keyboard`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    await holder(visitor, persona);
    await meterSays(visitor, /Used\s+\$0\s+Left\s+\$5\.00\s+Limit\s+\$5\.00/);
    await deployment.spend(1.25);
    await refresh.focus(visitor);
    await page.keyboard.press("Enter");
    await meterSays(visitor, /Used\s+\$1\.25\s+Left\s+\$3\.75\s+Limit\s+\$5\.00\s+resets in \d+ (h|min) \(00:00\sUTC\)\s+Today\s+\$1\.25\s+This week\s+\$1\.25\s+This month\s+\$1\.25\s+Figures are live/);
    await page.getByRole("meter", { name: "Limit used" }).waitFor();
    assert.deepEqual(await meterValues(visitor), ["25", "$1.25 used, $3.75 left of $5.00"]);
    assert.equal(await page.locator("#status").innerText(), "These are the newest figures.");
    assert.ok(await refresh.hasFocus(visitor), "the focus stays on the button");
    await fitsFingers(page, "the meter");
    await isAccessible(page, "the meter");
    await deployment.spend(3.75);
    await refresh.press(visitor);
    await meterSays(visitor, /Used\s+\$5\.00\s+Left\s+\$0\s+Limit\s+\$5\.00\s+limit reached, resets in/);
    assert.deepEqual(await meterValues(visitor), ["100", "$5.00 used, $0 left of $5.00"]);
    await isAccessible(page, "the meter at the limit");
    await visitor.leave();
  });

  test(`at ${viewport.width} px the page shows what it knows at once, and newer figures move nothing`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    await holder(visitor, persona === "load-61" ? "load-63" : "load-64");
    await deployment.spend(0.5);
    // More than a month ago: every window of that time is over.
    await deployment.worker.d1("UPDATE generations SET usage_read_at = usage_read_at - 40 * 86400 WHERE live = 1");
    await deployment.sandbox.fault({ operation: "openrouter.keys.get", kind: "hold_before" });
    await page.reload();
    await visitor.settled();
    await deployment.sandbox.held("openrouter.keys.get");
    await meterSays(visitor, /Used\s+not read yet\s+Left\s+not read yet\s+Limit\s+\$5\.00\s+resets in .*\s+Today\s+not read yet\s+This week\s+not read yet\s+This month\s+not read yet\s+Figures from 40 days ago/);
    assert.equal(await page.getByRole("meter").count(), 0, "nothing is known, so nothing is measured");
    assert.equal(await page.getByRole("button", { name: "Asking…" }).getAttribute("aria-disabled"), "true");
    await fitsFingers(page, "figures that are not read yet");
    await isAccessible(page, "figures that are not read yet");
    await watchShifts(visitor);
    await deployment.sandbox.release();
    await meterSays(visitor, /Used\s+\$0\.50\s+Left\s+\$4\.50[^]*Figures are live/);
    assert.deepEqual(await shifts(visitor), []);
    await visitor.leave();
  });

  test(`at ${viewport.width} px, with every upstream down, every page works and the key is shown with its figures and their age`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    visitor.expects(403);
    await holder(visitor, persona === "load-61" ? "load-65" : "load-66");
    await meterSays(visitor, /Used\s+\$0/);
    await deployment.worker.d1("UPDATE generations SET usage_read_at = usage_read_at - 180, usage_asked_at = usage_asked_at - 180 WHERE live = 1");
    await deployment.sandbox.fault(OPERATIONS.map((operation) => ({ operation, kind: "reset_before", times: 0 })));
    for (const path of ["/", "/docs"]) {
      await visitor.open(path);
      await page.getByRole("button", { name: /Account menu/ }).waitFor();
    }
    await visitor.open("/keys");
    const outage = page.getByRole("heading", { name: "OpenRouter does not answer." });
    await outage.waitFor();
    await sees(page, /Its requests go to OpenRouter directly, not through this service, and may still work\. This page works too; its figures are from [45] min ago\./);
    await page.locator(".mask").waitFor();
    await meterSays(visitor, /Used\s+\$0\s+Left\s+\$5\.00[^]*Figures from [45] min ago: OpenRouter does not answer/);
    assert.equal(await page.locator("#status").innerText(), "OpenRouter does not answer.");
    const [age, hint] = await page.evaluate(() => [".age", ".card > .hint"].map((part) => getComputedStyle(/** @type {Element} */ (document.querySelector(part))).color));
    assert.notEqual(age, hint, "the age warns");
    await fitsFingers(page, "the outage");
    await isAccessible(page, "the outage");
    await deployment.sandbox.clearFaults();
    await deployment.minutePasses();
    await refresh.press(visitor);
    await meterSays(visitor, /Figures are live/);
    assert.equal(await outage.count(), 0);
    await visitor.leave();
  });
}

test("figures that were never read are shown as 'not read yet', not as $0 and not as a meter", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await deployment.sandbox.fault({ operation: "openrouter.keys.get", kind: "reset_before", times: 0 });
  await holder(visitor, "load-67");
  await meterSays(visitor, /not read yet[^]*Figures not read yet: OpenRouter does not answer/);
  assert.doesNotMatch(await page.locator(".meter").innerText(), /\$0|NaN|null|undefined/);
  assert.equal(await page.getByRole("meter").count(), 0);
  await sees(page, "This page works too; its figures are not read yet.");
  await visitor.leave();
});

test("without a key the page says during an outage how a claim may end", async () => {
  const visitor = await deployment.visitor();
  await deployment.sandbox.fault({ operation: "openrouter.keys.list", kind: "error_before", times: 0 });
  await deployment.worker.cron();
  await visitor.signIn("load-68");
  await sees(visitor.page, "A claim needs OpenRouter, so it may fail; the page then says whether a key was made.");
  await isAccessible(visitor.page, "an outage without a key");
  await deployment.sandbox.clearFaults();
  await deployment.worker.cron();
  await visitor.leave();
});

test("newer figures are asked for once after loading, and again when the tab comes back after a minute", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-69");
  await page.clock.install();
  await page.reload();
  await visitor.settled();
  await meterSays(visitor, /Figures are live/);
  let asked = 0;
  page.on("request", (request) => void (asked += Number(request.url().endsWith("/api/v1/keys/refresh"))));
  const comesBack = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await comesBack();
  await page.clock.runFor(50_000);
  await comesBack();
  assert.equal(asked, 0);
  await page.clock.runFor(11_000);
  await Promise.all([page.waitForResponse("**/api/v1/keys/refresh"), comesBack()]);
  assert.equal(asked, 1);
  await visitor.leave();
});

test("a device's clock that is corrected while the page is open makes its times right again, with the next answer and before it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-71");
  const DAY = 86_400_000;
  // A device whose clock is three days behind. The date of each answer tells the page so.
  await page.addInitScript((off) => {
    const genuine = Date.now;
    Object.assign(window, { behindMs: off });
    Date.now = () => genuine() - /** @type {any} */ (window).behindMs;
  }, 3 * DAY);
  await datesAnswers(visitor);
  const setClock = (/** @type {number} */ behindMs) => page.evaluate((off) => Object.assign(window, { behindMs: off }), behindMs);
  const claimed = () => page.locator("#keys .facts").last().innerText();
  await page.reload();
  await visitor.settled();
  await visitor.refreshed();
  assert.match(await claimed(), /Made\s+1 min ago/);
  await setClock(0);
  await Promise.all([page.waitForResponse("**/api/v1/keys/refresh"), refresh.press(visitor)]);
  await visitor.refreshed();
  assert.match(await claimed(), /Expires\s+in 90 days[^]*Made\s+1 min ago/, "back to nought");
  await setClock(-2 * DAY);
  await Promise.all([page.waitForResponse("**/api/v1/keys/refresh"), refresh.press(visitor)]);
  await visitor.refreshed();
  assert.match(await claimed(), /Made\s+1 min ago/, "and to the other side");
  await visitor.leave();
});

test("a page whose device's clock was set asks again by itself", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-72");
  await datesAnswers(visitor);
  await page.clock.install();
  await page.reload();
  await visitor.settled();
  await visitor.refreshed();
  await page.clock.setSystemTime(Date.now() + 86_400_000);
  await Promise.all([page.waitForResponse("**/api/v1/keys"), page.clock.runFor(20_000)]);
  await sees(page, /Figures are live|Figures from \d+ min ago/);
  assert.match(await page.locator("#keys .facts").last().innerText(), /Made\s+1 min ago/);
  await visitor.leave();
});

test("a refresh that gets no answer leaves the figures and says how old they are", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-70");
  await meterSays(visitor, /Figures are live/);
  await page.route("**/api/v1/keys/refresh", (route) => route.abort("internetdisconnected"));
  await refresh.press(visitor);
  await meterSays(visitor, /Used\s+\$0[^]*Figures from 1 min ago: no answer just now/);
  assert.equal(await page.locator("#status").innerText(), "No answer. The earlier figures are still shown.");
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("net::ERR_INTERNET_DISCONNECTED"));
  await visitor.leave();
});

const OPERATIONS = ["github.authorize", "github.token", "github.user", "github.revoke", ...["create", "list", "get", "update", "delete"].map((verb) => `openrouter.keys.${verb}`), "openrouter.key.current", "openrouter.workspaces.list", "openrouter.credits.get"];

/** The button that asks for newer figures. */
const refresh = {
  /** @param {Visitor} visitor */
  button: ({ page }) => page.getByRole("button", { name: "Refresh" }),
  /** @param {Visitor} visitor */
  press: (visitor) => refresh.button(visitor).click(),
  /** @param {Visitor} visitor */
  focus: (visitor) => refresh.button(visitor).focus(),
  /** @param {Visitor} visitor */
  hasFocus: (visitor) => refresh.button(visitor).evaluate((button) => button === document.activeElement),
};

/** Gives a visitor a key, with its page open. @param {Visitor} visitor @param {string} persona */
async function holder(visitor, persona) {
  await visitor.signIn(persona);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
}

/** Gives every answer a Date. Cloudflare adds one; workerd alone does not. @param {Visitor} visitor */
const datesAnswers = ({ page }) =>
  page.route("**/api/**", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), date: new Date().toUTCString() } });
  });

/** Waits until the meter shows this text. @param {Visitor} visitor @param {RegExp} text */
async function meterSays({ page }, text) {
  const meter = page.locator(".meter");
  await meter.waitFor();
  await page.waitForFunction(([source]) => new RegExp(source).test(document.querySelector(".meter")?.textContent?.replace(/\s+/g, " ") ?? ""), [spaced(text)]).catch(async () => assert.match(await meter.innerText(), text));
}

/** `textContent` has no line breaks between elements. @param {RegExp} text */
const spaced = (text) => text.source.replaceAll("\\s+", "\\s*");

/** @param {Visitor} visitor */
const meterValues = ({ page }) => page.getByRole("meter").evaluate((meter) => [meter.getAttribute("aria-valuenow"), meter.getAttribute("aria-valuetext")]);

/** Records every shift of the layout from now on. @param {Visitor} visitor */
const watchShifts = ({ page }) =>
  page.evaluate(() => {
    /** @type {string[]} */
    const seen = [];
    Object.assign(window, { shifts: seen });
    /** @param {any} source */
    const moved = ({ node, previousRect: from, currentRect: to }) => `${node?.textContent}: ${from.x},${from.y} → ${to.x},${to.y}`;
    new PerformanceObserver((list) => seen.push(...list.getEntries().flatMap((entry) => /** @type {any} */ (entry).sources.map(moved)))).observe({ type: "layout-shift" });
  });

/** The recorded shifts, once the screen has been painted. @param {Visitor} visitor @returns {Promise<string[]>} */
const shifts = ({ page }) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(/** @type {any} */ (window).shifts)))));
