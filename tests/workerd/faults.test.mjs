// Everything that can go wrong with a create, in both forms: it did not happen, or it happened and the answer was lost.
// The tests check what the member gets, and that two sweeps later the promises of `oracle.mjs` hold and the member can
// claim.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { until } from "../harness/index.mjs";
import { audit, breakAt, mend } from "./breaking.mjs";
import { CREATE, DELETE, Deployment, LIST, TEN_MINUTES, secretsIn } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(async () => {
  await deployment.sandbox.clearFaults();
  await deployment.endPause();
});

const UNKNOWN = [503, "claim_unknown"];
const MISMATCH = [502, "openrouter_mismatch"];
const REFUSED = [502, "openrouter_refused"];
const CREDENTIAL = [503, "credential_refused"];
const BUSY = [503, "openrouter_busy"];

/**
 * The fault, its options, the answer, Retry-After, the state right after it, and whether the upstream made a key.
 * @type {[string, object, (string | number)[], string | null, string, boolean][]}
 */
const FAULTS = [
  ["refuse", { status: 400 }, REFUSED, null, "void", false],
  ["refuse", { status: 402 }, REFUSED, null, "void", false],
  ["refuse", { status: 401 }, CREDENTIAL, "600", "void", false],
  ["refuse", { status: 403 }, CREDENTIAL, "600", "void", false],
  ["rate_limited", {}, BUSY, "30", "void", false],
  ["rate_limited", { retry_after: 7 }, BUSY, "7", "void", false],
  ["rate_limited", { retry_after: 86_400 }, BUSY, "300", "void", false],
  ["error_before", { status: 500 }, UNKNOWN, "600", "verifying", false],
  ["error_after", { status: 500 }, UNKNOWN, "600", "verifying", true],
  ["error_after", { status: 408 }, UNKNOWN, "600", "verifying", true],
  ["reset_before", {}, UNKNOWN, "600", "verifying", false],
  ["reset_after", {}, UNKNOWN, "600", "verifying", true],
  ["truncated", {}, UNKNOWN, "600", "verifying", true],
  ["html", {}, UNKNOWN, "600", "verifying", true],
  ["html_error", {}, UNKNOWN, "600", "verifying", false],
  ["echo_limit_missing", {}, MISMATCH, null, "revoked", true],
  ["echo_limit_larger", {}, MISMATCH, null, "revoked", true],
  ["echo_reset_wrong", {}, MISMATCH, null, "revoked", true],
  ["echo_expiry_later", {}, MISMATCH, null, "revoked", true],
  ["echo_name_wrong", {}, MISMATCH, null, "verifying", true],
  ["hash_missing", {}, MISMATCH, null, "verifying", true],
  ["key_missing", {}, MISMATCH, null, "revoked", true],
];

for (const [kind, options, [status, code], retryAfter, state, made] of FAULTS) {
  const title = `${kind} ${Object.values(options).join(" ")}`.trim();
  test(`a create with ${title} is answered with ${status} ${code}, and two sweeps later nothing of it is left`, async () => {
    const member = await deployment.member();
    const before = (await deployment.sandbox.ledger()).keys.length;
    await deployment.sandbox.fault({ operation: CREATE, kind, ...options });
    const answer = await deployment.claim(member);
    assert.deepEqual([answer.status, answer.body.code, answer.headers.get("retry-after")], [status, code, retryAfter]);
    assert.equal(answer.headers.get("cache-control"), "no-store, no-transform");
    const { keys } = await deployment.sandbox.ledger();
    assert.equal(keys.length - before, made ? 1 : 0, "what really happened upstream");
    assert.deepEqual(await deployment.states(member), [state]);
    await deployment.promises();
    await isOverAfterTwoSweeps(member);
  });
}

/** @param {import("../harness/index.mjs").Client} member */
async function isOverAfterTwoSweeps(member) {
  await deployment.sandbox.clearFaults();
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
  assert.equal(await workingKeys(member), 0, "nothing works that nobody was given");
  await deployment.endPause();
  const again = await deployment.claim(member);
  assert.deepEqual([again.status, secretsIn(again).length], [201, 1], "the member can claim");
  assert.equal(await workingKeys(member), 1);
  await deployment.promises({ settled: true });
}

/** @param {import("../harness/index.mjs").Client} member */
async function workingKeys(member) {
  const names = (await deployment.generations(member)).map((row) => row.upstream_name);
  const { keys } = await deployment.sandbox.ledger();
  return keys.filter((/** @type {any} */ key) => names.includes(key.name) && key.deleted_at_ms === null && !key.disabled).length;
}

test("a create that stalls is answered as unknown after ten seconds, is sent once, and its late answer gives nobody a secret", async () => {
  const member = await deployment.member();
  const before = await deployment.calls(CREATE);
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const startedAt = performance.now();
  const answer = await deployment.claim(member);
  const seconds = (performance.now() - startedAt) / 1000;
  assert.deepEqual([answer.status, answer.body.code], UNKNOWN);
  assert.ok(seconds > 9 && seconds < 13, `it took ${seconds} s`);
  await deployment.sandbox.release();
  assert.equal((await deployment.calls(CREATE)) - before, 1);
  assert.deepEqual(await deployment.states(member), ["verifying"]);
  await deployment.promises();
  await isOverAfterTwoSweeps(member);
});

