// The console, as an administrator uses it: by keyboard, on a phone, and while something is wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  // One administrator opens more pages in a minute here than any person does.
  deployment = await Deployment.open({ rateLimits: { LIMIT_API: { limit: 2_000 } } });
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
  for (const job of ["Sweep", "Comparison"]) await page.getByRole("rowheader", { name: job, exact: true }).waitFor();
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

test("by keyboard alone an administrator finds a member, disables their key, undoes it, and sees both in the audit", async () => {
  const holder = await deployment.visitor();
  await holder.signIn("load-602");
  const secret = await holder.claim();
  await holder.context.close();
  const visitor = await deployment.visitor();
  const { page } = visitor;
  /** @param {...string} keys */
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await visitor.signIn("operator");
  await visitor.open("/admin");
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await press("/");
  await page.keyboard.type("LOAD-60");
  await press("Enter");
  await page.getByRole("link", { name: "load-602" }).waitFor();
  assert.equal(new URL(page.url()).search, "?q=LOAD-60");
  await press("ArrowDown", "ArrowDown", "Home");
  while (!(await page.evaluate(() => document.activeElement?.textContent?.includes("load-602")))) await press("ArrowDown");
  await press("Enter");
  await page.getByRole("button", { name: "Disable" }).waitFor();
  await press("ArrowDown");
  await press("Enter");
  await sees(page, "The key is disabled.");
  await page.getByRole("table").first().getByText("by an administrator").waitFor();
  await press("u");
  await sees(page, "The key is enabled again.");
  await page.getByRole("table").first().getByText("active").waitFor();
  await sees(page, "lifted a hold");
  await isAccessible(page, "a member with something just done");
  // The same key, by the secret that was found somewhere. It leaves the browser only as its digest.
  const network = await visitor.network();
  await press("/");
  await page.keyboard.type(secret);
  await press("Enter");
  await page.getByRole("link", { name: /sk-or-v1/ }).waitFor();
  assert.match(new URL(page.url()).search, /^\?q=[0-9a-f]{64}$/);
  assert.ok(!network.requests().join(" ").includes(secret));
  await page.getByRole("button", { name: /^Remove the filter Search/ }).click();
  await page.getByLabel("Filter by state").selectOption("stuck");
  await sees(page, "None match these filters.");
  await page.goBack();
  await page.getByRole("link", { name: /sk-or-v1/ }).first().waitFor();
  await press("?");
  await page.getByRole("dialog", { name: "Keys of the keyboard" }).waitFor();
  await press("Escape");
  await visitor.open("/admin/audit?action=hold_put");
  await page.getByRole("cell", { name: "by an administrator" }).waitFor();
  await page.getByRole("button", { name: "Remove the filter What: disabled a key" }).click();
  await page.getByRole("cell", { name: "signed in", exact: true }).first().waitFor();
  await isAccessible(page, "the audit");
  await visitor.leave();
});

test("an administrator decides a request, lets a person in, blocks one and takes it back", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/requests");
  await sees(page, "Nobody waits for a decision.");
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Require approval" }).click();
  await sees(page, "Only people who were approved may claim.");
  const asker = await deployment.visitor();
  await asker.signIn("load-603");
  await asker.page.getByRole("textbox").fill("A course on parsers.");
  await asker.page.getByRole("button", { name: "Ask for approval" }).click();
  await sees(asker.page, "You have asked");
  await visitor.open("/admin/requests");
  await sees(page, "A course on parsers.");
  await page.getByRole("button", { name: "Approve…" }).click();
  const form = page.getByRole("dialog", { name: "Approve the request of @load-603" });
  await isAccessible(page, "a form");
  await form.getByLabel(/Your answer/).fill("Welcome.");
  await form.getByRole("button", { name: "Approve" }).click();
  await sees(page, "The request of @load-603 is approved.");
  await sees(page, "Nobody waits for a decision.");
  await asker.page.reload();
  await sees(asker.page, "Welcome.");
  await asker.leave();
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Let everybody claim" }).click();
  await sees(page, "Everybody within the rules may claim.");
  await visitor.open("/admin/allotments");
  await page.getByRole("button", { name: "Let a person claim…" }).click();
  await page.getByLabel("Account number").fill("77001");
  await page.getByRole("dialog").getByRole("button", { name: "Let them claim" }).click();
  await sees(page, "77001 may claim.");
  await visitor.open("/admin/blocks");
  await sees(page, "Nobody is blocked.");
  await page.getByRole("button", { name: "Block people…" }).click();
  await page.getByLabel("Account numbers").fill("77002\n77003");
  await page.getByRole("dialog").getByText("2 numbers.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Block them" }).click();
  await sees(page, "2 people are newly blocked.");
  await page.getByRole("row", { name: /77002/ }).getByRole("button", { name: "Lift" }).click();
  await sees(page, "The block of 77002 is lifted.");
  await page.getByRole("button", { name: "Undo" }).click();
  await sees(page, "77002 is blocked again.");
  await page.getByRole("row", { name: /77002/ }).waitFor();
  await visitor.leave();
});

