// Runs in workerd around the built Worker. A test can make its database fail in ways in which a local D1 never fails by
// itself. Tests start it with Deployment.open({ unreliable: true }) and control it with `deployment.trouble`; this file is no test.

/**
 * What goes wrong with which batch. `nth`: from the nth batch on; `times`: for how many batches, 0 for ever.
 * @typedef {{ kind: "down" | "lost" | "hold_before" | "hold_after", nth?: number, times?: number }} Trouble
 */

/** The path at which a test sets the trouble. */
const PATH = "/__database";
/** The error that D1 throws when it cannot be reached, before a batch or after it. */
const unreachable = () => new Error("D1_ERROR: Network connection lost.");
/** How long a batch is held. It is longer than any test waits before it kills the Worker. */
const HELD_MS = 60_000;

/**
 * The number of statements that D1 takes from one invocation on the paid plan of Workers. A local D1 does not count them,
 * so they are counted here while a trigger is at work. Source: the limits in Cloudflare's documentation of D1.
 */
const STATEMENTS = 1_000;

/** The statements of the trigger that is at work, and the most that any trigger has sent. */
let atWork = false;
let statements = 0;
let most = 0;

/** @type {Required<Trouble> | null} */
let trouble = null;
/** The number of batches since the trouble was last set. */
let batches = 0;
let held = 0;

/** Counts a batch, and returns its trouble or null. */
function next() {
  batches += 1;
  if (!trouble || batches < trouble.nth || (trouble.times > 0 && batches >= trouble.nth + trouble.times)) return null;
  return trouble.kind;
}

async function hold() {
  held += 1;
  await new Promise((resolve) => setTimeout(resolve, HELD_MS));
}

/** @param {any} database */
const unreliable = (database) => Object.create(database, {
  batch: {
    /** @param {any[]} stmts */
    value: async (stmts) => {
      if (atWork) statements += stmts.length;
      most = Math.max(most, statements);
      if (statements > STATEMENTS) throw new Error("D1_ERROR: too many statements in one invocation");
      const kind = next();
      if (kind === "down") throw unreachable();
      if (kind === "hold_before") await hold();
      const results = await database.batch(stmts);
      if (kind === "hold_after") await hold();
      if (kind === "lost") throw unreachable();
      return results;
    },
  },
});

/** @param {new (context: any, env: any) => any} Keycap the Worker's entry point */
export function around(Keycap) {
  const keycap = (/** @type {any} */ env, /** @type {any} */ context) => new Keycap(context, { ...env, DB: unreliable(env.DB) });
  return {
    /** @param {Request} request @param {any} env @param {any} context */
    async fetch(request, env, context) {
      if (new URL(request.url).pathname !== PATH) return keycap(env, context).fetch(request);
      if (request.method === "POST") {
        const wanted = /** @type {Trouble | null} */ (await request.json());
        trouble = wanted && { nth: 1, times: 1, ...wanted };
        batches = 0;
      }
      return Response.json({ batches, held, most });
    },
    /** @param {any} event @param {any} env @param {any} context */
    async scheduled(event, env, context) {
      [atWork, statements] = [true, 0];
      try {
        await keycap(env, context).scheduled(event);
      } finally {
        [atWork, statements] = [false, 0];
      }
    },
  };
}
