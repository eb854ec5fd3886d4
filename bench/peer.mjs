// The peer: `GET /api/v1/keys` as one would write it with Hono and jose, on the Worker's own bindings. It runs the same
// SQL and the same checks and gives the same answer; where there was a choice, it does the faster thing. It leaves out
// what the Worker needs only for its other routes (a table of limits, documents beside data, bodies), which favours the
// peer.

import { Hono } from "hono";
import { getCookie } from "hono/cookie";
import { jwtVerify } from "jose";

const SESSION_SECS = 7 * 86_400;
const SKEW_SECS = 60;
const RENEWAL_SECS = 14 * 86_400;
/** The codes of a sweep that OpenRouter did not answer. */
const SILENT = ["openrouter_unavailable", "credential_refused"];

/**
 * @typedef {object} Bindings
 * @property {any} DB
 * @property {{ limit: (what: { key: string }) => Promise<{ success: boolean }> }} LIMIT_API
 * @property {string} AUTH_SESSION_SECRET
 * @property {string} BENCH_SQL the five statements, as JSON
 * @property {string} BENCH_HEADERS what every answer carries, as JSON
 */

/** @param {Bindings} env */
async function build(env) {
  const sql = JSON.parse(env.BENCH_SQL);
  /** @type {[string, string][]} */
  const fixed = Object.entries(JSON.parse(env.BENCH_HEADERS));
  const secrets = env.AUTH_SESSION_SECRET.split(",");
  const sessionKeys = await Promise.all(secrets.map((secret) => derived(secret, "keycap session v1")));
  const rateKey = await derived(secrets[0], "keycap rate limit v1");
  const app = new Hono();

  app.use(async (c, next) => {
    const started = Date.now();
    const id = `req_${hex(crypto.getRandomValues(new Uint8Array(12)))}`;
    await next();
    for (const [name, value] of fixed) c.res.headers.set(name, value);
    c.res.headers.set("x-request-id", id);
    console.log(JSON.stringify({
      level: "info", event: "request", request_id: id, method: c.req.method, route: c.req.path, status: c.res.status, code: null, ms: Date.now() - started,
    }));
  });

  app.get("/healthz", (c) => c.json({ status: "ok" }));

  app.get("/api/v1/keys", async (c) => {
    const session = await sessionOf(getCookie(c, "__Host-keycap_session"), sessionKeys);
    if (!session) return c.body(null, 401);
    const counter = await crypto.subtle.sign("HMAC", rateKey, text.encode(`LIMIT_API\0${session.sub}`));
    if (!(await env.LIMIT_API.limit({ key: hex(new Uint8Array(counter)) })).success) return c.body(null, 429);
    const now = Math.floor(Date.now() / 1000);
    const [members, cards, gone, unread, sweeps] = await env.DB.batch([
      env.DB.prepare(sql.session).bind(session.sub), env.DB.prepare(sql.cards).bind(session.sub, now),
      env.DB.prepare(sql.gone).bind(session.sub, 100), env.DB.prepare(sql.unread).bind(session.sub), env.DB.prepare(sql.ended).bind("sweep"),
    ]);
    const member = members.results.map(onlyColumn)[0];
    if (!member) return c.body(null, 401);
    if (member.status !== "active") return c.body(null, 403);
    if (member.epoch !== session.epoch) return c.body(null, 401);
    const ended = sweeps.results.map(onlyColumn)[0];
    return c.json({
      keys: cards.results.map((/** @type {object} */ row) => shown(onlyColumn(row), now)),
      // The bench's member has no key that has ended.
      ended: gone.results.map(onlyColumn),
      openrouter: { answers: !SILENT.includes(ended?.code), as_of: ended ? moment(ended.at) : null },
      // Every workspace of the bench could be read.
      workspaces_unread: unread.results.map(onlyColumn),
    });
  });
  return app;
}

