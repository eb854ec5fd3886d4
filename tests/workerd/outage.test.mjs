// Outages of whole services. While its database cannot be reached, the Worker says so, does nothing and recovers by
// itself. While the upstreams cannot be reached, it still answers what D1 knows, and nothing is lost. No test here
// takes the key-value store away: tests/native/restore.rs does.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { databaseFile } from "../../scripts/local.mjs";
import { Client, attemptSignIn, chooseAtGitHub } from "../harness/index.mjs";
import { claiming, claimingWith, isOver, signingIn, sweepingAHold, sweepingAStray, sweepingAnExpiry } from "./moments.mjs";
import { CREATE, Deployment, ROUTES, SCALE, TEN_MINUTES, inLanes, tally } from "./support.mjs";

/** @typedef {import("./support.mjs").Answer} Answer */
/** @typedef {import("./moments.mjs").Moment} Moment */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ unreliable: true, cuttable: true });
});
after(() => deployment?.close());

/** The bodies of routes that need more than an empty object. */
const BODIES = /** @type {Record<string, object>} */ ({
  "POST /api/v1/requests": { kind: "claim" },
  "POST /api/v1/device/lookup": { user_code: "BCDF-GHJK" },
  "POST /api/v1/device/approve": { user_code: "BCDF-GHJK", accept_terms: 1 },
  "POST /api/v1/device/deny": { user_code: "BCDF-GHJK" },
  "POST /api/v1/leaks": { sha256: "0".repeat(64) },
  "POST /api/v1/projects": { name: "Parser" },
  "PATCH /api/v1/projects/{id}": { name: "Parser" },
  "POST /api/v1/notices/read": { ids: ["none"] },
  "POST /api/v1/handoffs/{id}/confirm": { code: "BBBBBBBB" },
  "PATCH /api/v1/provider-keys/{id}": { label: "laptop" },
  "PATCH /api/v1/admin/providers/{slug}": { enabled: true },
  "PATCH /api/v1/keys/{id}": { disabled: true },
  "POST /api/v1/admin/bulk-changes": { action: "disable", matching: {} },
  "POST /api/v1/admin/bulk-changes/{id}/start": { count: 1 },
  "PATCH /api/v1/admin/settings": { minting: "stopped" },
  "PATCH /api/v1/admin/requests/{id}": { state: "declined" },
  "DELETE /api/v1/me": { confirm: "member" },
  "POST /api/v1/keys": { name: "laptop" },
  "POST /api/v1/keys/{id}/limit": { limit_usd: "1" },
  "POST /api/v1/admin/plans": { name: "small", limit_usd: "1", limit_reset: "daily", expiry_days: 30, max_active_keys: 1 },
  "PATCH /api/v1/admin/plans/{name}": { limit_usd: "1" },
  "PUT /api/v1/admin/workspaces": { workspace_ids: [] },
  "POST /api/v1/admin/members/{id}/plan": { plan: "free" },
  "POST /api/v1/admin/members/{id}/payments": { payment_id: "paid", amount_usd: "1" },
  "PATCH /api/v1/admin/keys/{id}": { upstream_hold: "lift" },
  "PATCH /api/v1/admin/findings/{id}": { acknowledged: true },
  "POST /api/v1/admin/keys/{id}/raises": { amount_usd: "1" },
  "PATCH /api/v1/admin/members/{id}": { status: "banned" },
  "POST /api/v1/admin/blocks": { provider: "github", subject: "77" },
  "DELETE /api/v1/admin/blocks": { provider: "github", subject: "77" },
});

/** Every route with each of its methods, as a program asks for it, and as a browser, which asks for nothing of the console. */
const REQUESTS = [...ROUTES, { path: "/nothing/here", methods: ["GET"] }].flatMap(({ path, methods }) =>
  methods.flatMap((method) => (path.startsWith("/api/v1/admin") ? ["application/json"] : ["application/json", "text/html"]).map((accept) => ({ path, method, accept }))),
);

/** A hand-off, and the cookie without which nobody finds one. */
const HANDOFF = `hnd_${"0".repeat(24)}`;
const VERIFIER = [`__Host-keycap_handoff_${"0".repeat(24)}`, "A".repeat(43)];

