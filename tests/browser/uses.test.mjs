// The examples beside the key and in the docs: they work where people paste them, they never contain a key, and their
// tabs and buttons work by keyboard, by touch and with a screen reader.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "smol-toml";
import { Deployment, pasted, sees } from "./support.mjs";

/** @typedef {import("./support.mjs").Visitor} Visitor */

const run = promisify(execFile);
const TITLES = ["curl", "Python", "JavaScript", "Claude Code", "Codex"];
/** A text in the place of a key; no upstream knows it. */
const FAKE_KEY = "example-key-not-real";

/** @type {Deployment} */
let deployment;
/** @type {string} */
let folder;
before(async () => {
  deployment = await Deployment.open();
  folder = await mkdtemp(join(tmpdir(), "keycap-uses-"));
});
after(async () => {
  await deployment?.close();
  await rm(folder, { recursive: true, force: true });
});

test("the docs and the key's page have the same examples, each with the variable and none with a key", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await visitor.open("/docs");
  const inDocs = await examples(visitor);
  assert.deepEqual(TITLES.filter((title) => !inDocs[title]), []);
  await visitor.signIn("load-41");
  assert.equal(await page.getByRole("tab").count(), 0, "without a key there is nothing to use");
  const secret = await visitor.claim();
  await visitor.stored.click();
  const byTheKey = await examples(visitor);
  for (const title of [...TITLES, "Put the key into a variable", "Check your key"]) {
    assert.equal(byTheKey[title], inDocs[title], title);
    assert.match(byTheKey[title], /OPENROUTER_API_KEY/, title);
    assert.ok(!byTheKey[title].includes(secret), title);
  }
  await sees(page, `${deployment.sandbox.url}/openrouter/api/v1`);
  await page.getByRole("link", { name: "Read the docs" }).waitFor();
  await visitor.leave();
});

test("what is pasted for Claude Code makes it use the key, in a shell that knows nothing else", async () => {
  const claude = join(folder, "claude");
  await writeFile(claude, "#!/bin/sh\nenv | grep -E '^(OPENROUTER|ANTHROPIC)_' | sort\n");
  await chmod(claude, 0o755);
  const text = (await documented())["Claude Code"];
  // The variable is set but not exported, which is easily forgotten. The first line of the example exports it.
  const { stdout } = await run("bash", ["-c", `OPENROUTER_API_KEY=${FAKE_KEY}\n${text}`], { env: { PATH: `${folder}:/usr/bin:/bin` } });
  assert.deepEqual(stdout.trim().split("\n"), [
    "ANTHROPIC_API_KEY=",
    `ANTHROPIC_AUTH_TOKEN=${FAKE_KEY}`,
    `ANTHROPIC_BASE_URL=${deployment.sandbox.url}/openrouter/api`,
    `OPENROUTER_API_KEY=${FAKE_KEY}`,
  ]);
});

test("what is pasted for Codex is TOML, names the variable, and leaves out what current Codex refuses", async () => {
  assert.deepEqual(JSON.parse(JSON.stringify(parse((await documented()).Codex))), {
    model: "~openai/gpt-latest",
    model_provider: "openrouter",
    model_providers: { openrouter: { name: "OpenRouter", base_url: `${deployment.sandbox.url}/openrouter/api/v1`, env_key: "OPENROUTER_API_KEY" } },
  });
});

test("the curl and JavaScript examples, run unchanged, send the right request with the key; so does the check", async () => {
  /** @type {{ method?: string, url?: string, authorization?: string, body: string }[]} */
  const asked = [];
  const upstream = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, authorization: request.headers.authorization, body });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices: [{ message: { content: "Hello." } }] }));
  });
  await new Promise((resolve) => upstream.listen(0, "127.0.0.1", () => resolve(undefined)));
  try {
    const { port } = /** @type {import("node:net").AddressInfo} */ (upstream.address());
    const texts = await documented();
    /** @param {string} title */
    const text = (title) => texts[title].replaceAll(deployment.sandbox.url, `http://127.0.0.1:${port}`);
    const env = { PATH: process.env.PATH, OPENROUTER_API_KEY: FAKE_KEY };
    await run("bash", ["-c", text("curl")], { env });
    await writeFile(join(folder, "hello.mjs"), text("JavaScript"));
    const { stdout } = await run(process.execPath, [join(folder, "hello.mjs")], { env });
    assert.equal(stdout, "Hello.\n");
    await run("bash", ["-c", text("Check your key")], { env });
  } finally {
    upstream.close();
  }
  const question = { model: "~openai/gpt-latest", messages: [{ role: "user", content: "Say hello." }] };
  assert.deepEqual(asked.map(({ method, url, authorization }) => `${method} ${url} ${authorization}`), [
    `POST /openrouter/api/v1/chat/completions Bearer ${FAKE_KEY}`,
    `POST /openrouter/api/v1/chat/completions Bearer ${FAKE_KEY}`,
    `GET /openrouter/api/v1/key Bearer ${FAKE_KEY}`,
  ]);
  for (const { body } of asked.slice(0, 2)) assert.deepEqual(JSON.parse(body), question);
});

