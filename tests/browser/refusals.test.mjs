// What the pages say when the answer is a refusal, when it is not there yet, and when the outcome is unknown.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Deployment, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

test("a member with too young an account sees its age, the rule and when to come back, and gets no button", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("newcomer");
  await sees(visitor.page, "GitHub says that your account is 4 days old. To claim a key, it must be 30 days old.");
  assert.equal(await visitor.claimButton.count(), 0);
  await visitor.leave();
});

test("declining at GitHub ends on the landing page with the reason in words, and a reload forgets it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.open("/");
  await page.getByRole("link", { name: "Continue with GitHub" }).click();
  await visitor.chooseAtGitHub("refuser");
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.innerText(), /GitHub/);
  await page.waitForURL(`${deployment.worker.url}/`);
  await page.reload();
  await sees(page, "Three steps");
  assert.equal(await alert.count(), 0);
  await visitor.leave();
});

test("an unknown or used-up sign-in state is explained in words too", async () => {
  const visitor = await deployment.visitor();
  await visitor.open("/auth/github/callback?code=made-up&state=made-up");
  const alert = visitor.page.getByRole("alert");
  await alert.waitFor();
  assert.ok((await alert.innerText()).length > 30, "the reason is words, not a code");
  await visitor.leave();
});

test("no answer from OpenRouter: the page says that the key is unknown, when to come back, and waits", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(503);
  await visitor.signIn("load-11");
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "reset_after" });
  await visitor.pressClaim();
  await sees(visitor.page, "OpenRouter did not answer. You were not given a key. If one was made, it will be removed, usually within 10 minutes after OpenRouter answers again. Try again then.");
  await visitor.page.reload();
  await visitor.settled();
  await sees(visitor.page, "It is not known yet whether your key was made.");
  assert.equal(await visitor.claimButton.count(), 0);
  await visitor.leave();
});

test("a refusal by OpenRouter says that no key was made, with the request id, and leaves the button", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(502);
  await visitor.signIn("load-12");
  const before = await deployment.secrets();
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "refuse" });
  await visitor.pressClaim();
  await sees(visitor.page, "OpenRouter refused to make the key.");
  await sees(visitor.page, "Request id");
  assert.deepEqual(await deployment.secrets(), before);
  assert.ok(await visitor.claim(), "the next claim goes through");
  await visitor.stored.click();
  await visitor.leave();
});

test("a second window waits for the first one's claim, and then says where the secret went", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-14");
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "hold_before" });
  await visitor.pressClaim();
  await deployment.sandbox.held("openrouter.keys.create");
  const other = await visitor.window();
  await other.goto(`${deployment.worker.url}/keys`);
  await sees(other, "A claim of yours is in progress.");
  await deployment.sandbox.release();
  const secret = await visitor.secretBox.locator("code").innerText();
  await sees(other, "Its secret goes to the window that claimed it, and to no other.");
  assert.ok(!(await other.content()).includes(secret));
  await visitor.stored.click();
  await visitor.leave();
});

test("a press while another window's claim is under way joins the wait instead of failing (409)", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(409);
  await visitor.signIn("load-15");
  const other = await visitor.window();
  await other.goto(`${deployment.worker.url}/keys`);
  await visitor.settled(other);
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "hold_before" });
  await visitor.pressClaim();
  await deployment.sandbox.held("openrouter.keys.create");
  await other.getByRole("checkbox", { name: "I accept the rules" }).check();
  await other.getByRole("button", { name: "Claim my key" }).click();
  await sees(other, "A claim of yours is in progress.");
  await deployment.sandbox.release();
  await sees(other, "Your key was made.");
  await visitor.stored.click();
  await visitor.leave();
});

test("a claim whose answer is lost on the way is not called a failure: the page checks, and shows that the key exists", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-16");
  await page.route("**/api/v1/claim", async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  await visitor.pressClaim();
  await sees(page, "Your key was made, but its secret did not reach this page.");
  await page.locator(".mask").waitFor();
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("net::ERR_CONNECTION_RESET"));
  await visitor.leave();
});

test("the page says so if a claim was never sent, and the button comes back", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-17");
  await page.route("**/api/v1/claim", (route) => route.abort("internetdisconnected"));
  await visitor.pressClaim();
  await sees(page, "No key is on record for you. You can claim again.");
  await page.unroute("**/api/v1/claim");
  assert.ok(await visitor.claim());
  await visitor.stored.click();
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("net::ERR_INTERNET_DISCONNECTED"));
  await visitor.leave();
});

test("a database that does not answer is explained in words with the request id, and nothing on the page breaks", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(500, 503);
  await visitor.signIn("load-13");
  await deployment.worker.d1("ALTER TABLE members RENAME TO members_away");
  try {
    await visitor.pressClaim();
    await sees(page, "Request id");
    await page.reload();
    await sees(page, "Nothing was changed, and if you have a key, it is not affected.");
    assert.doesNotMatch(await page.locator("main").innerText(), /no such table|SQL|undefined/);
  } finally {
    await deployment.worker.d1("ALTER TABLE members_away RENAME TO members");
  }
  await page.getByRole("button", { name: "Look again" }).click();
  await visitor.claimButton.waitFor();
  await visitor.leave();
});

test("a service that cannot be reached is explained without guessing, not as 'none yet', and asked again by one press", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-18");
  await visitor.documentsAreBare();
  await page.route("**/api/v1/**", (route) => route.abort("internetdisconnected"));
  await page.reload();
  await sees(page, "The service did not answer.");
  assert.equal(await visitor.claimButton.count(), 0, "not knowing whether there is a key is not having none");
  await page.unroute("**/api/v1/**");
  await page.getByRole("button", { name: "Look again" }).click();
  await visitor.claimButton.waitFor();
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("net::ERR_INTERNET_DISCONNECTED"));
  await visitor.leave();
});
