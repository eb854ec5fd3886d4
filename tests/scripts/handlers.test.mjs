// The Worker's handlers around what worker-build exports: they call it directly, and through its class after a trap.

import assert from "node:assert/strict";
import test from "node:test";
import { handlers } from "../../src/platform/handlers.mjs";

/** A class as worker-build exports it. It notes each instance that is made, and traps when it is told to. */
function built() {
  const made = /** @type {unknown[][]} */ ([]);
  class Keycap {
    /** @param {unknown} ctx @param {unknown} env */
    constructor(ctx, env) {
      made.push([ctx, env]);
      this.ctx = ctx;
      this.env = env;
    }

    /** @param {any} request */
    async fetch(request) {
      if (request === "trap") throw new WebAssembly.RuntimeError("unreachable");
      if (request === "error") throw new Error("an error");
      return /** @type {any} */ ([request, this.env, this.ctx]);
    }

    /** @param {any} event */
    async scheduled(event) {
      return /** @type {any} */ ([event, this.env, this.ctx]);
    }
  }
  /** @type {any} */ (globalThis).__worker_init_state = { criticalError: false };
  return { made, worker: handlers(Keycap), state: /** @type {any} */ (globalThis).__worker_init_state };
}

test("a request and an event reach the program with their own environment and context, without a new instance", async () => {
  const { made, worker } = built();
  assert.deepEqual(await worker.fetch(/** @type {any} */ ("request"), "env", "ctx"), ["request", "env", "ctx"]);
  assert.deepEqual(await worker.scheduled("event", "env 2", "ctx 2"), ["event", "env 2", "ctx 2"]);
  assert.deepEqual(made, []);
});

test("an error is not taken for a trap", async () => {
  const { made, worker, state } = built();
  await assert.rejects(worker.fetch(/** @type {any} */ ("error"), "env", "ctx"), /an error/);
  await worker.fetch(/** @type {any} */ ("request"), "env", "ctx");
  assert.deepEqual([made, state.criticalError], [[], false]);
});

test("after a trap the class is made again, which starts the program anew", async () => {
  const { made, worker, state } = built();
  await assert.rejects(worker.fetch(/** @type {any} */ ("trap"), "env", "ctx"), WebAssembly.RuntimeError);
  assert.equal(state.criticalError, true);
  assert.deepEqual(await worker.fetch(/** @type {any} */ ("request"), "env", "ctx"), ["request", "env", "ctx"]);
  assert.deepEqual(made, [["ctx", "env"]]);
});

test("the class is made again also after a trap that nobody awaited", async () => {
  const { made, worker, state } = built();
  state.criticalError = true;
  assert.deepEqual(await worker.fetch(/** @type {any} */ ("request"), "env", "ctx"), ["request", "env", "ctx"]);
  assert.deepEqual(made, [["ctx", "env"]]);
});
