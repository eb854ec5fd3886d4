// A member whose plan allows several keys: makes further ones, names them, limits them, and does with each what an owner
// does, by keyboard alone.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { signIn } from "../harness/index.mjs";
import { DESK, Deployment, NO_ADDRESS, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */
/** @typedef {import("./support.mjs").Page} Page */

/** @type {Deployment} */
let deployment;
/** @type {import("../harness/client.mjs").Client} */
let operator;
before(async () => {
  deployment = await Deployment.open();
  operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  await planAllows(3);
});
after(() => deployment?.close());
afterEach(async () => {
  await deployment.sandbox.clearFaults();
  await deployment.sandbox.release();
});

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-601"], [DESK, "light", "load-602"]])) {
  test(`at ${viewport.width} px, by keyboard alone: a further key is made, renamed, disabled and enabled again`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    /** @param {string} where */
    const holds = async (where) => {
      await fitsFingers(page, where);
      await isAccessible(page, where);
    };
    await holder(visitor, persona);
    await sees(page, "1 of 3 keys");
    await presses(page, "Create a key");
    assert.equal(await focused(page), "create-name");
    await page.keyboard.press("Enter");
    await sees(page, "Write a name. Nothing was sent.");
    assert.equal(await focused(page), "create-name", "the focus is where something is wrong");
    await holds("a further key without a name");
    await page.keyboard.type("  Laptop ");
    await page.keyboard.press("Tab");
    await page.keyboard.type("2.50");
    await page.keyboard.press("Enter");
    const secret = await visitor.secretBox.locator("code").innerText();
    assert.deepEqual((await deployment.secrets()).slice(-1), [secret]);
    await visitor.secretBox.getByText(/^Limit \$2\.50 a day/).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const laptop = card(page, "Laptop");
    await laptop.getByText("The key is ready to use.").waitFor();
    await sees(page, "2 of 3 keys");
    assert.match(await laptop.innerText(), /\$2\.50 a day, set by you/);
    await holds("two keys");

    await presses(page, "Rename", laptop);
    await page.keyboard.press("Escape");
    assert.equal(await focused(page), "Rename", "Escape changes nothing, and the focus comes back");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("Desk");
    await holds("a key that is being renamed");
    await page.keyboard.press("Enter");
    const desk = card(page, "Desk");
    await desk.waitFor();
    await page.waitForFunction(() => document.activeElement?.textContent === "Rename");

    const asked = counts(page);
    await presses(page, "Disable", desk);
    await desk.locator(".chip").getByText("disabled by you", { exact: true }).waitFor();
    await desk.getByText("OpenRouter refuses requests with it until you enable it.").waitFor();
    assert.deepEqual(asked(), ["PATCH /api/v1/keys/…"], "one call for one action");
    assert.equal(await focused(page), "Enable", "the focus stays on the button");
    assert.equal(await works(secret), false);
    await holds("a key that was disabled, with the way back");
    await presses(page, "Undo", desk);
    await desk.locator(".chip").getByText("active", { exact: true }).waitFor();
    assert.equal(await works(secret), true);
    assert.equal(await card(page, "OpenRouter key").locator(".chip").innerText(), "active", "the other key was left alone");

    await presses(page, "History", desk);
    await desk.getByText("Made, with its first secret").waitFor();
    const events = await desk.locator(".history li").allInnerTexts();
    for (const said of [/^Enabled by you/, /^Disabled by you/, /^Renamed by you/]) assert.ok(events.some((event) => said.test(event)), events.join("; "));
    await holds("a key's history");
    await presses(page, "History", desk);
    assert.equal(await desk.locator(".history").count(), 0);
    await visitor.leave();
  });
}

