// Signing in with Google through the pages: the second button, the claim of somebody in the Workspace, what somebody
// outside of it is told, and what the account page says about two accounts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** Signs in through the pages. @param {Visitor} visitor @param {string} persona */
async function enter(visitor, persona) {
  const { page } = visitor;
  await visitor.open("/");
  await page.getByRole("link", { name: "Continue with Google" }).click();
  await page.getByText("This is a sandbox on your own machine, not Google.").waitFor();
  await visitor.chooseAtGitHub(persona);
}

/** Takes a picture if KEYCAP_PICTURES names a folder. @param {Visitor} visitor @param {string} name */
async function picture({ page }, name) {
  const folder = process.env.KEYCAP_PICTURES;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

for (const [viewport, colorScheme, persona] of /** @type {const} */ ([[PHONE, "dark", "employee"], [DESK, "light", "colleague"]])) {
  test(`at ${viewport.width} px, somebody of the Workspace continues with Google, claims, and finds themselves on the account page`, async () => {
    const visitor = await deployment.visitor({ viewport, colorScheme });
    const { page } = visitor;
    await visitor.open("/");
    await picture(visitor, `google-landing-${viewport.width}`);
    await fitsFingers(page, "the landing page");
    await isAccessible(page, "the landing page");
    await enter(visitor, persona);
    await page.waitForURL(`${deployment.worker.url}/keys`);
    await visitor.settled();
    await visitor.claim();
    await visitor.stored.click();
    await page.getByRole("button", { name: `Signed in as ${persona}@company.example. Account menu` }).click();
    await sees(page, `Signed in with Google as ${persona}@company.example`);
    await page.getByRole("link", { name: "Your account" }).click();
    await page.waitForURL(`${deployment.worker.url}/account`);
    await sees(page, `${persona}@company.example at Google`);
    await sees(page, /Signing in with GitHub and signing in with Google make two accounts here/);
    await picture(visitor, `google-account-${viewport.width}`);
    await fitsFingers(page, "the account");
    await isAccessible(page, "the account");
    await page.getByRole("button", { name: "Leave…" }).click();
    await page.getByRole("dialog", { name: `Leave as ${persona}@company.example?` }).waitFor();
    await picture(visitor, `google-leave-${viewport.width}`);
    await fitsFingers(page, "the question before leaving");
    assert.deepEqual(visitor.complaints, []);
  });
}

test("somebody of no Workspace is told why they cannot claim, and may use another Google account", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE, colorScheme: "light" });
  const { page } = visitor;
  await enter(visitor, "consumer");
  await page.waitForURL(`${deployment.worker.url}/keys`);
  await sees(page, "Your Google account cannot claim a key.");
  await sees(page, "With Google, only people of a Google Workspace that this service lists can claim.");
  await picture(visitor, "google-refused");
  await isAccessible(page, "the refusal");
  await page.getByRole("link", { name: "Use another Google account" }).click();
  await page.getByText("to be chosen").waitFor();
  assert.deepEqual(visitor.complaints, []);
});

test("somebody who declines at Google is told so in words, beside both buttons", async () => {
  const visitor = await deployment.visitor({ viewport: PHONE, colorScheme: "light" });
  const { page } = visitor;
  await enter(visitor, "refuser");
  await sees(page, "You did not sign in.");
  await sees(page, /Google says that you declined\./);
  await page.getByRole("link", { name: "Use another Google account" }).waitFor();
  await picture(visitor, "google-declined");
  for (const name of ["Continue with GitHub", "Continue with Google"]) await page.getByRole("link", { name }).waitFor();
  await isAccessible(page, "the landing page after a refusal");
  assert.deepEqual(visitor.complaints, []);
});
