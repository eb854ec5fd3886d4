// The floor: what is left of the route for a program that does nothing itself. It asks the same rate limiter, runs the
// same statements in D1, and returns an answer that it was given, with the same headers. It reads no session, no row and
// no header, and logs nothing. So it shows how much of the whole route no program can save.

/**
 * @typedef {object} Bindings
 * @property {any} DB
 * @property {{ limit: (what: { key: string }) => Promise<unknown> }} LIMIT_API
 * @property {string} BENCH_SQL the five statements, as JSON
 * @property {string} BENCH_MEMBER the member who asks
 * @property {string} BENCH_BODY the answer
 * @property {string} BENCH_HEADERS the headers of the answer, as JSON
 */

/** @type {{ body: string, headers: Headers, bound: () => unknown[] } | undefined} */
let prepared;

/** @param {Bindings} env */
function prepare({ DB, BENCH_SQL, BENCH_MEMBER, BENCH_BODY, BENCH_HEADERS }) {
  const { session, cards, gone, unread, ended } = JSON.parse(BENCH_SQL);
  const [first, second, third, fourth, fifth] = [session, cards, gone, unread, ended].map((sql) => DB.prepare(sql));
  return {
    body: BENCH_BODY,
    headers: new Headers(JSON.parse(BENCH_HEADERS)),
    bound: () => [first.bind(BENCH_MEMBER), second.bind(BENCH_MEMBER, Math.floor(Date.now() / 1000)), third.bind(BENCH_MEMBER, 100), fourth.bind(BENCH_MEMBER), fifth.bind("sweep")],
  };
}

export default {
  /** @param {Request} _ @param {Bindings} env */
  async fetch(_, env) {
    prepared ??= prepare(env);
    await env.LIMIT_API.limit({ key: env.BENCH_MEMBER });
    await env.DB.batch(prepared.bound());
    return new Response(prepared.body, { headers: prepared.headers });
  },
};
