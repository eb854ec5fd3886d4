// The promises of the service as one oracle. D1, the sandbox's ledger, the answers that clients got, the logs and the
// files on disk must agree, whatever has just happened.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { localVars } from "../../scripts/local.mjs";
import { sha256 } from "./support.mjs";

/** @typedef {import("./support.mjs").Deployment} Deployment */
/** @typedef {Record<string, any>} Any */

const ENDED = ["revoked", "expired", "void"];
/** The states that no row may have after two sweeps. */
const UNSETTLED = ["reserved", "minting", "verifying", "revoking"];

/** The beginnings of the sandbox's secrets and tokens. Nothing else begins like this. */
const VISIBLY_FAKE = "sk-or-v1-5a4db0c5";
const TOKEN = "gho_sandbox";
const DAYDREAM = ["sk_sandbox_daydream_", "eyJhbGciOiJub25lIn0.c2FuZGJveA"];

/** This is one statement, so that everything is read at the same moment. */
const SNAPSHOT = `SELECT json_object(
  'instance', (SELECT name FROM instance),
  'seats', (SELECT live FROM seats),
  'limit', (SELECT MAX(limit_nano) FROM plans),
  'generations', (SELECT json_group_array(json_object('id', g.public_id, 'key', g.key_id, 'place', k.owner_id || '/' || k.ordinal || '/' || g.slot,
    'state', g.state, 'name', g.upstream_name, 'slot', g.slot, 'replaces', (SELECT o.public_id FROM generations o WHERE o.id = g.replaces), 'hash', g.upstream_hash, 'expires_at', g.expires_at, 'secret_sha256', g.secret_sha256,
    'guardrail', g.guardrail_id, 'guardrail_sent', g.guardrail_sent_at IS NOT NULL,
    'recorded_at', g.recorded_at, 'ended_at', g.ended_at, 'read_at', g.usage_read_at, 'spent', g.usage_lifetime_nano,
    'readings', g.readings_since_off, 'erase_at', g.erase_at, 'erased_at', g.erased_at))
    FROM generations g JOIN keys k ON k.id = g.key_id),
  'audit', (SELECT json_group_array(json_array(target, before, after)) FROM (SELECT * FROM audit ORDER BY id)),
  'findings', (SELECT json_group_array(upstream_name) FROM findings)) AS all_of_it`;

/**
 * Asserts all promises.
 * @param {Deployment} deployment
 * @param {{ settled?: boolean }} [options] settled: two sweeps have run while OpenRouter could be reached
 */
export async function promises(deployment, { settled = false } = {}) {
  const { sandbox, worker, withoutRow } = deployment;
  // The order matters: rows are committed before keys are made, and keys are made before secrets are delivered.
  secretsLeaveOnlyWithTheirKeys(deployment);
  const delivered = [...deployment.delivered];
  const ledger = await sandbox.ledger();
  const [{ all_of_it }] = await worker.d1(SNAPSHOT);
  /** @type {Any} */
  const d1 = JSON.parse(all_of_it);
  const ours = ledger.keys.filter((/** @type {Any} */ key) => key.name.startsWith(`keycap/${d1.instance}/`) && !withoutRow.includes(key.name));

  oneDeliveredKeyPerSlot(d1, ledger, delivered);
  for (const key of ours) {
    assert.equal(d1.generations.filter((/** @type {Any} */ row) => row.name === key.name).length, 1, `${key.name} leads to one row`);
    isCapped(key);
  }
  secretsAreVisiblyFake(ledger);
  logsAreClean(deployment);
  if (settled) await secretsAreInNoFile(deployment);
  seatsAreCounted(d1);
  everyStateIsAudited(d1);
  revokedKeysAreDisabled(d1, ledger);
  revokedKeysAreRetainedOrDeleted(d1, ledger);
  assert.deepEqual(ledger.violations, [], "violations that the sandbox noticed");
  if (settled) isSettled(d1, ours, ledger, withoutRow);
}

/** Answers whether OpenRouter would accept a model call with the key if money were left. @param {Any} key @param {Any} ledger */
function isUsable(key, ledger) {
  return key.deleted_at_ms === null && !key.disabled && !(key.expires_at_ms !== null && key.expires_at_ms <= ledger.now_ms);
}

/**
 * Asserts that no place has two live generations, that no secret was delivered twice, and that every delivered secret
 * is recorded. A member's key and the ended keys that it follows have the same place.
 * @param {Any} d1 @param {Any} ledger @param {string[]} delivered
 */