/** An address with ids that could be somebody's: these routes look at the form of the id first. @param {string} path */
const named = (path) => path.replace("/v1/requests/{id}", `/v1/requests/ask_${"0".repeat(24)}`).replace("/v1/projects/{id}", `/v1/projects/prj_${"0".repeat(24)}`).replace("/v1/handoffs/{id}", `/v1/handoffs/${HANDOFF}`).replace("/v1/provider-keys/{id}", `/v1/provider-keys/pky_${"0".repeat(24)}`).replace("/admin/bulk-changes/{id}", `/admin/bulk-changes/blc_${"0".repeat(24)}`).replace("{slug}", "openrouter");

/** What a terminal sends, as a form and from no page. */
const QUESTION = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: "none", client_id: "shell" };
/** The addresses that terminals ask. */
const OF_TERMINALS = ROUTES.filter(({ terminal }) => terminal).map(({ path }) => path);

/** @param {Client} client @param {{ path: string, method: string, accept: string }} request */
const ask = (client, { path, method, accept }) =>
  OF_TERMINALS.includes(path) ? client.call(path, { form: QUESTION, headers: { accept, origin: undefined } }) : client.call(named(path), { method, json: method === "GET" ? undefined : (BODIES[`${method} ${path}`] ?? {}), headers: { accept } });

/** What must not change while the database cannot be reached. */
async function everything() {
  const [{ rows }] = await deployment.worker.d1("SELECT (SELECT COUNT(*) FROM generations) || '/' || (SELECT COUNT(*) FROM audit) || '/' || (SELECT COUNT(*) FROM runs) AS rows");
  return { rows, created: await deployment.calls(CREATE) };
}

/**
 * Asserts a refusal in our own words: a problem, or a page if the client asks for one.
 * @param {Answer} answer
 * @param {string} accept
 * @param {string} where
 */
function isTold(answer, accept, where) {
  const page = answer.headers.get("content-type")?.startsWith("text/html");
  if (answer.body?.error !== undefined) return assert.deepEqual([answer.body.error, answer.body.instance], [answer.status === 500 ? "server_error" : "temporarily_unavailable", answer.headers.get("x-request-id")], where);
  if (page) assert.ok(accept === "text/html" && answer.text.includes("<h1"), where);
  else assert.deepEqual([answer.body.status, answer.body.instance], [answer.status, answer.headers.get("x-request-id")], where);
}

/** Paths that answer in the same way without the database, whoever asks. */
const WITHOUT_DATABASE = ["/", "/keys", "/account", "/usage", "/leak", "/device", "/docs", "/.well-known/security.txt", "/auth/github", "/auth/github/callback", "/auth/google", "/auth/google/callback", "/auth/relay", "/auth/providers/{slug}/callback", "/auth/providers/{slug}/done", "/auth/logout", "/healthz"];

test("while D1 cannot be reached, every route that needs it says 503 and when to come back, the others answer, and nothing is done", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const was = await everything();
  const pending = await attemptUntilGitHub("load-800001");
  await deployment.trouble({ kind: "down", times: 0 });
  for (const [who, client] of /** @type {[string, Client][]} */ ([["nobody", new Client(deployment.worker)], ["member", member], ["operator", operator]])) {
    for (const request of REQUESTS) {
      const answer = await ask(signedInAs(client), request);
      const where = `${who}: ${request.method} ${request.path} as ${request.accept}: ${answer.status} ${answer.text.slice(0, 200)}`;
      const isForAnyone = request.path === "/api/v1/leaks" || OF_TERMINALS.includes(request.path);
      if ((who === "nobody" && !isForAnyone) || WITHOUT_DATABASE.includes(request.path)) {
        assert.ok(answer.status < 500, where);
      } else {
        assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "60"], where);
        isTold(answer, request.accept, where);
        if (answer.body) assert.equal(answer.body.code, "storage_unavailable", where);
      }
    }
  }
  const { headers } = await pending.client.get(pending.callback);
  assert.equal(headers.get("location"), "/?auth_error=storage_unavailable");
  await deployment.worker.cron();
  assert.deepEqual(await everything(), was, "nothing was written, made or begun");
  await deployment.promises({ settled: true });

  await deployment.trouble(null);
  assert.equal((await member.get("/api/v1/me")).status, 200, "it comes back by itself, and sessions hold");
  await deployment.recovers(member);
});

