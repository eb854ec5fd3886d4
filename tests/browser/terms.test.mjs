// The rules of the service: a member accepts them once, before the first key, and again after they have changed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESK, Deployment, NO_ADDRESS, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

for (const [viewport, persona] of /** @type {const} */ ([[PHONE, "load-51"], [DESK, "load-52"]])) {
  test(`at ${viewport.width} px a claim without the tick says what is missing, where it is missing, and makes no key`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    const before = await deployment.secrets();
    await visitor.signIn(persona);
    await visitor.claimButton.click();
    const { said, described, invalid, focused } = await visitor.acceptBox.evaluate((box) => ({
      said: document.getElementById("status")?.textContent,
      described: document.getElementById(box.getAttribute("aria-describedby") ?? "")?.textContent,
      invalid: box.getAttribute("aria-invalid"),
      focused: box === document.activeElement,
    }));
    const missing = "Accept the rules first; then you can claim.";
    assert.deepEqual({ said, described, invalid, focused }, { said: missing, described: missing, invalid: "true", focused: true });
    await fitsFingers(page, "the claim without the tick");
    await isAccessible(page, "the claim without the tick");
    assert.deepEqual(await deployment.secrets(), before);
    await visitor.acceptBox.check();
    assert.equal(await page.getByText(missing).and(page.locator("main *")).count(), 0);
    await visitor.claim();
    await visitor.stored.click();
    await visitor.leave();
  });
}

test("the rules are read at their own place in the docs", async () => {
  const visitor = await deployment.visitor();
  await visitor.signIn("load-53");
  await visitor.page.getByRole("link", { name: "Read the rules" }).click();
  await visitor.page.waitForURL(`${deployment.worker.url}/docs#rules`);
  await sees(visitor.page, "You accept these before your first key.");
  await visitor.leave();
});

test("a member who has accepted once is not asked again, even if no key was made", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(502);
  await visitor.signIn("load-54");
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "refuse" });
  await visitor.pressClaim();
  await sees(visitor.page, "OpenRouter refused to make the key.");
  await visitor.page.reload();
  await visitor.claimButton.waitFor();
  assert.equal(await visitor.acceptBox.count(), 0);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.leave();
});

test("if the rules changed while the page was open, the page says so and asks again; no key is made", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(409);
  // This page was loaded under another revision of the rules, as its document says.
  await visitor.changesAnswers(NO_ADDRESS, ({ me }) => (me.terms.revision += 1));
  const before = await deployment.secrets();
  await visitor.signIn("load-55");
  await visitor.pressClaim();
  await sees(page, "The rules have changed.");
  assert.deepEqual(await deployment.secrets(), before);
  assert.equal(await visitor.acceptBox.isChecked(), false);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.leave();
});
