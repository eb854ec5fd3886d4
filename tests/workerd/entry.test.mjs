// The Worker's main module on the real runtime, around a program that traps when a test asks for it.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { readFile } from "node:fs/promises";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { parse } from "smol-toml";
import { inRoot } from "../../scripts/paths.mjs";

// The same export as worker-build has: each construction starts the program anew.
const PROGRAM = `
  globalThis.__worker_init_state = { criticalError: false };
  let made = 0;
  export default class {
    constructor() { made += 1; }
    async fetch(request) {
      if (new URL(request.url).pathname === "/trap") queueMicrotask(() => { throw new WebAssembly.RuntimeError("unreachable"); });
      if (new URL(request.url).pathname === "/given") return new Response(await new Promise((tell) => queueMicrotask((...given) => tell(String(given.length)))));
      return new Response(String(made));
    }
  }
`;

const { compatibility_date: compatibilityDate } = /** @type {Record<string, any>} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
const source = (/** @type {string} */ name) => readFile(inRoot("src", "platform", name), "utf8");
const modules = [
  { type: /** @type {const} */ ("ESModule"), path: inRoot("build", "entry.mjs"), contents: await source("entry.mjs") },
  { type: /** @type {const} */ ("ESModule"), path: inRoot("build", "handlers.mjs"), contents: await source("handlers.mjs") },
  { type: /** @type {const} */ ("ESModule"), path: inRoot("build", "program.mjs"), contents: await source("program.mjs") },
  { type: /** @type {const} */ ("ESModule"), path: inRoot("build", "page-files.mjs"), contents: `export default "{}";` },
  { type: /** @type {const} */ ("ESModule"), path: inRoot("build", "index.js"), contents: PROGRAM },
];
const miniflare = new Miniflare(convertV4MiniflareOptions({
  port: 0, handleStructuredLogs: () => {},
  workers: [{ name: "program", modules, modulesRoot: inRoot("build"), compatibilityDate }],
}));
after(() => miniflare.dispose());

/** The program's answer: in most cases, how often the program had been constructed. @param {string} path */
const made = async (path) => (await miniflare.dispatchFetch(`http://localhost${path}`)).text();

test("a microtask gets no argument, so a line of the log has nothing after its end", async () => {
  assert.equal(await made("/given"), "0");
});

test("a trap while the program resumes after a wait is noticed, and the program is started anew for the next request", async () => {
  assert.equal(await made("/"), "0");
  assert.equal(await made("/"), "0", "nothing is made while nothing has trapped");
  await made("/trap");
  assert.equal(await made("/"), "1");
});
