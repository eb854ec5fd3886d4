// The sandbox for the tests: a server of its own on a free port, with its control API as functions.

import { buildSandbox, startSandboxProgram } from "../../scripts/local.mjs";
import { freePort } from "../../scripts/ports.mjs";

/**
 * A fault to arm. The kinds and their options are those of the sandbox (POST /_sandbox/faults).
 * @typedef {{ operation: string, kind: string, nth?: number, times?: number } & Record<string, unknown>} Fault
 */

/** @typedef {Record<string, any>} Ledger  what GET /_sandbox/ledger answers */

export class Sandbox {
  /** @param {import("../../scripts/process.mjs").Group} group @param {number} port */
  constructor(group, port) {
    this.group = group;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Clears everything: keys, tokens, calls, faults, clock. */
  async reset() {
    await this.#control("POST", "reset", {});
  }

  /** Arms one fault or several. @param {Fault | Fault[]} faults */
  async fault(faults) {
    await this.#control("POST", "faults", faults);
  }

  async clearFaults() {
    await this.#control("DELETE", "faults");
  }

  /** Returns once at least `count` calls of the operation are held. @param {string} operation @param {number} [count] */
  async held(operation, count = 1) {
    return this.#control("GET", `held?${new URLSearchParams({ operation, count: `${count}` })}`);
  }

  /** Lets one held call continue, or all of them. @param {number} [ticket] */
  async release(ticket) {
    return this.#control("POST", "release", ticket === undefined ? { all: true } : { ticket });
  }

  /** Lets the delayed effects of `late` faults happen. */
  async land() {
    return this.#control("POST", "land", {});
  }

  /** @returns {Promise<Ledger>} */
  async ledger() {
    return this.#control("GET", "ledger");
  }

  /** Moves the clock of the upstreams, but not the Worker's. @param {number} advanceMs may be negative */
  async clock(advanceMs) {
    return this.#control("POST", "clock", { advance_ms: advanceMs });
  }

  /** Adds an upstream key that somebody else made. @param {Record<string, unknown>} key */
  async addKey(key) {
    return this.#control("POST", "keys", key);
  }

  /**
   * Calls a model once, for one cent; returns what was booked, or why the call was refused.
   * @param {string} key
   * @param {string} model
   */
  async calls(key, model) {
    return this.#control("POST", "spend", { key, usd: 0.01, model });
  }

  /** Books the use of a model, so many milliseconds ago. @param {string} hash @param {number} usd @param {string} model @param {number} agoMs */
  async use(hash, usd, model, agoMs) {
    return this.#control("POST", "usage", { hash, usd, model, ago_ms: agoMs });
  }

  /** Books spend on a key. @param {string} hash @param {number} usd */
  async spend(hash, usd) {
    return this.#control("POST", "usage", { hash, usd });
  }

  /** The key file of the service account that may read the directory. @returns {Promise<string>} */
  async serviceAccount() {
    return (await this.#control("GET", "directory/key")).service_account;
  }

  /** Adds people to the directory, or changes those of the same ids. @param {{ id: string, email: string, standing: string }[]} people */
  async directory(people) {
    return this.#control("POST", "directory", { people });
  }

  /** Who is in the organization, by account number. @param {number[]} members */
  async organization(members) {
    return this.#control("POST", "organization", { members });
  }

  async stop() {
    await this.group.kill();
  }

  /** Everything that the sandbox printed. */
  logs() {
    return this.group.lines;
  }

  /**
   * @param {string} method @param {string} path @param {unknown} [body]
   * @returns {Promise<any>} the answer's JSON, or undefined if it was no JSON
   */
  async #control(method, path, body) {
    const answer = await fetch(`${this.url}/_sandbox/${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`sandbox: ${method} ${path} answered ${answer.status}: ${text}`);
    return answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined;
  }
}

/**
 * Starts a sandbox. It ends with the test file at the latest.
 * @param {{ port?: number }} [options]
 */
export async function startSandbox({ port } = {}) {
  const program = process.env.SANDBOX_BIN || (await buildSandbox());
  const chosen = port ?? (await freePort());
  return new Sandbox(await startSandboxProgram(program, chosen, { background: true }), chosen);
}
