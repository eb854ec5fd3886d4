// What an owner does with a key on its page: make a new secret, report a leak, disable, enable, delete. An action that
// cannot be undone asks first, and the page says what OpenRouter has confirmed and what it has not.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { signIn } from "../harness/index.mjs";
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

for (const [viewport, n] of /** @type {const} */ ([[PHONE, 1], [DESK, 2]])) {
  test(`at ${viewport.width} px a new secret asks first, is shown once, and the old one no longer works`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    const old = await holder(visitor, `load-30${n}`);
    await fitsFingers(page, "a key's buttons");
    await press(page, "New secret…");
    const question = page.getByRole("dialog", { name: "Make a new secret for “OpenRouter key”?" });
    await isAccessible(page, "the question");
    await fitsFingers(page, "the question");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel", "what does nothing has the focus");
    await page.keyboard.press("Escape");
    await question.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "New secret…", "the focus comes back");
    await press(page, "New secret…");
    await question.getByRole("button", { name: "Make a new secret" }).click();
    const secret = await visitor.secretBox.locator("code").innerText();
    assert.notEqual(secret, old);
    await visitor.stored.click();
    await sees(page, "Your new secret is made.");
    await page.getByText(new RegExp(`^${secret.slice(0, 12)}\\.{3}${secret.slice(-3)}$`)).waitFor();
    await isAccessible(page, "after a new secret");
    assert.deepEqual(await enabled(), { [old]: false, [secret]: true });
    await visitor.leave();
  });
}

test("disable and enable are a press each, and the chip says what is confirmed", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-311");
  await press(page, "Disable");
  await chip(page, "disabled by you");
  await sees(page, "OpenRouter refuses requests with it until you enable it.");
  await page.reload();
  await visitor.settled();
  await sees(page, "You have disabled it. OpenRouter refuses requests with it. Enable it whenever you like.");
  assert.equal(await page.getByRole("button", { name: "New secret…" }).count(), 0, "what is off is not replaced");
  await isAccessible(page, "a disabled key");
  await press(page, "Enable");
  await chip(page, "active");
  await visitor.leave();
});

test("while OpenRouter has not confirmed it, the page says that a key is being disabled and still works, also a leaked one", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(503);
  const { page } = visitor;
  await holder(visitor, "load-312");
  await deployment.sandbox.fault({ operation: "openrouter.keys.update", kind: "error_before", times: 0 });
  await press(page, "Disable");
  await chip(page, "being disabled");
  await sees(page, "You have disabled it. OpenRouter has not confirmed yet that it is disabled: until then it still works.");
  await press(page, "It leaked…");
  await page.getByRole("dialog").getByRole("button", { name: "It leaked: disable it" }).click();
  await sees(page, "The leaked secret is being disabled, and still works until that is confirmed.");
  await chip(page, "being disabled");
  assert.doesNotMatch(await page.locator("main").innerText(), /off for good|disabled for good|never works again/);
  await visitor.leave();
});

test("a report of a leak disables the secret and shows the next one", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  const old = await holder(visitor, "load-313");
  await press(page, "It leaked…");
  await page.getByRole("dialog", { name: "Has “OpenRouter key” leaked?" }).getByRole("button", { name: "It leaked: disable it" }).click();
  const secret = await visitor.secretBox.locator("code").innerText();
  await visitor.stored.click();
  await sees(page, "The one that leaked is disabled for good.");
  assert.deepEqual(await enabled(), { [old]: false, [secret]: true });
  await visitor.leave();
});

test("a deleted key has ended, is listed folded away with its history, and another can be claimed", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  const old = await holder(visitor, "load-314");
  await press(page, "Delete…");
  await page.getByRole("dialog", { name: "Delete “OpenRouter key”?" }).getByRole("button", { name: "Delete it" }).click();
  await sees(page, "The key is deleted.");
  assert.deepEqual(await enabled([old]), { [old]: false });
  await page.reload();
  await visitor.settled();
  const ended = page.locator(".ended");
  assert.equal(await ended.getByText(/revoked/).isVisible(), false, "ended keys are folded away");
  await ended.getByText("1 ended key").click();
  await ended.getByText(/OpenRouter key .*, revoked, /).waitFor();
  await ended.getByRole("button", { name: "History" }).click();
  await ended.getByText("Deleted by you").waitFor();
  await isAccessible(page, "an ended key with its history");
  await visitor.claim();
  await visitor.stored.click();
  await visitor.leave();
});

