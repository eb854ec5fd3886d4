// The built Worker on real workerd, with a database of its own that outlives the process.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVERY_TEN_MINUTES, databaseFile, localVars, newState } from "../../scripts/local.mjs";
import { inRoot } from "../../scripts/paths.mjs";
import { freePort } from "../../scripts/ports.mjs";
import { startRuntime } from "./runtime.mjs";

/** @typedef {import("./sandbox.mjs").Sandbox} Sandbox */
/** @typedef {import("../../scripts/local.mjs").Vars} Vars */
/** @typedef {import("../../scripts/local.mjs").RateLimits} RateLimits */
/** @typedef {string | number | null} SqlValue */
/** @typedef {Record<string, any>} Row */

/**
 * @typedef {object} WorkerOptions
 * @property {Sandbox | { url: string }} sandbox
 * @property {Vars} [vars] added to the local settings; undefined removes a setting
 * @property {RateLimits} [rateLimits] such as `{ LIMIT_START: { limit: 2 } }`; counters survive a restart
 * @property {string} [main] another program with the same bindings; default: the built Worker
 * @property {string} [around] a module whose `around` gets the built Worker's entry point and returns the one to run
 * @property {string} [persist] a folder for the state; default: a new one, which is deleted at the end
 */

/**
 * An answer that a client of a test received.
 * @typedef {{ what: string, status: number, headers: string, text: string }} ReceivedAnswer
 */

/** Folders to delete when the test file ends. @type {Set<string>} */
const temporary = new Set();
process.on("exit", () => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

/** All settings, from README's table; a native test compares that table with the code. */
const SETTINGS = new Set(Array.from(readFileSync(inRoot("README.md"), "utf8").matchAll(/^\| `([A-Z_]+)`/gm), ([, name]) => name));

/** Throws for a setting that nothing reads, because a test that sets it would show nothing. @param {Vars} vars */
function refuseUnknown(vars) {
  const unknown = Object.keys(vars).filter((name) => !SETTINGS.has(name));
  if (unknown.length > 0) throw new Error(`nothing reads the setting ${unknown.join(", ")}`);
}

export class Worker {
  /** @type {import("./runtime.mjs").Runtime | undefined} */
  #runtime;
  /** Log lines of earlier runs. @type {string[]} */
  #earlier = [];
  #port = 0;
  /** Every answer that a client received, until somebody takes them out to check them. @type {ReceivedAnswer[]} */
  answers = [];

  /** @param {WorkerOptions} options @param {string} folder @param {string} persist */
  constructor(options, folder, persist) {
    this.options = options;
    this.folder = folder;
    /** The folder of the state, as given to `--persist-to`. */
    this.persist = persist;
  }

  /** The Worker's origin. PUBLIC_ORIGIN is the same, and the database gets bound to it, so a restart keeps it. */
  get url() {
    return `http://localhost:${this.#port}`;
  }

  async start() {
    this.#port ||= await freePort();
    const vars = { ...localVars({ origin: this.url, sandboxUrl: this.options.sandbox.url }), ...this.options.vars };
    refuseUnknown(vars);
    const { rateLimits, around, main } = this.options;
    this.#runtime = await startRuntime({ persist: this.persist, port: this.#port, vars, rateLimits, main, around });
  }

  /**
   * Sends a request as it is: without cookies and without following redirects.
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async fetch(path, init) {
    return fetch(new URL(path, this.url), { redirect: "manual", ...init });
  }

  /**
   * Runs a Cron Trigger to its end. workerd says "ok" whatever the job did, so read the job's row in `runs`.
   * @param {number} [timeMs] the event's scheduled time @param {string} [expression]
   */
  async cron(timeMs = Date.now(), expression = EVERY_TEN_MINUTES) {
    const answer = await this.fetch(`/cdn-cgi/local/scheduled?${new URLSearchParams({ cron: expression, time: `${timeMs}` })}`);
    const text = await answer.text();
    if (text !== "ok") throw new Error(`the scheduled handler answered ${answer.status} ${text}`);
  }

  /**
   * Runs one SQL statement on the Worker's database. While the Worker runs, D1 itself executes the statement, between
   * the Worker's own statements; a second writer on the file would make those fail as "locked". After kill() the file
   * is opened directly.
   * @param {string} sql with ?1, ?2 … for the values @param {SqlValue[]} [values]
   * @returns {Promise<Row[]>}
   */
  async d1(sql, values = []) {
    // The values are written in as literals, because several statements in one text cannot be bound.
    const text = sql.replace(/\?(\d+)/g, (_, number) => literal(values[Number(number) - 1]));
    return this.#runtime ? this.#askD1(text) : this.#readFile(text);
  }

  /** @param {string} sql */
  async #askD1(sql) {
    const { columns, rows } = await /** @type {import("./runtime.mjs").Runtime} */ (this.#runtime).query(sql);
    return rows.map((row) => Object.fromEntries(row.map((value, index) => [columns[index], value])));
  }

  /** @param {string} sql */
  async #readFile(sql) {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(await databaseFile(this.persist));
    try {
      return database.prepare(sql).all().map((row) => ({ ...row }));
    } finally {
      database.close();
    }
  }

  /**
   * The files of the whole state (D1, KV, caches) in which a text occurs. A secret must be in none of them.
   * @param {string} text
   */
  async stateFilesWith(text) {
    const names = await readdir(this.persist, { recursive: true });
    const found = [];
    for (const name of names) {
      const content = await readFile(join(this.persist, name)).catch(() => Buffer.alloc(0)); // it is a folder
      if (content.includes(text)) found.push(name);
    }
    return found;
  }

  /** Ends the Worker as a power cut would: kills workerd at once. The state stays. */
  async kill() {
    const runtime = this.#runtime;
    if (!runtime) return;
    this.#runtime = undefined;
    await runtime.kill();
    this.#earlier.push(...runtime.lines);
  }

  /**
   * Starts the Worker again on the same state and port. Kills it first if it runs.
   * @param {{ vars?: Vars, rateLimits?: RateLimits }} [changes]
   */
  async restart(changes = {}) {
    await this.kill();
    this.options = {
      ...this.options,
      vars: { ...this.options.vars, ...changes.vars },
      rateLimits: { ...this.options.rateLimits, ...changes.rateLimits },
    };
    await this.start();
  }

  /** Ends the Worker for good and deletes its state, unless a test gave the folder. */
  async stop() {
    await this.kill();
    temporary.delete(this.folder);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Every line that the Worker logged, over all restarts. */
  logs() {
    return [...this.#earlier, ...(this.#runtime?.lines ?? [])].filter((line) => line.trim() !== "");
  }
}

/** @param {SqlValue | undefined} value */
function literal(value) {
  if (value === undefined) throw new Error("the statement has more ?n than there are values");
  if (value === null) return "NULL";
  return typeof value === "number" ? `${value}` : `'${value.replaceAll("'", "''")}'`;
}

/**
 * Starts the Worker that `npm run build` made, on a new database. It ends with the test file at the latest.
 * @param {WorkerOptions} options
 */
export async function startWorker(options) {
  if (!options.main && !existsSync(inRoot("build", "index.js"))) throw new Error("There is no build/: run the tests with `npm test`, or `npm run build` first.");
  const folder = await mkdtemp(join(tmpdir(), "keycap-worker-"));
  temporary.add(folder);
  const persist = options.persist ?? join(folder, "state");
  if (!existsSync(persist)) await newState(persist);
  const worker = new Worker(options, folder, persist);
  await worker.start();
  return worker;
}
