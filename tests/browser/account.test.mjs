// A tab that was made for one account while another account is signed in: the tab changes nothing for the other
// account, says so, and then shows that account's page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** In another tab of the same browser, another person signs in. @param {Visitor} visitor @param {string} persona */
async function signInElsewhere(visitor, persona) {
  const { page } = visitor;
  const other = await visitor.window();
  await other.goto(`${deployment.worker.url}/keys`);
  await visitor.settled(other);
  await other.getByRole("button", { name: /Account menu/ }).click();
  await other.getByRole("button", { name: "Sign out", exact: true }).click();
  await other.waitForURL(`${deployment.worker.url}/`);
  visitor.page = other;
  await visitor.signIn(persona);
  visitor.page = page;
  return other;
}

test("a claim pressed in a tab of another account makes no key and accepts no rules; the tab says so and becomes the other member's page", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(409);
  const { page } = visitor;
  await visitor.signIn("load-101");
  await visitor.acceptBox.check();
  const minted = await deployment.secrets();
  await signInElsewhere(visitor, "load-102");
  await visitor.claimButton.click();
  const alert = page.getByRole("alert");
  await alert.getByText("Another account is signed in now.").waitFor();
  await alert.getByText("so your action was not carried out.").waitFor();
  await page.getByRole("button", { name: "Signed in as @load-102. Account menu" }).waitFor();
  assert.deepEqual(await deployment.secrets(), minted);
  assert.deepEqual(await deployment.worker.d1("SELECT login FROM members WHERE login LIKE 'load-10_' AND terms_rev > 0"), []);
  await page.reload();
  await visitor.settled();
  assert.equal(await alert.count(), 0, "once is enough");
  assert.equal(await visitor.acceptBox.isChecked(), false);
  await visitor.leave();
});

test("the page says that the pressed action was not done, whether it learns of the other account before or after the refusal", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(409);
  const { page } = visitor;
  await visitor.signIn("load-151");
  await visitor.acceptBox.check();
  await signInElsewhere(visitor, "load-152");
  await page.route("**/api/v1/claim", async (route) => {
    const refusal = await route.fetch();
    const looked = page.waitForResponse("**/api/v1/me");
    await comesBack(visitor);
    await (await looked).finished();
    await route.fulfill({ response: refusal });
  });
  // The next document waits until the page has read everything once more, as it does after a refusal.
  const readAgain = page.waitForResponse("**/api/v1/me/overview");
  await page.route("**/keys", async (route) => {
    await readAgain;
    await route.continue();
  });
  await visitor.claimButton.click();
  await page.getByRole("alert").getByText("so your action was not carried out.").waitFor();
  await visitor.leave();
});

test("a tab that comes back into view checks who is signed in, on every page", async () => {
  for (const [n, path] of ["/keys", "/", "/docs"].entries()) {
    const visitor = await deployment.visitor();
    const { page } = visitor;
    await visitor.signIn(`load-11${n}`);
    await visitor.open(path);
    await page.getByRole("button", { name: `Signed in as @load-11${n}. Account menu` }).waitFor();
    await signInElsewhere(visitor, `load-12${n}`);
    await comesBack(visitor);
    await page.getByRole("alert").getByText("Another account is signed in now.").waitFor();
    await page.getByRole("button", { name: `Signed in as @load-12${n}. Account menu` }).waitFor();
    await visitor.leave();
  }
});

test("a tab that comes back into view after a sign-out says that nobody is signed in, and after a sign-in shows the page again", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(401);
  await visitor.signIn("load-131");
  const kept = await visitor.context.cookies();
  await visitor.context.clearCookies();
  await comesBack(visitor);
  await sees(visitor.page, "You are signed out.");
  await visitor.context.addCookies(kept);
  await comesBack(visitor);
  await visitor.claimButton.waitFor();
  await visitor.leave();
});

test("a secret that is being shown is not taken away by another account", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(409);
  const { page } = visitor;
  await visitor.signIn("load-141");
  const secret = await visitor.claim();
  await signInElsewhere(visitor, "load-142");
  const looked = page.waitForResponse("**/api/v1/me");
  await comesBack(visitor);
  await looked;
  assert.equal(await visitor.secretBox.locator("code").innerText(), secret);
  await visitor.stored.click();
  await page.getByRole("alert").getByText("Another account is signed in now.").waitFor();
  await visitor.leave();
});

/** @param {Visitor} visitor */
const comesBack = ({ page }) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