test("a refusal of the service appears where the button was pressed, and the question stays", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(409);
  const { page } = visitor;
  await holder(visitor, "load-315");
  await visitor.page.evaluate(async () => {
    const me = await (await fetch("/api/v1/me")).json();
    const { keys } = await (await fetch("/api/v1/keys")).json();
    await fetch(`/api/v1/keys/${keys[0].id}`, { method: "PATCH", headers: { "content-type": "application/json", "x-keycap-member": me.member.id }, body: '{"disabled":true}' });
  });
  await press(page, "New secret…");
  const question = page.getByRole("dialog");
  await question.getByRole("button", { name: "Make a new secret" }).click();
  await question.getByText("Nothing was changed.").waitFor();
  await question.getByRole("button", { name: "Cancel" }).click();
  await visitor.leave();
});

test("a key that OpenRouter no longer has is shown as missing, with a new secret or its deletion as the ways on", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-316");
  await deployment.deleteUpstream();
  await press(page, "Refresh");
  await chip(page, "missing at OpenRouter");
  await sees(page, "OpenRouter has no such key any more, so it no longer works. Make a new secret for it, or delete it and claim another.");
  const buttons = await page.locator(".is-key button").allInnerTexts();
  assert.deepEqual(buttons, ["New secret…", "History", "Rename", "Project…", "Delete…"]);
  assert.equal(await page.locator(".meter").count(), 0, "there is nothing to measure");
  await isAccessible(page, "a missing key");
  await visitor.leave();
});

test("a key that an operator has disabled says so, and offers no way around it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-317");
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  const id = (await deployment.worker.d1("SELECT k.public_id AS id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE m.login = 'load-317'"))[0].id;
  assert.ok((await operator.patch(`/api/v1/keys/${id}`, { disabled: true })).status < 300);
  await page.reload();
  await visitor.settled();
  await chip(page, "disabled by an administrator");
  await sees(page, "Only they can enable it: ask them.");
  assert.equal(await page.getByRole("button", { name: "New secret…" }).count(), 0);
  await visitor.leave();
});

test("a key that someone disabled at OpenRouter says that only an administrator can enable it, and offers no way around it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-318");
  await page.route(/\/api\/v1\/keys(\/refresh)?$/, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const key of body.keys) Object.assign(key, { state: "disabled", holds: ["upstream"] });
    await route.fulfill({ response, json: body });
  });
  await page.reload();
  await visitor.settled();
  await chip(page, "disabled at OpenRouter");
  await sees(page, /Someone disabled it at OpenRouter\. It stays disabled\..*Only an administrator can enable it/);
  assert.equal(await page.getByRole("button", { name: "New secret…" }).count(), 0);
  await isAccessible(page, "a key disabled at OpenRouter");
  await visitor.leave();
});

/** Gives a visitor a key, with its page open; returns the secret. @param {Visitor} visitor @param {string} persona */
async function holder(visitor, persona) {
  await visitor.signIn(persona);
  const secret = await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
  return secret;
}

/** @param {import("./support.mjs").Page} page @param {string} name */
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** @param {import("./support.mjs").Page} page @param {string} word */
const chip = (page, word) => page.locator("#keys .card .chip").getByText(word, { exact: true }).waitFor();

/**
 * Which of the last two secrets, or of the given ones, OpenRouter accepts.
 * @param {string[]} [secrets]
 * @returns {Promise<Record<string, boolean>>}
 */
async function enabled(secrets) {
  const ledger = await deployment.sandbox.ledger();
  const asked = secrets ?? ledger.secrets_minted.slice(-2);
  return Object.fromEntries(await Promise.all(asked.map(async (/** @type {string} */ secret) => {
    const answer = await fetch(`${deployment.sandbox.url}/openrouter/api/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
    return [secret, answer.ok];
  })));
}
