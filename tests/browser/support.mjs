// What the browser tests share: one deployment (sandbox, Worker, Chromium) for each file, and visitors. Each visitor
// has an empty profile, an address of its own and a guard that collects the complaints of its pages.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { localVars } from "../../scripts/local.mjs";
import { browser, browserWithProfile, signIn, startSandbox, startWorker } from "../harness/index.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} ContextOptions */
/** @typedef {import("../harness/index.mjs").Worker} Worker */
/** @typedef {import("../harness/index.mjs").Sandbox} Sandbox */

/** A phone as narrow as the pages promise to fit, and a desktop. */
export const PHONE = { width: 320, height: 640 };
export const DESK = { width: 1280, height: 800 };

/** How long a session's cookie is kept. */
const SESSION_SECONDS = 7 * 86_400;

/** Matches no path: with it, only documents are changed. */
export const NO_ADDRESS = /^$/;

/** The addresses of the documents that contain an overview, and the block that it is in. */
const DOCUMENTS = /\/(?:keys|account|usage)(?:[?#].*)?$/;
const OVERVIEW = /(<script type="application\/json" id="overview">)([^]*?)(<\/script>)/;

let visitors = 0;

/** @param {ContextOptions} [options] @returns {ContextOptions} */
function newVisitor(options = {}) {
  visitors += 1;
  return {
    viewport: DESK,
    reducedMotion: "reduce",
    // Each visitor has an address of its own, so that the rate limiter by address does not refuse another test.
    extraHTTPHeaders: { "cf-connecting-ip": `198.19.${Math.floor(visitors / 250)}.${(visitors % 250) + 1}` },
    ...options,
  };
}

export class Deployment {
  /** @param {Sandbox} sandbox @param {Worker} worker @param {import("playwright-core").Browser} chromium */
  constructor(sandbox, worker, chromium) {
    this.sandbox = sandbox;
    this.worker = worker;
    this.chromium = chromium;
  }

  /** @param {{ vars?: Record<string, string | undefined>, sandboxPort?: number, rateLimits?: import("../../scripts/local.mjs").RateLimits }} [options] */
  static async open({ vars, sandboxPort, rateLimits } = {}) {
    const [sandbox, chromium] = await Promise.all([startSandbox({ port: sandboxPort }), browser()]);
    return new Deployment(sandbox, await startWorker({ sandbox, vars, rateLimits }), chromium);
  }

  async close() {
    await this.chromium.close();
    await this.worker.stop();
    await this.sandbox.stop();
  }

  /** @param {ContextOptions} [options] */
  async visitor(options = {}) {
    return this.#visitor(await this.chromium.newContext(newVisitor(options)));
  }

  /** A visitor with a browser of their own, whose profile in a folder outlives it. @param {string} folder */
  async returning(folder) {
    return this.#visitor(await browserWithProfile(folder, newVisitor()));
  }

  /** @param {import("playwright-core").BrowserContext} context */
  async #visitor(context) {
    context.setDefaultTimeout(15_000);
    // In a browser with a window, a press of a button is permission enough to write to the clipboard.
    await context.grantPermissions(["clipboard-write"], { origin: this.worker.url });
    return new Visitor(this, context, await context.newPage());
  }

  /** Lets so much time pass that the service may ask OpenRouter again what keys have spent. */
  async minutePasses() {
    await this.worker.d1("UPDATE generations SET usage_asked_at = usage_asked_at - 60, usage_read_at = usage_read_at - 60 WHERE usage_asked_at IS NOT NULL");
  }

  /** Spends this much on the newest key, in dollars, and lets a minute pass. @param {number} usd */
  async spend(usd) {
    const { hash } = (await this.sandbox.ledger()).keys.at(-1);
    await this.sandbox.spend(hash, usd);
    await this.minutePasses();
  }

  /** Deletes the newest key at OpenRouter, without the service, and lets a minute pass. */
  async deleteUpstream() {
    const { hash } = (await this.sandbox.ledger()).keys.at(-1);
    const { OPENROUTER_API_URL, OPENROUTER_MANAGEMENT_KEY } = localVars({ origin: "", sandboxUrl: this.sandbox.url });
    const answer = await fetch(`${OPENROUTER_API_URL}/keys/${hash}`, { method: "DELETE", headers: { authorization: `Bearer ${OPENROUTER_MANAGEMENT_KEY}` } });
    assert.equal(answer.status, 200);
    await this.minutePasses();
  }

  /** The secrets that the upstream has given out so far. @returns {Promise<string[]>} */
  async secrets() {
    return (await this.sandbox.ledger()).secrets_minted;
  }
}

export class Visitor {
  /** The complaints of the pages. @type {string[]} */
  complaints = [];
  /** Statuses whose line in the console ("Failed to load resource") the test expects. @type {Set<number>} */
  expected = new Set();
  /** Other complaints that the test expects. @type {RegExp[]} */
  ignored = [];

  /** @param {Deployment} deployment @param {import("playwright-core").BrowserContext} context @param {Page} page */
  constructor(deployment, context, page) {
    this.deployment = deployment;
    this.context = context;
    this.page = page;
    this.listen(page);
  }

  /** @param {Page} page */
  listen(page) {
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      // GitHub's own page may complain; it is not tested.
      if (!page.url().startsWith(this.deployment.worker.url)) return;
      if (message.type() !== "error" && message.type() !== "warning") return;
      const status = Number(/the server responded with a status of (\d{3})/.exec(message.text())?.[1]);
      if (!this.expected.has(status)) this.complaints.push(message.text());
    });
  }

  /** @param {...number} statuses */
  expects(...statuses) {
    for (const status of statuses) this.expected.add(status);
  }

  /** Ignores complaints that the test expects. @param {RegExp} text */
  unheard(text) {
    this.ignored.push(text);
  }

  /** @param {string} path */
  async open(path) {
    return this.page.goto(this.deployment.worker.url + path);
  }

  /** Begins to watch what the page asks the network for. */
  async network() {
    const debug = await this.context.newCDPSession(this.page);
    await debug.send("Network.enable");
    return new Network(debug);
  }

  /** Opens another window of the same browser. */
  async window() {
    const page = await this.context.newPage();
    this.listen(page);
    return page;
  }

  /**
   * Signs in, and ends on /keys. The browser gets the cookies of a client that has signed in, because the way through
   * the pages takes five of them; tests about that way take it themselves.
   * @param {string} persona
   */
  async signIn(persona) {
    const { worker, sandbox } = this.deployment;
    const client = await signIn(worker, sandbox, persona);
    const like = { domain: new URL(worker.url).hostname, path: "/", expires: Date.now() / 1000 + SESSION_SECONDS, secure: true, httpOnly: true, sameSite: /** @type {const} */ ("Lax") };
    await this.context.addCookies([...client.cookies].map(([name, value]) => ({ name, value, ...like })));
    await this.open("/keys");
    await this.settled();
  }

  /**
   * Presses the button of a persona. `load-<n>` has no button, so the first button is changed into one.
   * @param {string} persona
   */
  async chooseAtGitHub(persona) {
    const own = this.page.locator(`button[name="persona"][value="${persona}"]`);
    if ((await own.count()) === 1) return own.click();
    const any = this.page.locator('button[name="persona"]').first();
    await any.evaluate((button, value) => ((/** @type {HTMLButtonElement} */ (button)).value = value), persona);
    return any.click();
  }

  /** Has the documents come without an overview, as they do if it cannot be read: the page then asks the API. */
  async documentsAreBare() {
    await this.page.route(DOCUMENTS, async (route) => {
      if (route.request().resourceType() !== "document") return route.fallback();
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replace(OVERVIEW, "") });
    });
  }

  /**
   * Changes what the page is told: the overview in its document, and the answers of the API at some addresses.
   * @param {RegExp} addresses paths of the API
   * @param {(body: any, address: string) => void} change
   */
  async changesAnswers(addresses, change) {
    await this.page.route(DOCUMENTS, async (route) => {
      if (route.request().resourceType() !== "document") return route.fallback();
      const response = await route.fetch();
      const body = (await response.text()).replace(OVERVIEW, (_whole, opening, json, closing) => {
        const told = JSON.parse(json);
        change(told, "/api/v1/me/overview");
        return `${opening}${JSON.stringify(told).replaceAll("<", "\\u003c")}${closing}`;
      });
      await route.fulfill({ response, body });
    });
    await this.page.route((url) => addresses.test(url.pathname), async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      change(body, new URL(route.request().url()).pathname);
      await route.fulfill({ response, json: body });
    });
  }

  /** Waits until the page `/keys` has its data. */
  async settled(page = this.page) {
    await page.locator('#keys[aria-busy="false"]').waitFor();
  }

  /** Waits until the newest figures of the key are there, or could not be read. */
  async refreshed() {
    await this.page.getByRole("button", { name: "Refresh" }).waitFor();
  }

  get claimButton() {
    return this.page.getByRole("button", { name: "Claim my key" });
  }

  get acceptBox() {
    return this.page.getByRole("checkbox", { name: "I accept the rules" });
  }

  get secretBox() {
    return this.page.getByRole("dialog", { name: "Your key, shown once" });
  }

  get stored() {
    return this.secretBox.getByRole("button", { name: "I have stored it" });
  }

  /** Accepts the rules, if the page asks for that, and presses the button. */
  async pressClaim() {
    await this.claimButton.waitFor();
    if ((await this.acceptBox.count()) === 1) await this.acceptBox.check();
    await this.claimButton.click();
  }

  /** Claims and returns the secret that the box shows. */
  async claim() {
    await this.pressClaim();
    return this.secretBox.locator("code").innerText();
  }

  /** Ends the visit, and asserts that no page has complained. */
  async leave() {
    // A request may still wait in a route that the test has set up, and nothing would answer it any more.
    await Promise.all(this.context.pages().map((page) => page.unrouteAll({ behavior: "ignoreErrors" })));
    await this.context.close();
    const complaints = this.complaints.filter((text) => !this.ignored.some((known) => known.test(text)));
    assert.deepEqual(complaints, [], "the console, the content security policy or a script complained");
  }
}