/** A copy of the same browser, so that a route which signs out signs out only the copy. @param {Client} client */
function signedInAs(client) {
  const copy = new Client(deployment.worker);
  copy.cookies = new Map(client.cookies);
  if (copy.cookies.size > 0) copy.cookies.set(VERIFIER[0], VERIFIER[1]);
  return copy;
}

/** A sign-in up to GitHub's redirect to our callback. @param {string} persona */
async function attemptUntilGitHub(persona) {
  const client = new Client(deployment.worker);
  const start = await client.get("/auth/github?next=keys");
  const { pathname, search } = new URL(await chooseAtGitHub(String(start.headers.get("location")), persona));
  return { client, callback: pathname + search };
}

test("while another program has locked the database's file, everything that needs it says 503, and nothing is minted", async (t) => {
  const [member, holder] = [await deployment.member(), await deployment.member()];
  assert.equal((await deployment.claim(holder)).status, 201);
  const pending = await attemptUntilGitHub("load-800002");
  const was = await everything();
  const other = new DatabaseSync(await databaseFile(deployment.worker.persist));
  t.after(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  const answers = [await deployment.claim(member), await deployment.claim(holder), await holder.get("/api/v1/keys"), await member.get("/api/v1/me")];
  assert.deepEqual(tally(answers), { "503 storage_unavailable": 4 });
  const { headers } = await pending.client.get(pending.callback);
  assert.equal(headers.get("location"), "/?auth_error=storage_unavailable");
  await deployment.worker.cron();
  other.exec("ROLLBACK");
  assert.deepEqual(await everything(), was);
  await deployment.recovers(member);
  await deployment.recovers(holder);
});

/**
 * Each entry takes a part of the schema away, and returns a function that puts it back.
 * @type {[string, () => Promise<() => Promise<unknown>>][]}
 */
const MISSING = [
  ...["members", "settings", "generations"].map((table) => /** @type {[string, () => Promise<() => Promise<unknown>>]} */ ([`the table ${table}`, async () => {
    await deployment.worker.d1(`ALTER TABLE ${table} RENAME TO put_away`);
    return () => deployment.worker.d1(`ALTER TABLE put_away RENAME TO ${table}`);
  }])),
  ...["claim_gates", "key_cards"].map((view) => /** @type {[string, () => Promise<() => Promise<unknown>>]} */ ([`the view ${view}`, async () => {
    const [{ sql }] = await deployment.worker.d1("SELECT sql FROM sqlite_master WHERE name = ?1", [view]);
    await deployment.worker.d1(`DROP VIEW ${view}`);
    return () => deployment.worker.d1(sql);
  }])),
];

for (const [what, takeAway] of MISSING) {
  test(`without ${what} every route still answers in our own words, no key is given out, and it works again once that is back`, async () => {
    const [visitor, member] = [await deployment.member(), await deployment.member()];
    const putBack = await takeAway();
    try {
      /** @type {Set<string>} */
      const codes = new Set();
      for (const request of REQUESTS) {
        const answer = await ask(signedInAs(visitor), request);
        const where = `${request.method} ${request.path} as ${request.accept}: ${answer.status} ${answer.text.slice(0, 200)}`;
        if (request.path === "/api/v1/claim") assert.ok(answer.status >= 400, where);
        if (answer.status < 500) continue;
        isTold(answer, request.accept, where);
        if (answer.body) codes.add(`${answer.status} ${answer.body.code}`);
      }
      // A statement that the database refuses is our own fault, so waiting would not help.
      assert.deepEqual([...codes], ["500 internal"]);
      await deployment.worker.cron();
    } finally {
      await putBack();
    }
    await deployment.recovers(member);
  });
}

test("while neither GitHub nor OpenRouter answers, pages show what D1 knows, a claim says 503 and is not lost, and nobody is half signed in", async () => {
  const line = deployment.line;
  assert.ok(line);
  const [holder, member] = [await deployment.member(), await deployment.member()];
  const made = await deployment.claim(holder);
  const pending = await attemptUntilGitHub("load-800003");
  await deployment.pass(TEN_MINUTES);
  await line.cut();
  for (const client of [holder, member]) {
    for (const path of ["/", "/keys", "/api/v1/me", "/api/v1/keys", "/healthz"]) assert.equal((await client.get(path)).status, 200, path);
  }
  assert.equal((await holder.get("/api/v1/keys")).body.keys[0].id, made.body.key.id);
  assert.deepEqual(tally([await deployment.claim(holder)]), { 200: 1 });
  const answer = await deployment.claim(member);
  assert.deepEqual([answer.status, answer.body.code, answer.headers.get("retry-after")], [503, "claim_unknown", "600"]);
  assert.deepEqual(tally([await deployment.claim(member)]), { "409 claim_in_progress": 1 });
  assert.deepEqual(await deployment.states(member), ["verifying"]);
  const back = await pending.client.get(pending.callback);
  assert.equal(back.headers.get("location"), "/?auth_error=github_unavailable");
  assert.equal(pending.client.cookies.has("__Host-keycap_session"), false);
  await deployment.pass(TEN_MINUTES);
  const run = await deployment.sweep();
  assert.deepEqual([run?.outcome, run?.code], ["failed", "openrouter_unavailable"]);
  assert.deepEqual(await deployment.states(member), ["verifying"], "nothing is concluded while nothing answers");

  await line.mend();
  await deployment.recovers(member);
  await deployment.recovers(holder);
  await deployment.recovers(await deployment.member("load-800003"));
});

/**
 * The operations, each with the moment into whose batches the trouble is put. The explorer of the native tests makes
 * every batch of every operation fail; workerd shows that what D1 throws is read as such a failure.
 * @type {[string, Moment][]}
 */
const MOMENTS = [
  ["a sign-in", signingIn],
  ["a claim with a wrong echo", claimingWith("echo_limit_larger")],
  ["a sweep of a hold", sweepingAHold],
];
/** More operations, in a larger run. @type {[string, Moment][]} */
const MORE_MOMENTS = [
  ["a claim", claiming],
  ["a claim that is refused", claimingWith("refuse")],
  ["a claim of unknown outcome", claimingWith("reset_after")],
  ["a sweep of a stray", sweepingAStray],
  ["a sweep of an expiry", sweepingAnExpiry],
];

test("after any batch of a sign-in, a claim and a sweep that D1 does not answer, committed or not, all promises hold", async (t) => {
  const second = await Deployment.open({ unreliable: true });
  t.after(() => second.close());
  // The account is known in the second deployment too, so that its sweeps have the same batches.
  assert.equal((await second.claim(await second.member())).status, 201);
  let struck = 0;
  const kinds = /** @type {const} */ (["down", "lost"]);
  const rows = (SCALE > 1 ? [...MOMENTS, ...MORE_MOMENTS] : MOMENTS).flatMap(([what, moment]) =>
    // A write is sent twice, so one failure is retried, and two in a row are an outage.
    kinds.filter((kind) => SCALE > 1 || kind === "lost" || !what.startsWith("a sweep")).flatMap((kind) => (SCALE > 1 ? [1, 2] : [2]).map((times) => ({ name: `${what}, ${kind} ×${times}`, moment, kind, times }))),
  );
  await inLanes([deployment, second], rows, async (deployment, { name, moment, ...trouble }) => {
    // Each batch in turn, until the operation ends before it reaches the batch that should fail.
    let nth = 1;
    while (await strikes(deployment, moment, { ...trouble, nth }, name)) nth += 1;
    assert.ok(nth > 1, "the trouble struck at least once");
    struck += nth - 1;
  });
  console.log(`counted: ${struck} batches without an answer on workerd`);
});

/**
 * Plays the moment with trouble at its nth batch. Returns whether there was such a batch.
 * @param {Deployment} deployment @param {Moment} moment @param {{ kind: "down" | "lost", times: number, nth: number }} trouble @param {string} name
 */
async function strikes(deployment, moment, trouble, name) {
  const who = await moment.prepare(deployment);
  await deployment.trouble(trouble);
  try {
    await moment.act(deployment, who);
    const { batches } = await deployment.batches();
    await deployment.trouble(null);
    await deployment.promises();
    await isOver(deployment, moment, who);
    return batches >= trouble.nth;
  } catch (error) {
    throw new Error(`${name}, batch ${trouble.nth}`, { cause: error });
  }
}
