// The console, as an administrator uses it: by keyboard, on a phone, and while something is wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, PHONE, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("nobody but an administrator finds the console, and nothing public loads it", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(404);
  await visitor.signIn("load-601");
  assert.equal((await visitor.open("/admin"))?.status(), 404);
  const unknown = await visitor.page.content();
  await visitor.open("/nimda");
  const masked = (/** @type {string} */ html) => html.replace(/req_[0-9a-f]+/g, "");
  assert.equal(masked(unknown), masked(await visitor.page.content()));
  await visitor.leave();
});

test("the overview says what waits first, with its age, and that nothing waits", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await deployment.worker.cron();
  await visitor.signIn("operator");
  await visitor.open("/admin");
  await sees(page, "One thing waits.");
  await sees(page, "No comparison with OpenRouter has run yet.");
  await isAccessible(page, "the overview with something waiting");
  await deployment.worker.cron(Date.now(), "0 3 * * *");
  await page.getByRole("button", { name: "Refresh" }).click();
  await sees(page, "Nothing waits.");
  assert.equal(await page.getByRole("table").getByRole("row").count(), 3);
  // While the service does not answer, the page says so, and what was not changed.
  await page.route("**/api/v1/admin/overview", (route) => route.abort());
  visitor.unheard(/net::ERR_FAILED/);
  await page.getByRole("button", { name: "Refresh" }).click();
  await sees(page, "The service did not answer.");
  await isAccessible(page, "an overview that could not be read");
  await page.unroute("**/api/v1/admin/overview");
  await page.getByRole("button", { name: "Try again" }).click();
  await sees(page, "Nothing waits.");
  await visitor.leave();
});

test("on a phone, in the dark, the overview fits without sideways scrolling", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE, colorScheme: "dark" });
  await visitor.signIn("operator");
  await visitor.open("/admin");
  await visitor.page.getByRole("heading", { name: "Overview" }).waitFor();
  await visitor.page.locator('#console[aria-busy="false"]').waitFor();
  await isAccessible(visitor.page, "the overview on a phone, in the dark");
  assert.ok(await visitor.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing beside the edge");
  await visitor.leave();
});
