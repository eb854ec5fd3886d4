// Pages that something in between has rewritten: features of a Cloudflare zone insert scripts and change those of the
// page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/**
 * What analytics and bot detection insert at the end of a page: an inline script, a script of another host, and a
 * script of our host that does not exist.
 */
const INJECTED = `<script>window.injected = true</script>
<script defer src="https://analytics.invalid/beacon.min.js"></script>
<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>`;

test("a page into which others put scripts still claims, and the policy blocks those scripts", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  visitor.expects(404);
  visitor.unheard(/Content Security Policy|analytics\.invalid|MIME type/);
  await rewriteDocuments(visitor, (html) => html.replace("</body>", `${INJECTED}</body>`));
  await visitor.signIn("load-91");
  const secret = await visitor.claim();
  assert.deepEqual((await deployment.secrets()).slice(-1), [secret]);
  assert.equal(await page.evaluate(() => "injected" in window), false);
  await visitor.stored.click();
  await visitor.leave();
});

test("our scripts run even where Rocket Loader delays the scripts of a page", async () => {
  const visitor = await deployment.visitor();
  // Rocket Loader renames the type of every script that does not opt out, and runs those scripts later itself.
  await rewriteDocuments(visitor, (html) => html.replace(/<script (?![^>]*data-cfasync="false")([^>]*)type="module"/g, '<script $1type="5f0-module"'));
  await visitor.signIn("load-92");
  await visitor.claim();
  await visitor.stored.click();
  for (const path of ["/", "/docs"]) {
    await visitor.open(path);
    await visitor.page.getByRole("button", { name: /Account menu/ }).waitFor();
  }
  await visitor.leave();
});

/** @param {import("./support.mjs").Visitor} visitor @param {(html: string) => string} rewrite */
const rewriteDocuments = ({ page }, rewrite) =>
  page.route(`${deployment.worker.url}/**`, async (route) => {
    if (route.request().resourceType() !== "document") return route.fallback();
    const response = await route.fetch({ maxRedirects: 0 });
    const isPage = response.headers()["content-type"]?.startsWith("text/html") ?? false;
    if (!isPage) return route.fulfill({ response });
    await route.fulfill({ response, body: rewrite(await response.text()) });
  });
