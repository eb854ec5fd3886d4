// Notices: what a member is told on every page until they have read it, on whatever device; and a key that is renewed
// from there.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { inRoot } from "../../scripts/paths.mjs";
import { KNOWN_NOTICES, noticeWords } from "../../src/http/pages/scripts/notice-words.js";
import { signIn } from "../harness/index.mjs";
import { DESK, Deployment, NO_ADDRESS, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-871"], [DESK, "light", "load-872"]])) {
  test(`at ${viewport.width} px, by keyboard: a key that expires soon is told on every page, renewed with one press, and then not told again`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.signIn(persona);
    await visitor.claim();
    await visitor.stored.click();
    await deployment.worker.d1(`UPDATE generations SET expires_at = expires_at - 85 * 86400 WHERE owner_id = (SELECT owner_id FROM members WHERE login = '${persona}')`);
    // A key's age cannot be changed, so the notice itself is put into the answers.
    let isRead = false;
    /** @param {string | null} id */
    const notice = (id) => ({ id: "ntc_1", kind: "expiry", at: new Date().toISOString(), read_at: isRead ? new Date().toISOString() : null, actor: "keycap", key: { id, name: null }, expires_at: new Date(Date.now() + 5 * 86_400_000).toISOString(), request: null, before: null, after: null, before_usd: null, after_usd: null });
    await visitor.changesAnswers(NO_ADDRESS, (body) => (body.notices = [notice(body.keys[0].id)]));
    await page.route("**/api/v1/notices", (route) => route.fulfill({ json: { notices: [notice(null)] } }));
    await page.route("**/api/v1/notices/read", (route) => {
      isRead = route.request().postData() === '{"ids":["ntc_1"]}';
      return route.fulfill({ json: { notices: [notice(null)] } });
    });
    await visitor.open("/docs");
    await page.getByRole("link", { name: "1 notice" }).focus();
    await fitsFingers(page, "a page with a notice in its header");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${deployment.worker.url}/keys`);
    await visitor.refreshed();
    await sees(page, "“OpenRouter key” expires in 5 days.");
    await fitsFingers(page, "a notice");
    await isAccessible(page, "a notice");
    await page.getByRole("button", { name: "Renew it" }).press("Enter");
    await visitor.stored.click();
    await sees(page, "Your key is renewed.");
    assert.match(await page.locator("#keys .card").innerText(), /Expires\s+in 90 days/);
    await page.locator(".notices").waitFor({ state: "detached" });
    await page.reload();
    await visitor.settled();
    assert.equal(await page.locator(".notices").count(), 0, "what was read stays read");
    await visitor.leave();
  });
}

test("an administrator's decision is told on the account's page too, and stays until it is read; a mark that fails says so", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.unheard(/net::ERR_FAILED/);
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  await operator.patch("/api/v1/admin/settings", { claims: "by_approval" });
  await visitor.signIn("load-873");
  await page.getByRole("button", { name: "Ask for approval" }).click();
  await sees(page, "You have asked");
  const { requests } = (await operator.get("/api/v1/admin/requests?state=open")).body;
  await operator.patch(`/api/v1/admin/requests/${requests.at(-1).id}`, { state: "approved", answer: "Welcome." });
  await operator.patch("/api/v1/admin/settings", { claims: "open" });
  await visitor.open("/account");
  await page.locator(".notices").getByText("Your request was approved.").waitFor();
  await page.route("**/api/v1/notices/read", (route) => route.abort());
  await page.getByRole("button", { name: "Mark as read: Your request was approved." }).click();
  await sees(page, "Not marked as read. The service did not answer.");
  await page.unroute("**/api/v1/notices/read");
  await page.reload();
  await page.getByRole("button", { name: "Mark as read: Your request was approved." }).click();
  await page.locator(".notices").waitFor({ state: "detached" });
  const elsewhere = await deployment.visitor();
  await elsewhere.signIn("load-873");
  assert.equal(await elsewhere.page.locator(".notices").count(), 0, "read on every device");
  await elsewhere.leave();
  await visitor.leave();
});

test("every kind of notice that the API's description has is told in words", async () => {
  const described = JSON.parse(await readFile(inRoot("public", "api", "v1", "openapi.json"), "utf8"));
  const kinds = [...new Set(JSON.stringify(described.components.schemas.NoticeKind).match(/"const":"([a-z_]+)"|"enum":\[[^\]]*\]/g)?.flatMap((found) => found.match(/[a-z_]+/g) ?? []))].filter((word) => !["const", "enum"].includes(word));
  assert.ok(kinds.length >= 7, kinds.join());
  assert.deepEqual(kinds.filter((kind) => !KNOWN_NOTICES.includes(kind)), []);
  const notice = { id: "ntc_1", kind: "", at: "2026-11-21T19:00:00Z", read_at: null, key: { id: "key_1", name: "Laptop" }, expires_at: "2026-11-24T20:59:30Z", request: null, before: null, after: null, before_usd: null, after_usd: null };
  const now = Date.parse("2026-11-21T20:59:30Z");
  const title = (/** @type {object} */ change) => noticeWords({ ...notice, ...change }, now).title;
  assert.equal(title({ kind: "expiry" }), "“Laptop” expires in 3 days.");
  assert.equal(title({ kind: "limit_raised", after_usd: "2.50" }), "The limit of “Laptop” was raised by $2.50.");
  assert.equal(title({ kind: "plan_assigned", before: "default", after: "pro" }), "You have another plan: “pro”.");
  for (const kind of kinds) assert.match(noticeWords({ ...notice, kind }, now).text, /\.$/, kind);
});
