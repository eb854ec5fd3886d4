// Answers that were lost below the page: the network sends a request twice, and the page sees only the second answer.

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

test("a claim that the browser repeated after a lost answer says that its secret never came, and a new one is made", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-222");
  await sentTwice(visitor, "**/api/v1/claim");
  await visitor.pressClaim();
  await sees(page, "Your key was made, but its secret did not reach this page.");
  assert.doesNotMatch(await page.locator("main").innerText(), /was shown/);
  const [lost] = (await deployment.secrets()).slice(-1);
  await page.getByRole("button", { name: "New secret…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a new secret" }).click();
  const secret = await visitor.secretBox.locator("code").innerText();
  assert.deepEqual((await deployment.secrets()).slice(-2), [lost, secret]);
  await visitor.stored.click();
  await sees(page, "Your new secret is made.");
  await visitor.leave();
});

test("a new secret whose answer was lost says so too, and pressing again makes one that arrives", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-223");
  await sentTwice(visitor, "**/rotate");
  await page.getByRole("button", { name: "New secret…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a new secret" }).click();
  await sees(page, "A secret was made, but it did not reach this page.");
  await visitor.leave();
});

/**
 * Makes the network send each of these requests twice; the page gets the second answer.
 * @param {Visitor} visitor
 * @param {string} pattern
 */
const sentTwice = ({ page }, pattern) =>
  page.route(pattern, async (route) => {
    await route.fetch();
    await route.fulfill({ response: await route.fetch() });
  });

/** Gives a visitor a key, with its page open. @param {Visitor} visitor @param {string} persona */
async function holder(visitor, persona) {
  await visitor.signIn(persona);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
}
