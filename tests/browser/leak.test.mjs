// The page `/leak`, for anyone: a key that somebody found is hashed in the browser, only the hash is sent, and the answer
// is the same for every key.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-801"], [DESK, "light", "load-802"]])) {
  test(`at ${viewport.width} px, by keyboard, signed out: a key of ours that is pasted within a line is disabled, and only its SHA-256 is sent`, async () => {
    const owner = await deployment.visitor();
    await owner.signIn(persona);
    const secret = await owner.claim();
    await owner.stored.click();
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.open("/docs#leaked");
    await page.getByRole("link", { name: "report it here" }).click();
    await page.waitForURL(`${deployment.worker.url}/leak`);
    await fitsFingers(page, "the form");
    await isAccessible(page, "the form");
    await page.getByRole("textbox", { name: "The key that you found" }).focus();
    await page.keyboard.type("my password");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await sees(page, "This is not an OpenRouter key: one begins with sk-or-. Paste the whole key. Nothing was sent.");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "found-key");
    await isAccessible(page, "something that is no key");
    /** @type {string[]} */
    const sent = [];
    page.on("request", (request) => void sent.push(`${request.url()} ${request.postData() ?? ""}`));
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.insertText(`  OPENROUTER_API_KEY="${secret}"  # do not commit`);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await sees(page, "Thank you. Your report was received.");
    assert.deepEqual(sent, [`${deployment.worker.url}/api/v1/leaks {"sha256":"${createHash("sha256").update(secret).digest("hex")}"}`]);
    const { html, stored } = await page.evaluate(() => ({ html: document.documentElement.outerHTML, stored: JSON.stringify({ ...localStorage, ...sessionStorage }) }));
    assert.ok(!html.includes(secret) && !stored.includes(secret), "the page forgets the key");
    await fitsFingers(page, "the thanks");
    await isAccessible(page, "the thanks");
    await disabled(secret);
    await owner.page.reload();
    await owner.settled();
    await owner.page.locator(".chip").getByText("disabled: leaked").waitFor();
    await sees(owner.page, "It was reported as leaked.");

    const words = await page.locator("#leak").innerText();
    await page.getByRole("button", { name: "Report another" }).press("Enter");
    assert.equal(await page.getByRole("textbox", { name: "The key that you found" }).inputValue(), "");
    await page.keyboard.insertText(`sk-or-v1-${"0".repeat(64)}`);
    await page.getByRole("button", { name: "Report it" }).click();
    await page.getByRole("heading", { name: "Thank you. Your report was received." }).waitFor();
    assert.equal(await page.locator("#leak").innerText(), words, "a key of nobody here gets the same answer");
    await owner.leave();
    await visitor.leave();
  });
}

test("a report without an answer says that it may have arrived, and one that is refused says when to try again; the key stays in the field", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(429);
  visitor.unheard(/net::ERR_FAILED/);
  await visitor.open("/leak");
  const key = `sk-or-v1-${"1".repeat(64)}`;
  const field = page.getByRole("textbox", { name: "The key that you found" });
  await field.fill(key);
  await page.route("**/api/v1/leaks", (route) => route.abort());
  await page.getByRole("button", { name: "Report it" }).click();
  await sees(page, "The service did not answer. Your report may have arrived. Check your connection, then try again.");
  await page.unroute("**/api/v1/leaks");
  await page.route("**/api/v1/leaks", (route) => route.fulfill({ status: 429, contentType: "application/problem+json", headers: { "retry-after": "60" }, json: { title: "Too many requests", detail: "", code: "rate_limited", status: 429, instance: "req_12345678" } }));
  await page.getByRole("button", { name: "Report it" }).click();
  await sees(page, "Too many requests. Nothing was reported. Try again in 1 min.");
  assert.equal(await field.inputValue(), key);
  await visitor.leave();
});

test("without scripts the page says how to report from a terminal, and asks for nothing", async () => {
  const visitor = await deployment.visitor({ javaScriptEnabled: false });
  const { page } = visitor;
  await visitor.open("/leak");
  await page.locator("noscript h2").waitFor();
  await page.locator('[data-snippet="Report from a terminal"] code').getByText(`${deployment.worker.url}/api/v1/leaks`).waitFor();
  assert.equal(await page.getByRole("textbox").count(), 0);
  await visitor.leave();
});

/** Waits until OpenRouter refuses a secret. @param {string} secret */
async function disabled(secret) {
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(`${deployment.sandbox.url}/openrouter/api/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
    if (!answer.ok) return;
    assert.ok(tries < 200, "the secret still works");
  }
}
