// Projects: named while a key is created or later, grouped and filtered by the address, renamed and archived.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { signIn } from "../harness/index.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Page} Page */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  assert.equal((await operator.patch("/api/v1/admin/plans/default", { max_active_keys: 3 })).status, 200);
});
after(() => deployment?.close());

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-851"], [DESK, "light", "load-852"]])) {
  test(`at ${viewport.width} px, by keyboard: a key is created into a project, another is put there, the list is grouped and filtered, and the project renamed and archived`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    /** @param {string} where */
    const holds = async (where) => {
      await fitsFingers(page, where);
      await isAccessible(page, where);
    };
    await visitor.signIn(persona);
    await visitor.claim();
    await visitor.stored.click();
    await presses(page, "Create a key");
    await page.keyboard.type("Laptop");
    await page.getByRole("combobox", { name: "Project (optional)" }).focus();
    await page.keyboard.type("Parser");
    await holds("a key with a project to be");
    await page.keyboard.press("Enter");
    await visitor.stored.click();
    const laptop = page.getByRole("region", { name: "Laptop", exact: true });
    await laptop.waitFor();
    assert.match(await laptop.innerText(), /Project\s+Parser/);

    await presses(page, "Project…", page.getByRole("region", { name: "OpenRouter key", exact: true }));
    const question = page.getByRole("dialog", { name: "The project of “OpenRouter key”" });
    await question.getByRole("combobox", { name: "Project" }).waitFor();
    await holds("the question for a project");
    await page.keyboard.type("x".repeat(65));
    await page.keyboard.press("Enter");
    await question.getByText("The name is 1 character too long. Nothing was sent.").waitFor();
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("parser");
    await page.keyboard.press("Enter");
    await sees(page, "The key is in “Parser”.");

    await presses(page, "Create a key");
    await page.keyboard.type("Alone");
    await page.keyboard.press("Enter");
    await visitor.stored.click();
    await page.getByRole("combobox", { name: "Sort by" }).selectOption("Project");
    await page.getByRole("heading", { name: "Parser 2 keys" }).waitFor();
    await page.getByRole("heading", { name: "No project 1 key" }).waitFor();
    await holds("keys by project");
    await page.getByRole("combobox", { name: "Project", exact: true }).selectOption("Parser (2)");
    await sees(page, "2 of 3 keys shown");
    await page.reload();
    await visitor.settled();
    await sees(page, "2 of 3 keys shown");
    assert.match(page.url(), /\?project=prj_[0-9a-f]{24}&sort=project$/);

    await page.locator("summary").getByText("1 project").press("Enter");
    await sees(page, /^Parser, 2 keys$/);
    await presses(page, "Rename the project Parser");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("Lexer");
    await page.keyboard.press("Enter");
    await sees(page, /^Lexer, 2 keys$/);
    assert.match(await laptop.innerText(), /Project\s+Lexer/);
    await presses(page, "Archive the project Lexer");
    await sees(page, /^Lexer, 2 keys, archived$/);
    await presses(page, "Bring back the project Lexer");
    await sees(page, /^Lexer, 2 keys$/);
    await holds("the projects");
    await visitor.leave();
  });
}

test("a change of a project that fails says what may have happened", async () => {
  const visitor = await deployment.visitor();
  visitor.unheard(/net::ERR_FAILED/);
  const { page } = visitor;
  await visitor.signIn("load-853");
  await visitor.claim();
  await visitor.stored.click();
  await presses(page, "Project…");
  await page.keyboard.type("Parser");
  await page.route("**/api/v1/keys/key_*", (route) => route.abort());
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("It may still have been done.").waitFor();
  await page.unroute("**/api/v1/keys/key_*");
  await page.getByRole("button", { name: "Put it there" }).click();
  await sees(page, "The key is in “Parser”.");
  await page.locator("summary").getByText("1 project").click();
  await page.route("**/api/v1/projects/*", (route) => route.abort());
  await presses(page, "Archive the project Parser");
  await page.getByRole("heading", { name: "The project was not archived." }).waitFor();
  await visitor.leave();
});

/** Presses a button with the keyboard alone. @param {Page} page @param {string} name @param {import("playwright-core").Locator} [within] */
async function presses(page, name, within) {
  await (within ?? page).getByRole("button", { name, exact: true }).focus();
  await page.keyboard.press("Enter");
}
