// What `npm run deploy` prints when the remote database refuses a migration, or lacks something afterwards. A program
// that answers like wrangler plays wrangler.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { localObjects } from "../../scripts/local.mjs";
import { applyMigrations, compareSchema, objects } from "../../scripts/migrate.mjs";
import { node } from "../../scripts/paths.mjs";
import { finish } from "../../scripts/process.mjs";

const AGAIN = "npm run deploy";
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "keycap-migrate-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/**
 * Makes a wrangler that gives this answer to each call, and writes down its arguments.
 * @param {{ stdout?: string, stderr?: string, code?: number }} answer
 */
async function fake({ stdout = "", stderr = "", code = 0 }) {
  const program = join(folder, "wrangler.mjs");
  const calls = join(folder, "calls.json");
  await writeFile(program, `import { writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify(calls)}, JSON.stringify(process.argv.slice(2)));
process.stdout.write(${JSON.stringify(stdout)});
process.stderr.write(${JSON.stringify(stderr)});
process.exitCode = ${code};`);
  const wrangler = (/** @type {string[]} */ ...args) => finish(node, [program, ...args]);
  return { wrangler, asked: async () => JSON.parse(await readFile(calls, "utf8")) };
}

/** @param {string[]} found */
const listed = (found) => ({ stdout: `\n${JSON.stringify([{ results: found.map((each) => ({ type: each.split(" ")[0], name: each.split(" ")[1] })), success: true }])}\n` });

test("a migration that fails is named, and running it again is said to be safe", async () => {
  const { wrangler, asked } = await fake({ code: 1, stderr: "✘ [ERROR] Migration 0004_members.sql failed with the following errors:\n\n  incomplete input: SQLITE_ERROR [code: 7500]\n" });
  await assert.rejects(applyMigrations(wrangler, AGAIN), (/** @type {Error} */ { message }) => {
    assert.match(message, /^migrations\/0004_members\.sql could not be applied/);
    assert.match(message, /Nothing was deployed/);
    assert.match(message, /Running it again is safe: .*npm run deploy$/s);
    return true;
  });
  assert.deepEqual(await asked(), ["d1", "migrations", "apply", "DB", "--remote"]);
});

test("a failure without a file is reported as one, and success says nothing", async () => {
  const { wrangler } = await fake({ code: 1, stderr: "✘ [ERROR] Authentication error [code: 10000]\n" });
  await assert.rejects(applyMigrations(wrangler, AGAIN), /wrangler names none of them/);
  await applyMigrations((await fake({ stdout: "✅ No migrations to apply!\n" })).wrangler, AGAIN);
});

test("whatever the remote database lacks is named, whatever wrangler says", async () => {
  const local = ["index audit_by_target", "table audit", "trigger audit_never_deleted", "view claim_gates"];
  for (const lost of local) {
    const { wrangler } = await fake(listed([...local.filter((each) => each !== lost), "table of_somebody_else"]));
    await assert.rejects(compareSchema(wrangler, local, AGAIN), (/** @type {Error} */ { message }) => message.includes(`\n  ${lost}\nNothing was deployed`));
  }
  const { wrangler, asked } = await fake(listed([...local, "table d1_migrations"]));
  await compareSchema(wrangler, local, AGAIN);
  assert.deepEqual((await asked()).slice(0, 5), ["d1", "execute", "DB", "--remote", "--json"]);
});

test("an answer that cannot be read does not prove that everything exists", async () => {
  for (const answer of [{ code: 1 }, { stdout: "" }, { stdout: "[]" }, { stdout: '[{"success":false}]' }]) {
    await assert.rejects(objects((await fake(answer)).wrangler, "--remote"), /could not be read \(--remote\)/, JSON.stringify(answer));
  }
});

test("the local database, by the real wrangler, has everything of each kind", async () => {
  const found = await localObjects();
  for (const each of ["table audit", "index audit_by_target", "trigger audit_never_deleted", "view claim_gates", "table d1_migrations"]) assert.ok(found.includes(each), each);
  assert.ok(!found.some((each) => /sqlite_|_cf_/.test(each)), found.join());
});