test("a create reported as lost that takes effect after the member has claimed again is removed by the next sweep", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "late" });
  assert.deepEqual((await deployment.claim(member)).body.code, "claim_unknown");
  await isOverAfterTwoSweeps(member);
  await deployment.sandbox.land();
  assert.equal(await workingKeys(member), 2);
  await deployment.pass(TEN_MINUTES);
  assert.equal((await deployment.sweep())?.outcome, "done");
  assert.equal(await workingKeys(member), 1);
  await deployment.promises({ settled: true });
});

test("a transport that repeats the create makes two keys of one name; the delivered one stays, the other is deleted", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "duplicate" });
  assert.equal((await deployment.claim(member)).status, 201);
  assert.equal(await workingKeys(member), 2);
  await deployment.twoSweeps();
  assert.equal(await workingKeys(member), 1);
  await deployment.promises({ settled: true });
});

test("an echo that lacks the expiry, has unknown members or writes times in another form is understood", async () => {
  for (const kind of ["echo_expiry_missing", "extra_members", "odd_timestamps"]) {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind });
    assert.equal((await deployment.claim(member)).status, 201, kind);
  }
  await deployment.promises({ settled: true });
});

test("a Retry-After of OpenRouter applies to everybody: until it ends, no claim is sent", async () => {
  const [first, second] = [await deployment.member(), await deployment.member()];
  await deployment.sandbox.fault({ operation: CREATE, kind: "rate_limited", retry_after: 60 });
  assert.equal((await deployment.claim(first)).body.code, "openrouter_busy");
  const before = await deployment.calls(CREATE);
  const waiting = await deployment.claim(second);
  assert.deepEqual([waiting.status, waiting.body.code], BUSY);
  assert.equal((await deployment.calls(CREATE)) - before, 0);
  await deployment.pass(61);
  assert.equal((await deployment.claim(second)).status, 201);
  await deployment.promises({ settled: true });
});

test("while OpenRouter's list is down, forbidden or an HTML page, a sweep fails, frees nothing and deletes nothing", async () => {
  const [member, holder] = [await deployment.member(), await deployment.member()];
  assert.equal((await deployment.claim(holder)).status, 201);
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await deployment.claim(member)).body.code, "claim_unknown");
  const deletes = await deployment.calls(DELETE);
  const outages = [
    { code: "credential_refused", kind: "refuse", status: 403 },
    { code: "credential_refused", kind: "refuse", status: 401 },
    { code: "openrouter_busy", kind: "rate_limited", retry_after: 30 },
    { code: "openrouter_unavailable", kind: "html" },
    { code: "openrouter_unavailable", kind: "reset_before" },
  ];
  for (const { code, ...outage } of outages) {
    await deployment.sandbox.fault({ operation: LIST, times: 0, ...outage });
    await deployment.pass(TEN_MINUTES);
    const run = await deployment.sweep();
    assert.deepEqual([run?.outcome, run?.code], ["failed", code], outage.kind);
    assert.deepEqual(await deployment.states(member), ["verifying"]);
    await deployment.sandbox.clearFaults();
  }
  assert.equal((await deployment.calls(DELETE)) - deletes, 0);
  await deployment.promises();
  await isOverAfterTwoSweeps(member);
});

test("while deletes fail, the row stays as it is and is tried again later; one that cannot be deleted holds up no other", async () => {
  const [stuck, other] = [await deployment.member(), await deployment.member()];
  await deployment.sandbox.fault({ operation: CREATE, kind: "echo_limit_larger" });
  await deployment.sandbox.fault({ operation: DELETE, kind: "refuse", status: 400 });
  assert.equal((await deployment.claim(stuck)).body.code, "openrouter_mismatch");
  assert.deepEqual(await deployment.states(stuck), ["revoking"]);
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await deployment.claim(other)).body.code, "claim_unknown");
  await deployment.pass(TEN_MINUTES);
  // The first two deletes of the sweep are the revocation itself and the deletion of its stray in the listing.
  await deployment.sandbox.fault({ operation: DELETE, kind: "refuse", status: 400 });
  const run = await deployment.sweep();
  assert.deepEqual([run?.outcome, run?.counts.postponed], ["done", 1]);
  assert.deepEqual(await deployment.states(other), ["void"], "the other row is settled");
  await deployment.promises();
  await isOverAfterTwoSweeps(stuck);
});

test("a batch that D1 refuses is logged with its cause, its statements and the id of the request", async () => {
  const member = await deployment.member();
  await breakAt(deployment, audit("recorded"));
  const refused = await deployment.claim(member);
  await mend(deployment);
  const id = refused.headers.get("x-request-id") ?? "";
  assert.match(id, /^req_/);
  const failure = await until(() => deployment.worker.logs().find((line) => line.includes(id) && line.includes('"database_failed"')), { seconds: 10, what: "the line of the log" });
  const { level, kind, cause, statements } = JSON.parse(failure);
  assert.deepEqual([level, kind], ["info", "constraint"]);
  assert.match(cause, /broken by a test/);
  assert.ok(statements.includes("mints::RECORD_GUARD"), failure);
  assert.ok(deployment.worker.logs().filter((line) => line.includes(id)).every((line) => JSON.parse(line).request_id === id));
});
