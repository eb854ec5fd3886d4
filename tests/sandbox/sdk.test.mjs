// Drives the sandbox with OpenRouter's own SDK, which has to parse the sandbox's answers, member by member.
// SANDBOX_BIN names the built binary. Without it, the test uses the debug build of this checkout.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { OpenRouter } from "@openrouter/sdk";

const MANAGEMENT_KEY = "sk-or-v1-sandbox-management-key-not-real";
const DEFAULT_BIN = fileURLToPath(new URL("../../target/debug/sandbox", import.meta.url));
const EXPIRES_AT = new Date("2099-12-31T23:59:59Z");

/** @type {import("node:child_process").ChildProcess} */
let server;
let origin = "";

before(async () => {
  const started = spawn(process.env.SANDBOX_BIN ?? DEFAULT_BIN, ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  server = started;
  origin = await new Promise((resolve, reject) => {
    started.once("error", reject);
    started.once("exit", (code) => reject(new Error(`the sandbox ended with ${code} before it listened`)));
    createInterface({ input: started.stdout }).once("line", (line) => resolve(line.replace("sandbox listening on ", "")));
  });
});

after(() => server?.kill());

beforeEach(() => control("POST", "reset"));

/**
 * Calls the control API and returns its JSON.
 * @param {string} method @param {string} path @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function control(method, path, body) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const answer = await fetch(`${origin}/_sandbox/${path}`, init);
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

/** @param {Partial<import("@openrouter/sdk").SDKOptions>} [options] */
function client(options = {}) {
  return new OpenRouter({
    apiKey: MANAGEMENT_KEY,
    serverURL: `${origin}/openrouter/api/v1`,
    retryConfig: { strategy: "none" },
    ...options,
  });
}

/** @param {OpenRouter} sdk @param {object} [members] */
function createKey(sdk, members = {}) {
  const requestBody = { name: "keycap/sdk/1", limit: 5, limitReset: /** @type {const} */ ("daily"), expiresAt: EXPIRES_AT, ...members };
  return sdk.apiKeys.create({ requestBody });
}

async function creates() {
  const { counts } = await control("GET", "ledger");
  return counts["openrouter.keys.create"] ?? 0;
}

test("a key is made, read, changed and deleted through the SDK", async () => {
  const sdk = client();
  const made = await createKey(sdk);
  assert.match(made.key, /^sk-or-v1-5a4db0c5[0-9a-f]{56}$/);
  assert.equal(made.data.hash, createHash("sha256").update(made.key).digest("hex"));
  assert.equal(made.data.limit, 5);
  assert.equal(made.data.limitRemaining, 5);
  assert.equal(made.data.limitReset, "daily");
  assert.equal(made.data.expiresAt?.getTime(), EXPIRES_AT.getTime());

  const { hash } = made.data;
  assert.deepEqual((await sdk.apiKeys.get({ hash })).data, made.data);
  const updated = await sdk.apiKeys.update({ hash, requestBody: { disabled: true, limit: 7.5 } });
  assert.equal(updated.data.disabled, true);
  assert.equal(updated.data.limit, 7.5);
  assert.deepEqual((await sdk.apiKeys.list({})).data, []);
  assert.equal((await sdk.apiKeys.list({ includeDisabled: true })).data[0].hash, hash);
  assert.deepEqual(await sdk.apiKeys.delete({ hash }), { deleted: true });
  await assert.rejects(sdk.apiKeys.get({ hash }), { statusCode: 404 });
});

test("a list has a hundred rows a page, and the offset leads to the rest", async () => {
  const sdk = client();
  await Promise.all(Array.from({ length: 103 }, (_, number) => control("POST", "keys", { name: `key ${number}` })));
  assert.equal((await sdk.apiKeys.list({})).data.length, 100);
  assert.equal((await sdk.apiKeys.list({ offset: 100 })).data.length, 3);
});

test("a minted key describes itself, spend included", async () => {
  const { data, key } = await createKey(client());
  await control("POST", "usage", { hash: data.hash, usd: 1.25 });
  const own = await client({ apiKey: key }).apiKeys.getCurrentKeyMetadata();
  assert.equal(own.data.limitRemaining, 3.75);
  assert.equal(own.data.usageDaily, 1.25);
  assert.equal(own.data.isManagementKey, false);
  assert.equal((await client().apiKeys.getCurrentKeyMetadata()).data.isManagementKey, true);
});

test("workspaces are made, read, changed, listed and removed", async () => {
  const sdk = client();
  const made = await sdk.workspaces.create({ createWorkspaceRequest: { name: "Team", slug: "team" } });
  assert.deepEqual((await sdk.workspaces.get({ id: "team" })).data, made.data);
  const updateWorkspaceRequest = { description: "for the SDK" };
  const updated = await sdk.workspaces.update({ id: made.data.id, updateWorkspaceRequest });
  assert.equal(updated.data.description, "for the SDK");
  const slugs = [];
  for await (const page of await sdk.workspaces.list({})) {
    slugs.push(...page.result.data.map((workspace) => workspace.slug));
  }
  assert.deepEqual(slugs, ["default", "team"]);
  assert.deepEqual(await sdk.workspaces.delete({ id: "team" }), { deleted: true });
});

test("a key is restricted to a guardrail's models, and released", async () => {
  const sdk = client();
  const { data: key, key: secret } = await createKey(sdk);
  const createGuardrailRequest = { name: "Models", allowedModels: ["cheap/one"] };
  const { data: made } = await sdk.guardrails.create({ createGuardrailRequest });
  assert.deepEqual((await sdk.guardrails.get({ id: made.id })).data, made);
  const keys = { id: made.id, bulkAssignKeysRequest: { keyHashes: [key.hash] } };
  assert.deepEqual(await sdk.guardrails.bulkAssignKeys(keys), { assignedCount: 1 });
  const dear = { key: secret, usd: 0.01, model: "dear/one" };
  assert.deepEqual(await control("POST", "spend", dear), { refused: "model_not_allowed", status: 403 });
  const hashes = [];
  for await (const page of await sdk.guardrails.listKeyAssignments({})) {
    hashes.push(...page.result.data.map((assignment) => assignment.keyHash));
  }
  assert.deepEqual(hashes, [key.hash]);
  const released = { id: made.id, bulkUnassignKeysRequest: { keyHashes: [key.hash] } };
  assert.deepEqual(await sdk.guardrails.bulkUnassignKeys(released), { unassignedCount: 1 });
  assert.deepEqual(await control("POST", "spend", dear), { booked_usd: 0.01 });
  assert.deepEqual(await sdk.guardrails.delete({ id: made.id }), { deleted: true });
  await assert.rejects(sdk.guardrails.bulkAssignKeys(keys), { statusCode: 404 });
});

test("credits can be read, and count what keys spent", async () => {
  const { data } = await createKey(client());
  await control("POST", "usage", { hash: data.hash, usd: 0.5 });
  assert.deepEqual((await client().credits.getCredits()).data, { totalCredits: 1000, totalUsage: 0.5 });
});

test("refusals arrive as the SDK's errors with their status", async () => {
  await assert.rejects(createKey(client(), { name: "" }), { statusCode: 400 });
  await assert.rejects(client({ apiKey: "sk-or-v1-unknown" }).apiKeys.list({}), { statusCode: 401 });
  const { key } = await createKey(client());
  await assert.rejects(client({ apiKey: key }).credits.getCredits(), { statusCode: 403 });
});

test("unusual but valid answers can still be read", async () => {
  for (const kind of ["odd_timestamps", "extra_members"]) {
    await control("POST", "faults", { operation: "openrouter.keys.create", kind });
    assert.equal((await createKey(client())).data.limit, 5, kind);
  }
});

test("an answer without its hash is refused by the SDK although the key was made", async () => {
  await control("POST", "faults", { operation: "openrouter.keys.create", kind: "hash_missing" });
  await assert.rejects(createKey(client()));
  assert.equal((await control("GET", "ledger")).keys.length, 1);
});

test("a reset rejects the call and a truncated answer cannot be read", async () => {
  for (const kind of ["reset_after", "truncated"]) {
    await control("POST", "faults", { operation: "openrouter.keys.create", kind });
    await assert.rejects(createKey(client()), kind);
  }
  assert.equal((await control("GET", "ledger")).keys.length, 2);
});

test("without retries a lost create makes one key, with the SDK's default it makes two", async () => {
  const lost = { operation: "openrouter.keys.create", kind: "error_after", status: 503 };
  await control("POST", "faults", lost);
  await assert.rejects(createKey(client()), { statusCode: 503 });
  assert.equal(await creates(), 1);

  await control("POST", "reset");
  await control("POST", "faults", lost);
  await createKey(client({ retryConfig: undefined }));
  assert.equal(await creates(), 2);
  const { keys } = await control("GET", "ledger");
  assert.equal(keys.length, 2);
  assert.equal(keys[0].name, keys[1].name);
});

test("the SDK's traffic breaks no rule of the ledger", async () => {
  const sdk = client();
  const { data } = await createKey(sdk);
  await sdk.apiKeys.list({});
  await sdk.apiKeys.delete({ hash: data.hash });
  assert.deepEqual((await control("GET", "ledger")).violations, []);
});