function oneDeliveredKeyPerSlot(d1, ledger, delivered) {
  const live = d1.generations.filter((/** @type {Any} */ row) => !ENDED.includes(row.state)).map((/** @type {Any} */ row) => row.place);
  assert.deepEqual(twice(live), [], "slots with two live generations");
  assert.deepEqual(twice(delivered), [], "secrets that were delivered twice");
  const bySecret = new Map(ledger.keys.map((/** @type {Any} */ key) => [key.secret, key]));
  const working = delivered.flatMap((secret) => {
    // A provider made it for the member's own account, where no limit of ours applies.
    if (ledger.linked_keys.some((/** @type {Any} */ linked) => linked.secret === secret)) return [];
    const key = bySecret.get(secret);
    assert.ok(key, "a delivered secret is one that the upstream made");
    const row = d1.generations.find((/** @type {Any} */ one) => one.hash === key.hash);
    assert.ok(row?.recorded_at, `${key.name} was delivered without being recorded`);
    assert.equal(row.secret_sha256, sha256(secret), `the record of ${key.name}`);
    return isUsable(key, ledger) ? [{ row, key }] : [];
  });
  assert.deepEqual(twice(working.map(({ row }) => `${row.key}/${row.slot}`)), [], "slots with two secrets that work");
  for (const { row, key } of working.filter(({ row }) => !row.guardrail_sent)) {
    assert.equal(key.guardrail?.guardrail_id ?? null, row.guardrail, `the guardrail of ${row.name}`);
  }
  // If two generations of a key work, one follows the other with grace, and they share the key's limit.
  for (const { row, key } of working) {
    const others = working.filter((other) => other.row.key === row.key && other.row !== row);
    for (const other of others) {
      assert.ok(other.row.replaces === row.id || row.replaces === other.row.id, `${row.name} and ${other.row.name} work`);
      assert.ok(key.limit + other.key.limit <= d1.limit / 1e9, `what ${row.name} and ${other.row.name} may spend`);
    }
  }
}

/** Asserts that a key has a limit, a reset and an expiry, and that BYOK counts. @param {Any} key */
function isCapped(key) {
  assert.ok(key.limit > 0 && key.limit <= 5, `${key.name} has the limit ${key.limit}`);
  assert.ok(key.limit_reset !== null && key.expires_at !== null, `${key.name} has a reset and an expiry`);
  assert.equal(key.include_byok_in_limit, true, `BYOK counts for ${key.name}`);
}

/** The Worker's own secrets, and the beginnings of all secrets of the sandbox. @param {Deployment} deployment */
function canariesOf({ worker, sandbox }) {
  const vars = { ...localVars({ origin: "", sandboxUrl: sandbox.url }), ...worker.options.vars };
  const credentials = [vars.OPENROUTER_MANAGEMENT_KEY, vars.GITHUB_OAUTH_CLIENT_SECRET, ...(vars.AUTH_SESSION_SECRET ?? "").split(",")];
  return [VISIBLY_FAKE, TOKEN, ...DAYDREAM, ...credentials.filter((text) => text !== undefined && text !== "").map(String)];
}

/**
 * Asserts that a secret is only in the answer that made its key, once, as the member `secret`, or `access_token` for a terminal. No other answer may
 * contain any.
 * @param {Deployment} deployment
 */
function secretsLeaveOnlyWithTheirKeys(deployment) {
  const canaries = canariesOf(deployment);
  for (const { what, status, headers, text } of deployment.worker.answers.splice(0)) {
    let rest = text;
    const isToken = what === "POST /api/v1/device/token" && status === 200;
    if (isToken || (/^POST \/api\/v1\/(claim|keys(\/[^/]+\/(rotate|leaked|renew))?|handoffs\/[^/]+\/redeem)$/.test(what) && status === 201)) {
      const made = JSON.parse(text);
      const secret = isToken ? made.access_token : made.secret;
      deployment.delivered.push(secret);
      rest = text.replace(JSON.stringify(secret), "");
    }
    for (const canary of canaries) assert.ok(!(headers + rest).includes(canary), `${canary} is in the answer to ${what}: ${status}`);
  }
}

/** Asserts that the beginnings that are searched for are those of all secrets and tokens. @param {Any} ledger */
function secretsAreVisiblyFake(ledger) {
  const tokens = ledger.github_tokens.map((/** @type {Any} */ token) => token.access_token);
  assert.ok(ledger.secrets_minted.every((/** @type {string} */ secret) => [VISIBLY_FAKE, ...DAYDREAM].some((beginning) => secret.startsWith(beginning))), "the secrets searched for");
  assert.ok(tokens.every((/** @type {string} */ token) => token.startsWith(TOKEN)), "the tokens searched for");
}

/** How many lines of a deployment's log were already searched. @type {WeakMap<Deployment, number>} */
const searched = new WeakMap();

/**
 * Asserts that the log has no secret, no panic of the Worker, and no failure of workerd because of one.
 * @param {Deployment} deployment
 */
function logsAreClean(deployment) {
  const lines = deployment.worker.logs();
  const canaries = canariesOf(deployment);
  for (const line of lines.slice(searched.get(deployment) ?? 0)) {
    for (const canary of canaries) assert.ok(!line.includes(canary), `${canary} is in the log`);
    assert.doesNotMatch(line, /panicked|RuntimeError|Uncaught|Critical|had hung/i, "the Worker did not panic");
  }
  searched.set(deployment, lines.length);
}

