// keycap on this machine: the only place for the local settings, and for how wrangler is started. `npm start` and
// the tests derive their configuration here from wrangler.toml, so that what runs locally is what would be deployed,
// except for the placeholders. Every secret below is a visible fake that only the sandbox accepts.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { objects } from "./migrate.mjs";
import { inRoot, node, root, stateDir } from "./paths.mjs";
import { Group, finish, run, until } from "./process.mjs";
import { Advice } from "./setup.mjs";

/** @typedef {Record<string, string | undefined>} Vars  undefined leaves a variable unset */
/** @typedef {Record<string, { limit: number, period?: 10 | 60 }>} RateLimits */

/**
 * The Worker's settings on this machine.
 * @param {{ origin: string, sandboxUrl: string }} where
 * @returns {Record<string, string>}
 */
export function localVars({ origin, sandboxUrl }) {
  return {
    PUBLIC_ORIGIN: origin,
    PROJECT_STATUS: "live",
    PROVISIONING_ENABLED: "true",
    MAX_TOTAL_KEYS: "500",
    KEY_LIMIT_USD: "5",
    KEY_LIMIT_RESET: "daily",
    KEY_EXPIRY_DAYS: "90",
    MIN_ACCOUNT_AGE_DAYS: "30",
    ADMIN_GITHUB_USER_IDS: "1000001",
    SECURITY_CONTACT: "mailto:security@keys.example",
    ADMIN_EMAILS: "operator@company.example",
    GOOGLE_OAUTH_CLIENT_ID: "000000000000-sandboxclient.apps.googleusercontent.example",
    GOOGLE_OAUTH_CLIENT_SECRET: "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-not-real",
    GOOGLE_ALLOWED_DOMAINS: "company.example",
    GOOGLE_AUTH_URL: `${sandboxUrl}/google/o/oauth2/v2/auth`,
    GOOGLE_TOKEN_URL: `${sandboxUrl}/google-oauth/token`,
    GOOGLE_JWKS_URL: `${sandboxUrl}/google-apis/oauth2/v3/certs`,
    GITHUB_URL: `${sandboxUrl}/github`,
    GITHUB_API_URL: `${sandboxUrl}/github-api`,
    GOOGLE_DIRECTORY_URL: `${sandboxUrl}/google-admin`,
    OPENROUTER_API_URL: `${sandboxUrl}/openrouter/api/v1`,
    OPENROUTER_AUTH_URL: `${sandboxUrl}/openrouter/auth`,
    DAYDREAM_AUTH_URL: `${sandboxUrl}/daydream/sign-in/local`,
    DAYDREAM_API_BASE: `${sandboxUrl}/daydream-api`,
    GITHUB_OAUTH_CLIENT_ID: "Ov23liSANDBOXCLIENT",
    GITHUB_OAUTH_CLIENT_SECRET: "sandbox-github-client-secret-not-real",
    OPENROUTER_MANAGEMENT_KEY: "sk-or-v1-sandbox-management-key-not-real",
    AUTH_SESSION_SECRET: "local-session-secret-not-for-production-0000",
  };
}

/** The Cron Trigger of the sweep, and the path that fires it locally. */
export const EVERY_TEN_MINUTES = "*/10 * * * *";

/** @param {number} timeMs the event's scheduled time @param {string} [expression] */
export const scheduledPath = (timeMs, expression = EVERY_TEN_MINUTES) =>
  `/cdn-cgi/handler/scheduled?${new URLSearchParams({ cron: expression, time: `${timeMs}` })}`;

