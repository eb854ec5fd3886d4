// What a visit asks for over the network, in a browser that keeps its profile: all of a page the first time, and the
// next time only what may have changed.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { CLAIM, signIn } from "../harness/index.mjs";
import { Deployment } from "./support.mjs";

/** @type {Deployment} */
let deployment;
/** The folder of the profile of one visitor. */
let folder = "";
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The most requests of a first visit, the icon among them. */
const COLD = 7;

/** The files that each page loads, and what it asks the API, if somebody with a key is signed in. */
const PAGES = {
  "/": { files: ["landing.js", "style.css"], calls: ["GET /api/v1/me", "GET /api/v1/notices"], isUsable: "Go to your key" },
  "/docs": { files: ["docs.js", "style.css"], calls: ["GET /api/v1/me", "GET /api/v1/notices"], isUsable: "@load-" },
  "/keys": { files: ["keys.js", "style.css"], calls: ["POST /api/v1/keys/refresh"], isUsable: "Figures are live" },
  "/account": { files: ["account.js", "style.css"], calls: [], isUsable: "Who you are here" },
  "/usage": { files: ["charts.css", "style.css", "usage.js"], calls: ["GET /api/v1/usage", "GET /api/v1/usage"], isUsable: "The chart as a table" },
  "/device": { files: ["device.js", "style.css"], calls: [], isUsable: "The code that your terminal shows" },
  "/leak": { files: ["leak.js", "style.css"], calls: ["GET /api/v1/me", "GET /api/v1/notices"], isUsable: "@load-" },
};

for (const [n, [path, { files, calls, isUsable }]] of Object.entries(PAGES).entries()) {
  test(`a first visit of ${path} makes at most ${COLD} requests, and the next one asks for the document and the API alone`, async () => {
    folder = await mkdtemp(join(tmpdir(), "keycap-profile-"));
    const persona = `load-${300 + n}`;
    const client = await signIn(deployment.worker, deployment.sandbox, persona);
    assert.equal((await client.post("/api/v1/claim", CLAIM)).status, 201);
    const member = await deployment.returning(folder);
    await member.signIn(persona);
    await member.leave();
    const document = `GET ${path}`;
    const first = await visit(path, isUsable, { isFirst: true });
    assert.deepEqual(first, [document, ...files.map((file) => `GET /assets/${file}`), ...calls].sort());
    // A browser without a window asks for no icon.
    assert.ok(first.length + 1 <= COLD, `${first.length} requests and the icon`);
    assert.deepEqual(await visit(path, isUsable, { isFirst: false }), [document, ...calls].sort());
  });
}

/**
 * Visits a page until it is usable, with a browser of its own, and returns what the browser asked the network for.
 * @param {string} path @param {string} isUsable a text that the page shows then
 * @param {{ isFirst: boolean }} options whether the browser's cache is emptied before
 */
async function visit(path, isUsable, { isFirst }) {
  const visitor = await deployment.returning(folder);
  const network = await visitor.network();
  if (isFirst) await network.emptyCache();
  await visitor.open(path);
  await visitor.page.getByText(isUsable).first().waitFor();
  await visitor.leave();
  return network.requests().sort();
}

test("a member's pages show what came with their documents, while the API has not answered anything", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.signIn("load-390");
  await visitor.claim();
  await visitor.stored.click();
  await page.route("**/api/**", () => {});
  await visitor.open("/keys");
  await page.locator(".mask").waitFor();
  await page.getByRole("button", { name: "Asking…" }).waitFor();
  await page.getByRole("button", { name: "Signed in as @load-390. Account menu" }).waitFor();
  await visitor.open("/account");
  await page.getByRole("heading", { name: "Who you are here" }).waitFor();
  await visitor.leave();
});

test("if the script of /keys does not arrive, the page says so after a while, with motion reduced or not", async () => {
  for (const reducedMotion of /** @type {const} */ (["reduce", "no-preference"])) {
    const visitor = await deployment.visitor({ reducedMotion });
    const { page } = visitor;
    visitor.expects(401, 404);
    await page.route("**/assets/keys-*.js", (route) => route.fulfill({ status: 404, contentType: "text/html", body: "" }));
    await visitor.open("/keys");
    const late = page.getByRole("heading", { name: "This page has not finished loading." });
    assert.equal(await late.isVisible(), false, "not yet");
    const waits = await page.evaluate(() => document.getAnimations().filter((animation) => animation instanceof CSSAnimation && animation.animationName === "appear").map((animation) => {
      const { delay } = animation.effect?.getTiming() ?? {};
      animation.finish();
      return delay;
    }));
    assert.deepEqual(waits, [10_000]);
    await late.waitFor();
    await page.unroute("**/assets/keys-*.js");
    await page.getByRole("link", { name: "Load the page again" }).click();
    await page.getByText("You are signed out.").first().waitFor();
    assert.equal(await late.count(), 0);
    await visitor.leave();
  }
});
