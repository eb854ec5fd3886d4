// Requests to the people who run the service: what a member can request, what becomes of it, and further reasons why a
// claim is refused for a time.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { signIn } from "../harness/index.mjs";
import { DESK, Deployment, PHONE, fitsFingers, isAccessible, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

/** @type {Deployment} */
let deployment;
/** @type {import("../harness/client.mjs").Client} */
let operator;
before(async () => {
  deployment = await Deployment.open();
  operator = await signIn(deployment.worker, deployment.sandbox, "operator");
});
after(() => deployment?.close());
afterEach(() => claimsAre("open"));

for (const [viewport, persona] of /** @type {const} */ ([[PHONE, "load-71"], [DESK, "load-72"]])) {
  test(`at ${viewport.width} px, by keyboard: asked, declined with its answer, asked again, approved, claimed`, async () => {
    const visitor = await deployment.visitor({ viewport });
    const { page } = visitor;
    /** @param {string} where */
    const holds = async (where) => {
      await fitsFingers(page, where);
      await isAccessible(page, where);
    };
    await claimsAre("by_approval");
    await visitor.signIn(persona);
    await sees(page, "Claims need approval.");
    assert.equal(await visitor.claimButton.count(), 0);
    await holds("a request to be made");
    await note(visitor).focus();
    await page.keyboard.type("A course on parsers.");
    await sees(page, "20 of 500 characters, optional");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await sees(page, "Your request was sent.");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Your request was sent.");
    await sees(page, "You have asked");
    await page.reload();
    await sees(page, /1 min ago .*The people who run this service will decide\./);
    await sees(page, "A course on parsers.");
    assert.equal(await note(visitor).count(), 0, "one open request is enough");
    await holds("a request that is open");

    await decide("declined", "Tell us more: which course?");
    await page.getByRole("button", { name: "Look again" }).click();
    await sees(page, "Your request was declined");
    await sees(page, "Tell us more: which course?");
    await holds("a request that was declined");
    await send(visitor);
    await sees(page, "You have asked");

    await decide("approved", "Welcome.");
    await page.getByRole("button", { name: "Look again" }).click();
    await sees(page, "Your request was approved");
    await sees(page, "Welcome.");
    await holds("a request that was approved");
    await visitor.claim();
    await visitor.stored.click();

    await visitor.open("/account");
    const asked = await page.getByRole("region", { name: "What you have asked" }).innerText();
    assert.match(asked, /approved[^]*They answered\s+Welcome\.[^]*declined[^]*You wrote\s+A course on parsers\.\s+They answered\s+Tell us more: which course\?/);
    await holds("the account with its requests");
    await visitor.leave();
  });
}

test("a note too long is refused beside its field, with the focus there, and nothing is sent", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await claimsAre("by_approval");
  await visitor.signIn("load-73");
  // 502 characters of two code units each. The white space around them does not count.
  await note(visitor).fill(` ${"😀".repeat(502)}\n`);
  await sees(page, "502 of 500 characters, optional");
  await send(visitor);
  const error = "The note is 2 characters too long. Nothing was sent.";
  const { described, invalid, focused, said } = await note(visitor).evaluate((field) => ({
    described: field.getAttribute("aria-describedby")?.split(" ").map((id) => document.getElementById(id)?.textContent),
    invalid: field.getAttribute("aria-invalid"),
    focused: field === document.activeElement,
    said: document.getElementById("status")?.textContent,
  }));
  assert.deepEqual({ described, invalid, focused, said }, { described: ["502 of 500 characters, optional", error], invalid: "true", focused: true, said: error });
  await isAccessible(page, "a note too long");
  await note(visitor).fill("😀".repeat(500));
  await send(visitor);
  await sees(page, "Your request was sent.");
  await visitor.leave();
});

test("an account too young may ask for an exception, and with it gets its key", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("newcomer");
  await sees(page, "GitHub says that your account is 4 days old. To claim a key, it must be 30 days old.");
  await page.getByRole("heading", { name: "Ask for an exception" }).waitFor();
  await note(visitor).fill("I moved from another account.");
  await send(visitor, "Ask for an exception");
  await sees(page, "You have asked");
  await decide("approved", null);
  await page.getByRole("button", { name: "Look again" }).click();
  await visitor.claim();
  await visitor.stored.click();
  await visitor.leave();
});

test("used-up daily requests, a lost answer and a rule that no longer applies are each explained", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(409, 429);
  await claimsAre("by_approval");
  await visitor.signIn("load-74");
  await page.route("**/api/v1/requests", (route) => (route.request().method() === "POST" ? route.abort("internetdisconnected") : route.continue()));
  await note(visitor).fill("Kept while it could not be sent.");
  await send(visitor);
  await sees(page, "No answer came. Your request may have arrived. If you send it again unchanged, it counts once.");
  assert.equal(await note(visitor).inputValue(), "Kept while it could not be sent.");
  await page.unroute("**/api/v1/requests");
  for (let asked = 0; asked < 3; asked += 1) {
    await send(visitor);
    await sees(page, "You have asked");
    await decide("declined", null);
    await page.getByRole("button", { name: "Look again" }).click();
    await sees(page, "No reason was given.");
  }
  await send(visitor);
  await sees(page, "Too many requests today. You can send 3 requests a day. The count starts again at 00:00 UTC.");
  await sees(page, "Request id");
  await claimsAre("open");
  await send(visitor);
  await sees(page, "You no longer need to ask.");
  await visitor.claimButton.waitFor();
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("net::ERR_INTERNET_DISCONNECTED"));
  await visitor.leave();
});

test("terms that no admin has confirmed yet, and a busy hour, are explained with what to do", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  // On this machine the first refusal never occurs. Both are the service's own bodies.
  const refusals = [
    { title: "Claims are not open yet", detail: "Nothing was changed. Existing keys go on working.", code: "upstream_terms_unconfirmed", retry_at: null },
    { title: "Too many people are claiming at the moment", detail: "", code: "claims_busy", retry_at: new Date(Date.now() + 34 * 60_000).toISOString() },
  ];
  await visitor.changesAnswers(/^\/api\/v1\/me\/overview$/, ({ me }) => Object.assign(me.claim, { open: false, refusal: refusals.shift() }));
  await visitor.signIn("load-75");
  await sees(page, "The people who run this service have not confirmed OpenRouter’s terms yet.");
  assert.ok(await page.getByRole("button", { name: "Claims not open yet" }).isDisabled());
  await isAccessible(page, "terms of OpenRouter that nobody has confirmed");
  await page.getByRole("button", { name: "Look again" }).click();
  await sees(page, "The service limits how many keys it makes in an hour.");
  await sees(page, /You can claim from .* \(in 3[45] min\)\./);
  assert.equal(await note(visitor).count(), 0, "there is nothing to ask for");
  await visitor.leave();
});

/** @param {"open" | "by_approval"} claims */
async function claimsAre(claims) {
  assert.equal((await operator.patch("/api/v1/admin/settings", { claims })).status, 200);
}

/** Decides the one open request. @param {"approved" | "declined"} state @param {string | null} answer */
async function decide(state, answer) {
  const { requests } = (await operator.get("/api/v1/admin/requests?state=open")).body;
  assert.equal((await operator.patch(`/api/v1/admin/requests/${requests.at(-1).id}`, { state, answer })).status, 200);
}

/** @param {Visitor} visitor */
const note = ({ page }) => page.getByRole("textbox");

/** @param {Visitor} visitor @param {string} [name] */
const send = ({ page }, name = "Ask for approval") => page.getByRole("button", { name }).click();
