// The way from the landing page to a key in hand, in a real browser on the real Worker.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { House, PHONE, fitsFingers, sees } from "./support.mjs";

/** @type {House} */
let house;
before(async () => {
  house = await House.open();
});
after(() => house?.close());

test("a newcomer gets from the landing page to a key in three presses, and sees the secret once (S4-18, P4)", async () => {
  const visitor = await house.visitor();
  const { page } = visitor;
  await visitor.open("/");
  await page.getByRole("heading", { level: 1, name: "A real OpenRouter key, capped at $5 a day, free." }).waitFor();
  await page.getByRole("link", { name: "Continue with GitHub" }).click();
  await page.locator('button[name="persona"][value="member"]').click();
  await page.waitForURL(`${house.worker.url}/keys`);

  const secret = await visitor.claim();
  const minted = await house.secrets();
  assert.deepEqual(minted, [secret], "the box shows what the upstream minted, and the upstream minted once");

  await visitor.secretBox.getByRole("button", { name: "Copy the key" }).click();
  await visitor.secretBox.getByRole("status").getByText("Copied.").waitFor();
  assert.equal(await pasted(visitor), secret);

  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  await sees(page, "Your key is ready to use.");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Your key is ready to use.");
  await neverShows(page, secret);

  await page.reload();
  await visitor.settled();
  await page.getByText(masked(secret)).waitFor();
  await page.locator(".chip").getByText("active", { exact: true }).waitFor();
  await neverShows(page, secret);
  assert.ok(!house.worker.logs().some((line) => line.includes(secret)), "no log line holds the secret");
  await visitor.leave();
});

test("a key's limit, reset and expiry are told in words and figures, the reset in both forms (look.md, S4-59)", async () => {
  const visitor = await house.visitor();
  await visitor.signIn("load-1");
  await visitor.claim();
  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  const facts = await visitor.page.locator(".facts").innerText();
  assert.match(facts, /\$5\.00 a day, resets in \d+ (h|min) \(00:00\sUTC\)/);
  assert.match(facts, /in 90 days\s+\(\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d\sUTC\)/);
  for (const rule of ["both count toward the $5", "resets daily at 00:00 UTC", "may finish and overshoot it"]) await sees(visitor.page, rule);
  await visitor.leave();
});

test("the secret box keeps the focus, and only 'I have stored it' closes it (look.md)", async () => {
  const visitor = await house.visitor();
  const { page } = visitor;
  await visitor.signIn("load-2");
  await visitor.claim();
  const copy = visitor.secretBox.getByRole("button", { name: "Copy the key" });
  assert.ok(await copy.evaluate((button) => button === document.activeElement), "the focus moved into the box");
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press("Escape");
  await page.mouse.click(5, 5);
  for (let presses = 0; presses < 6; presses += 1) {
    await page.keyboard.press("Tab");
    const outside = await page.evaluate(() => document.activeElement !== document.body && document.activeElement?.closest("dialog") === null);
    assert.equal(outside, false, "the focus left the box for the page behind it");
  }
  assert.ok(await visitor.secretBox.isVisible());
  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  await visitor.secretBox.waitFor({ state: "detached" });
  await visitor.leave();
});

test("leaving the page asks first while the secret is on it, and not after (P4)", async () => {
  const visitor = await house.visitor();
  const { page } = visitor;
  await visitor.signIn("load-3");
  await visitor.claim();
  const [question] = await Promise.all([page.waitForEvent("dialog"), page.close({ runBeforeUnload: true })]);
  assert.equal(question.type(), "beforeunload");
  await question.dismiss();
  assert.ok(await visitor.secretBox.isVisible());
  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  // Unanswered questions are dismissed, which would keep the page: leaving works only if none is asked.
  await visitor.open("/");
  await sees(page, "Three steps");
  await visitor.leave();
});

test("where the clipboard is refused, the box selects the key and says how to copy it", async () => {
  const visitor = await house.visitor();
  const { page } = visitor;
  await page.addInitScript(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException("refused", "NotAllowedError"));
  });
  await visitor.signIn("load-4");
  const secret = await visitor.claim();
  await visitor.secretBox.getByRole("button", { name: "Copy the key" }).click();
  await visitor.secretBox.getByRole("status").getByText("Copying was refused. The key is selected").waitFor();
  assert.equal(await page.evaluate(() => String(getSelection()).replace(/\s/g, "")), secret);
  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  await visitor.leave();
});

test("the whole way goes by keyboard alone", async () => {
  const visitor = await house.visitor();
  const { page } = visitor;
  await visitor.open("/");
  await tabTo(page, "Continue with GitHub");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/github\//);
  await tabTo(page, "second");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${house.worker.url}/keys`);
  await visitor.settled();
  await tabTo(page, "Claim my key");
  await page.keyboard.press("Enter");
  await visitor.secretBox.waitFor();
  await page.keyboard.press("Enter");
  await visitor.secretBox.getByRole("status").getByText("Copied.").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await visitor.secretBox.waitFor({ state: "detached" });
  await sees(page, "Your key is ready to use.");
  await tabTo(page, "@second", "Shift+Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, "Sign out");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${house.worker.url}/`);
  await visitor.leave();
});

test("every view of the claim fits a phone of 320 px, and its targets a finger", async () => {
  const visitor = await house.visitor({ viewport: PHONE });
  const { page } = visitor;
  await visitor.open("/");
  await fitsFingers(page, "the landing page");
  await visitor.signIn("load-5");
  await fitsFingers(page, "the claim");
  await visitor.claim();
  await fitsFingers(page, "the secret box");
  await visitor.secretBox.getByRole("button", { name: "I have stored it" }).click();
  await fitsFingers(page, "the key");
  await page.getByRole("button", { name: /Account menu/ }).click();
  await fitsFingers(page, "the account menu");
  await visitor.leave();
});

/** What the browser's clipboard holds, seen by pasting it: reading it is switched off on our pages. @param {import("./support.mjs").Visitor} visitor */
async function pasted(visitor) {
  const page = await visitor.window();
  await page.setContent("<textarea autofocus></textarea>");
  await page.locator("textarea").focus();
  await page.keyboard.press("ControlOrMeta+V");
  const text = await page.locator("textarea").inputValue();
  await page.close();
  return text;
}

/** "sk-or-v1-5a4…": the masked form begins and ends as the secret does. @param {string} secret */
const masked = (secret) => new RegExp(`^${secret.slice(0, 12)}\\.{3}${secret.slice(-3)}$`);

/** Nothing on the page, in its address or in the browser's storage holds the secret. @param {import("./support.mjs").Page} page @param {string} secret */
async function neverShows(page, secret) {
  const held = await page.evaluate(() => document.documentElement.outerHTML + location.href + JSON.stringify({ ...localStorage, ...sessionStorage }) + JSON.stringify(history.state));
  assert.ok(!held.includes(secret) && !held.includes(secret.slice(20, 50)), "the secret is still on the page or in its storage");
}

/** Walks there as a keyboard does; more presses than a short page has stops mean that it cannot be reached. @param {import("./support.mjs").Page} page @param {string} text @param {string} [key] */
async function tabTo(page, text, key = "Tab") {
  for (let presses = 0; presses < 25; presses += 1) {
    await page.keyboard.press(key);
    if (await page.evaluate((wanted) => document.activeElement?.textContent?.trim().startsWith(wanted), text)) return;
  }
  assert.fail(`${text} cannot be reached by ${key}`);
}
