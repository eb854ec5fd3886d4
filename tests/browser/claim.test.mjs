// The way from the landing page to a key, in a real browser against the real Worker.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESK, Deployment, PHONE, fitsFingers, pasted, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("a newcomer gets from the landing page to a key in three presses and a tick, and sees the secret once", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.open("/");
  await page.getByRole("heading", { level: 1, name: "A real OpenRouter key, capped at $5 a day, free." }).waitFor();
  await page.getByRole("link", { name: "Continue with GitHub" }).click();
  await page.locator('button[name="persona"][value="member"]').click();
  await page.waitForURL(`${deployment.worker.url}/keys`);

  const secret = await visitor.claim();
  const minted = await deployment.secrets();
  assert.deepEqual(minted, [secret], "the box shows what the upstream minted, and the upstream minted once");

  await visitor.secretBox.getByRole("button", { name: "Copy the key" }).click();
  await visitor.secretBox.getByRole("status").getByText("Copied.").waitFor();
  await visitor.secretBox.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await pasted(visitor), secret);

  await visitor.stored.click();
  await sees(page, "Your key is ready to use.");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Your key is ready to use.");
  await neverShows(page, secret);

  await page.reload();
  await visitor.settled();
  await page.getByText(masked(secret)).waitFor();
  await page.locator(".chip").getByText("active", { exact: true }).waitFor();
  await neverShows(page, secret);
  assert.ok(!deployment.worker.logs().some((line) => line.includes(secret)), "no log line holds the secret");
  await visitor.leave();
});

test("a key's limit, reset and expiry are shown in words and figures, the reset in both forms", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-1");
  await visitor.claim();
  await visitor.stored.click();
  const facts = await visitor.page.locator("#keys .card").innerText();
  assert.match(facts, /resets in \d+ (h|min) \(00:00\sUTC\)/);
  assert.match(facts, /Limit\s+\$5\.00 a day/);
  assert.match(facts, /in 90 days\s+\(\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d\sUTC\)/);
  for (const rule of ["both count toward the $5", "resets daily at 00:00 UTC", "may finish and overshoot it"]) await sees(visitor.page, rule);
  await visitor.leave();
});

test("the secret box keeps the focus, and only 'I have stored it' closes it", async () => {
  const visitor = await deployment.visitor();
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
  await visitor.stored.click();
  await visitor.secretBox.waitFor({ state: "detached" });
  await visitor.leave();
});

test("leaving the page asks first while the secret is on it, and not after", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-3");
  await visitor.claim();
  const [question] = await Promise.all([page.waitForEvent("dialog"), page.close({ runBeforeUnload: true })]);
  assert.equal(question.type(), "beforeunload");
  await question.dismiss();
  assert.ok(await visitor.secretBox.isVisible());
  await visitor.stored.click();
  // Playwright dismisses a question that nobody answers, and the page then stays. So this works only if none is asked.
  await visitor.open("/");
  await sees(page, "Three steps");
  await visitor.leave();
});

test("where the clipboard is refused, the box selects the key and says how to copy it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await page.addInitScript(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException("refused", "NotAllowedError"));
  });
  await visitor.signIn("load-4");
  const secret = await visitor.claim();
  await visitor.secretBox.getByRole("button", { name: "Copy the key" }).click();
  await visitor.secretBox.getByRole("status").getByText("Copying was refused. The text is selected").waitFor();
  assert.equal(await page.evaluate(() => String(getSelection()).replace(/\s/g, "")), secret);
  await visitor.stored.click();
  await visitor.leave();
});

