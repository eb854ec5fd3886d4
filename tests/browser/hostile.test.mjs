// The pages with hostile answers. Whatever text the API, GitHub or OpenRouter passes on, the page shows it as text: it
// runs nothing, links nowhere and breaks no page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */
/** @typedef {import("playwright-core").Page} Page */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** Texts that a template, an attribute, an address or a template literal could take for its own syntax. */
const HOSTILE = [
  `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`,
  "' autofocus onfocus=window.pwned=1 x='",
  "javascript:window.pwned=1",
  "${window.pwned=1}{{window.pwned=1}}<?lit$0$?><!--?lit-->",
  "</title></style></textarea><svg onload=window.pwned=1>",
  "\u202egnp.exe\u2028\u0000\u200b",
];

/**
 * The paths of those members of an answer that are texts or null.
 * @param {any} value
 * @param {string[]} path
 * @returns {string[][]}
 */
function texts(value, path = []) {
  if (typeof value === "string" || value === null) return [path];
  if (typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, member]) => texts(member, [...path, name]));
}

/** @param {any} body @param {string[]} path @param {string} text */
function put(body, path, text) {
  const last = path.at(-1) ?? "";
  const holder = path.slice(0, -1).reduce((at, name) => at?.[name], body);
  if (holder) holder[last] = text;
}

/** Asserts that no hostile text became more than text. @param {Page} page @param {string} what */
async function isOnlyText(page, what) {
  const found = await page.evaluate(() => ({
    pwned: /** @type {any} */ (window).pwned,
    made: [...document.querySelectorAll("main img, main svg[onload], main script, main style, main iframe, main object")].map((element) => element.outerHTML),
    handlers: [...document.querySelectorAll("*")].filter((element) => [...element.attributes].some(({ name }) => name.startsWith("on"))).map((element) => element.outerHTML),
    links: [...document.querySelectorAll("a[href], form[action], button[formaction]")].map((element) => element.getAttribute("href") ?? element.getAttribute("action") ?? element.getAttribute("formaction") ?? ""),
  }));
  assert.equal(found.pwned, undefined, `${what} ran`);
  assert.deepEqual(found.handlers, [], what);
  assert.ok(!found.links.some((link) => /^\s*(?:javascript|data|vbscript):/i.test(link)), `${what}: ${found.links}`);
  assert.ok(!found.made.some((html) => html.includes("pwned")), `${what}: ${found.made}`);
}

/** The answers that the page `/keys` reads. The first of them comes with its document. */
const ANSWERS = /^\/api\/v1\/(?:me\/overview|keys|keys\/refresh)$/;

/** The names of members whose text a person or an upstream chooses. */
const CHOSEN = ["login", "name", "note", "answer"];

test("a login, a name, a note and an answer of any text run nothing and lead nowhere", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-81");
  await visitor.claim();
  await visitor.stored.click();
  let hostile = HOSTILE[0];
  await visitor.changesAnswers(ANSWERS, (body) => {
    for (const path of texts(body)) if (CHOSEN.includes(path.at(-1) ?? "")) put(body, path, hostile);
  });
  for (hostile of HOSTILE) {
    await page.reload();
    await visitor.settled();
    await visitor.refreshed();
    await isOnlyText(page, hostile);
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await visitor.leave();
});

test("each text of each answer in turn may be hostile: the page keeps working and runs nothing", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  // A page that was given another member's id gets 409 when it changes something.
  visitor.expects(409);
  await visitor.signIn("load-82");
  await visitor.claim();
  await visitor.stored.click();
  const addresses = ["/api/v1/me/overview", "/api/v1/keys"];
  /** The texts that are hostile now, and where they are. @type {{ address: string, path: string[], text: string }[]} */
  let now = [];
  /** @type {Map<string, any>} */
  const answers = new Map();
  await visitor.changesAnswers(ANSWERS, (body, path) => {
    const address = path.replace("/refresh", "");
    answers.set(address, structuredClone(body));
    for (const one of now) if (address === one.address) put(body, one.path, one.text);
  });
  await page.reload();
  await visitor.settled();
  await visitor.refreshed();
  const cells = addresses.flatMap((address) => texts(answers.get(address)).map((path, n) => ({ address, path, text: HOSTILE[n % HOSTILE.length] })));
  assert.ok(cells.length >= 20, `${cells.length}`);
  const isMember = (/** @type {typeof now[0]} */ { path }) => path.join(".") === "me.member.id";
  const others = cells.filter((cell) => !isMember(cell));
  // Two at a time, from far apart, because each page takes its time.
  const half = Math.ceil(others.length / 2);
  const pairs = others.slice(0, half).map((cell, n) => [cell, ...others.slice(half + n, half + n + 1)]);
  for (now of [...pairs, ...cells.filter(isMember).map((cell) => [cell])]) {
    const where = now.map(({ address, path, text }) => `${address} ${path.join(".")}: ${text}`).join(" and ");
    await page.reload();
    // With another member's id the page is another account's page, so it reloads, once.
    if (now.some(isMember)) await page.getByRole("alert").waitFor();
    await page.locator('#keys:not([aria-busy="true"])').waitFor();
    await isOnlyText(page, where);
    assert.notEqual((await page.locator("main h1").first().innerText()).trim(), "", `${where} left no page`);
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await visitor.leave();
});

test("an error's words are the page's own, whatever the answer says", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(400, 403, 409, 500, 503);
  await visitor.signIn("load-83");
  for (const [n, text] of HOSTILE.entries()) {
    const status = [400, 403, 409, 500, 503][n % 5];
    await page.route(/\/api\/v1\/claim$/, (route) =>
      route.fulfill({ status, contentType: "application/problem+json", json: { type: "about:blank", title: text, status, detail: text, code: text, instance: text, retry_at: text } }),
    );
    await page.reload();
    await visitor.settled();
    await visitor.pressClaim();
    await page.locator(".notice, [role=alert], [role=status]").filter({ hasText: /\S/ }).first().waitFor();
    await isOnlyText(page, `${status} ${text}`);
    await page.unroute(/\/api\/v1\/claim$/);
  }
  await visitor.leave();
});

test("an address of any text shows a fixed notice or none, on every page", async () => {
  const visitor = await deployment.visitor();
  visitor.expects(400, 401, 404);
  for (const path of ["/", "/docs", "/keys", "/account", "/usage", "/leak", "/device", "/nothing"]) {
    for (const text of HOSTILE.slice(0, 5)) {
      const value = encodeURIComponent(text);
      await visitor.open(`${path}?auth_error=${value}&next=${value}&q=${value}#${value}`);
      await isOnlyText(visitor.page, `${path} ${text}`);
      const main = await visitor.page.locator("body").innerText();
      assert.ok(!main.includes("pwned"), `${path} repeats ${text}`);
    }
  }
  await visitor.leave();
});
