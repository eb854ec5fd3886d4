// Departures in the console: a list that is implausibly long, as an administrator meets it, releases it and sees who went.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, PHONE, isAccessible, sees } from "./support.mjs";

const DAY_MS = 86_400_000;
/** The account number of the person `load-800`. */
const FIRST = 9_000_800;

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({
    vars: { GITHUB_ORG: "sandbox-company", GITHUB_ORG_TOKEN: "ghp_sandbox-organization-token-not-real" },
    rateLimits: { LIMIT_API: { limit: 2_000 } },
  });
});
after(() => deployment?.close());

/** Fires the nightly trigger of so many days ago. @param {number} ago */
const night = (ago) => deployment.worker.cron(Date.now() - ago * DAY_MS, "0 3 * * *");

test("a list that is implausibly long waits with its people and reasons, and exactly it goes when it is released", async () => {
  const people = Array.from({ length: 5 }, (_, n) => `load-${800 + n}`);
  for (const persona of people) {
    const visitor = await deployment.visitor();
    await visitor.signIn(persona);
    await visitor.context.close();
  }
  const everybody = Array.from({ length: 120 }, (_, n) => FIRST + n);
  await deployment.sandbox.organization(everybody);
  await night(2);
  await deployment.sandbox.organization(everybody.slice(4));
  await night(1);
  await night(0);
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("operator");
  await visitor.open("/admin");
  await sees(page, "4 members would be put out because they are gone.");
  await page.getByRole("link", { name: "Decide" }).click();
  await page.getByRole("heading", { name: "One list waits" }).waitFor();
  await sees(page, "The organization at GitHub says that 4 people are gone.");
  for (const persona of people.slice(0, 4)) await page.getByRole("link", { name: persona }).waitFor();
  assert.equal(await page.getByRole("link", { name: "load-804" }).count(), 0);
  await page.getByText("No member of the organization any more.").first().waitFor();
  await isAccessible(page, "a held list");
  if (process.env.KEYCAP_PICTURES) await page.screenshot({ path: `${process.env.KEYCAP_PICTURES}/departures.png`, fullPage: true });
  await page.setViewportSize(PHONE);
  await isAccessible(page, "a held list on a phone");
  if (process.env.KEYCAP_PICTURES) await page.screenshot({ path: `${process.env.KEYCAP_PICTURES}/departures-phone.png`, fullPage: true });
  await page.getByRole("button", { name: "Put them out…" }).click();
  const form = page.getByRole("dialog", { name: "Put out 4 people" });
  await form.getByLabel("Type 4 to confirm").fill("4");
  await form.getByRole("button", { name: "Put them out" }).click();
  await sees(page, "4 people are being put out.");
  await page.getByRole("heading", { name: "No list waits" }).waitFor();
  const gone = await deployment.worker.d1("SELECT m.login FROM members m JOIN departed d ON d.owner_id = m.owner_id WHERE m.status = 'suspended' ORDER BY m.login");
  assert.deepEqual(gone.map(({ login }) => login), people.slice(0, 4));
  await visitor.leave();
});
