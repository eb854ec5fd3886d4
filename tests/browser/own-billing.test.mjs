// "Use your own billing" on the page of the keys: with each provider, in a new tab and in this one, by keyboard, at 320 px;
// and every way of not getting there, with its words and the way on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { signIn } from "../harness/index.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Page} Page */
/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
/** @type {Awaited<ReturnType<typeof signIn>>} */
let operator;
before(async () => {
  deployment = await Deployment.open();
  operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  assert.equal((await operator.patch("/api/v1/admin/providers/daydream", { enabled: true })).status, 200);
});
after(() => deployment?.close());

const SECRET = /The key/;
/** Takes the state of a page as a picture, if a folder for pictures is named. @param {Page} page @param {string} name */
async function picture(page, name) {
  const folder = process.env.KEYCAP_PICTURES;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

/** Opens the section by keyboard. @param {Page} page */
async function opens(page) {
  const summary = page.locator("details.billing > summary");
  await summary.waitFor();
  await summary.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("radio", { name: /OpenRouter/ }).waitFor();
}

/** Presses a button of the page by keyboard. @param {Page} page @param {string | RegExp} name */
async function presses(page, name) {
  const button = page.getByRole("button", { name });
  await button.focus();
  await page.keyboard.press("Enter");
}

/** The code on the page after the sign-in. @param {Page} page */
async function codeOn(page) {
  return (await page.locator(".handoff-code").innerText()).trim();
}

/** Types the code, and takes the secret out of the box. @param {Page} page @param {string} code */
async function finishes(page, code) {
  await page.getByRole("textbox", { name: "Code" }).focus();
  await page.keyboard.type(code);
  await page.keyboard.press("Enter");
  const secret = await page.getByLabel(SECRET, { exact: true }).innerText();
  await page.getByRole("button", { name: "I have stored it" }).click();
  return secret;
}

for (const [viewport, colorScheme, persona, provider] of /** @type {const} */ ([[PHONE, "dark", "load-901", "OpenRouter"], [DESK, "light", "load-902", "Livepeer Daydream"]])) {
  test(`at ${viewport.width} px, by keyboard: a sign-in at ${provider} in a new tab ends in a key that is shown once, named and forgotten`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.signIn(persona);
    await opens(page);
    await fitsFingers(page, "the providers");
    await isAccessible(page, "the providers");
    await picture(page, `choose-${viewport.width}`);
    await presses(page, "Continue");
    await page.locator("#billing-provider-error").getByText("Please choose a provider.").waitFor();
    await page.getByRole("radio", { name: new RegExp(provider) }).focus();
    await page.keyboard.press("Space");
    await page.getByRole("textbox", { name: "Name (optional)" }).focus();
    await page.keyboard.type("Laptop");
    await page.getByRole("combobox", { name: "Project (optional)" }).focus();
    await page.keyboard.type("Parser");
    const opened = visitor.context.waitForEvent("page");
    await presses(page, `Continue to ${provider}`);
    const tab = await opened;
    await tab.getByRole("button", { name: "Sign in" }).waitFor();
    await page.getByRole("heading", { name: `2. Sign in at ${provider}` }).waitFor();
    await isAccessible(page, "while it waits");
    await picture(page, `waiting-${viewport.width}`);
    await tab.getByRole("button", { name: "Sign in" }).click();
    const code = await codeOn(tab);
    assert.doesNotMatch(tab.url(), /code=|token=|state=/);
    await isAccessible(tab, "the code");
    await picture(tab, `code-${viewport.width}`);
    await tab.close();
    await page.getByRole("heading", { name: "3. Type the code" }).waitFor();
    await fitsFingers(page, "the code is typed");
    await picture(page, `type-${viewport.width}`);
    await page.getByRole("textbox", { name: "Code" }).focus();
    await page.keyboard.type("nonsense");
    visitor.expects(422);
    await page.keyboard.press("Enter");
    await sees(page, "That is not the code. Type it as the page after the sign-in shows it. Five wrong codes end the sign-in.");
    await page.getByRole("textbox", { name: "Code" }).fill("");
    const secret = await finishes(page, code.toLowerCase());
    assert.ok((await deployment.secrets()).includes(secret));
    await sees(page, "The key is yours.");
    const listed = page.locator(".billing-keys li");
    assert.match(await listed.innerText(), /Laptop/);
    assert.match(await listed.innerText(), /“Parser”/);
    assert.ok(!(await page.content()).includes(secret));
    await fitsFingers(page, "the key");
    await isAccessible(page, "the key");
    await picture(page, `linked-${viewport.width}`);
    await presses(page, "Change the name or project of Laptop");
    await page.getByRole("dialog").getByRole("textbox", { name: "Name", exact: true }).fill("Desktop");
    await page.keyboard.press("Enter");
    await page.locator(".billing-keys").getByText("Desktop").waitFor();
    await presses(page, "Forget Desktop");
    await page.getByText(/goes on working, and your account/).waitFor();
    await isAccessible(page, "before it is forgotten");
    await picture(page, `forget-${viewport.width}`);
    await page.getByRole("button", { name: "Forget it here" }).click();
    await sees(page, "The key is forgotten here.");
    assert.deepEqual(visitor.complaints, []);
  });
}

