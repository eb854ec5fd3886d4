// `npm run deploy`: applies the migrations, checks that the remote schema has everything, and deploys the Worker from
// the sources. Migrations only add, so the version that is still running works on the new schema too. It takes `--env
// staging`, and `--dry-run`, which changes nothing.

import { readFile } from "node:fs/promises";
import { build } from "./build.mjs";
import { localObjects } from "./local.mjs";
import { applyMigrations, compareSchema } from "./migrate.mjs";
import { inRoot, node, root } from "./paths.mjs";
import { finish } from "./process.mjs";
import { Advice, runMain, setup } from "./setup.mjs";

const WRANGLER = inRoot("node_modules", "wrangler", "bin", "wrangler.js");

/** @param {string[]} args */
function options(args) {
  const at = args.indexOf("--env");
  const env = at === -1 ? undefined : (args[at + 1] ?? "");
  const rest = args.filter((arg, n) => arg !== "--dry-run" && (at === -1 || (n !== at && n !== at + 1)));
  // An --env whose name is missing or empty must not become production.
  if (rest.length || (env !== undefined && env !== "staging")) {
    throw new Advice("usage: npm run deploy -- [--env staging] [--dry-run]");
  }
  return { env, dryRun: args.includes("--dry-run") };
}

/**
 * Refuses placeholder ids, which would otherwise fail half way, after a long upload.
 * @param {string | undefined} env
 */
async function refusePlaceholders(env) {
  const { parse } = await import("smol-toml"); // setup() has installed it
  const config = /** @type {any} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
  const chosen = env ? config.env[env] : config;
  const ids = [chosen.d1_databases[0].database_id, chosen.kv_namespaces[0].id];
  if (ids.some((id) => /^0{8}/.test(id))) {
    throw new Advice(`wrangler.toml still has placeholder ids${env ? ` in env.${env}` : ""}: see "The road to production" in README.md.`);
  }
}

await runMain(async () => {
  const { env, dryRun } = options(process.argv.slice(2));
  await setup();
  if (!dryRun) await refusePlaceholders(env);
  await build();
  const chosen = env ? ["--env", env] : ["--env", ""];
  const wrangler = (/** @type {string[]} */ ...args) => finish(node, [WRANGLER, ...args, ...chosen], { cwd: root, show: !args.includes("--json") });
  if (!dryRun) {
    const again = `npm run deploy${env ? ` -- --env ${env}` : ""}`;
    const local = await localObjects();
    await applyMigrations(wrangler, again);
    await compareSchema(wrangler, local, again);
  }
  const { code } = await wrangler("deploy", ...(dryRun ? ["--dry-run"] : []));
  if (code !== 0) throw new Advice("wrangler did not deploy: its words are above.");
});
