// The pages of a deployment that is closed, has to wait for OpenRouter, or is not set up. All tests share one deployment, which restarts
// only where a test needs other settings than the test before it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { localVars } from "../../scripts/local.mjs";
import { signIn } from "../harness/index.mjs";
import { Deployment, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

const { PROJECT_STATUS, GITHUB_OAUTH_CLIENT_ID, GITHUB_OAUTH_CLIENT_SECRET } = localVars({ origin: "", sandboxUrl: "" });
/** The settings that tests change, with the values that they have unless a test says otherwise. */
const OPEN = { PROJECT_STATUS, GITHUB_OAUTH_CLIENT_ID, GITHUB_OAUTH_CLIENT_SECRET };
/** @type {Record<string, string | undefined>} */
let settings = OPEN;

/** @param {Record<string, string | undefined>} [changes] */
async function deploymentWith(changes = {}) {
  const wanted = { ...OPEN, ...changes };
  if (JSON.stringify(Object.entries(wanted)) === JSON.stringify(Object.entries(settings))) return;
  await deployment.worker.restart({ vars: wanted });
  settings = wanted;
}

test("a busy OpenRouter is explained with the time to wait, and the next visitor learns it before trying", async () => {
  await deploymentWith();
  const visitor = await deployment.visitor();
  visitor.expects(503);
  const before = await deployment.secrets();
  await visitor.signIn("load-31");
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "rate_limited", retry_after: 300 });
  await visitor.pressClaim();
  await sees(visitor.page, "No key was made. Try again in 5 min.");
  await visitor.leave();
  const next = await deployment.visitor();
  await next.signIn("load-32");
  await sees(next.page, "OpenRouter asked this service to slow down.");
  assert.equal(await next.claimButton.count(), 0);
  assert.deepEqual(await deployment.secrets(), before);
  await next.leave();
  await deployment.worker.d1("UPDATE settings SET pause_until = 0");
});

test("an admin's stop reaches the page at the next look, and lifting it brings the button back", async () => {
  await deploymentWith();
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  const visitor = await deployment.visitor();
  visitor.expects(403);
  const before = await deployment.secrets();
  await visitor.signIn("load-33");
  assert.equal((await operator.patch("/api/v1/admin/settings", { minting: "stopped" })).status, 200);
  await visitor.pressClaim();
  await sees(visitor.page, "The people who run this service have stopped new keys for now.");
  assert.deepEqual(await deployment.secrets(), before);
  assert.equal((await operator.patch("/api/v1/admin/settings", { minting: "open" })).status, 200);
  await visitor.page.getByRole("button", { name: "Look again" }).click();
  await visitor.claim();
  await visitor.stored.click();
  await visitor.leave();
});

test("any project status but 'live' pauses claims, in words, on every page, with a button that says so; keys stay where they are", async () => {
  await deploymentWith();
  const holder = await deployment.visitor();
  await holder.signIn("second");
  await holder.claim();
  await holder.stored.click();
  await holder.refreshed();
  await deploymentWith({ PROJECT_STATUS: "Live!" });
  await holder.page.reload();
  await holder.page.locator(".mask").waitFor();
  await holder.page.getByRole("tab", { name: "curl" }).waitFor();
  await holder.leave();
  const visitor = await deployment.visitor();
  for (const path of ["/", "/docs"]) {
    await visitor.open(path);
    await sees(visitor.page, "Claims are paused.");
  }
  await visitor.open("/");
  assert.ok(await visitor.page.getByRole("button", { name: "Project pending" }).isDisabled());
  await visitor.page.getByRole("link", { name: "Continue with GitHub" }).waitFor();
  await visitor.signIn("member");
  await sees(visitor.page, "Claims are paused.");
  assert.equal(await visitor.claimButton.count(), 0);
  const pending = visitor.page.getByRole("button", { name: "Project pending" });
  assert.ok(await pending.isDisabled());
  assert.match(await described(pending), /Claims are paused\. .*Come back later/);
  await visitor.leave();
});

test("without credentials of a provider the landing page still works and says what is missing", async () => {
  const names = ["GITHUB_OAUTH_CLIENT_ID", "GITHUB_OAUTH_CLIENT_SECRET", "GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET"];
  await deploymentWith(Object.fromEntries(names.map((name) => [name, undefined])));
  const visitor = await deployment.visitor();
  await visitor.open("/");
  await sees(visitor.page, "Sign-in is not set up here.");
  assert.equal(await visitor.page.getByRole("link", { name: "Continue with GitHub" }).count(), 0);
  await visitor.page.getByRole("navigation", { name: "Pages" }).waitFor();
  await visitor.leave();
});

/** The text that describes an element to a screen reader. @param {import("playwright-core").Locator} element */
const described = (element) =>
  element.evaluate((node) => (node.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" "));
