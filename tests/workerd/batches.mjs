// A program for workerd with the Worker's own bindings: it runs given batches on D1 and returns the result of each.
// `conformance.test.mjs` starts it; this file is no test.

/** @typedef {null | number | string} Value */
/** @typedef {{ name: string, sql: string, values: Value[] }} Stmt */
/** @typedef {{ rows: string[][] } | { error: string }} Result  the first column of each row of each statement, or the kind of the failure */

/** The kind of a failure, by SQLite's own code. @param {string} text */
function kindOf(text) {
  if (/SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)/.test(text)) return "unique";
  return text.includes("SQLITE_CONSTRAINT") ? "constraint" : "broken";
}

/** @param {any} db @param {Stmt[]} stmts @returns {Promise<Result>} */
async function runBatch(db, stmts) {
  try {
    // Numbers are bound as JavaScript numbers, which D1 takes for REAL: exactly what the Worker binds.
    const results = await db.batch(stmts.map(({ sql, values }) => db.prepare(sql).bind(...values)));
    return { rows: results.map((/** @type {any} */ { results }) => results.map((/** @type {object} */ row) => Object.values(row)[0])) };
  } catch (error) {
    return { error: kindOf(String(error)) };
  }
}

export default {
  /** @param {Request} request @param {{ DB: any }} env */
  async fetch(request, { DB }) {
    if (request.method === "GET") return new Response("ready");
    const { setup, story } = /** @type {{ setup: string[], story: Stmt[][] }} */ (await request.json());
    for (const sql of setup) await DB.prepare(sql).run();
    const results = [];
    for (const stmts of story) results.push(await runBatch(DB, stmts));
    return Response.json(results);
  },
};