test("the whole way works by keyboard only", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.open("/");
  await tabTo(page, "Continue with GitHub");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/github\//);
  await tabTo(page, "second");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${deployment.worker.url}/keys`);
  await visitor.settled();
  await tabTo(page, "Claim my key");
  await page.keyboard.press("Enter");
  assert.ok(await visitor.acceptBox.evaluate((box) => box === document.activeElement), "the focus is on what is missing");
  await page.keyboard.press("Space");
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
  await page.waitForURL(`${deployment.worker.url}/`);
  await visitor.leave();
});

for (const [viewport, persona] of /** @type {const} */ ([[PHONE, "load-5000000"], [DESK, "load-6"]])) {
  test(`every view fits ${viewport.width} px, its targets are large enough for a finger, and its buttons take one line`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    visitor.expects(404);
    for (const path of ["/", "/docs", "/no-such-page", "/?auth_error=denied"]) {
      await visitor.open(path);
      await fitsFingers(page, path);
    }
    await visitor.signIn(persona);
    await fitsFingers(page, "the claim");
    await isOneLine(visitor.claimButton);
    const tops = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").evaluateAll((links) => links.map((link) => link.getBoundingClientRect().top));
    assert.equal(new Set(tops).size, 1, "the pages stand in one line, however long the login is");
    const secret = await visitor.claim();
    await fitsFingers(page, "the secret box");
    await fitsItself(visitor.secretBox, "the secret box");
    assert.equal(secret.replace(/\s/g, "").length, 73, "the whole key stands there, wrapped");
    await visitor.stored.click();
    await fitsFingers(page, "the key");
    for (const tab of await page.getByRole("tab").all()) {
      await tab.click();
      await fitsFingers(page, await tab.innerText());
    }
    await page.getByRole("button", { name: /Account menu/ }).click();
    await fitsFingers(page, "the account menu");
    await visitor.leave();
  });
}

test("a second press while the claim is under way does nothing: one key is made", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-7");
  const before = await deployment.secrets();
  await visitor.acceptBox.check();
  await visitor.claimButton.dblclick();
  await visitor.secretBox.waitFor();
  assert.equal((await deployment.secrets()).length, before.length + 1);
  await visitor.stored.click();
  await visitor.leave();
});

test("while the claim is under way only its button is locked, and the rest of the page works", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-8");
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "hold_before" });
  await visitor.pressClaim();
  const pending = page.getByRole("button", { name: "Claiming…" });
  await pending.waitFor();
  assert.equal(await pending.getAttribute("aria-disabled"), "true");
  await deployment.sandbox.held("openrouter.keys.create");
  assert.equal(await page.locator('main :is(button, a)[aria-disabled="true"]').count(), 1);
  await page.getByRole("button", { name: /Account menu/ }).click();
  await page.getByRole("button", { name: "Sign out", exact: true }).waitFor();
  await deployment.sandbox.release();
  await visitor.secretBox.waitFor();
  await visitor.stored.click();
  await visitor.leave();
});

test("once the box is closed, nothing the page keeps in memory holds the secret", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-9");
  const secret = await visitor.claim();
  assert.ok((await memory(visitor)).includes(secret), "while it is shown it is found, so the search works");
  // The page then asks for the key's figures. It must not hold the secret until they arrive.
  await deployment.sandbox.fault({ operation: "openrouter.keys.get", kind: "hold_before" });
  await visitor.stored.click();
  await sees(visitor.page, "Your key is ready to use.");
  await deployment.sandbox.held("openrouter.keys.get");
  assert.ok(!(await memory(visitor)).includes(secret));
  await deployment.sandbox.release();
  await visitor.leave();
});

test("the page shows the key and nothing of how the service works inside", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-10");
  /** @type {string[]} */
  const texts = [];
  const read = async () => texts.push(await visitor.page.locator("body").innerText());
  await read();
  await visitor.claim();
  await read();
  await visitor.stored.click();
  await read();
  assert.doesNotMatch(texts.join("\n"), /management|provisioning|workspace|D1|Worker|undefined|null|NaN/);
  await visitor.leave();
});

/** Everything on the page's heap, after a garbage collection. @param {import("./support.mjs").Visitor} visitor */
async function memory({ context, page }) {
  const debug = await context.newCDPSession(page);
  /** @type {string[]} */
  const chunks = [];
  debug.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => chunks.push(chunk));
  await debug.send("HeapProfiler.collectGarbage");
  await debug.send("HeapProfiler.takeHeapSnapshot");
  await debug.detach();
  return chunks.join("");
}

/** @param {import("playwright-core").Locator} button */
async function isOneLine(button) {
  const lines = await button.evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
  });
  assert.equal(lines, 1, "the button's words break over lines");
}

/** @param {import("playwright-core").Locator} part @param {string} where */
async function fitsItself(part, where) {
  const wider = await part.evaluate((element) => [element, ...element.querySelectorAll("*")].filter((inner) => inner.scrollWidth > inner.clientWidth + 1 && getComputedStyle(inner).display !== "inline").map((inner) => inner.tagName));
  assert.deepEqual(wider, [], `${where} bleeds out sideways`);
}

/** "sk-or-v1-5a4…": the masked form begins and ends as the secret does. @param {string} secret */
const masked = (secret) => new RegExp(`^${secret.slice(0, 12)}\\.{3}${secret.slice(-3)}$`);

/**
 * Asserts that neither the page, nor its address, nor the browser's storage holds the secret.
 * @param {import("./support.mjs").Page} page
 * @param {string} secret
 */
async function neverShows(page, secret) {
  const held = await page.evaluate(() => document.documentElement.outerHTML + location.href + JSON.stringify({ ...localStorage, ...sessionStorage }) + JSON.stringify(history.state));
  assert.ok(!held.includes(secret) && !held.includes(secret.slice(20, 50)), "the secret is still on the page or in its storage");
}

/**
 * Moves the focus with the keyboard. A short page has fewer than 25 stops, so more presses mean that the text cannot be
 * reached.
 * @param {import("./support.mjs").Page} page
 * @param {string} text
 * @param {string} [key]
 */
async function tabTo(page, text, key = "Tab") {
  for (let presses = 0; presses < 25; presses += 1) {
    await page.keyboard.press(key);
    if (await page.evaluate((wanted) => document.activeElement?.textContent?.trim().startsWith(wanted), text)) return;
  }
  assert.fail(`${text} cannot be reached by ${key}`);
}
