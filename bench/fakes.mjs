// Runs a program without anything around it: the same request again and again within one isolate, where D1, the rate
// limiters, the log and `fetch` are fakes. A request for `/_alone/…?times=N` is sent to the program N times without that
// prefix, and once more for its answer. Everything that then costs time is the program, V8, and the runtime's requests
// and answers. Any other request goes to the program once, which then gets what the real bindings answer.

/** @typedef {{ fetch(request: Request, env: any, context: unknown): Promise<Response> }} Handler */

export const PREFIX = "/_alone";

/** Whether the fakes repeat what they have. */
let repeats = false;

/** Does something, and from then on repeats its result if the fakes repeat. @template T */
class Once {
  /** @type {Map<string, Promise<T>>} */
  #known = new Map();

  /** @param {string} name @param {() => Promise<T>} make */
  get(name, make) {
    const known = repeats ? this.#known.get(name) : undefined;
    if (known) return known;
    const made = make();
    this.#known.set(name, made);
    return made;
  }
}

/** D1 that passes each batch on once, and then repeats its results. Batches differ by their first statements. */
class FakeD1 {
  /** The name of the binding's own class, which the Worker checks. */
  static name = "D1Database";
  #db;
  /** @type {Once<unknown[]>} */
  #results = new Once();

  /** @param {any} db */
  constructor(db) {
    this.#db = db;
  }

  /** @param {string} sql */
  prepare(sql) {
    return { bind: (/** @type {unknown[]} */ ...values) => ({ sql, values }) };
  }

  /** @param {{ sql: string, values: unknown[] }[]} stmts */
  batch(stmts) {
    return this.#results.get(stmts[0].sql, () => this.#db.batch(stmts.map(({ sql, values }) => this.#db.prepare(sql).bind(...values))));
  }
}

class FakeLimiter {
  static name = "Ratelimit";
  #allowed = Promise.resolve({ success: true });

  limit() {
    return this.#allowed;
  }
}

/** @param {Record<string, any>} env */
function faked(env) {
  const bindings = Object.entries(env).map(([name, binding]) => [name, name.startsWith("LIMIT_") ? new FakeLimiter() : binding]);
  return { ...Object.fromEntries(bindings), DB: new FakeD1(env.DB) };
}

/** `fetch` that calls each address once, and then repeats its answer. */
function fakeFetch() {
  const real = globalThis.fetch;
  /** @type {Once<{ text: string, status: number, headers: Headers }>} */
  const answers = new Once();
  return async (/** @type {any} */ request) => {
    const { text, ...init } = await answers.get(`${request.method} ${request.url}`, async () => {
      const answer = await real(request);
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    });
    return new Response(text, init);
  };
}

/** The program as a Worker that runs it alone. @param {Handler} program @returns {Handler} */
export function alone(program) {
  console.log = () => {};
  globalThis.fetch = fakeFetch();
  /** @type {Record<string, any> | undefined} */
  let fakes;
  return {
    async fetch(request, env, context) {
      const { origin, pathname, searchParams } = new URL(request.url);
      fakes ??= faked(env);
      repeats = pathname.startsWith(PREFIX);
      if (!repeats) return program.fetch(request, fakes, context);
      const { method, headers } = request;
      const body = method === "GET" ? undefined : await request.text();
      const answer = () => program.fetch(new Request(`${origin}${pathname.slice(PREFIX.length)}`, { method, headers, body }), fakes, context);
      for (let n = Number(searchParams.get("times")); n > 0; n -= 1) await (await answer()).arrayBuffer();
      return answer();
    },
  };
}