/** The configuration of the deployment. */
async function committedConfig() {
  const { parse } = await import("smol-toml");
  return /** @type {Record<string, any>} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
}

/**
 * Writes a wrangler configuration for this machine and returns its path.
 * @param {string} folder @param {Vars} [vars]
 */
export async function writeConfig(folder, vars = {}) {
  // Environments and the build belong to deploying. The vars are replaced as a whole, so that no setting comes from
  // production. `wrangler dev` does not fire Cron Triggers and warns about each, so a test that wants a run requests it
  // over HTTP.
  const { env: _environments, build: _build, vars: _vars, triggers: _triggers, ...config } = await committedConfig();
  config.main = inRoot(config.main);
  config.assets.directory = inRoot(config.assets.directory);
  for (const database of config.d1_databases) database.migrations_dir = inRoot(database.migrations_dir);
  config.vars = present(vars);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "wrangler.json");
  await writeFile(path, JSON.stringify(config, null, 2));
  return path;
}

/** The variables that are set. @param {Vars} vars */
const present = (vars) => Object.fromEntries(Object.entries(vars).filter(([, value]) => value !== undefined));

/**
 * Disables everything that would make wrangler look beyond this machine, or at other Workers on it.
 * @param {string} folder
 */
const wranglerEnv = (folder) => ({
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_LOG_PATH: join(folder, "wrangler-logs"),
  WRANGLER_REGISTRY_PATH: join(folder, "registry"),
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: "false",
  X_LOCAL_OBSERVABILITY: "false",
  X_LOCAL_EXPLORER: "false",
  // Miniflare leaves its temporary files behind when it is killed. Here they are deleted with the folder.
  TMPDIR: folder,
  NO_COLOR: "1",
  FORCE_COLOR: undefined,
});

const WRANGLER = inRoot("node_modules", "wrangler", "bin", "wrangler.js");

/**
 * Makes `persist` the state of a new installation: wrangler applies the migrations, and nothing else happens. This is
 * done once for each set of migrations, and copied from then on.
 * @param {string} persist
 */
export async function newState(persist) {
  const image = await installation();
  await rm(persist, { recursive: true, force: true });
  await cp(join(image, "state"), persist, { recursive: true });
}

/**
 * What `wrangler dev` would give to miniflare for the Worker: its bindings, the rules of its static files and its dates,
 * as wrangler itself reads them from wrangler.toml.
 * @param {{ vars: Vars, rateLimits?: RateLimits }} options
 */
export async function workerOptions({ vars, rateLimits = {} }) {
  const { ratelimits, ...options } = JSON.parse(await readFile(join(await installation(), "worker.json"), "utf8"));
  const unknown = Object.keys(rateLimits).filter((name) => !ratelimits[name]);
  if (unknown.length) throw new Error(`wrangler.toml has no rate limit ${unknown.join(", ")}`);
  for (const [name, limit] of Object.entries(rateLimits)) ratelimits[name].simple = { ...ratelimits[name].simple, ...limit };
  return { ...options, ratelimits, bindings: present(vars) };
}

/** What wrangler makes of the tree, once for each set of migrations and each wrangler.toml. Returns the folder. */
async function installation() {
  const image = join(stateDir, `migrated-${await installationHash()}`);
  if (!existsSync(image)) await (migrating ??= migrate(image));
  return image;
}

async function installationHash() {
  const hash = createHash("sha256").update(await readFile(inRoot("wrangler.toml"))).update(await readFile(inRoot("package-lock.json")));
  const names = (await readdir(inRoot("migrations"))).filter((name) => name.endsWith(".sql")).sort();
  if (names.length === 0) throw new Advice("migrations/ holds no .sql file.");
  for (const name of names) hash.update(name).update(await readFile(inRoot("migrations", name)));
  return hash.digest("hex").slice(0, 16);
}

/**
 * The migration that runs in this process. Two at the same time would write to one folder.
 * @type {Promise<void> | undefined}
 */
let migrating;

/** @param {string} image */
async function migrate(image) {
  // The image is built in another folder and renamed, because test files start side by side and must see only a
  // finished image.
  const aside = `${image}-${process.pid}`;
  const config = await writeConfig(aside);
  await run(node, [WRANGLER, "d1", "migrations", "apply", "DB", "--local", "--config", config, "--persist-to", join(aside, "state")], {
    cwd: root,
    env: { ...wranglerEnv(aside), CI: "true" },
  });
  const { unstable_getMiniflareWorkerOptions: read } = await import("wrangler");
  await writeFile(join(aside, "worker.json"), JSON.stringify(read(config).workerOptions));
  await rename(aside, image).catch(async (error) => {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(image)) throw error;
  });
}