/** Derives a key for one purpose, as the Worker does. @param {string} secret @param {string} info */
async function derived(secret, info) {
  const material = await crypto.subtle.importKey("raw", text.encode(secret), "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: text.encode(info) };
  const bits = await crypto.subtle.deriveBits(how, material, 256);
  return crypto.subtle.importKey("raw", bits, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

/** @param {string | undefined} token @param {CryptoKey[]} keys */
async function sessionOf(token, keys) {
  if (!token) return undefined;
  for (const key of keys) {
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"], requiredClaims: ["sub", "iat", "exp"] });
      const { sub = "", iat = 0, exp = 0, epoch } = payload;
      const current = iat <= Date.now() / 1000 + SKEW_SECS && exp - iat <= SESSION_SECS;
      return current && /^mem_[0-9a-f]{24}$/.test(sub) ? { sub, epoch } : undefined;
    } catch {
      // Another secret of the list may have signed the token.
    }
  }
  return undefined;
}

/** @param {object} row */
const onlyColumn = (row) => JSON.parse(Object.values(row)[0]);

/** A key as its owner sees it. @param {any} card @param {number} now */
function shown(card, now) {
  const { created_at: created, expires_at: expires, days } = card.life;
  const over = expires <= now && (card.state === "active" || card.state === "disabled");
  const spend = card.usage.read_at === null ? null : spent(card, now);
  const resets = windowEnd(card.limit_reset, now);
  const bounds = ["workspace", "account"];
  return {
    id: card.id,
    name: card.name,
    project: card.project,
    workspace: card.workspace,
    mask: card.label,
    state: over ? "expired" : card.state,
    missing: card.upstream.missing === 1 && ["active", "disabled"].includes(card.state),
    holds: card.holds,
    limit_usd: usd(card.limit_nano),
    plan_limit_usd: usd(allowed(card.grants)),
    own_limit_usd: card.grants.own_limit_nano === null ? null : usd(card.grants.own_limit_nano),
    upstream_limit_usd: card.grants.upstream_limit_nano === null ? null : usd(card.grants.upstream_limit_nano),
    // The bench's keys all have something left of their windows.
    available_from: null,
    limit_reset: card.limit_reset,
    resets_at: moment(resets),
    created_at: moment(created),
    expires_at: moment(expires),
    renewable_from: moment(expires - Math.min(RENEWAL_SECS, Math.floor((days * 86_400) / 3))),
    generation: card.issue.number,
    issued_at: moment(card.issue.at),
    grace_until: card.issue.grace_until === null ? null : moment(card.issue.grace_until),
    spend,
    spendable: over ? null : {
      amount_usd: spend?.left_usd ?? null,
      bound: "key",
      until: moment(Math.min(resets, expires)),
      unknown: card.upstream.has_guardrail === 1 ? ["guardrail", ...bounds] : bounds,
    },
  };
}

/** What a key may spend in a whole window, in nano-USD. @param {any} grants */
function allowed({ plan_limit_nano: plan, key_raises_nano: raises, own_limit_nano: own, upstream_limit_nano: upstream }) {
  return Math.min(plan + raises, own ?? Infinity, upstream ?? Infinity);
}

/**
 * What a key has spent. A figure is null if its window began after the last reading.
 * @param {any} card @param {number} now
 */
function spent(card, now) {
  const of = (/** @type {string} */ reset) => (windowEnd(reset, card.usage.read_at) === windowEnd(reset, now) ? card.usage[`${reset}_nano`] : null);
  const shown = (/** @type {number | null} */ nano) => (nano === null ? null : usd(nano));
  const used = of(card.limit_reset);
  return {
    used_usd: shown(used),
    left_usd: shown(used === null ? null : Math.max(card.limit_nano - used, 0)),
    day_usd: shown(of("daily")),
    week_usd: shown(of("weekly")),
    month_usd: shown(of("monthly")),
    total_usd: usd(card.usage.lifetime_nano),
    read_at: moment(card.usage.read_at),
  };
}

/** Nano-USD as a decimal with two to nine places. @param {number} nano */
function usd(nano) {
  const fraction = `${nano % 1e9}`.padStart(9, "0").replace(/0{1,7}$/, "");
  return `${Math.floor(nano / 1e9)}.${fraction}`;
}

/** @param {number} secs */
const moment = (secs) => `${new Date(secs * 1000).toISOString().slice(0, 19)}Z`;

/** The end of the window that `now` is in, in seconds. @param {string} reset @param {number} now */
function windowEnd(reset, now) {
  const today = new Date(now * 1000);
  const [year, month, day] = [today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate()];
  if (reset === "monthly") return Date.UTC(year, month + 1) / 1000;
  const days = reset === "weekly" ? 7 - ((today.getUTCDay() + 6) % 7) : 1;
  return Date.UTC(year, month, day + days) / 1000;
}

const text = new TextEncoder();

/** @param {Uint8Array} bytes */
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The application, built once for each isolate. @type {Awaited<ReturnType<typeof build>> | undefined} */
let app;

export default {
  /** @param {Request} request @param {Bindings} env @param {any} context */
  async fetch(request, env, context) {
    // Two first requests may both build it, because a promise that requests share could hang one of them.
    app ??= await build(env);
    return app.fetch(request, env, context);
  },
};