/** What a page asks the network for. What comes from the browser's cache is left out. */
class Network {
  /** @type {Map<string, string>} */
  #asked = new Map();
  #bytes = 0;

  /** @param {import("playwright-core").CDPSession} debug */
  constructor(debug) {
    this.debug = debug;
    debug.on("Network.requestWillBeSent", ({ requestId, request }) => void this.#asked.set(requestId, `${request.method} ${new URL(request.url).pathname.replace(/-[0-9a-f]{16}\./, ".")}`));
    debug.on("Network.requestServedFromCache", ({ requestId }) => void this.#asked.delete(requestId));
    debug.on("Network.responseReceived", ({ requestId, response }) => void (response.fromDiskCache && this.#asked.delete(requestId)));
    debug.on("Network.loadingFinished", ({ encodedDataLength }) => void (this.#bytes += encodedDataLength));
  }

  /** Empties the browser's cache. */
  async emptyCache() {
    await this.debug.send("Network.clearBrowserCache");
  }

  /** Delays every answer. @param {number} ms */
  async delay(ms) {
    await this.debug.send("Network.emulateNetworkConditions", { offline: false, latency: ms, downloadThroughput: -1, uploadThroughput: -1 });
  }

  /** The requests so far, in order: their methods and paths, without the hash in the names of files. */
  requests() {
    return [...this.#asked.values()];
  }

  /** How many bytes came so far, headers included. */
  bytes() {
    return this.#bytes;
  }
}

/**
 * What the browser's clipboard holds. It is pasted, because our pages do not let scripts read the clipboard.
 * @param {Visitor} visitor
 */
export async function pasted(visitor) {
  const page = await visitor.window();
  await page.setContent("<textarea autofocus></textarea>");
  await page.locator("textarea").focus();
  await page.keyboard.press("ControlOrMeta+V");
  const text = await page.locator("textarea").inputValue();
  await page.close();
  return text;
}

/** Asserts that the page shows a text, by waiting for it. @param {Page} page @param {string | RegExp} text */
export async function sees(page, text) {
  await page.getByText(text).first().waitFor();
}

/**
 * Asserts that nothing scrolls sideways and that every control is large enough for a finger. Links within a sentence
 * are exempt.
 * @param {Page} page
 * @param {string} where
 */
export async function fitsFingers(page, where) {
  const { overflow, small } = await page.evaluate(() => ({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    small: [...document.querySelectorAll("a, button, label:has(input), textarea")]
      .filter((element) => element.checkVisibility() && !element.matches(".skip") && getComputedStyle(element).display !== "inline")
      .filter((element) => element.getBoundingClientRect().height < 40)
      .map((element) => element.textContent?.trim()),
  }));
  assert.equal(overflow, 0, `${where} scrolls sideways`);
  assert.deepEqual(small, [], `${where} has targets below 40 px`);
}

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Asserts axe's rules for WCAG and good practice: names, roles, contrast, headings, landmarks.
 * @param {Page} page @param {string} where
 */
export async function isAccessible(page, where) {
  // The script runs through the debugger, because the page's content security policy rightly blocks it.
  const debug = await page.context().newCDPSession(page);
  await debug.send("Runtime.evaluate", { expression: axeSource });
  const { result } = await debug.send("Runtime.evaluate", {
    expression: `axe.run(document).then(({ violations, passes }) => ({
      checked: passes.length,
      found: violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target).join(", ")),
    }))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await debug.detach();
  assert.ok(result.value?.checked > 10, `axe did not run on ${where}`);
  assert.deepEqual(result.value.found, [], where);
}
