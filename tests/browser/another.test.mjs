// The link to another GitHub account, beside each refusal that depends on the account.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment, NO_ADDRESS, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("a person who is refused for their account can use another one: GitHub asks which, and the page becomes the other member's", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("newcomer");
  await sees(page, "Your GitHub account is too young.");
  await page.getByRole("link", { name: "Use another GitHub account" }).click();
  await page.waitForURL(/[?&]prompt=select_account(&|$)/);
  await visitor.chooseAtGitHub("load-501");
  await page.waitForURL(`${deployment.worker.url}/keys`);
  await page.getByRole("button", { name: "Signed in as @load-501. Account menu" }).waitFor();
  await visitor.claimButton.waitFor();
  await visitor.leave();
});

test("a sign-in that GitHub or we refuse offers another account beside the reason", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.open("/?auth_error=blocked");
  await page.getByRole("alert").getByRole("link", { name: "Use another GitHub account" }).click();
  await page.waitForURL(/[?&]prompt=select_account(&|$)/);
  await visitor.leave();
});

test("a refusal that has nothing to do with the account offers no other one", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.changesAnswers(NO_ADDRESS, ({ me }) => Object.assign(me.claim, { open: false, refusal: { code: "minting_stopped", title: "", detail: "", retry_at: null } }));
  await visitor.signIn("load-502");
  await sees(page, "Claims are paused.");
  assert.equal(await page.getByRole("link", { name: "Use another GitHub account" }).count(), 0);
  await visitor.leave();
});
