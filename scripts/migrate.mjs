// Brings the remote database to the schema of `migrations/`, and compares it with what the same files make here.
//
// Cloudflare's remote endpoint has refused files that every local run accepts, and named neither the cause nor the
// place. So this module says which file it was, and checks afterwards that everything exists.

import { Advice } from "./setup.mjs";

/**
 * Runs wrangler with these arguments, whatever its exit code is.
 * @typedef {(...args: string[]) => Promise<import("./process.mjs").Finished>} Wrangler
 */

/** Everything that migrations make, without the objects of SQLite and D1 themselves. */
const OBJECTS = "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view', 'index', 'trigger') AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 4) <> '_cf_' ORDER BY type, name";

/**
 * @param {Wrangler} remote
 * @param {string} again the command that repeats all of this
 */
export async function applyMigrations(remote, again) {
  const { code, output } = await remote("d1", "migrations", "apply", "DB", "--remote");
  if (code === 0) return;
  const [, file] = /Migration (\S+\.sql) failed/.exec(output) ?? [];
  const what = file ? `migrations/${file} could not be applied` : "The migrations could not be applied, and wrangler names none of them";
  throw new Advice(`${what}: its words are above. Nothing was deployed, and the version that is running goes on.
Running it again is safe: files that were applied are not applied again. Once the cause is gone: ${again}`);
}

/** @param {Wrangler} wrangler @param {string[]} where @returns {Promise<string[]>} such as "trigger audit_never_deleted" */
export async function objects(wrangler, ...where) {
  const { code, stdout } = await wrangler("d1", "execute", "DB", ...where, "--json", "--command", OBJECTS);
  try {
    if (code !== 0) throw new Error(`wrangler ended with code ${code}`);
    const [{ results }] = JSON.parse(stdout.slice(stdout.indexOf("[")));
    return results.map((/** @type {{ type: string, name: string }} */ { type, name }) => `${type} ${name}`);
  } catch (error) {
    throw new Advice(`What the database holds could not be read (${where[0]}): ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Fails unless the remote database has every table, view, index and trigger that the local one has.
 * @param {Wrangler} remote @param {string[]} local @param {string} again
 */
export async function compareSchema(remote, local, again) {
  const there = new Set(await objects(remote, "--remote"));
  const missing = local.filter((object) => !there.has(object));
  if (missing.length === 0) return;
  throw new Advice(`The remote database lacks what the migrations make here, though wrangler says that all were applied:
  ${missing.join("\n  ")}
Nothing was deployed. Make these by hand from migrations/ (wrangler d1 execute DB --remote --file), then: ${again}`);
}