test("a plan says whom its change reaches before it is saved, and a run can be followed", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/plans");
  await page.getByRole("row", { name: /^default/ }).getByRole("button", { name: "Change…" }).click();
  const form = page.getByRole("dialog", { name: "Change the plan default" });
  await form.getByText(/have this plan|has this plan/).waitFor();
  await form.getByLabel("Limit in US dollars").fill("6.00");
  await form.getByText("from $5.00 to $6.00 a day").waitFor();
  await form.getByRole("button", { name: "Save for everybody who has it" }).click();
  await sees(page, "The plan default is changed.");
  await visitor.open("/admin/runs");
  await page.getByRole("button", { name: "Compare, change nothing" }).click();
  await page.getByRole("heading", { name: "Comparison (dry run)" }).waitFor();
  await sees(page, "Everything was done.");
  await isAccessible(page, "a run");
  await visitor.leave();
});

test("disabling every key takes the typed number, and enabling leaves disabled what was disabled before", async () => {
  const holder = await deployment.visitor();
  await holder.signIn("load-604");
  await holder.claim();
  await holder.stored.click();
  await holder.page.getByRole("button", { name: "Disable", exact: true }).click();
  await holder.page.locator("#keys .chip").getByText("disabled by you").first().waitFor();
  await holder.context.close();
  const visitor = await deployment.visitor();
  const { page } = visitor;
  // The sweep that the page asks for is not begun while another one runs.
  visitor.expects(409);
  await visitor.signIn("operator");
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Disable every key…" }).click();
  const question = page.getByRole("dialog", { name: "Disable every key?" });
  await question.getByRole("button", { name: "Disable every key" }).click();
  await question.getByText(/Type \d+ to confirm\./).waitFor();
  const label = await question.getByLabel(/Type \d+ to confirm/).getAttribute("id");
  const count = /Type (\d+)/.exec(await question.locator(`label[for="${label}"]`).innerText())?.[1] ?? "";
  await question.locator(`#${label}`).fill(count);
  await question.getByRole("button", { name: "Disable every key" }).click();
  await sees(page, "Every key is being disabled, and no new ones are made.");
  await deployment.worker.cron();
  await visitor.open("/admin/keys?state=active");
  await sees(page, "None match these filters.");
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Enable the keys again…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Enable the keys" }).click();
  await sees(page, "The keys are being enabled. New keys stay stopped.");
  await deployment.worker.cron();
  await visitor.open("/admin/keys?state=disabled");
  await page.getByRole("cell", { name: "by its owner" }).waitFor();
  assert.equal(await page.getByRole("table").getByRole("row").count(), 2, "only the one that was disabled before");
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Make new keys again" }).click();
  await sees(page, "New keys are made again.");
  await visitor.leave();
});

test("on a phone, in the dark, every page of the console fits a finger and is accessible", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE, colorScheme: "dark" });
  const { page } = visitor;
  await visitor.signIn("operator");
  const [{ public_id: member }] = await deployment.worker.d1("SELECT public_id FROM members WHERE login = 'load-602'");
  for (const path of ["", "/members", `/members/${member}`, "/keys", "/requests", "/switches", "/runs", "/plans", "/blocks", "/allotments", "/audit"]) {
    await visitor.open(`/admin${path}`);
    await page.locator('#console[aria-busy="false"]').waitFor();
    await isAccessible(page, `/admin${path}`);
    await fitsFingers(page, `/admin${path}`);
  }
  await visitor.leave();
});
