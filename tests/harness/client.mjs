// A browser without pages: a client with a cookie jar that signs in and calls the API as the pages do.

/** @typedef {import("./worker.mjs").Worker} Worker */

/**
 * An answer that was read to its end.
 * @typedef {{ status: number, headers: Headers, text: string, body: any }} Answer  body: parsed if it is JSON, else undefined
 */

/** @typedef {{ method?: string, json?: unknown, form?: Record<string, string>, body?: string | ReadableStream, headers?: Record<string, string | undefined>, signal?: AbortSignal }} Call  body: as it is, of the headers' content type; signal: for a tab that is closed meanwhile */

let clients = 0;

/**
 * An address that no other client of this test file has, so that limits by address do not mix. It is from a block that
 * is reserved for benchmarks.
 */
function nextAddress() {
  clients += 1;
  return `198.18.${Math.floor(clients / 250)}.${(clients % 250) + 1}`;
}

export class Client {
  /** @param {Worker} worker @param {{ address?: string }} [options] */
  constructor(worker, { address = nextAddress() } = {}) {
    this.worker = worker;
    this.address = address;
    /** @type {Map<string, string>} */
    this.cookies = new Map();
  }

  /**
   * Sends a request as a same-origin page would. Redirects are not followed, cookies are stored, and a header that is
   * set to undefined is left out.
   * @param {string} path @param {Call} [call]
   * @returns {Promise<Answer>}
   */
  async call(path, { method, json, form, body, headers = {}, signal } = {}) {
    const verb = method ?? (json === undefined && form === undefined ? "GET" : "POST");
    const answer = await this.worker.fetch(path, /** @type {RequestInit} */ ({
      method: verb,
      signal,
      // Without `duplex`, fetch refuses to send a stream.
      duplex: "half",
      headers: present({
        "cf-connecting-ip": this.address,
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ") || undefined,
        origin: verb === "GET" || verb === "HEAD" ? undefined : this.worker.url,
        "content-type": json === undefined ? undefined : "application/json",
        "x-keycap-member": verb === "GET" || verb === "HEAD" ? undefined : this.member,
        ...headers,
      }),
      body: json === undefined ? (form ? new URLSearchParams(form) : body) : JSON.stringify(json),
    }));
    this.#keepCookies(answer.headers.getSetCookie());
    const text = await answer.text();
    this.worker.answers.push({ what: `${verb} ${path}`, status: answer.status, headers: JSON.stringify([...answer.headers]), text });
    const isJson = /[/+]json\b/.test(answer.headers.get("content-type") ?? "");
    return { status: answer.status, headers: answer.headers, text, body: isJson && text ? JSON.parse(text) : undefined };
  }

  /** The id of the member whom the session cookie names; a page with this cookie was made for them. */
  get member() {
    try {
      const [, payload] = (this.cookies.get("__Host-keycap_session") ?? "").split(".");
      return /** @type {string | undefined} */ (JSON.parse(Buffer.from(payload, "base64url").toString()).sub);
    } catch {
      return undefined;
    }
  }

  /** @param {string} path */
  get(path) {
    return this.call(path);
  }

  /** @param {string} path @param {unknown} [json] @param {Record<string, string | undefined>} [headers] */
  post(path, json = {}, headers) {
    return this.call(path, { json, headers });
  }

  /** @param {string} path @param {unknown} json */
  patch(path, json) {
    return this.call(path, { method: "PATCH", json });
  }

  /** @param {string} path */
  delete(path) {
    return this.call(path, { method: "DELETE", json: {} });
  }

  /** @param {string[]} lines */
  #keepCookies(lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf("="));
      const ended = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute) || /^expires=.*\b19[67]\d\b/i.test(attribute));
      if (ended) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(pair.indexOf("=") + 1));
    }
  }
}

/** @param {Record<string, string | undefined>} headers */
function present(headers) {
  const set = new Headers();
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) set.set(name, value);
  return set;
}

/**
 * Signs in as far as possible: our start, GitHub's page, our callback. `location` is where the callback sends the
 * browser.
 * @param {Worker} worker @param {{ url: string }} sandbox must be the one that the Worker was started with
 * @param {string} persona
 * @param {{ next?: string, client?: Client }} [options]
 */
export async function attemptSignIn(worker, sandbox, persona, { next = "keys", client = new Client(worker) } = {}) {
  const start = await client.get(`/auth/github?next=${encodeURIComponent(next)}`);
  const authorizeUrl = redirectOf(start, "the start of the sign-in");
  if (!authorizeUrl.startsWith(`${sandbox.url}/`)) throw new Error(`the Worker sends to ${authorizeUrl}, not to this sandbox`);
  const consent = await chooseAtGitHub(authorizeUrl, persona);
  const callback = await client.get(pathOf(consent));
  return { client, authorizeUrl, callbackUrl: consent, status: callback.status, location: callback.headers.get("location"), callback };
}

/**
 * Presses the button of a persona on the sandbox's authorize page and returns the address that the page redirects to.
 * @param {string} authorizeUrl @param {string} persona
 */
export async function chooseAtGitHub(authorizeUrl, persona) {
  const answer = await fetch(authorizeUrl, { method: "POST", body: new URLSearchParams({ persona }), redirect: "manual" });
  return redirectOf({ status: answer.status, headers: answer.headers, text: await answer.text() }, "GitHub's authorize page");
}

/**
 * A client that is signed in. Throws if the sign-in does not end, without an error, on one of our pages.
 * @param {Worker} worker @param {{ url: string }} sandbox @param {string} persona
 * @param {{ next?: string, client?: Client }} [options]
 */
export async function signIn(worker, sandbox, persona, options) {
  const { client, status, location, callback } = await attemptSignIn(worker, sandbox, persona, options);
  if (status !== 303 || !location || location.includes("auth_error")) {
    throw new Error(`signing in as ${persona} ended with ${status} ${location ?? ""} ${callback.text}`);
  }
  return client;
}

/** The body of a claim. It accepts the rules, as the page does while no acceptance is on record. */
export const CLAIM = { accept_terms: 1 };

/** @param {Client} client @param {{ idempotencyKey?: string }} [options] */
export async function claim(client, { idempotencyKey } = {}) {
  return client.post("/api/v1/claim", CLAIM, { "idempotency-key": idempotencyKey });
}

/** @param {{ status: number, headers: Headers, text: string }} answer @param {string} what */
function redirectOf(answer, what) {
  const location = answer.headers.get("location");
  if (answer.status < 300 || answer.status > 399 || !location) throw new Error(`${what} answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  return location;
}

/** @param {string} url */
function pathOf(url) {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** The secrets in an answer. @param {Answer} answer */
export function secretsIn(answer) {
  return answer.text.match(/sk-or-v1-[0-9a-f]{64}/g) ?? [];
}

/**
 * `count` results of `make`, with at most `width` calls at the same time.
 * @template T
 * @param {number} width @param {number} count @param {(n: number) => Promise<T>} make
 * @returns {Promise<T[]>}
 */
export async function inWaves(width, count, make) {
  /** @type {T[]} */
  const made = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const n = next++;
      made[n] = await make(n);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
  return made;
}
