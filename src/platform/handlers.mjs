// The Worker's handlers in the plain form. worker-build exports a class behind proxies, of which the runtime makes one with
// three more for every request: they start the program anew after a trap, and cost a tenth of a small answer.
// Here the program is called directly, and by way of that class from a trap on.

/**
 * @typedef {{ fetch(request: Request): Promise<Response>, scheduled(event: unknown): Promise<void> }} Keycap
 * @typedef {{ new (ctx: unknown, env: unknown): Keycap, prototype: Keycap }} KeycapClass
 */

/** worker-build's own note of a trap, which makes the next Keycap start the program anew. @returns {{ criticalError: boolean }} */
const state = () => /** @type {any} */ (globalThis).__worker_init_state;

/** Notes a trap; any other error is none. @param {unknown} error */
export function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state().criticalError = true;
}

/** @param {KeycapClass} Keycap what worker-build exports */
export function handlers(Keycap) {
  let trapped = false;

  /** @param {"fetch" | "scheduled"} name @param {any} what @param {unknown} env @param {unknown} ctx @returns {Promise<any>} */
  function call(name, what, env, ctx) {
    // Also where nobody awaited what trapped.
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