/** Lists every table, view, index and trigger that the migrations make in a database of their own. */
export async function localObjects() {
  const folder = join(stateDir, `schema-${process.pid}`);
  try {
    const config = await writeConfig(folder);
    const persist = join(folder, "state");
    await newState(persist);
    const wrangler = (/** @type {string[]} */ ...args) => finish(node, [WRANGLER, ...args, "--config", config, "--persist-to", persist], { cwd: root, env: { ...wranglerEnv(folder), CI: "true" } });
    return await objects(wrangler, "--local");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The path of the SQLite file of the local D1 database. @param {string} persist */
export async function databaseFile(persist) {
  const folder = join(persist, "v3", "d1", "miniflare-D1DatabaseObject");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  if (files.length !== 1) throw new Error(`expected one database in ${folder}, found ${files.length}`);
  return join(folder, files[0]);
}

/**
 * Starts the built Worker in `wrangler dev`, and returns once it answers.
 * @param {object} options
 * @param {string} options.folder holds the configuration and wrangler's own files
 * @param {string} options.persist
 * @param {number} options.port
 * @param {Vars} options.vars
 * @param {(line: string) => void} [options.onLine]
 */
export async function startWrangler({ folder, persist, port, vars, onLine }) {
  const config = await writeConfig(folder, vars);
  const args = ["dev", "--config", config, "--persist-to", persist, "--ip", "127.0.0.1", "--port", `${port}`, "--inspector-port", "0"];
  const group = new Group(node, [WRANGLER, ...args, "--show-interactive-dev-session=false"], {
    cwd: root,
    env: wranglerEnv(folder),
    onLine,
  });
  await whenUp(group, `http://127.0.0.1:${port}/healthz`, "wrangler dev");
  return group;
}

/**
 * Waits until the server of a group answers its health route. If the group ends first, the error has what it printed.
 * @param {Group} group @param {string} url @param {string} what
 */
export async function whenUp(group, url, what) {
  let seen = "no answer yet";
  try {
    await until(
      async () => {
        if (group.hasEnded) throw new Error(`${what} ended while starting`);
        const answer = await fetch(url).catch((error) => void (seen = String(error.cause ?? error)));
        if (answer) seen = `${answer.status} ${(await answer.text()).slice(0, 500)}`;
        return answer?.ok;
      },
      { seconds: 60, what: `${what} to answer ${url}` },
    );
  } catch (error) {
    await group.kill();
    throw new Error(`${/** @type {Error} */ (error).message} (last: ${seen})\n${group.lines.slice(-40).join("\n")}`);
  }
}

/** Builds the sandbox and returns the path of its program. */
export async function buildSandbox() {
  const args = ["build", "--quiet", "--package", "keycap-sandbox", "--bin", "sandbox", "--message-format=json-render-diagnostics"];
  const { stdout } = await run("cargo", args, { cwd: root });
  for (const line of stdout.split("\n").reverse()) {
    const executable = line.startsWith("{") && JSON.parse(line).executable;
    if (executable) return /** @type {string} */ (executable);
  }
  throw new Error("cargo built no sandbox program");
}

/**
 * Starts the sandbox and returns once it answers.
 * @param {string} program @param {number} port
 * @param {{ onLine?: (line: string) => void, background?: boolean }} [options]
 */
export async function startSandboxProgram(program, port, options = {}) {
  const group = new Group(program, [], { cwd: root, env: { SANDBOX_PORT: `${port}` }, ...options });
  await whenUp(group, `http://127.0.0.1:${port}/_sandbox/healthz`, "the sandbox");
  return group;
}
