// Runs every statement of the application on real D1 and compares the results with native SQLite: the native tests
// write all their batches to a file, and D1 runs the same batches.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { inRoot, root } from "../../scripts/paths.mjs";
import { startWorker } from "../harness/index.mjs";

/** @typedef {{ stmts: import("./batches.mjs").Stmt[], result: import("./batches.mjs").Result }} Batch */

const TARGET = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");

/** @param {string} name */
async function written(name) {
  const text = await readFile(join(TARGET, name), "utf8").catch(() => {
    throw new Error(`There is no ${join(TARGET, name)}: the native tests write it, so run \`npm test -- native\` first.`);
  });
  return JSON.parse(text);
}

test("D1 answers every statement of the native tests' sequence as SQLite did", async (t) => {
  /** @type {[{ setup: string[] }, ...Batch[]]} */
  const [{ setup }, ...story] = await written("conformance.json");
  /** @type {string[]} */
  const statements = await written("statements.json");
  // The program that runs the batches calls no upstream, so it needs no sandbox.
  const runner = await startWorker({ sandbox: { url: "http://127.0.0.1:9" }, main: inRoot("tests", "workerd", "batches.mjs") });
  t.after(() => runner.stop());
  const answer = await runner.fetch("/", { method: "POST", body: JSON.stringify({ setup, story: story.map(({ stmts }) => stmts) }) });
  const results = /** @type {import("./batches.mjs").Result[]} */ (await answer.json());
  assert.equal(results.length, story.length);
  for (const [n, { stmts, result }] of story.entries()) {
    assert.deepEqual(results[n], result, `batch ${n}: ${stmts.map(({ name }) => name).join(", ")}`);
  }
  const run = new Set(story.flatMap(({ stmts }) => stmts.map(({ name }) => name)));
  assert.ok(statements.length > 30 && story.length > 100, "a story worth telling");
  assert.deepEqual(statements.filter((name) => !run.has(name)), [], "statements that the story leaves out");
});
