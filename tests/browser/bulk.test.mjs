// Many at once in the console: selected, shown, changed, undone and saved by an administrator with the keyboard alone, and on a
// phone.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { cellOf, csvOf } from "../../src/http/pages/scripts/console/csv.js";
import { Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ rateLimits: { LIMIT_API: { limit: 2_000 } } });
  for (let n = 820; n < 824; n += 1) {
    const holder = await deployment.visitor();
    await holder.signIn(`load-${n}`);
    await holder.claim();
    await holder.context.close();
  }
});
after(() => deployment?.close());

/** Presses Tab until the element with the focus has this name, followed by the address of a link. @param {import("playwright-core").Page} page @param {RegExp} name */
async function tabTo(page, name) {
  for (let n = 0; n < 200; n += 1) {
    await page.keyboard.press("Tab");
    const has = await page.evaluate(() => `${document.activeElement?.getAttribute("aria-label") ?? ""} ${document.activeElement?.textContent ?? ""} ${document.activeElement?.getAttribute("href") ?? ""}`.trim());
    if (name.test(has)) return;
  }
  assert.fail(`nothing with the name ${name} takes the focus`);
}

test("by keyboard alone an administrator finds keys, selects a range, disables them, undoes it, and saves the list", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin");
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await tabTo(page, /^Keys \/admin\/keys$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await page.getByRole("row", { name: /load-823/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("x");
  await sees(page, "1 selected.");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+X");
  await sees(page, "3 selected.");
  await isAccessible(page, "a list with something selected");
  await page.keyboard.press("Home");
  await page.evaluate(() => document.getElementById("main")?.focus());
  await tabTo(page, /^Disable…$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Disable 3 keys" }).waitFor();
  await sees(page, "3 keys of 3 members to be changed.");
  await isAccessible(page, "what a bulk change would do");
  assert.equal((await deployment.worker.d1("SELECT COUNT(*) AS n FROM holds"))[0].n, 0, "nothing is changed yet");
  await page.evaluate(() => document.getElementById("main")?.focus());
  await tabTo(page, /^Disable 3 keys$/);
  await page.keyboard.press("Enter");
  await sees(page, "3 done, 0 skipped, 0 failed, 0 left.");
  const held = await deployment.worker.d1("SELECT m.login FROM holds h JOIN keys k ON k.id = h.key_id JOIN members m ON m.owner_id = k.owner_id ORDER BY m.login");
  assert.deepEqual(held.map(({ login }) => login), ["load-821", "load-822", "load-823"]);
  await page.evaluate(() => document.getElementById("main")?.focus());
  await tabTo(page, /^Undo: enable 3 keys$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Enable 3 keys" }).waitFor();
  await page.evaluate(() => document.getElementById("main")?.focus());
  await tabTo(page, /^Enable 3 keys$/);
  await page.keyboard.press("Enter");
  await sees(page, "3 done, 0 skipped, 0 failed, 0 left.");
  assert.equal((await deployment.worker.d1("SELECT COUNT(*) AS n FROM holds"))[0].n, 0);
  await visitor.open("/admin/keys?state=active");
  await page.getByRole("row", { name: /load-823/ }).waitFor();
  await tabTo(page, /^Save all that match as CSV$/);
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  assert.equal(download.suggestedFilename(), "keycap-keys.csv");
  const file = await text(await download.createReadStream());
  assert.equal(file.split("\r\n").length, 6, "a head, four keys and the end");
  assert.match(file, /^public_id,name,mask,state,/, "the reader of the stream leaves out the mark");
  assert.match(file, /load-820/);
  await sees(page, "4 rows are saved.");
  await visitor.leave();
});

test("another filter ends a selection, and a set that is not what was shown any more is refused", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(409);
  await visitor.signIn("operator");
  await visitor.open("/admin/keys");
  for (const login of ["load-820", "load-821", "load-822"]) await page.getByRole("row", { name: new RegExp(login) }).getByRole("checkbox").check();
  await sees(page, "3 selected.");
  await page.getByLabel("Filter by state").selectOption("disabled");
  await sees(page, "None match these filters.");
  await page.getByRole("button", { name: "Remove the filter State: disabled" }).click();
  await sees(page, "None selected.");
  await page.getByRole("button", { name: "Select all that match" }).click();
  await sees(page, "All that match are selected.");
  await page.getByRole("button", { name: "Revoke…" }).click();
  await page.getByRole("heading", { name: "Revoke 4 keys" }).waitFor();
  // One of them is ended by its owner meanwhile.
  const owner = await deployment.visitor();
  await owner.signIn("load-823");
  const { keys } = /** @type {{ keys: { id: string }[] }} */ (await owner.page.evaluate(async () => (await fetch("/api/v1/keys")).json()));
  await owner.page.evaluate(async (id) => {
    const { member } = await (await fetch("/api/v1/me")).json();
    await fetch(`/api/v1/keys/${id}`, { method: "DELETE", headers: { "content-type": "application/json", "x-keycap-member": member.id }, body: "{}" });
  }, keys[0].id);
  await owner.context.close();
  await page.getByRole("button", { name: "Revoke 4 keys…" }).click();
  const question = page.getByRole("dialog", { name: "Revoke 4 keys" });
  await question.getByRole("button", { name: "Revoke" }).click();
  await question.getByText("Type 4 to confirm.").waitFor();
  await question.getByLabel("Type 4 to confirm").fill("4");
  await question.getByRole("button", { name: "Revoke" }).click();
  await question.getByText("The selection is not what was shown any more").waitFor();
  await question.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("heading", { name: "Revoke 3 keys" }).waitFor();
  await page.getByRole("row", { name: /it has ended/ }).first().waitFor();
  await visitor.leave();
});

test("on a phone, in the dark, selecting and what a bulk change would do fit a finger and are accessible", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE, colorScheme: "dark" });
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/members");
  await page.getByRole("checkbox", { name: "The page" }).check();
  await page.getByRole("button", { name: "Suspend…" }).waitFor();
  await isAccessible(page, "members with a selection");
  await fitsFingers(page, "members with a selection");
  await page.getByRole("button", { name: "Suspend…" }).click();
  await page.getByRole("heading", { name: "Suspend 4 members" }).waitFor();
  await page.getByRole("row", { name: /the configuration names them|it is your own/ }).first().waitFor();
  await isAccessible(page, "a final bulk change");
  await fitsFingers(page, "a final bulk change");
  await visitor.open("/admin/bulk-changes");
  await page.getByRole("link", { name: "Suspend 4 members" }).waitFor();
  await isAccessible(page, "the bulk changes");
  await fitsFingers(page, "the bulk changes");
  await visitor.leave();
});

