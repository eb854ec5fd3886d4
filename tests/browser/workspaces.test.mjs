// Workspaces: an administrator chooses where keys may be made, a member chooses one of several, and every page names the
// workspaces that could not be read.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { localVars } from "../../scripts/local.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
/** @type {Record<string, string>} */
const ids = {};
before(async () => {
  deployment = await Deployment.open();
  const { OPENROUTER_API_URL, OPENROUTER_MANAGEMENT_KEY } = localVars({ origin: "", sandboxUrl: deployment.sandbox.url });
  for (const name of ["Blue", "Red"]) {
    const headers = { authorization: `Bearer ${OPENROUTER_MANAGEMENT_KEY}`, "content-type": "application/json" };
    const answer = await fetch(`${OPENROUTER_API_URL}/workspaces`, { method: "POST", headers, body: JSON.stringify({ name, slug: name.toLowerCase() }) });
    ids[name] = /** @type {any} */ (await answer.json()).data.id;
  }
});
after(() => deployment?.close());

test("an administrator enables workspaces one by one, sees their state in words, takes one back, and sees it in the audit", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/workspaces");
  const row = (/** @type {string} */ name) => page.getByRole("row").filter({ hasText: name });
  await row("Blue").getByText("not enabled", { exact: true }).waitFor();
  await isAccessible(page, "workspaces of which none is enabled");
  for (const name of ["Blue", "Red"]) {
    await row(name).getByRole("button").click();
    await sees(page, `Keys may be made in ${name} from now on.`);
    await row(name).getByText("enabled", { exact: true }).waitFor();
    await row(name).getByRole("button", { name: `Disable ${name}` }).waitFor();
  }
  await page.getByRole("button", { name: "Undo" }).click();
  await row("Red").getByText("not enabled", { exact: true }).waitFor();
  await row("Red").getByRole("button").click();
  await row("Red").getByText("enabled", { exact: true }).waitFor();
  await isAccessible(page, "workspaces of which two are enabled");
  await visitor.open("/admin/audit?action=workspace_enabled");
  await sees(page, "let keys be made in a workspace");
  // While OpenRouter does not list them, those that were enabled are shown, and can still be read.
  await deployment.sandbox.fault({ operation: "openrouter.workspaces.list", kind: "html_error", times: 6 });
  await visitor.open("/admin/workspaces");
  await sees(page, "OpenRouter did not list all workspaces.");
  await row("Blue").getByText("enabled", { exact: true }).waitFor();
  await deployment.sandbox.clearFaults();
  await visitor.leave();
});

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-871"], [DESK, "light", "load-872"]])) {
  test(`at ${viewport.width} px a member chooses a workspace, sees it in the card, and is told which one could not be read`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.signIn(persona);
    const choice = page.getByRole("combobox", { name: "Workspace" });
    await choice.waitFor();
    assert.equal(await choice.evaluate((select) => /** @type {HTMLSelectElement} */ (select).selectedOptions[0].text), "Blue");
    await choice.selectOption("Red");
    await fitsFingers(page, "the choice of a workspace");
    await isAccessible(page, "the choice of a workspace");
    await visitor.claim();
    await visitor.stored.click();
    assert.match(await page.getByRole("region", { name: "OpenRouter key", exact: true }).innerText(), /Workspace\s+Red/);
    assert.equal((await deployment.sandbox.ledger()).keys.at(-1).workspace_id, ids.Red);
    await deployment.worker.d1(`INSERT INTO unread_workspaces (workspace_id, since, last_at) VALUES ('${ids.Red}', unixepoch() - 3600, unixepoch())`);
    await visitor.open("/keys");
    await page.getByRole("heading", { name: "A workspace could not be read: Red." }).waitFor();
    await isAccessible(page, "keys of a workspace that could not be read");
    const operator = await deployment.visitor({ viewport, colorScheme });
    await operator.signIn("operator");
    for (const path of ["/admin/keys", "/admin/workspaces"]) {
      await operator.open(path);
      await operator.page.getByRole("heading", { name: "A workspace could not be read: Red." }).waitFor();
      await isAccessible(operator.page, `${path} with a workspace that could not be read`);
    }
    await operator.page.getByText("keys not read").waitFor();
    await operator.open("/admin");
    await sees(operator.page, "OpenRouter did not list the keys of 1 workspace.");
    await operator.leave();
    await deployment.worker.d1("DELETE FROM unread_workspaces");
    await visitor.leave();
  });
}
