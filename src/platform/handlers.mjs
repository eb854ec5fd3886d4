// The Worker's handlers as plain functions. worker-build exports a class behind proxies. For every request, the runtime
// makes one such proxy and three more. The proxies start the program anew after a trap, but they take a tenth of the
// time of a small answer. So this file calls the program directly, and uses that class only after a trap.

/**
 * @typedef {{ fetch(request: Request): Promise<Response>, scheduled(event: unknown): Promise<void> }} Keycap
 * @typedef {{ new (ctx: unknown, env: unknown): Keycap, prototype: Keycap }} KeycapClass
 */

/** worker-build's flag of a trap: the next Keycap starts the program anew. @returns {{ criticalError: boolean }} */
const state = () => /** @type {any} */ (globalThis).__worker_init_state;

/** Sets that flag if the error is a trap, and only then. @param {unknown} error */
export function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state().criticalError = true;
}

/** @param {KeycapClass} Keycap what worker-build exports */
export function handlers(Keycap) {
  let trapped = false;

  /** @param {"fetch" | "scheduled"} name @param {any} what @param {unknown} env @param {unknown} ctx @returns {Promise<any>} */
  function call(name, what, env, ctx) {
    // This is also true after a trap in a task that nobody awaited.
    trapped ||= state().criticalError;
    if (trapped) return new Keycap(ctx, env)[name](what);
    return /** @type {any} */ (Keycap.prototype)[name].call({ env, ctx }, what).catch(failed);
  }

  /** @param {unknown} error @returns {never} */
  function failed(error) {
    note(error);
    throw error;
  }

  return {
    /** @param {Request} request @param {unknown} env @param {unknown} ctx */
    fetch: (request, env, ctx) => call("fetch", request, env, ctx),
    /** @param {unknown} event @param {unknown} env @param {unknown} ctx */
    scheduled: (event, env, ctx) => call("scheduled", event, env, ctx),
  };
}