test("a new secret with a grace period: both work until the hour that is written, and the card says until when", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  const { page } = visitor;
  const old = await holder(visitor, "load-611");
  await presses(page, "New secret…");
  const question = page.getByRole("dialog", { name: "Make a new secret for “OpenRouter key”?" });
  assert.equal(await question.getByRole("radio", { name: "stops working at once" }).isChecked(), true);
  await question.getByRole("radio", { name: "works on for a while" }).check();
  const hours = question.getByRole("textbox", { name: "Hours until the old secret ends" });
  await hours.fill("200");
  await page.keyboard.press("Enter");
  await question.getByText("Write a whole number of hours from 1 to 168. Nothing was sent.").waitFor();
  assert.equal(await focused(page), "grace-hours");
  await isAccessible(page, "a grace that is too long");
  await fitsFingers(page, "a grace that is too long");
  await hours.fill("2");
  await page.keyboard.press("Enter");
  const secret = await visitor.secretBox.locator("code").innerText();
  await visitor.stored.click();
  await sees(page, /The old secret works until .*\sUTC\. Replace it before then: in the variable OPENROUTER_API_KEY/);
  await card(page, "OpenRouter key").locator(".chip").getByText(/^rotating, old secret until \d\d:\d\d\sUTC$/).waitFor();
  assert.deepEqual([await works(old), await works(secret)], [true, true]);
  assert.equal(await page.getByRole("button", { name: "New secret…" }).count(), 0, "two secrets are enough");
  await isAccessible(page, "two secrets");
  await fitsFingers(page, "two secrets");
  await visitor.leave();
});

test("a limit of one's own is set, refused above the plan's with the reason, and taken back", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(400);
  const { page } = visitor;
  await holder(visitor, "load-612");
  await presses(page, "Own limit…");
  const question = page.getByRole("dialog", { name: "A lower limit for “OpenRouter key”" });
  await question.getByText("Your plan gives a key $5.00 a day.").waitFor();
  const field = question.getByRole("textbox", { name: "Limit in US dollars" });
  await field.fill("9");
  await page.keyboard.press("Enter");
  await question.getByText(/must not be above what the plan gives/).waitFor();
  await isAccessible(page, "a limit that was refused");
  await field.fill("1.50");
  await page.keyboard.press("Enter");
  await sees(page, "The key may spend at most $1.50 a day.");
  await sees(page, "$1.50 a day, set by you");
  assert.equal((await deployment.sandbox.ledger()).keys.at(-1).limit, 1.5);
  await presses(page, "Own limit…");
  await field.fill("");
  await page.keyboard.press("Enter");
  await sees(page, "The key has no limit of your own any more.");
  assert.equal((await deployment.sandbox.ledger()).keys.at(-1).limit, 5);
  await visitor.leave();
});

test("a member asks for more for a key, withdraws it on the account's page, and an amount that is none is refused beside its field", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  const { page } = visitor;
  await holder(visitor, "load-617");
  await presses(page, "Ask for more…");
  const question = page.getByRole("dialog", { name: "Ask for more for “OpenRouter key”" });
  await page.keyboard.type("much");
  await page.keyboard.press("Enter");
  await question.getByText(/^Write an amount such as 2 or 2\.50/).waitFor();
  assert.equal(await focused(page), "more-amount");
  await question.getByRole("textbox", { name: "Until which day (optional)" }).fill("2020-01-01");
  await question.getByRole("textbox", { name: "How much more, in US dollars" }).fill("2.50");
  await page.keyboard.press("Enter");
  await question.getByText(/^Write a day to come/).waitFor();
  await isAccessible(page, "a wish for more that is refused");
  await fitsFingers(page, "a wish for more that is refused");
  await question.getByRole("textbox", { name: "Until which day (optional)" }).fill("");
  await question.getByRole("textbox", { name: "Why (optional)" }).fill("A larger test.");
  await presses(page, "Ask for it");
  await sees(page, "You have asked for more.");
  await visitor.open("/account");
  const asked = page.getByRole("region", { name: "What you have asked" });
  await asked.getByText("Asked for a higher limit: $2.50 more").waitFor();
  await asked.getByText("A larger test.").waitFor();
  await isAccessible(page, "a request that can be withdrawn");
  await presses(page, "Withdraw it");
  await asked.getByText("withdrawn", { exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Withdraw it" }).count(), 0);
  await visitor.leave();
});

test("a key that expires soon is renewed from its card, with a new lifetime", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-613");
  assert.equal(await page.getByRole("button", { name: "Renew…" }).count(), 0, "it is too early");
  await deployment.worker.d1("UPDATE generations SET expires_at = expires_at - 85 * 86400 WHERE owner_id = (SELECT owner_id FROM members WHERE login = 'load-613')");
  await page.reload();
  await visitor.refreshed();
  await sees(page, /Expires\s*in 5 days/);
  await presses(page, "Renew…");
  const question = page.getByRole("dialog", { name: "Renew “OpenRouter key”?" });
  await isAccessible(page, "the question about a renewal");
  await question.getByRole("button", { name: "Renew it" }).click();
  await visitor.stored.click();
  await sees(page, "Your key is renewed.");
  assert.match(await card(page, "OpenRouter key").innerText(), /Expires\s+in 90 days[^]*Secret\s+number 2/);
  await visitor.leave();
});