/**
 * Asserts that no secret is in a file on disk. The files are many, so they are searched when everything is settled, and
 * after each test: what was once written there is not gone a moment later.
 * @param {Deployment} deployment
 */
export async function secretsAreInNoFile(deployment) {
  const canaries = canariesOf(deployment);
  for (const [name, content] of await filesOf(deployment.worker.persist)) {
    for (const canary of canaries) assert.ok(!content.includes(canary), `${canary} is in ${name}`);
  }
}

/** @param {string} folder @returns {Promise<[string, Buffer][]>} */
async function filesOf(folder) {
  const names = await readdir(folder, { recursive: true });
  const files = names.map(async (name) => /** @type {[string, Buffer]} */ ([name, await readFile(join(folder, name)).catch(() => Buffer.alloc(0))]));
  return Promise.all(files);
}

/**
 * Asserts that the counter of seats is right. A key takes one seat, however many of its generations are live.
 * @param {Any} d1
 */
function seatsAreCounted(d1) {
  const live = new Set(d1.generations.filter((/** @type {Any} */ row) => !ENDED.includes(row.state)).map((/** @type {Any} */ row) => row.key));
  assert.equal(d1.seats, live.size, "the counter is the count");
}

/**
 * Asserts that a generation's audit rows lead to its state, each from the state in which the row before ended.
 * @param {Any} d1
 */
function everyStateIsAudited(d1) {
  /** @type {Map<string, string | null>} */
  const reached = new Map();
  for (const [target, before, after] of d1.audit) {
    if (!target.startsWith("gen_")) continue;
    assert.equal(before, reached.get(target) ?? null, `the audit of ${target} has a gap`);
    reached.set(target, after);
  }
  for (const { id, state } of d1.generations) assert.equal(reached.get(id), state, `${id} is what its audit says`);
}

/** Asserts that a key which is recorded as revoked does not work. @param {Any} d1 @param {Any} ledger */
function revokedKeysAreDisabled(d1, ledger) {
  const revoked = new Set(d1.generations.filter((/** @type {Any} */ row) => row.state === "revoked").map((/** @type {Any} */ row) => row.hash));
  const working = ledger.keys.filter((/** @type {Any} */ key) => revoked.has(key.hash) && isUsable(key, ledger)).map((/** @type {Any} */ key) => key.name);
  assert.deepEqual(working, [], "keys that work although they are recorded as revoked");
}

/**
 * Asserts that a key which is recorded as deleted is gone, and that any other revoked key has its figures and a time
 * for its purge.
 * @param {Any} d1
 * @param {Any} ledger
 */
function revokedKeysAreRetainedOrDeleted(d1, ledger) {
  const there = new Set(ledger.keys.filter((/** @type {Any} */ key) => key.deleted_at_ms === null).map((/** @type {Any} */ key) => key.hash));
  for (const row of d1.generations.filter((/** @type {Any} */ one) => one.state === "revoked")) {
    if (row.erased_at !== null) assert.ok(!there.has(row.hash), `${row.name} is recorded as deleted`);
    else assert.ok(row.read_at >= row.ended_at && row.erase_at > row.ended_at, `${row.name} is retained without figures or a time for its purge`);
  }
}

/** The rows whose key should work. A row is closed some minutes after its expiry. @param {Any} d1 @returns {Any[]} */
function usable(d1) {
  return d1.generations.filter((/** @type {Any} */ row) => row.state === "active" && row.expires_at * 1000 > Date.now());
}

/**
 * Asserts that every key that works is recorded, that every recorded key works, and that nothing is in progress.
 * @param {Any} d1
 * @param {Any[]} ours
 * @param {Any} ledger
 * @param {string[]} withoutRow
 */
function isSettled(d1, ours, ledger, withoutRow) {
  const unsettled = d1.generations.filter((/** @type {Any} */ row) => UNSETTLED.includes(row.state));
  assert.deepEqual(unsettled, [], "rows that are not settled");
  const retained = d1.generations.filter((/** @type {Any} */ row) => row.state === "revoked" && row.erased_at === null && row.readings >= 2);
  const over = retained.filter((/** @type {Any} */ row) => row.spent === 0 || (row.erase_at + 600) * 1000 < Date.now());
  assert.deepEqual(over, [], "keys that are still retained although their figures are settled");
  const working = ours.filter((key) => isUsable(key, ledger)).map((key) => key.hash);
  const recorded = usable(d1).map((row) => row.hash);
  assert.deepEqual(working.sort(), recorded.sort(), "the keys that work are the keys on record");
  assert.deepEqual(d1.findings.filter((/** @type {string} */ name) => !withoutRow.includes(name)), [], "marked keys without a row");
}

/** @param {string[]} texts */
const twice = (texts) => texts.filter((text, index) => texts.indexOf(text) !== index);
