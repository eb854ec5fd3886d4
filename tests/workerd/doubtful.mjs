// Runs in workerd around the built Worker: its database can be told to misbehave in ways that a local D1 never does on its
// own. Tests start it with House.open({ doubtful: true }) and tell it with `house.trouble`; it is no test itself.

/** What is wrong with which batch. @typedef {{ kind: "down" | "lost" | "hold_before" | "hold_after", nth?: number, times?: number }} Trouble  nth: from the nth batch on; times: 0 for ever */

/** Where it is told. */
const PATH = "/__database";
/** What D1 throws when it cannot be reached, before a batch or after it. */
const unreachable = () => new Error("D1_ERROR: Network connection lost.");
/** Longer than any test waits before it kills the Worker. */
const HELD_MS = 60_000;

/** @type {Required<Trouble> | null} */
let trouble = null;
/** Batches since it was last told anything. */
let batches = 0;
let held = 0;

/** The trouble of the next batch, if it has any. */
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
const doubtful = (database) => Object.create(database, {
  batch: {
    /** @param {any[]} stmts */
    value: async (stmts) => {
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
  const keycap = (/** @type {any} */ env, /** @type {any} */ context) => new Keycap(context, { ...env, DB: doubtful(env.DB) });
  return {
    /** @param {Request} request @param {any} env @param {any} context */
    async fetch(request, env, context) {
      if (new URL(request.url).pathname !== PATH) return keycap(env, context).fetch(request);
      if (request.method === "POST") {
        const told = /** @type {Trouble | null} */ (await request.json());
        trouble = told && { nth: 1, times: 1, ...told };
        batches = 0;
      }
      return Response.json({ batches, held });
    },
    /** @param {any} event @param {any} env @param {any} context */
    scheduled: (event, env, context) => keycap(env, context).scheduled(event),
  };
}
