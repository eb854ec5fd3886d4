// A browser that translates a page replaces every text by elements of its own. What changes afterwards must still
// change on the page: figures, times, states and the texts of buttons.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { bundle } from "../../scripts/pages.mjs";
import { inRoot } from "../../scripts/paths.mjs";
import { STATES } from "./states.mjs";
import { Deployment, sees } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/**
 * Does to a page what Chrome's translation does: each text outside `translate="no"` is replaced by two nested <font>
 * elements with the translated words. Here the words stay the same, so that they can be compared. With `goesOn`, later
 * texts are translated as well.
 */
function translator() {
  const isLeftAlone = (/** @type {Node} */ text) => text.parentElement?.closest('[translate="no"], script, style, noscript, textarea, font') ?? null;
  const translate = (/** @type {Node} */ root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    /** @type {Text[]} */
    const texts = [];
    while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
    for (const text of texts.filter(({ data }) => data.trim() !== "").filter((text) => isLeftAlone(text) === null)) {
      const [outer, inner] = [document.createElement("font"), document.createElement("font")];
      inner.textContent = text.data;
      outer.append(inner);
      text.replaceWith(outer);
    }
  };
  const goesOn = () => {
    translate(document.body);
    new MutationObserver(() => translate(document.body)).observe(document.body, { childList: true, subtree: true, characterData: true });
  };
  Object.assign(window, { translate, translateAll: goesOn });
}

test("from any state of the page to any other, a translated page says what an untouched one says", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(404);
  const [views] = await bundle([inRoot("tests", "browser", "views.mjs")]);
  await page.route("**/assets/views.js", (route) => route.fulfill({ contentType: "text/javascript", body: Buffer.from(views.content) }));
  // A page without a script: the policy lets only one script at a time make templates.
  await visitor.open("/no-such-page");
  await page.evaluate(translator);
  const compared = await page.evaluate(async (states) => {
    const { page: pageOf, aside, render, html } = await import(String("/assets/views.js"));
    const actions = new Proxy({}, { get: () => () => undefined });
    const whole = (/** @type {any} */ model) => html`${pageOf(model, actions)}${aside(model)}`;
    const said = (/** @type {HTMLElement} */ place) => place.textContent?.replace(/\s+/g, " ").trim();
    const wrong = [];
    let pairs = 0;
    for (const [from, before] of Object.entries(states)) {
      for (const [to, after] of Object.entries(states)) {
        const [translated, untouched] = [document.createElement("div"), document.createElement("div")];
        document.body.append(translated);
        render(whole(before), translated);
        /** @type {any} */ (window).translate(translated);
        render(whole(after), translated);
        render(whole(after), untouched);
        pairs += 1;
        if (said(translated) !== said(untouched)) wrong.push(`from "${from}" to "${to}": ${said(translated)}`);
        translated.remove();
      }
    }
    return { wrong, pairs };
  }, STATES);
  assert.ok(compared.pairs >= 900, `${compared.pairs} pairs`);
  assert.deepEqual(compared.wrong.slice(0, 3), [], `${compared.wrong.length} of ${compared.pairs}`);
  await visitor.leave();
});

test("a translated page claims, shows the secret, and follows what is spent", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await page.addInitScript(translator);
  const translate = () => page.evaluate(() => /** @type {any} */ (window).translateAll());
  await visitor.signIn("load-81");
  await translate();
  await deployment.sandbox.fault({ operation: "openrouter.keys.create", kind: "hold_before" });
  await visitor.pressClaim();
  await page.getByRole("button", { name: "Claiming…" }).waitFor();
  await deployment.sandbox.held("openrouter.keys.create");
  await deployment.sandbox.release();
  const secret = await visitor.secretBox.locator("code").innerText();
  assert.deepEqual((await deployment.secrets()).slice(-1), [secret], "no translator touches the secret");
  await visitor.secretBox.getByRole("button", { name: "Copy the key" }).click();
  await visitor.secretBox.getByRole("button", { name: "Copied" }).waitFor();
  await visitor.stored.click();
  await visitor.refreshed();
  await figures(page, ["$0", "$5.00", "$5.00", "$0", "$0", "$0"]);
  await deployment.spend(2);
  await page.getByRole("button", { name: "Refresh" }).click();
  await figures(page, ["$2.00", "$3.00", "$5.00", "$2.00", "$2.00", "$2.00"]);
  await sees(page, "Figures are live");
  const copy = page.locator("#use .snippet").first().getByRole("button");
  await copy.click();
  await page.getByRole("button", { name: /^Copied/ }).first().waitFor();
  await page.getByRole("button", { name: /Account menu/ }).click();
  await page.getByRole("button", { name: "Sign out everywhere…" }).click();
  await page.route("**/sign-out-everywhere", (route) => route.abort());
  visitor.unheard(/net::ERR_FAILED/);
  await page.getByRole("button", { name: "Sign out everywhere", exact: true }).click();
  await sees(page, "The service did not confirm it. Your sessions may still be open. Check your connection, then try again.");
  await page.getByRole("button", { name: "Sign out everywhere", exact: true }).waitFor();
  await visitor.leave();
});

test("a request's note is counted on a translated page", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await page.addInitScript(translator);
  await visitor.signIn("newcomer");
  await page.evaluate(() => /** @type {any} */ (window).translateAll());
  await page.getByRole("textbox").fill("For a course");
  await sees(page, "12 of 500 characters, optional");
  await page.getByRole("textbox").fill("For a");
  await sees(page, "5 of 500 characters, optional");
  await visitor.leave();
});

test("every template of the pages is made so that it survives a translation", async () => {
  const folder = inRoot("src", "http", "pages", "scripts");
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".js") && file !== "html.js")) {
    assert.doesNotMatch(await readFile(`${folder}/${name}`, "utf8"), /from "lit-html/, `${name} takes its templates past html.js`);
  }
});

/** Waits until the meter shows these figures. @param {import("./support.mjs").Page} page @param {string[]} wanted */
async function figures(page, wanted) {
  const shown = () => page.locator(".meter dd").allInnerTexts();
  await page.waitForFunction((amounts) => JSON.stringify([...document.querySelectorAll(".meter dd")].map((dd) => dd.textContent)) === amounts, JSON.stringify(wanted), { timeout: 5_000 }).catch(async () => assert.deepEqual(await shown(), wanted));
}
