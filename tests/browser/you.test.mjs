// The page `/account`: who the member is here, everything that is kept as one file, all sessions ended, and leaving.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { DESK, Deployment, NO_ADDRESS, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-701"], [DESK, "light", "load-702"]])) {
  test(`at ${viewport.width} px, by keyboard: from the menu to the account, its export, and out for good with the login typed`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.signIn(persona);
    const secret = await visitor.claim();
    await visitor.stored.click();
    await page.getByRole("button", { name: /Account menu/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Your account" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${deployment.worker.url}/account`);
    await sees(page, `@${persona}`);
    await sees(page, /accepted 1 min ago/);
    await sees(page, "1 key; your plan allows 1");
    await fitsFingers(page, "the account");
    await isAccessible(page, "the account");

    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save everything as a file" }).press("Enter");
    const file = await saved;
    assert.equal(file.suggestedFilename(), "keycap-export.json");
    const content = await contentOf(file);
    assert.ok(content.includes(persona) && JSON.parse(content).next === undefined, content.slice(0, 200));
    assert.ok(!content.includes(secret));
    await sees(page, "The file keycap-export.json is saved.");

    await page.getByRole("button", { name: "Show the history" }).press("Enter");
    await sees(page, /Made, with its first secret/);
    assert.match(await page.locator(".history").innerText(), /Rules accepted, revision 1[^]*Signed in/);
    await fitsFingers(page, "the account with its history");
    await isAccessible(page, "the account with its history");

    await page.getByRole("button", { name: "Leave…" }).press("Enter");
    const question = page.getByRole("dialog", { name: `Leave as @${persona}?` });
    await question.getByText("Every key of yours is disabled for good.").waitFor();
    await page.keyboard.type("somebody else");
    await page.keyboard.press("Enter");
    await question.getByText(`Type ${persona}, exactly as it is written here. Nothing was sent.`).waitFor();
    await isAccessible(page, "a login that does not fit");
    await fitsFingers(page, "a login that does not fit");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(persona);
    await page.keyboard.press("Enter");
    await sees(page, "You have left.");
    await isAccessible(page, "after leaving");
    assert.equal(await page.getByRole("button", { name: /Account menu/ }).count(), 0);
    const answer = await fetch(`${deployment.sandbox.url}/openrouter/api/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal(answer.ok, false, "the key no longer works");
    visitor.expects(401);
    await page.reload();
    await sees(page, "You are signed out.");
    await visitor.leave();
  });
}

test("while OpenRouter has not confirmed that the keys are disabled, leaving says that they may still work", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-703");
  await visitor.claim();
  await visitor.stored.click();
  await visitor.open("/account");
  await deployment.sandbox.fault({ operation: "openrouter.keys.update", kind: "error_before", times: 0 });
  await page.getByRole("button", { name: "Leave…" }).click();
  await page.keyboard.type("load-703");
  await page.keyboard.press("Enter");
  await sees(page, "You have left, and your keys are being disabled.");
  await sees(page, "until then one may still work");
  await deployment.sandbox.clearFaults();
  await visitor.leave();
});

test("signed out, the account leads to a sign-in that comes back; without an answer it says that nothing was changed", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(401, 503);
  const { page } = visitor;
  await visitor.open("/account");
  await sees(page, "You are signed out.");
  assert.equal(await page.getByRole("link", { name: "Continue with GitHub" }).getAttribute("href"), "/auth/github?next=account");
  await isAccessible(page, "a signed-out account");
  await page.getByRole("link", { name: "Continue with GitHub" }).click();
  await visitor.chooseAtGitHub("load-704");
  await page.waitForURL(`${deployment.worker.url}/account`);
  await sees(page, "@load-704");
  await sees(page, "not accepted yet; a claim asks for that");
  await visitor.documentsAreBare();
  await page.route("**/api/v1/me/overview", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", json: { title: "The database did not answer", detail: "", code: "storage_unavailable", status: 503, instance: "req_12345678" } }));
  await page.reload();
  await sees(page, "The database did not answer.");
  await page.unroute("**/api/v1/me/overview");
  await page.getByRole("button", { name: "Look again" }).click();
  await sees(page, "@load-704");
  await page.route("**/api/v1/me/export", (route) => route.abort());
  visitor.unheard(/net::ERR_FAILED/);
  await page.getByRole("button", { name: "Save everything as a file" }).click();
  await sees(page, "The file could not be made. Nothing was changed. Try again in a minute.");
  await visitor.leave();
});

test("a history of several pages goes on where it ended, and says when it cannot be read", async () => {
  const visitor = await deployment.visitor();
  visitor.unheard(/net::ERR_FAILED/);
  const { page } = visitor;
  await visitor.signIn("load-706");
  await visitor.open("/account");
  const joined = { at: "2026-11-01T10:00:00Z", event: "joined", actor: "you", key: null, generation: null, reason: null, request_kind: null, before: null, after: null, before_usd: null, after_usd: null };
  let broken = false;
  await page.route(/\/api\/v1\/me\/history/, (route) => {
    if (broken) return route.abort();
    const after = new URL(route.request().url()).searchParams.get("after");
    return route.fulfill({ json: { events: [{ ...joined, event: after === null ? "signed_in" : "joined" }], next: after === null ? "a b" : null } });
  });
  await page.getByRole("button", { name: "Show the history" }).click();
  await page.locator(".history").getByText(/^Signed in/).waitFor();
  broken = true;
  await page.getByRole("button", { name: "Show earlier" }).click();
  await sees(page, "The service did not answer. Check your connection, then try again.");
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".history").getByText(/^Signed in for the first time/).waitFor();
  assert.equal(await page.getByRole("button", { name: /Show earlier|Try again/ }).count(), 0);
  assert.equal(await page.locator(".history li").count(), 2);
  await visitor.leave();
});

test("an export of several pages is one file with all of them", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-705");
  await visitor.changesAnswers(NO_ADDRESS, ({ me }) => me.roles.push("admin"));
  await page.route(/\/api\/v1\/me\/export/, (route) => {
    const after = new URL(route.request().url()).searchParams.get("after");
    return route.fulfill({ json: { member: { login: "load-705" }, changes: [after ?? "first"], next: after === null ? "a b" : null } });
  });
  await visitor.open("/account");
  await sees(page, "administrator");
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save everything as a file" }).click();
  assert.deepEqual(JSON.parse(await contentOf(await saved)), { member: { login: "load-705" }, changes: ["first", "a b"] });
  await visitor.leave();
});

/** What a file that was saved holds. @param {import("playwright-core").Download} file */
const contentOf = async (file) => text(await file.createReadStream());