test("a blocked tab is said at once, and the sign-in goes on in this tab", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  const { page } = visitor;
  await page.addInitScript(() => {
    window.open = () => null;
  });
  await visitor.signIn("load-903");
  await opens(page);
  await page.getByRole("radio", { name: /OpenRouter/ }).check();
  await presses(page, "Continue to OpenRouter");
  await page.getByRole("heading", { name: "Your browser did not open the new tab." }).waitFor();
  await isAccessible(page, "a blocked tab");
  await fitsFingers(page, "a blocked tab");
  await picture(page, "blocked-320");
  await page.getByRole("link", { name: "Go there in this tab" }).click();
  await page.getByRole("button", { name: "Sign in" }).click();
  const code = await codeOn(page);
  await page.getByRole("link", { name: "Go to your keys" }).click();
  await page.getByRole("heading", { name: "3. Type the code" }).waitFor();
  assert.doesNotMatch(page.url(), /handoff/);
  const secret = await finishes(page, code);
  assert.ok((await deployment.secrets()).includes(secret));
});

test("cancelling, declining, running out of time and a provider that fails each have their words and a way on", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE });
  const { page } = visitor;
  await visitor.signIn("load-904");
  await opens(page);
  const begin = async () => {
    await page.getByRole("radio", { name: /OpenRouter/ }).check();
    const opened = visitor.context.waitForEvent("page");
    await presses(page, "Continue to OpenRouter");
    const tab = await opened;
    await tab.getByRole("button", { name: "Sign in" }).waitFor();
    return tab;
  };
  const cancelled = await begin();
  await presses(page, "Cancel");
  await sees(page, "You stopped.");
  await cancelled.close();

  const declined = await begin();
  await declined.getByRole("button", { name: "Decline" }).click();
  await declined.getByRole("heading", { name: "You did not sign in there." }).waitFor();
  await isAccessible(declined, "a decline");
  await picture(declined, "declined-320");
  await declined.close();
  await sees(page, "The provider said no, or the sign-in was ended.");
  await picture(page, "refused-320");

  const late = await begin();
  await deployment.worker.d1("DROP TRIGGER IF EXISTS handoffs_update_audited");
  await deployment.worker.d1("UPDATE handoffs SET expires_at = expires_at - 600 WHERE state = 'pending'");
  await sees(page, "This sign-in took too long.");
  await late.getByRole("button", { name: "Sign in" }).click();
  await late.getByRole("heading", { name: "That sign-in took too long." }).waitFor();
  await late.close();

  await deployment.sandbox.fault({ operation: "openrouter.exchange", kind: "reset_after" });
  const unknown = await begin();
  await unknown.getByRole("button", { name: "Sign in" }).click();
  const code = await codeOn(unknown);
  await unknown.close();
  await page.getByRole("heading", { name: "3. Type the code" }).waitFor();
  visitor.expects(503);
  await page.getByRole("textbox", { name: "Code" }).fill(code);
  await page.keyboard.press("Enter");
  await sees(page, "It is not known whether the provider made a key.");
  await page.getByRole("heading", { name: "Look for keys that nobody has" }).waitFor();
  await isAccessible(page, "an unknown outcome");
  await fitsFingers(page, "an unknown outcome");
  await picture(page, "unknown-320");
});

