// The page `/device`: the code is typed by keyboard, at 320 px and on a desk; the page shows what asks, approves or denies it,
// and says each way of not getting there. What a terminal calls itself is text and nothing more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CLAIM, Client, signIn } from "../harness/index.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible } from "./support.mjs";

/** @typedef {import("./support.mjs").Page} Page */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** Begins a grant as a terminal does. @param {Record<string, string>} [names] */
async function begin(names = { client_id: "shell", device_name: "build-box" }) {
  const answer = await new Client(deployment.worker).call("/api/v1/device/code", { form: names, headers: { origin: undefined } });
  assert.equal(answer.status, 200, answer.text);
  return /** @type {{ device_code: string, user_code: string, verification_uri: string, verification_uri_complete: string }} */ (answer.body);
}

/** @param {{ device_code: string }} begun */
async function ask({ device_code }) {
  const form = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: "shell", device_code };
  return new Client(deployment.worker).call("/api/v1/device/token", { form, headers: { origin: undefined } });
}

/** @param {Page} page @param {string} code */
async function types(page, code) {
  await page.getByLabel("The code that your terminal shows").focus();
  await page.keyboard.type(code);
  await page.keyboard.press("Enter");
}

const TITLE = "Do you want to give this terminal a key?";

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "load-931"], [DESK, "light", "load-932"]])) {
  test(`at ${viewport.width} px, by keyboard: a code is typed, what asks is shown, and the approved terminal gets the key`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    visitor.expects(404);
    const { page } = visitor;
    await visitor.signIn(persona);
    const begun = await begin();
    await visitor.open("/device");
    await isAccessible(page, "the field");
    await fitsFingers(page, "the field");
    await types(page, "BBBB-BBBB");
    await page.locator("#device-error").getByText("No terminal waits with this code.").waitFor();
    await page.getByLabel("The code that your terminal shows").fill("");
    await types(page, begun.user_code.toLowerCase());
    await page.getByRole("heading", { name: TITLE }).waitFor();
    await page.getByText("build-box").waitFor();
    await isAccessible(page, "the decision");
    await fitsFingers(page, "the decision");
    await page.getByRole("button", { name: "Approve" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#device-error").getByText("Accept the rules first").waitFor();
    await page.getByLabel("I accept the rules").focus();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Approve" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Approved." }).waitFor();
    await isAccessible(page, "approved");
    const answer = await ask(begun);
    assert.equal(answer.status, 200, answer.text);
    assert.doesNotMatch(await page.content(), /sk-or-/);
    await visitor.leave();
  });
}

test("a terminal's whole address shows what asks at once, keeps no code, and the code is typed all the same", async () => {
  const visitor = await deployment.visitor({ viewport: DESK });
  const { page } = visitor;
  await visitor.signIn("load-933");
  const begun = await begin();
  await visitor.open(`/device#${begun.user_code}`);
  await page.getByRole("heading", { name: TITLE }).waitFor();
  assert.ok(!page.url().includes("#"), page.url());
  await page.getByLabel("I accept the rules").check();
  await page.getByRole("button", { name: "Approve" }).click();
  await page.locator("#device-error").getByText("Type the eight letters").waitFor();
  assert.equal((await ask(begun)).body.error, "authorization_pending");
  await types(page, begun.user_code);
  await page.getByRole("heading", { name: "Approved." }).waitFor();
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByRole("heading", { name: "Denied." }).waitFor();
  await deployment.worker.d1("UPDATE device_grants SET polled_at = polled_at - 60");
  assert.equal((await ask(begun)).body.error, "access_denied");
  await visitor.leave();
});

test("what a terminal calls itself is shown as text, and who has a key or is signed out is told the way on", async () => {
  const visitor = await deployment.visitor({ viewport: DESK });
  visitor.expects(401);
  const { page } = visitor;
  await visitor.open("/device");
  await page.getByRole("heading", { name: "Sign in first." }).waitFor();
  const link = page.getByRole("link", { name: "Continue with GitHub" }).last();
  assert.equal(await link.getAttribute("href"), "/auth/github?next=device");
  const holder = await signIn(deployment.worker, deployment.sandbox, "load-934");
  assert.equal((await holder.post("/api/v1/claim", CLAIM)).status, 201);
  await visitor.signIn("load-934");
  const hostile = '<img src=x onerror="document.title=1">';
  const begun = await begin({ client_id: hostile, device_name: hostile });
  await visitor.open("/device");
  await types(page, begun.user_code);
  await page.getByText(hostile).first().waitFor();
  assert.equal(await page.locator("#device img").count(), 0);
  await page.getByRole("heading", { name: "You already have a key." }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("heading", { name: "Denied." }).waitFor();
  await page.getByRole("button", { name: "Type another code" }).click();
  await types(page, begun.user_code);
  await page.getByRole("heading", { name: "Denied." }).waitFor();
  await visitor.leave();
});
