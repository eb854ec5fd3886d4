// Who may claim, on the real Worker and D1: terms that are accepted with the claim, OpenRouter's terms that an admin
// confirms, claims by approval, and requests.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Deployment } from "./support.mjs";

const SETTINGS = "/api/v1/admin/settings";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

test("a claim without the acceptance is refused, with it the acceptance is on record", async () => {
  const member = await deployment.member();
  const bare = await member.post("/api/v1/claim", {});
  assert.deepEqual([bare.status, bare.body.code, bare.body.terms_revision], [403, "terms_not_accepted", 1]);
  const other = await member.post("/api/v1/claim", { accept_terms: 2 });
  assert.deepEqual([other.status, other.body.code], [409, "terms_changed"]);
  assert.deepEqual((await member.get("/api/v1/me")).body.terms, { revision: 1, accepted_at: null });
  assert.equal((await deployment.claim(member)).status, 201);
  const { terms } = (await member.get("/api/v1/me")).body;
  assert.match(terms.accepted_at, /Z$/);
  const rows = await deployment.worker.d1("SELECT before, after FROM audit WHERE action = 'terms_accepted' AND target = ?1", [await deployment.memberId(member)]);
  assert.deepEqual(rows, [{ before: "0", after: "1" }]);
  await deployment.promises({ settled: true });
});

test("while approval is required a member asks, an admin decides, and then the claim succeeds", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  assert.deepEqual((await member.post("/api/v1/requests", { kind: "claim" })).body.code, "nothing_to_request");
  assert.equal((await operator.patch(SETTINGS, { claims: "by_approval" })).body.claims, "by_approval");
  const refused = await deployment.claim(member);
  assert.deepEqual([refused.status, refused.body.code, refused.body.request], [403, "approval_needed", null]);
  const made = await member.post("/api/v1/requests", { kind: "claim", note: "I teach." });
  assert.equal(made.status, 201);
  const { id } = made.body.request;
  assert.equal((await member.post("/api/v1/requests", { kind: "claim" })).status, 200);
  assert.equal((await member.get("/api/v1/me")).body.claim.refusal.request, "open");
  const { requests, next } = (await operator.get("/api/v1/admin/requests?state=open")).body;
  assert.deepEqual([requests.map((/** @type {any} */ asked) => [asked.id, asked.note]), next], [[[id, "I teach."]], null]);
  assert.equal((await member.patch(`/api/v1/admin/requests/${id}`, { state: "approved" })).status, 404, "an admin's alone");
  for (let n = 0; n < 2; n += 1) assert.equal((await operator.patch(`/api/v1/admin/requests/${id}`, { state: "approved" })).status, 200);
  assert.equal((await operator.patch(`/api/v1/admin/requests/${id}`, { state: "declined" })).body.code, "already_decided");
  assert.equal((await deployment.claim(member)).status, 201);
  assert.equal((await operator.patch(SETTINGS, { claims: "open" })).status, 200);
  await deployment.promises({ settled: true });
});

test("a member whose account is too young gets the reason, and an approved appeal lets them claim", async () => {
  const [newcomer, operator] = [await deployment.member("newcomer"), await deployment.member("operator")];
  const refused = await deployment.claim(newcomer);
  assert.deepEqual([refused.status, refused.body.code, refused.body.request_kind], [403, "account_too_young", "appeal"]);
  const made = await newcomer.post("/api/v1/requests", { kind: "appeal" });
  assert.equal((await operator.patch(`/api/v1/admin/requests/${made.body.request.id}`, { state: "approved", answer: "Welcome." })).status, 200);
  assert.equal((await newcomer.get("/api/v1/requests")).body.requests[0].answer, "Welcome.");
  assert.equal((await deployment.claim(newcomer)).status, 201);
  await deployment.promises({ settled: true });
});

test("an admin's confirmation of OpenRouter's terms is stored with who and when; in development nothing waits for it", async () => {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const before = (await operator.get(SETTINGS)).body;
  assert.deepEqual([before.upstream_terms, before.upstream_terms_by, before.upstream_terms_at], ["unconfirmed", null, null]);
  assert.deepEqual((await member.get("/healthz")).body.closed_by, []);
  assert.equal((await operator.patch(SETTINGS, { upstream_terms: "yes" })).status, 400);
  const after = (await operator.patch(SETTINGS, { upstream_terms: "confirmed" })).body;
  assert.deepEqual([after.upstream_terms, after.upstream_terms_by], ["confirmed", await deployment.memberId(operator)]);
  assert.match(after.upstream_terms_at, /Z$/);
});

test("outside development claims are closed until an admin confirms OpenRouter's terms", async (t) => {
  const elsewhere = await Deployment.open({ vars: { PUBLIC_ORIGIN: "https://keys.example.org", API_KEYS_PAGE: "true" } });
  t.after(() => elsewhere.close());
  const health = JSON.parse(await (await elsewhere.worker.fetch("/healthz")).text());
  assert.deepEqual([health.claims_open, health.closed_by.map((/** @type {any} */ problem) => problem.setting)], [false, ["upstream_terms"]]);
  await elsewhere.worker.d1(`INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'upstream_terms_confirmed', 't', 1);
    UPDATE settings SET upstream_terms = 'confirmed', change_id = 't'; SELECT 1`);
  const open = JSON.parse(await (await elsewhere.worker.fetch("/healthz")).text());
  assert.deepEqual([open.claims_open, open.closed_by], [true, []]);
});