test("keys at providers are narrowed by project and provider in the address, shown with the usage, and marked when somebody found one", async () => {
  const visitor = await deployment.visitor({ viewport: DESK });
  const { page } = visitor;
  await visitor.signIn("load-905");
  /** @type {string[]} */
  const secrets = [];
  for (const [name, project] of [["Laptop", "Parser"], ["Server", ""]]) {
    if (secrets.length === 0) await opens(page);
    await page.getByRole("radio", { name: /OpenRouter/ }).check();
    await page.getByRole("textbox", { name: "Name (optional)" }).fill(String(name));
    await page.getByRole("combobox", { name: "Project (optional)" }).fill(String(project));
    const opened = visitor.context.waitForEvent("page");
    await presses(page, "Continue to OpenRouter");
    const tab = await opened;
    await tab.getByRole("button", { name: "Sign in" }).click();
    const code = await codeOn(tab);
    await tab.close();
    await page.getByRole("heading", { name: "3. Type the code" }).waitFor();
    secrets.push(await finishes(page, code));
    await sees(page, "The key is yours.");
  }
  const listed = page.locator(".billing-keys li");
  assert.equal(await listed.count(), 2);
  await page.locator("#billing-list-project").selectOption({ label: "Parser" });
  await page.getByText("Your keys at providers (1 of 2)").waitFor();
  assert.match(await listed.innerText(), /Laptop/);
  assert.match(page.url(), /project=prj_/);
  await page.locator("#billing-list-provider").selectOption({ label: "OpenRouter" });
  assert.match(page.url(), /provider=openrouter/);
  await isAccessible(page, "the narrowed list");
  await page.reload();
  await opens(page);
  await page.getByText("Your keys at providers (1 of 2)").waitFor();
  const found = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secrets[0]));
  const sha256 = Buffer.from(found).toString("hex");
  assert.equal((await operator.post("/api/v1/leaks", { sha256 })).status, 202);
  await visitor.open("/usage");
  await page.getByRole("heading", { name: "Keys with your own billing" }).waitFor();
  await page.getByText("Spent: not known here. Reported as found: end it there.").waitFor();
  await isAccessible(page, "the usage");
  await visitor.open("/keys");
  await page.getByText("A key of your own account at OpenRouter was reported as found.").waitFor();
  await opens(page);
  await page.getByText(/Somebody reported it as found/).waitFor();
  assert.deepEqual(visitor.complaints, []);
});

test("the console enables, moves and describes the providers", async () => {
  const visitor = await deployment.visitor({ viewport: DESK });
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin/providers");
  const row = page.getByRole("row", { name: /Daydream/ });
  await row.waitFor();
  await isAccessible(page, "the providers of the console");
  await picture(page, "console");
  await row.getByRole("button", { name: "Disable" }).click();
  await row.getByText("off", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Change…" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Daydream here");
  await page.getByRole("button", { name: "Save it" }).click();
  await page.getByRole("row", { name: /Daydream here/ }).waitFor();
  const { providers } = (await operator.get("/api/v1/admin/providers")).body;
  assert.deepEqual(providers.map((/** @type {any} */ one) => [one.slug, one.enabled]), [["openrouter", true], ["daydream", false]]);
});