test("a change is undone from its row in the audit, and only where it is the newest of its kind", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/switches");
  await page.getByRole("button", { name: "Require approval" }).click();
  await sees(page, "Only people who were approved may claim.");
  await visitor.open("/admin/audit");
  const row = page.getByRole("row", { name: /switched who may claim/ });
  await row.first().getByRole("button", { name: "Undo" }).click();
  await sees(page, "Everybody may claim again.");
  await page.getByRole("cell", { name: "by approval → open" }).waitFor();
  assert.equal(await row.getByRole("button", { name: "Undo" }).count(), 1, "the older of the two offers nothing");
  await isAccessible(page, "an audit with changes to undo");
  await visitor.leave();
});

test("the view is in the address and survives a change and a reload, and each of the two lists fails alone", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.unheard(/net::ERR_FAILED/);
  await visitor.signIn("operator");
  await visitor.claim();
  await visitor.stored.click();
  const address = "/admin/keys?state=active";
  await visitor.open(address);
  await page.getByRole("row", { name: /operator/ }).waitFor();
  await page.reload();
  await page.getByRole("row", { name: /operator/ }).waitFor();
  assert.ok(page.url().endsWith(address));
  // So does the choice of columns.
  await page.getByText("Columns", { exact: true }).click();
  await page.getByLabel("Expires").uncheck();
  await page.getByRole("columnheader", { name: "Expires" }).waitFor({ state: "hidden" });
  assert.ok(page.url().endsWith(`${address}&hide=Expires`));
  await page.reload();
  await page.getByRole("row", { name: /operator/ }).waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "Expires" }).count(), 0);
  assert.equal(await page.getByRole("columnheader", { name: "Made" }).count(), 1);
  await visitor.open(address);
  await page.getByRole("row", { name: /load-820/ }).getByRole("link").click();
  await page.getByRole("button", { name: "Disable" }).click();
  await sees(page, "The key is disabled.");
  await page.goBack();
  await page.getByRole("row", { name: /operator/ }).waitFor();
  assert.ok(page.url().endsWith(address), "everybody's keys, under the same filter");
  // Everybody's keys cannot be read, and one's own can; and the other way round.
  await page.route("**/api/v1/admin/keys*", (route) => route.abort());
  await page.reload();
  await sees(page, "The service did not answer.");
  await visitor.open("/keys");
  await page.locator("#keys .chip").getByText("active").first().waitFor();
  await page.unroute("**/api/v1/admin/keys*");
  await page.route("**/api/v1/keys**", (route) => route.abort());
  await visitor.open(address);
  await page.getByRole("row", { name: /operator/ }).waitFor();
  await visitor.leave();
});

test("no cell of a saved list is a formula or loses the digits of a number", () => {
  for (const [column, value, cell] of /** @type {const} */ ([
    ["name", "=1+1", "'=1+1"],
    ["name", " @x", "' @x"],
    ["name", "\tx", "'\tx"],
    ["name", "＝x", "'＝x"],
    ["name", 'a "b", c', '"a ""b"", c"'],
    ["name", "two\nlines", '"two\nlines"'],
    ["subject", "118446744073709551615", "'118446744073709551615"],
    ["subject", "1e5", "'1e5"],
    ["limit_usd", "5.00", "5.00"],
    ["limit_usd", "=5", "'=5"],
    ["keys_live", 3, "3"],
    ["blocked", false, "false"],
    ["name", null, ""],
    ["holds", ["owner", "admin"], "owner admin"],
  ])) assert.equal(cellOf(column, value), cell);
  assert.equal(csvOf([{ id: "key_1", member: { login: "-x" } }, { id: "key_2", more: true }]), "\u{feff}public_id,member_login,more\r\nkey_1,'-x,\r\nkey_2,,true\r\n");
});
