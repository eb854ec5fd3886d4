// Every statement of the application on real D1, compared with what SQLite answered natively (B6): the native tests write
// their whole story down, batch by batch, and D1 is told the same one.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { newState, writeConfig } from "../../scripts/local.mjs";
import { root } from "../../scripts/paths.mjs";

/** @typedef {null | number | string} Value */
/** @typedef {{ stmts: { name: string, sql: string, values: Value[] }[], result: { rows: string[][] } | { error: string } }} Batch */

const TARGET = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");

/** @param {string} name */
async function written(name) {
  const text = await readFile(join(TARGET, name), "utf8").catch(() => {
    throw new Error(`There is no ${join(TARGET, name)}: the native tests write it, so run \`npm test -- native\` first.`);
  });
  return JSON.parse(text);
}

/** Runs on workerd, beside its database: a batch each, in order, as the Worker's own code would. */
const TELLER = `
  const kindOf = (text) => /SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)/.test(text) ? "unique" : text.includes("SQLITE_CONSTRAINT") ? "constraint" : "broken";
  async function tell(db, { stmts }) {
    try {
      // Numbers are bound as JavaScript's, which D1 takes for REAL: exactly what the Worker binds.
      const results = await db.batch(stmts.map(({ sql, values }) => db.prepare(sql).bind(...values)));
      return { rows: results.map(({ results }) => results.map((row) => Object.values(row)[0])) };
    } catch (error) {
      return { error: kindOf(String(error)) };
    }
  }
  export default {
    async fetch(request, { DB }) {
      const { setup, story } = await request.json();
      for (const sql of setup) await DB.prepare(sql).run();
      const answers = [];
      for (const batch of story) answers.push(await tell(DB, batch));
      return Response.json(answers);
    },
  };`;

/** A fresh, migrated database on workerd, and the teller beside it. @param {string} folder */
async function teller(folder) {
  const persist = join(folder, "state");
  await newState(persist);
  const config = JSON.parse(await readFile(await writeConfig(folder), "utf8"));
  // The library that `wrangler dev` itself starts workerd with.
  const { Miniflare } = createRequire(createRequire(import.meta.url).resolve("wrangler"))("miniflare");
  return new Miniflare({
    modules: true,
    script: TELLER,
    compatibilityDate: config.compatibility_date,
    d1Databases: { DB: config.d1_databases[0].database_id },
    d1Persist: join(persist, "v3", "d1"),
  });
}

test("D1 answers every statement of the native tests' story as SQLite did (B6)", async (t) => {
  /** @type {[{ setup: string[] }, ...Batch[]]} */
  const [{ setup }, ...story] = await written("conformance.json");
  /** @type {string[]} */
  const statements = await written("statements.json");
  const folder = await mkdtemp(join(tmpdir(), "keycap-conformance-"));
  const miniflare = await teller(folder);
  t.after(async () => {
    await miniflare.dispose();
    await rm(folder, { recursive: true, force: true });
  });
  const answer = await miniflare.dispatchFetch("http://localhost/", { method: "POST", body: JSON.stringify({ setup, story }) });
  const answers = await answer.json();
  assert.equal(answers.length, story.length);
  for (const [n, { stmts, result }] of story.entries()) {
    assert.deepEqual(answers[n], result, `batch ${n}: ${stmts.map(({ name }) => name).join(", ")}`);
  }
  const told = new Set(story.flatMap(({ stmts }) => stmts.map(({ name }) => name)));
  assert.ok(statements.length > 30 && story.length > 100, "a story worth telling");
  assert.deepEqual(statements.filter((name) => !told.has(name)), [], "statements that the story leaves out");
});
