// What a claim asks of its surroundings, without the Worker. `PUT /` says what each claim asks, and `POST /` does it for
// some of the claims, `width` of them at a time.

/** @typedef {{ sql: string, values: unknown[] }} Statement */

/**
 * @typedef {object} Asked
 * @property {Statement[][]} batches what D1 runs
 * @property {string[]} limits the rate limiters, by their bindings
 * @property {{ url: string, init: RequestInit }[]} calls of OpenRouter
 */

/** @type {Asked[]} */
let claims = [];

/** @param {Asked} asked @param {any} env */
async function claim({ batches, limits, calls }, env) {
  for (const name of limits) await env[name].limit({ key: "replay" });
  for (const { url, init } of calls) await (await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) })).text();
  for (const batch of batches) await env.DB.batch(batch.map(({ sql, values }) => env.DB.prepare(sql).bind(...values)));
}

export default {
  /** @param {Request} request @param {any} env */
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    if (request.method === "PUT") {
      claims = await request.json();
      return new Response("");
    }
    const waiting = claims.slice(Number(searchParams.get("from")), Number(searchParams.get("to"))).values();
    const one = async () => {
      for (const asked of waiting) await claim(asked, env);
    };
    await Promise.all(Array.from({ length: Number(searchParams.get("width")) }, one));
    return new Response("");
  },
};
