// What the tests on workerd share: one deployment (sandbox and built Worker) for each file, members made on demand, a
// way to let time pass, and the oracle. The oracle checks every open deployment after each test, so that no test can
// forget it.
//
// A job's clock is never later than the present, so the tests let time pass by moving the past: every time in D1 is
// shifted back. The upstreams keep the real time.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, beforeEach } from "node:test";
import { localVars } from "../../scripts/local.mjs";
import { inRoot } from "../../scripts/paths.mjs";
import { Client, claim, inWaves, secretsIn, signIn, startLine, startSandbox, startWorker } from "../harness/index.mjs";
import { promises, secretsAreInNoFile } from "./oracle.mjs";

export { inWaves, secretsIn };

/** @typedef {import("../harness/index.mjs").Worker} Worker */
/** @typedef {import("../harness/index.mjs").Sandbox} Sandbox */
/** @typedef {import("../harness/index.mjs").Line} Line */
/** @typedef {import("../harness/worker.mjs").WorkerOptions} WorkerOptions */
/** @typedef {import("../harness/worker.mjs").Row} Row */
/** @typedef {import("../harness/client.mjs").Answer} Answer */

export const TEN_MINUTES = 600;
export const NIGHT = "0 3 * * *";

/** Limits that no test reaches by accident; `http.test.mjs` tests the real ones. */
export const UNLIMITED = Object.fromEntries(
  ["LIMIT_START", "LIMIT_CLAIM_MEMBER", "LIMIT_CLAIM_ADDRESS", "LIMIT_API"].map((name) => [name, { limit: 1_000_000 }]),
);

export const CREATE = "openrouter.keys.create";
export const ASSIGN = "openrouter.guardrails.assign";
export const LIST = "openrouter.keys.list";
export const DELETE = "openrouter.keys.delete";

/** How much larger a run of everything that is counted is: KEYCAP_SCALE=4 npm test -- workerd. */
export const SCALE = Number(process.env.KEYCAP_SCALE ?? 1);

/**
 * Every route with its methods; `http.test.mjs` compares the addresses with the Worker's own table.
 * @type {{ path: string, methods: string[], admin?: boolean, terminal?: boolean }[]}
 */
