// What holds for every page: signing out, pages without scripts, a quiet console, names and contrast, and that what the
// page says about stored data is true.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, sees, isAccessible } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("the header shows who is signed in, and signing out ends it at the landing page", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(401);
  await visitor.signIn("load-21");
  await visitor.open("/");
  await page.getByRole("link", { name: "Go to your key" }).waitFor();
  await visitor.open("/docs");
  await page.getByRole("button", { name: "Signed in as @load-21. Account menu" }).click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByRole("link", { name: "Continue with GitHub" }).waitFor();
  await visitor.open("/keys");
  await sees(page, "You are signed out.");
  assert.equal(await page.getByRole("link", { name: "Continue with GitHub" }).getAttribute("href"), "/auth/github?next=keys");
  await visitor.leave();
});

test("signing out everywhere asks first, and ends the other browser's session too", async () => {
  const here = await deployment.visitor();
  const there = await deployment.visitor();
  there.expects(401);
  await here.signIn("load-22");
  await there.signIn("load-22");
  await here.page.getByRole("button", { name: /Account menu/ }).click();
  await here.page.getByRole("button", { name: "Sign out everywhere…" }).click();
  const question = here.page.getByRole("dialog", { name: "Sign out @load-22 everywhere?" });
  await question.getByRole("button", { name: "Cancel" }).click();
  await there.page.reload();
  await there.claimButton.waitFor();
  await here.page.getByRole("button", { name: /Account menu/ }).click();
  await here.page.getByRole("button", { name: "Sign out everywhere…" }).click();
  await question.getByRole("button", { name: "Sign out everywhere" }).click();
  await here.page.waitForURL(`${deployment.worker.url}/`);
  await there.page.reload();
  await sees(there.page, "You are signed out.");
  await here.leave();
  await there.leave();
});

test("a session that ended in the meantime turns a claim into a link to sign in again (401)", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(401);
  await visitor.signIn("load-23");
  await visitor.context.clearCookies();
  await visitor.pressClaim();
  await sees(visitor.page, "You are signed out.");
  await visitor.leave();
});

test("without scripts the docs are complete: every example and answer can be read, and nothing waits for a script", async () => {
  const visitor = await deployment.visitor({ javaScriptEnabled: false });
  const { page } = visitor;
  await visitor.open("/docs");
  for (const title of ["curl", "Python", "JavaScript", "Claude Code", "Codex"]) {
    assert.ok(await page.locator(`[data-snippet="${title}"] code`).isVisible(), title);
  }
  assert.equal(await page.getByRole("button").count(), 0);
  await page.getByRole("link", { name: "If it leaks" }).click();
  assert.equal(new URL(page.url()).hash, "#leaked");
  await sees(page, "What other answers mean");
  await visitor.leave();
});

test("without scripts the landing page is complete, signing in works, and /keys says what it needs and signs out", async () => {
  const visitor = await deployment.visitor({ javaScriptEnabled: false });
  const { page } = visitor;
  await visitor.open("/");
  for (const text of ["capped at $5 a day", "Three steps", "both count toward the $5", "may finish and overshoot it"]) await sees(page, text);
  await page.getByRole("link", { name: "Continue with GitHub" }).click();
  await page.locator('button[name="persona"][value="second"]').click();
  await page.waitForURL(`${deployment.worker.url}/keys`);
  // Playwright's search by text ignores <noscript>.
  await page.locator("noscript h2").waitFor();
  assert.match(await page.locator("main").innerText(), /This page needs JavaScript\./);
  assert.equal((await visitor.context.cookies()).filter(({ name }) => name === "__Host-keycap_session").length, 1);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${deployment.worker.url}/`);
  assert.equal((await visitor.context.cookies()).filter(({ name }) => name === "__Host-keycap_session").length, 0);
  await visitor.leave();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`names, roles, headings and contrast are correct on every view, in ${colorScheme}`, async () => {
    const visitor = await deployment.visitor({ colorScheme });
    const { page } = visitor;
    visitor.expects(401, 404);
    await visitor.open("/");
    await isAccessible(page, "the landing page");
    await visitor.open("/docs");
    await isAccessible(page, "the docs");
    await visitor.open("/auth/github/callback?code=made-up&state=made-up");
    await isAccessible(page, "a sign-in error");
    await visitor.open("/no-such-page");
    await isAccessible(page, "an address that leads nowhere");
    await visitor.open("/keys");
    await sees(page, "You are signed out.");
    await isAccessible(page, "the signed-out view");
    await visitor.signIn(`load-${colorScheme === "light" ? 24 : 25}`);
    await isAccessible(page, "the claim");
    await visitor.claim();
    await isAccessible(page, "the secret box");
    await visitor.stored.click();
    await isAccessible(page, "the key");
    await page.getByRole("tab", { name: "Codex" }).click();
    await isAccessible(page, "the key, with another tab");
    await page.getByRole("button", { name: /Account menu/ }).click();
    await isAccessible(page, "the account menu");
    await visitor.leave();
  });
}

test("an address that leads nowhere says so, with the request id and the way back", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(404);
  const answer = await visitor.open("/no-such-page");
  assert.equal(answer?.status(), 404);
  await sees(page, "Request id");
  await page.getByRole("link", { name: "Go to the start page" }).click();
  await sees(page, "Three steps");
  await visitor.leave();
});
