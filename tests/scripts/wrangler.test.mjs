// The committed configuration for deployment is closed, and staging shares nothing with production. An operator who
// fills it in may open it; the rest still holds then.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { parse } from "smol-toml";
import { localVars, workerOptions, writeConfig } from "../../scripts/local.mjs";
import { inRoot } from "../../scripts/paths.mjs";

/** @type {Record<string, any>} */
const production = parse(await readFile(inRoot("wrangler.toml"), "utf8"));
const { staging } = production.env;

const names = (/** @type {any[]} */ bindings, field = "binding") => bindings.map((binding) => binding[field]).sort();

/** The origin as committed here. An environment with another one belongs to an operator, who may have opened it. */
const PLACEHOLDER_ORIGIN = "";

test("both environments are closed as committed", () => {
  for (const { vars } of [production, staging]) {
    if (vars.PUBLIC_ORIGIN !== PLACEHOLDER_ORIGIN) continue;
    assert.notEqual(vars.PROJECT_STATUS, "live");
    assert.notEqual(vars.PROVISIONING_ENABLED, "true");
    assert.equal(vars.MAX_TOTAL_KEYS, "0");
  }
});

test("staging has every binding and variable of production, under its own ids", () => {
  assert.notEqual(staging.name, production.name);
  assert.deepEqual(Object.keys(staging.vars).sort(), Object.keys(production.vars).sort());
  for (const [kind, field, id] of [["d1_databases", "binding", "database_id"], ["kv_namespaces", "binding", "id"], ["ratelimits", "name", "namespace_id"]]) {
    assert.deepEqual(names(staging[kind], field), names(production[kind], field));
    const ids = [...production[kind], ...staging[kind]].map((binding) => binding[id]);
    assert.equal(new Set(ids).size, ids.length, `${kind} share an id`);
  }
});

test("running it, testing it and deploying it are one command each", async () => {
  const { scripts } = JSON.parse(await readFile(inRoot("package.json"), "utf8"));
  for (const name of ["start", "test", "build", "sandbox", "check", "deploy"]) {
    const program = /^node (scripts\/[a-z]+\.mjs)$/.exec(scripts[name])?.[1];
    assert.ok(program, `${name}: ${scripts[name]}`);
    await readFile(inRoot(program));
  }
});

test("the Worker answers each of its routes itself, and is asked for a file only where there is none", async () => {
  const parts = [["routes.rs"], ["routes", "admins.rs"]].map((path) => readFile(inRoot("src", "http", ...path), "utf8"));
  const table = (await Promise.all(parts)).join("\n");
  const routes = [...new Set(Array.from(table.matchAll(/"(\/[^" ]*)"/g), ([, path]) => path))];
  assert.ok(routes.length > 30, routes.join());
  const first = /** @type {string[]} */ (production.assets.run_worker_first);
  const fits = (/** @type {string} */ path) => (/** @type {string} */ rule) => (rule.endsWith("*") ? path.startsWith(rule.slice(0, -1)) : path === rule);
  const isFirst = (/** @type {string} */ path) => first.some(fits(path)) && !first.some((rule) => rule.startsWith("!") && fits(path)(rule.slice(1)));
  assert.deepEqual(routes.filter((path) => !isFirst(path)), []);
  assert.deepEqual([isFirst("/assets/"), isFirst("/api/v1/openapi.json"), isFirst("/api/v1/openapi.jso")], [false, false, true]);
  assert.deepEqual([production.assets.html_handling, production.assets.not_found_handling], ["none", "none"]);
});

test("the configuration contains no secret", () => {
  const secrets = ["GITHUB_OAUTH_CLIENT_SECRET", "AUTH_SESSION_SECRET", "OPENROUTER_MANAGEMENT_KEY"];
  for (const { vars } of [production, staging]) for (const name of secrets) assert.ok(!(name in vars), name);
});

test("the local configuration takes no setting from production and keeps every binding", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keycap-config-"));
  try {
    const vars = { ...localVars({ origin: "http://localhost:1", sandboxUrl: "http://127.0.0.1:2" }), MAX_TOTAL_KEYS: undefined };
    const path = await writeConfig(folder, vars);
    const local = JSON.parse(await readFile(path, "utf8"));
    assert.ok(!("MAX_TOTAL_KEYS" in local.vars));
    assert.equal(local.vars.PUBLIC_ORIGIN, "http://localhost:1");
    assert.equal(JSON.stringify(local.ratelimits), JSON.stringify(production.ratelimits));
    assert.ok(!("env" in local) && !("build" in local));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("the tests' Worker gets what wrangler reads from the configuration, with the test's own settings and limits", async () => {
  const options = await workerOptions({ vars: { PUBLIC_ORIGIN: "http://localhost:1", MAX_TOTAL_KEYS: undefined }, rateLimits: { LIMIT_START: { limit: 3 } } });
  assert.deepEqual(options.bindings, { PUBLIC_ORIGIN: "http://localhost:1" });
  assert.deepEqual(Object.keys(options.ratelimits).sort(), names(production.ratelimits, "name"));
  assert.deepEqual([options.ratelimits.LIMIT_START.simple, options.ratelimits.LIMIT_API.simple], [{ limit: 3, period: 60 }, { limit: 120, period: 60 }]);
  assert.deepEqual([Object.keys(options.d1Databases), Object.keys(options.kvNamespaces)], [names(production.d1_databases), names(production.kv_namespaces)]);
  assert.deepEqual([options.compatibilityDate, options.assets.binding], [production.compatibility_date, production.assets.binding]);
  await assert.rejects(workerOptions({ vars: {}, rateLimits: { LIMIT_STRAT: { limit: 3 } } }), /LIMIT_STRAT/);
});
