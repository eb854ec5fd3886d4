// The built Worker with a meter at its database. It counts which statements each request ran, in how many round trips,
// and what D1 reports as the cost of each. `GET /_meter` answers what was counted since it was last called.

// @ts-expect-error The bundler puts build/program.mjs here, which has no types.
import Worker from "keycap:built";

/** @typedef {{ sql: string, values: any[], rowsRead: number, rowsWritten: number }} Ran */

/** The statements of each round trip. @type {Ran[][]} */
let trips = [];

class Meter {
  /** The name of the binding's own class, which the Worker checks. */
  static name = "D1Database";
  #db;

  /** @param {any} db */
  constructor(db) {
    this.#db = db;
  }

  /** @param {string} sql */
  prepare(sql) {
    return { bind: (/** @type {unknown[]} */ ...values) => ({ sql, values, bound: this.#db.prepare(sql).bind(...values) }) };
  }

  /** @param {{ sql: string, values: unknown[], bound: unknown }[]} stmts */
  async batch(stmts) {
    const results = await this.#db.batch(stmts.map(({ bound }) => bound));
    trips.push(results.map((/** @type {any} */ { meta }, /** @type {number} */ n) => ({ sql: stmts[n].sql, values: stmts[n].values, rowsRead: meta.rows_read, rowsWritten: meta.rows_written })));
    return results;
  }
}

/** @type {Record<string, unknown> | undefined} */
let metered;

export default class extends Worker {
  /** @param {any} context @param {Record<string, unknown>} env */
  constructor(context, env) {
    metered ??= { ...env, DB: new Meter(env.DB) };
    super(context, metered);
  }

  /** @param {Request} request */
  async fetch(request) {
    if (new URL(request.url).pathname !== "/_meter") return super.fetch(request);
    const counted = trips;
    trips = [];
    return Response.json(counted);
  }
}
