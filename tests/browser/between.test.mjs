// Answers that do not come from the service, but from something in front of it: a challenge, a firewall, a sign-in
// page.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Deployment, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

const CHALLENGE = { status: 403, contentType: "text/html; charset=utf-8", headers: { "cf-mitigated": "challenge" }, body: "<!doctype html><title>Just a moment...</title>" };
const PORTAL = { status: 200, contentType: "text/html", body: "<!doctype html><title>Welcome to our Wi-Fi</title>" };
const FIREWALL = { status: 403, contentType: "application/json", body: '{"error":"blocked by policy"}' };

for (const [what, answer] of Object.entries({ "a challenge": CHALLENGE, "a network's sign-in page": PORTAL, "a firewall that answers in JSON": FIREWALL })) {
  test(`${what} in front of us is explained as coming from something in between, when the page loads and when it claims`, async () => {
    const visitor = await deployment.visitor();
    visitor.expects(403);
    const { page } = visitor;
    await visitor.signIn(`load-20${answer.status + what.length}`);
    const minted = await deployment.secrets();
    await page.route("**/api/v1/claim", (route) => route.fulfill(answer));
    await visitor.pressClaim();
    await sees(page, "Something between you and keycap refused the request.");
    await sees(page, /No key is on record for you\. .*Reload this page/);
    assert.deepEqual(await deployment.secrets(), minted);
    await visitor.claimButton.waitFor();
    await visitor.documentsAreBare();
    await page.route("**/api/v1/**", (route) => route.fulfill(answer));
    await page.reload();
    await visitor.settled();
    await sees(page, "Something between you and keycap refused the request.");
    await sees(page, /Nothing was changed, and if you have a key, it is not affected\..*Or try another network/);
    await isAccessible(page, what);
    await page.unrouteAll();
    await page.getByRole("button", { name: "Look again" }).click();
    await visitor.claimButton.waitFor();
    await visitor.leave();
  });
}

test("Cloudflare's page about a failed service is not taken for a refusal of something in between", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(502);
  const { page } = visitor;
  await visitor.signIn("load-221");
  await visitor.documentsAreBare();
  await page.route("**/api/v1/**", (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<!doctype html><title>Bad gateway</title>" }));
  await page.reload();
  await sees(page, "The service did not answer.");
  await visitor.leave();
});

test("one press is one Idempotency-Key: pressed again after a lost answer it is the same, and another press is another", async () => {
  const visitor = await deployment.visitor();
  visitor.unheard(/net::ERR_FAILED/);
  const { page } = visitor;
  await visitor.signIn("load-224");
  /** @type {(string | undefined)[]} */
  const keys = [];
  let lost = 1;
  await page.route("**/api/v1/claim", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    return lost-- > 0 ? route.abort() : route.continue();
  });
  await visitor.pressClaim();
  await sees(page, "The answer to your claim did not arrive.");
  await visitor.claim();
  await visitor.stored.click();
  assert.match(keys[0] ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(keys[1], keys[0]);
  const another = page.waitForRequest((request) => request.method() === "PATCH");
  await page.getByRole("button", { name: "Disable" }).click();
  assert.notEqual((await another).headers()["idempotency-key"], keys[0]);
  await visitor.leave();
});