test("where the plan allows fewer keys than there are, the page says so, and the owner chooses which one stays", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-614");
  await create(visitor, "Laptop");
  await planAllows(1);
  await deployment.worker.cron();
  await page.reload();
  await visitor.settled();
  await sees(page, "2 keys; your plan allows 1");
  const laptop = card(page, "Laptop");
  await laptop.locator(".chip").getByText("disabled: over your plan").waitFor();
  assert.equal(await page.getByRole("button", { name: "Create a key" }).count(), 0);
  await isAccessible(page, "a key over the plan's number");
  await presses(page, "Keep this one", laptop);
  await laptop.getByText("This key is kept.").waitFor();
  await deployment.worker.cron();
  await page.reload();
  await visitor.settled();
  await card(page, "OpenRouter key").locator(".chip").getByText("disabled: over your plan").waitFor();
  await laptop.locator(".chip").getByText("active").waitFor();
  await planAllows(3);
  await visitor.leave();
});

test("an action that fails says what did and did not happen in the key's own card, and offers it again", async () => {
  const visitor = await deployment.visitor();
  visitor.unheard(/ERR_INTERNET_DISCONNECTED/);
  visitor.expects(429);
  const { page } = visitor;
  await holder(visitor, "load-615");
  await create(visitor, "Laptop");
  const laptop = card(page, "Laptop");
  await page.route(/\/api\/v1\/keys\/key_/, (route) => route.abort("internetdisconnected"));
  await presses(page, "Disable", laptop);
  await laptop.getByText("The key was not disabled.").waitFor();
  await laptop.getByText("It may still have been done. Check your connection, then try again. If you press again, it is not done twice.").waitFor();
  await laptop.locator(".chip").getByText("active", { exact: true }).waitFor();
  await isAccessible(page, "an action that failed");
  await page.unroute(/\/api\/v1\/keys\/key_/);
  await presses(page, "Try again", laptop);
  await laptop.locator(".chip").getByText("disabled by you").waitFor();
  await page.route(/\/api\/v1\/keys$/, (route) => (route.request().method() === "POST" ? route.fulfill({ status: 429, contentType: "application/problem+json", json: { title: "Too many requests", detail: "Wait a minute, then try again.", code: "rate_limited", status: 429, instance: "req_12345678" } }) : route.fallback()));
  await presses(page, "Create a key");
  await page.keyboard.type("Phone");
  await page.keyboard.press("Enter");
  await sees(page, "The key was not handed out. Too many requests. Wait a minute, then try again.");
  await sees(page, "req_12345678");
  assert.equal(await page.getByRole("textbox", { name: "Name" }).inputValue(), "Phone", "what was typed is kept");
  await page.unroute(/\/api\/v1\/keys$/);
  await presses(page, "Create it");
  await visitor.stored.click();
  await sees(page, "3 of 3 keys");
  assert.equal(await page.getByRole("button", { name: "Create a key" }).count(), 0);
  await visitor.leave();
});