test("the tabs are one stop for Tab; arrows, Home and End move among them and show their panel", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-42");
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
  await page.getByRole("tab", { name: "curl" }).focus();
  for (const [key, title] of [["ArrowRight", "Python"], ["End", "Codex"], ["ArrowRight", "curl"], ["ArrowLeft", "Codex"], ["Home", "curl"], ["ArrowRight", "Python"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), title, key);
    assert.equal(await page.getByRole("tab", { selected: true }).innerText(), title);
    assert.deepEqual(await page.getByRole("tabpanel").all().then((panels) => Promise.all(panels.map((panel) => panel.getAttribute("id")))), [`use-${title.toLowerCase()}`]);
  }
  await page.getByRole("tabpanel", { name: "Python" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Copy Python");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "Python", "back to the tab that is chosen, not to the first");
  await visitor.leave();
});

test("a snippet is copied unchanged, the button says so and a screen reader hears it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await holder(visitor, "load-43");
  await page.getByRole("button", { name: "Copy curl" }).click();
  await page.getByRole("button", { name: "Copied curl" }).waitFor();
  assert.equal(await page.locator("#status").innerText(), "Copied.");
  assert.equal(await pasted(visitor), (await examples(visitor)).curl);
  assert.equal(await page.getByRole("button", { name: "Copied" }).count(), 1, "only the button that was pressed");
  await visitor.leave();
});

test("if copying is refused, the snippet is selected and the page says so, visibly and to a screen reader", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await page.addInitScript(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException("refused", "NotAllowedError"));
  });
  await visitor.open("/docs");
  await page.getByRole("button", { name: "Copy Codex" }).click();
  await page.locator('[data-snippet="Codex"]').getByText("Copying was refused. The text is selected").waitFor();
  assert.match(await page.locator("#status").innerText(), /^Copying was refused/);
  assert.equal(await page.evaluate(() => String(getSelection()).trim()), (await examples(visitor)).Codex);
  assert.equal(await page.getByRole("button", { name: "Copied" }).count(), 0);
  await visitor.leave();
});

test("as time passes, relative times are updated and nothing else is redrawn: focus, selection and nodes stay", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  await page.clock.install();
  await holder(visitor, "load-44");
  await page.reload();
  await visitor.settled();
  await visitor.refreshed();
  await page.getByRole("tab", { name: "Codex" }).click();
  await page.evaluate(() => {
    const mask = /** @type {Element} */ (document.querySelector(".mask"));
    getSelection()?.selectAllChildren(mask);
    const seen = { nodes: 0, texts: 0 };
    Object.assign(window, { seen });
    const observer = new MutationObserver((records) => {
      for (const { type, addedNodes, removedNodes } of records) {
        if (type === "characterData") seen.texts += 1;
        else seen.nodes += addedNodes.length + removedNodes.length;
      }
    });
    observer.observe(/** @type {Element} */ (document.querySelector("main")), { subtree: true, childList: true, characterData: true });
  });
  const before = await page.locator("#keys .card").innerText();
  await page.clock.runFor(10 * 60_000);
  await sees(page, /1\d min ago|[789] min ago/);
  assert.notEqual(await page.locator("#keys .card").innerText(), before);
  const { seen, focused, selected } = await page.evaluate(() => ({ seen: /** @type {any} */ (window).seen, focused: document.activeElement?.textContent, selected: String(getSelection()) }));
  assert.equal(seen.nodes, 0, "nodes were put in or taken out");
  assert.ok(seen.texts > 0, "and yet the times moved on");
  assert.equal(focused, "Codex");
  assert.match(selected, /\.\.\./);
  await visitor.leave();
});

test("a key is shown masked even if an answer contained all of it", async () => {
  const visitor = await deployment.visitor();
  const { page } = visitor;
  const whole = `sk-or-v1-5a4db0c5${"0".repeat(52)}beef`;
  await holder(visitor, "load-45");
  await page.route(/\/api\/v1\/keys(\/refresh)?$/, async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    body.keys[0].mask = whole;
    await route.fulfill({ response: answer, json: body });
  });
  await page.reload();
  await visitor.refreshed();
  await page.locator(".mask").getByText("…beef").waitFor();
  assert.ok(!(await page.content()).includes(whole.slice(12, 40)));
  await visitor.leave();
});

/** Gives a visitor a key, with its page open. @param {Visitor} visitor @param {string} persona */
async function holder(visitor, persona) {
  await visitor.signIn(persona);
  await visitor.claim();
  await visitor.stored.click();
}

/** The snippets of the page, by their titles. @param {Visitor} visitor @returns {Promise<Record<string, string>>} */
async function examples({ page }) {
  return page.locator("[data-snippet]").evaluateAll((all) => Object.fromEntries(all.map((snippet) => [/** @type {HTMLElement} */ (snippet).dataset.snippet, snippet.querySelector("code")?.textContent])));
}

/** The snippets of the docs. */
async function documented() {
  const visitor = await deployment.visitor();
  await visitor.open("/docs");
  const texts = await examples(visitor);
  await visitor.leave();
  return texts;
}