export const ROUTES = [
  { path: "/", methods: ["GET"] },
  { path: "/keys", methods: ["GET"] },
  { path: "/docs", methods: ["GET"] },
  { path: "/account", methods: ["GET"] },
  { path: "/usage", methods: ["GET"] },
  { path: "/leak", methods: ["GET"] },
  { path: "/device", methods: ["GET"] },
  { path: "/.well-known/security.txt", methods: ["GET"] },
  { path: "/auth/github", methods: ["GET"] },
  { path: "/auth/github/callback", methods: ["GET"] },
  { path: "/auth/google", methods: ["GET"] },
  { path: "/auth/google/callback", methods: ["GET"] },
  { path: "/auth/relay", methods: ["GET"] },
  { path: "/auth/providers/{slug}/callback", methods: ["GET"] },
  { path: "/auth/providers/{slug}/done", methods: ["GET"] },
  { path: "/auth/logout", methods: ["POST"] },
  { path: "/api/v1/providers", methods: ["GET"] },
  { path: "/api/v1/providers/{slug}/start", methods: ["POST"] },
  { path: "/api/v1/handoffs/{id}", methods: ["GET"] },
  { path: "/api/v1/handoffs/{id}/confirm", methods: ["POST"] },
  { path: "/api/v1/handoffs/{id}/redeem", methods: ["POST"] },
  { path: "/api/v1/device/code", methods: ["POST"], terminal: true },
  { path: "/api/v1/device/token", methods: ["POST"], terminal: true },
  { path: "/api/v1/device/lookup", methods: ["POST"] },
  { path: "/api/v1/device/approve", methods: ["POST"] },
  { path: "/api/v1/device/deny", methods: ["POST"] },
  { path: "/api/v1/provider-keys", methods: ["GET"] },
  { path: "/api/v1/provider-keys/{id}", methods: ["PATCH", "DELETE"] },
  { path: "/api/v1/admin/providers", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/providers/{slug}", methods: ["PATCH"], admin: true },
  { path: "/api/v1/me", methods: ["GET", "DELETE"] },
  { path: "/api/v1/me/export", methods: ["GET"] },
  { path: "/api/v1/me/history", methods: ["GET"] },
  { path: "/api/v1/me/overview", methods: ["GET"] },
  { path: "/api/v1/me/sign-out-everywhere", methods: ["POST"] },
  { path: "/api/v1/claim", methods: ["POST"] },
  { path: "/api/v1/keys", methods: ["GET", "POST"] },
  { path: "/api/v1/keys/refresh", methods: ["POST"] },
  { path: "/api/v1/keys/{id}", methods: ["PATCH", "DELETE"] },
  { path: "/api/v1/keys/{id}/history", methods: ["GET"] },
  { path: "/api/v1/leaks", methods: ["POST"] },
  { path: "/api/v1/requests/{id}", methods: ["DELETE"] },
  { path: "/api/v1/notices", methods: ["GET"] },
  { path: "/api/v1/notices/read", methods: ["POST"] },
  { path: "/api/v1/projects", methods: ["GET", "POST"] },
  { path: "/api/v1/projects/{id}", methods: ["PATCH"] },
  { path: "/api/v1/keys/{id}/limit", methods: ["POST"] },
  { path: "/api/v1/keys/{id}/prefer", methods: ["POST"] },
  { path: "/api/v1/keys/{id}/rotate", methods: ["POST"] },
  { path: "/api/v1/keys/{id}/leaked", methods: ["POST"] },
  { path: "/api/v1/keys/{id}/renew", methods: ["POST"] },
  { path: "/api/v1/usage", methods: ["GET"] },
  { path: "/api/v1/usage.csv", methods: ["GET"] },
  { path: "/api/v1/requests", methods: ["GET", "POST"] },
  { path: "/api/v1/admin/requests", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/requests/{id}", methods: ["PATCH"], admin: true },
  { path: "/api/v1/admin/settings", methods: ["GET", "PATCH"], admin: true },
  { path: "/api/v1/workspaces", methods: ["GET"] },
  { path: "/api/v1/admin/workspaces", methods: ["GET", "PUT"], admin: true },
  { path: "/api/v1/admin/plans", methods: ["GET", "POST"], admin: true },
  { path: "/api/v1/admin/plans/{name}", methods: ["PATCH"], admin: true },
  { path: "/api/v1/admin/members/{id}/plan", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/members/{id}/payments", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/keys/{id}", methods: ["PATCH"], admin: true },
  { path: "/api/v1/admin/keys/{id}/raises", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/raises/{id}", methods: ["DELETE"], admin: true },
  { path: "/api/v1/admin/members", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/members/{id}", methods: ["GET", "PATCH"], admin: true },
  { path: "/api/v1/admin/members/{id}/sign-out", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/allotments", methods: ["GET", "POST"], admin: true },
  { path: "/api/v1/admin/allotments/{id}", methods: ["DELETE"], admin: true },
  { path: "/api/v1/admin/blocks", methods: ["GET", "POST", "DELETE"], admin: true },
  { path: "/api/v1/admin/leaks", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/findings", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/findings/{id}", methods: ["PATCH"], admin: true },
  { path: "/api/v1/admin/jobs", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/jobs/{id}", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/runs/{id}", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/runs/{id}/stop", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/bulk-changes", methods: ["GET", "POST"], admin: true },
  { path: "/api/v1/admin/bulk-changes/{id}", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/bulk-changes/{id}/start", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/bulk-changes/{id}/stop", methods: ["POST"], admin: true },
  { path: "/admin/bulk-changes", methods: ["GET"], admin: true },
  { path: "/admin/bulk-changes/{id}", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/departures", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/departures/{id}/release", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/departures/{id}/reject", methods: ["POST"], admin: true },
  { path: "/api/v1/admin/openapi.json", methods: ["GET"], admin: true },
  { path: "/admin", methods: ["GET"], admin: true },
  { path: "/admin/departures", methods: ["GET"], admin: true },
  { path: "/admin/members", methods: ["GET"], admin: true },
  { path: "/admin/members/{id}", methods: ["GET"], admin: true },
  { path: "/admin/keys", methods: ["GET"], admin: true },
  { path: "/admin/requests", methods: ["GET"], admin: true },
  { path: "/admin/switches", methods: ["GET"], admin: true },
  { path: "/admin/runs", methods: ["GET"], admin: true },
  { path: "/admin/runs/{id}", methods: ["GET"], admin: true },
  { path: "/admin/plans", methods: ["GET"], admin: true },
  { path: "/admin/workspaces", methods: ["GET"], admin: true },
  { path: "/admin/providers", methods: ["GET"], admin: true },
  { path: "/admin/blocks", methods: ["GET"], admin: true },
  { path: "/admin/allotments", methods: ["GET"], admin: true },
  { path: "/admin/audit", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/overview", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/keys", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/audit", methods: ["GET"], admin: true },
  { path: "/api/v1/admin/plans/{name}/reach", methods: ["GET"], admin: true },
  { path: "/healthz", methods: ["GET"] },
];

/** Every time in the database, except those of audit rows, those of decisions, and those that an audit row proves. */
const TIMES = {
  generations: ["created_at", "expires_at", "recorded_at", "ended_at", "erased_at", "erase_at", "seen_at", "next_attempt_at",
    "switch_doubted_at", "limit_sent_at", "cap_due_at", "grace_until", "usage_read_at", "usage_asked_at"],
  keys: ["created_at", "ended_at"],
  runs: ["scheduled_at", "started_at", "lease_until", "ended_at"],
  findings: ["first_seen_at", "last_seen_at", "disabled_at"],
  idempotency_keys: ["created_at", "taken_at"],
  holds: ["since"],
  unread_workspaces: ["since", "last_at"],
  used_states: ["expires_at"],
  requests: ["created_at"],
  settings: ["pause_until"],
  retained_seats: ["until"],
  sightings: ["seen_at"],
  drift: ["first_seen_at", "last_seen_at"],
  deployment_figures: ["credit_read_at", "limits_read_at", "database_read_at"],
};

/** The triggers that keep times as they are; they are removed while time passes. */
const KEEP_TIMES = ["generations_names_fixed", "keys_end_audited", "keys_end_final"];

let personas = 0;
let holds = 0;
let plans = 0;

/** The open deployments. @type {Set<Deployment>} */
const open = new Set();
let looks = 0;

beforeEach(() => {
  for (const deployment of open) deployment.excuse("");
});
afterEach(async () => {
  for (const deployment of open) await deployment.look();
});
after(() => console.log(`counted: ${looks} looks of the oracle after tests on workerd`));

export class Deployment {
  /** Every secret that left the Worker, as the oracle found it in an answer. @type {string[]} */
  delivered = [];
  /** Why the oracle does not check this deployment at the end of the test. */
  #excuse = "";
  /** Names of upstream keys that carry our marker and have no row, on purpose. @type {string[]} */
  withoutRow = [];

  /**
   * @param {Sandbox} sandbox
   * @param {Worker} worker
   * @param {{ line?: Line, beside?: Deployment }} [more] line: between the two
   */
  constructor(sandbox, worker, { line, beside } = {}) {
    this.sandbox = sandbox;
    this.worker = worker;
    this.line = line;
    this.beside = beside;
  }

  /** The upstreams, at the address that the Worker knows. */
  get upstream() {
    return this.line ?? this.sandbox;
  }

  /**
   * Opens a deployment.
   * @param {Pick<WorkerOptions, "vars" | "rateLimits"> & { unreliable?: boolean, cuttable?: boolean, delayMs?: number, beside?: Deployment }}
   *   [options]
   * unreliable: its database can be made to fail; cuttable: a line between it and its upstreams can be cut; delayMs: the
   * answers of its upstreams come this much later; beside: it uses the upstreams of another deployment, which stays open
   * longer
   */
  static async open({ vars, rateLimits = UNLIMITED, unreliable = false, cuttable = false, delayMs = 0, beside } = {}) {
    const sandbox = beside?.sandbox ?? (await startSandbox());
    const line = cuttable || delayMs > 0 ? await startLine(sandbox, delayMs) : undefined;
    const around = unreliable ? inRoot("tests", "workerd", "unreliable.mjs") : undefined;
    const deployment = new Deployment(sandbox, await startWorker({ sandbox: line ?? sandbox, vars, rateLimits, around }), { line, beside });
    open.add(deployment);
    // The databases of the tests are copies of one database, which was named when it was made. Real deployments have a
    // name each.
    if (beside) await deployment.worker.d1(`INSERT INTO audit (change_id, target, action, actor, at) VALUES ('named', 'instance', 'instance_bound', 'test', 1);
      UPDATE instance SET name = '${sha256(deployment.worker.url).slice(0, 12)}', change_id = 'named'; SELECT 1`);
    return deployment;
  }

  async close() {
    open.delete(this);
    try {
      await this.look();
    } finally {
      await this.worker.stop();
      await this.line?.cut();
      if (!this.beside) await this.sandbox.stop();
    }
  }

  /** The oracle's check at the end of a test. */
  async look() {
    if (this.#excuse) return;
    await this.promises();
    await secretsAreInNoFile(this);
    looks += 1;
  }

  /** For a test that leaves its deployment broken: the oracle does not check it at the end. @param {string} reason */
  excuse(reason) {
    this.#excuse = reason;
  }

  /** A signed-in member whom no other test uses. @param {string} [persona] */
  async member(persona = `load-${personas++}`) {
    return signIn(this.worker, this.upstream, persona);
  }

  /** Several members, made a few at a time. @param {number} count */
  async members(count) {
    return inWaves(25, count, () => this.member());
  }

  /** @param {Client} client @returns {Promise<Answer>} */
  async claim(client) {
    return claim(client);
  }

  /** Lets time pass for everything that D1 stores. @param {number} seconds */
  async pass(seconds) {
    const triggers = await this.worker.d1("SELECT name, sql FROM sqlite_master WHERE name IN (SELECT value FROM json_each(?1))", [JSON.stringify(KEEP_TIMES)]);
    const shifts = Object.entries(TIMES).map(
      ([table, columns]) => `UPDATE ${table} SET ${columns.map((name) => `${name} = CASE WHEN ${name} > 0 THEN ${name} - ${seconds} ELSE ${name} END`).join(", ")};`,
    );
    const aside = triggers.map(({ name }) => `DROP TRIGGER ${name};`);
    const back = triggers.map(({ sql }) => `${sql};`);
    await this.worker.d1([...aside, ...shifts, ...back, "SELECT 1"].join(" "));
  }

  /**
   * Sets what goes wrong with the database's next batches; null ends it. Only in a deployment that is `unreliable`.
   * @param {import("./unreliable.mjs").Trouble | null} trouble
   */
  async trouble(trouble) {
    await this.worker.fetch("/__database", { method: "POST", body: JSON.stringify(trouble) });
  }

  /**
   * How many batches ran since the trouble was last set, how many were ever held, and the most statements that one
   * invocation has sent.
   * @returns {Promise<{ batches: number, held: number, most: number }>}
   */
  async batches() {
    return /** @type {any} */ ((await this.worker.fetch("/__database")).json());
  }

  /** Runs one sweep; returns its row in `runs`, or undefined if none began. @param {number} [timeMs] */
  async sweep(timeMs) {
    const before = await this.lastRun();
    await this.worker.cron(timeMs);
    const run = await this.lastRun();
    return run?.id === before?.id ? undefined : run;
  }

  /** @returns {Promise<Row | undefined>} */
  async lastRun() {
    const [run] = await this.worker.d1("SELECT * FROM runs WHERE job = 'sweep' ORDER BY id DESC LIMIT 1");
    return run && { ...run, counts: JSON.parse(run.counts) };
  }

  /**
   * Runs the nightly run, some time after the previous one. `pass` would also move times that stay at the upstream:
   * expiries.
   * @returns {Promise<any>}
   */
  async night() {
    await this.worker.d1(`UPDATE generations SET recorded_at = recorded_at - 600; UPDATE sightings SET seen_at = seen_at - 600;
      UPDATE drift SET first_seen_at = first_seen_at - 600, last_seen_at = last_seen_at - 600; SELECT 1`);
    await this.worker.cron(Date.now(), NIGHT);
    const [run] = await this.worker.d1("SELECT * FROM runs WHERE job = 'reconcile' ORDER BY id DESC LIMIT 1");
    return { ...run, counts: JSON.parse(run.counts) };
  }

  /**
   * Moves back the times at which generations changed, in the audit, which forbids that to everybody else.
   * @param {number} seconds
   */
  async agesAudit(seconds) {
    const [{ sql }] = await this.worker.d1("SELECT sql FROM sqlite_master WHERE name = 'audit_never_updated'");
    await this.worker.d1(`DROP TRIGGER audit_never_updated; UPDATE audit SET at = at - ${seconds} WHERE target LIKE 'gen_%' AND at > ${seconds}; ${sql}; SELECT 1`);
  }

  /** Runs two sweeps, ten minutes apart. After them nothing may be left of any failure. */
  async twoSweeps() {
    const outcomes = [];
    for (let n = 0; n < 2; n += 1) {
      await this.pass(TEN_MINUTES);
      outcomes.push((await this.sweep())?.outcome);
    }
    return outcomes;
  }

  /**
   * Asserts, once everything works again, that two sweeps settle everything and that each of these members has a key or
   * may claim one.
   * @param {...(Client | string)} members clients, or personas who sign in only then
   */
  async recovers(...members) {
    await this.sandbox.clearFaults();
    assert.deepEqual(await this.twoSweeps(), ["done", "done"]);
    await this.promises({ settled: true });
    await this.endPause();
    for (const who of members) {
      const { status, body, text } = await this.claim(typeof who === "string" ? await this.member(who) : who);
      assert.ok([200, 201].includes(status) && body.key.state === "active", `the member has a key: ${status} ${text}`);
    }
    await this.promises({ settled: true });
  }

  /** The state of each generation of a member, oldest first. @param {Client} client */
  async states(client) {
    const rows = await this.generations(client);
    return rows.map((row) => row.state);
  }

  /** @param {Client} client */
  async generations(client) {
    const id = await this.memberId(client);
    return this.worker.d1("SELECT g.* FROM generations g JOIN members m ON m.owner_id = g.owner_id WHERE m.public_id = ?1 ORDER BY g.id", [id]);
  }

  /** The public id of the member whom the session names. @param {Client} client */
  async memberId(client) {
    return sessionOf(client).sub;
  }

  /** A member's upstream keys with which a call could be made. @param {Client} client */
  async working(client) {
    const names = (await this.generations(client)).map((row) => row.upstream_name);
    const { keys } = await this.sandbox.ledger();
    return keys.filter((/** @type {any} */ key) => names.includes(key.name) && key.deleted_at_ms === null && !key.disabled);
  }

  /** How often the upstream was called. @param {string} operation @returns {Promise<number>} */
  async calls(operation) {
    return (await this.sandbox.ledger()).counts[operation] ?? 0;
  }

  /**
   * Sets a hold on a member's key, as an admin would, or removes all of its holds.
   * @param {Client} client
   * @param {boolean} held
   */
  async hold(client, held) {
    const key = `(SELECT g.key_id FROM generations g JOIN members m ON m.owner_id = g.owner_id WHERE m.public_id = '${await this.memberId(client)}' LIMIT 1)`;
    const change = `held-${holds++}`;
    await this.worker.d1(held
      ? `INSERT INTO audit (change_id, target, action, actor, at) VALUES ('${change}', 'a key', 'keys_switched', 'test', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT ${key}, 'admin', 'test', 1, '${change}'; SELECT 1`
      : `DELETE FROM holds WHERE key_id = ${key}`);
  }

  /** The API's path of a member's newest key. @param {Client} client */
  async keyPath(client) {
    const sql = "SELECT k.public_id AS id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE m.public_id = ?1 ORDER BY k.id DESC LIMIT 1";
    const [{ id }] = await this.worker.d1(sql, [await this.memberId(client)]);
    return `/api/v1/keys/${id}`;
  }

  /** Sets how many days the keys of the default plan last. @param {number} days */
  async keysLast(days) {
    const change = `plan-${plans++}`;
    await this.worker.d1(`INSERT INTO audit (change_id, target, action, actor, at) VALUES ('${change}', 'plan:default', 'plan_changed', 'test', 1);
      UPDATE plans SET expiry_days = ${days}, change_id = '${change}' WHERE is_default = 1; SELECT 1`);
  }

  /** Lets time pass for D1 and for the upstreams. @param {number} seconds */
  async passEverywhere(seconds) {
    await this.pass(seconds);
    await this.sandbox.clock(seconds * 1000);
  }

  /**
   * Calls OpenRouter's management API, as anyone who has the management key can.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async management(method, path, body) {
    const { OPENROUTER_API_URL, OPENROUTER_MANAGEMENT_KEY } = localVars({ origin: "", sandboxUrl: this.sandbox.url });
    const answer = await fetch(OPENROUTER_API_URL + path, {
      method,
      headers: { authorization: `Bearer ${OPENROUTER_MANAGEMENT_KEY}`, "content-type": "application/json", "user-agent": "an operator" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answered = /** @type {any} */ (await answer.json());
    assert.ok(answer.ok, JSON.stringify(answered));
    return answered;
  }

  /** Makes a guardrail that allows only this model; returns its id. @param {string} model @returns {Promise<string>} */
  async guardrail(model) {
    const { data } = await this.management("POST", "/guardrails", { name: "Models", allowed_models: [model] });
    return data.id;
  }

  /**
   * Makes a key that carries our marker and has no row.
   * @param {number} n
   * @returns {Promise<{ name: string, hash: string }>}
   */
  async markerWithoutRow(n) {
    const [{ name: instance }] = await this.worker.d1("SELECT name FROM instance");
    const name = `keycap/${instance}/gen_${n.toString(16).padStart(24, "f")}`;
    const { data } = await this.management("POST", "/keys", { name, limit: 5, limit_reset: "daily", include_byok_in_limit: true, expires_at: "2099-01-01T00:00:00Z" });
    this.withoutRow.push(name);
    return { name, hash: data.hash };
  }

  /** Ends the pause in the settings, which would delay what follows. A pause needs no audit row. */
  async endPause() {
    await this.worker.d1("UPDATE settings SET pause_until = 0");
  }

  /** Checks the promises of the service now. @param {{ settled?: boolean }} [options] */
  async promises(options) {
    await promises(this, options);
  }
}

/** What a session's token says, without verification. @param {Client} client */
export function sessionOf(client) {
  const token = client.cookies.get("__Host-keycap_session");
  if (!token) throw new Error("no session");
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

/** Counts the answers by their status, and by the code of a problem. @param {Answer[]} answers */
export function tally(answers) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const { status, body } of answers) {
    const kind = body?.code ? `${status} ${body.code}` : `${status}`;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/**
 * Plays every cell of a grid in the first deployment that is free. A failure names its cell and ends its lane, because
 * what one cell leaves behind would make the cells after it fail.
 * @template {{ name: string }} Cell
 * @param {Deployment[]} deployments @param {Cell[]} cells @param {(deployment: Deployment, cell: Cell) => Promise<void>} play
 */
export async function inLanes(deployments, cells, play) {
  const queue = [...cells];
  const lane = async (/** @type {Deployment} */ deployment) => {
    for (let cell = queue.shift(); cell; cell = queue.shift()) {
      const { name } = cell;
      await play(deployment, cell).catch((error) => {
        throw new Error(name, { cause: error });
      });
    }
  };
  const failed = (await Promise.allSettled(deployments.map(lane))).flatMap((ended) => (ended.status === "rejected" ? [ended.reason] : []));
  if (failed.length) throw new AggregateError(failed, failed.map(({ message, cause }) => `${message}: ${cause}`).join("\n"));
  assert.deepEqual(queue, [], "every cell was played");
}

/** @param {string} text */
export const sha256 = (text) => createHash("sha256").update(text).digest("hex");