test("a hundred keys come with the document, begin folded, and each opens by keyboard", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  const { page } = visitor;
  await holder(visitor, "load-616");
  await visitor.changesAnswers(NO_ADDRESS, (body) => {
    body.keys = Array.from({ length: 100 }, (_, n) => ({ ...body.keys[0], id: `key_${String(n).padStart(24, "0")}`, name: `Key ${n}`, spend: { ...body.keys[0].spend, used_usd: `0.${String(n).padStart(2, "0")}` } }));
    body.me.keys_allowed = 100;
  });
  await page.route("**/api/v1/keys/refresh", () => {});
  await page.reload();
  await visitor.settled();
  await sees(page, "100 of 100 keys");
  assert.equal(await page.locator("#keys .card").count(), 100);
  assert.equal(await page.locator(".is-key").count(), 0);
  await fitsFingers(page, "a hundred keys");
  const key = card(page, "Key 57");
  await presses(page, "Show everything", key);
  await key.locator(".is-key").waitFor();
  assert.equal(await focused(page), "Show less");
  assert.equal(await page.locator(".is-key").count(), 1);
  await page.keyboard.press("Enter");
  await key.locator(".is-key").waitFor({ state: "detached" });
  await isAccessible(page, "a hundred keys");

  await page.getByRole("textbox", { name: "Search" }).focus();
  await page.keyboard.type("key 5");
  await sees(page, "11 of 100 keys shown");
  await page.getByRole("combobox", { name: "Sort by" }).selectOption("Most spent");
  await page.waitForURL(/\/keys\?q=key\+5&sort=spent$/);
  const names = () => page.locator("#keys .card h2").allInnerTexts();
  assert.deepEqual((await names()).slice(0, 3), ["Key 59", "Key 58", "Key 57"]);
  await page.reload();
  await visitor.settled();
  assert.deepEqual((await names()).slice(0, 3), ["Key 59", "Key 58", "Key 57"], "the address says all of it");
  await page.getByRole("combobox", { name: "Show" }).selectOption("Not working");
  await sees(page, "No key matches.");
  await isAccessible(page, "a search that finds nothing");
  await presses(page, "Show all keys");
  await sees(page, "100 of 100 keys");
  assert.equal(new URL(page.url()).search, "");
  await visitor.leave();
});

/** @param {number} keys */
async function planAllows(keys) {
  assert.equal((await operator.patch("/api/v1/admin/plans/default", { max_active_keys: keys })).status, 200);
}

/** Gives a visitor a key, with its page open; returns the secret. @param {Visitor} visitor @param {string} persona */
async function holder(visitor, persona) {
  await visitor.signIn(persona);
  const secret = await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
  return secret;
}

/** Makes a further key. @param {Visitor} visitor @param {string} name */
async function create(visitor, name) {
  await presses(visitor.page, "Create a key");
  await visitor.page.keyboard.type(name);
  await visitor.page.keyboard.press("Enter");
  await visitor.stored.click();
  await card(visitor.page, name).waitFor();
}

/** The card of a key. @param {Page} page @param {string} name */
const card = (page, name) => page.getByRole("region", { name, exact: true });

/** Presses a button with the keyboard alone. @param {Page} page @param {string} name @param {import("playwright-core").Locator} [within] */
async function presses(page, name, within) {
  await (within ?? page).getByRole("button", { name, exact: true }).focus();
  await page.keyboard.press("Enter");
}

/** The id or the text of the element that has the focus. @param {Page} page */
const focused = (page) => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());

/** Records the changes that the page asks for from now on. @param {Page} page */
function counts(page) {
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => {
    if (request.url().includes("/api/")) asked.push(`${request.method()} ${new URL(request.url()).pathname.replace(/key_[0-9a-f]+/, "…")}`);
  });
  return () => asked;
}

/** Whether OpenRouter accepts a secret. @param {string} secret */
async function works(secret) {
  const answer = await fetch(`${deployment.sandbox.url}/openrouter/api/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
  return answer.ok;
}
