// Breaks one statement in a batch on real D1, with a trigger: once for each shape of batch. D1 rolls the whole batch
// back, and the Worker reads the error of it as what it is: no secret leaves, nothing is half done, and two sweeps after the
// trigger is gone nothing is stuck. That the same holds for every batch with a statement that writes is shown by
// tests/native/refusals.rs.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CLAIM } from "../harness/index.mjs";
import { audit, becomes, breakAt, breaksIn, isWhole, mend } from "./breaking.mjs";
import { sweepingAHold, sweepingAnExpiry, sweepingUpAKey } from "./moments.mjs";
import { ASSIGN, CREATE, Deployment, LIST, TEN_MINUTES, secretsIn } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */
/** @typedef {import("./support.mjs").Answer} Answer */

const UPDATE = "openrouter.keys.update";
const HOUR = 3_600;
const GRACE = { grace_hours: 1 };

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(async () => {
  await mend(deployment);
  await deployment.sandbox.clearFaults();
  await deployment.endPause();
});

/**
 * Asserts, once everything works again, that two sweeps settle everything and that the member can claim.
 * @param {import("../harness/index.mjs").Client} member
 */
async function isOverAfterTwoSweeps(member) {
  await mend(deployment);
  await deployment.sandbox.clearFaults();
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
  await deployment.endPause();
  const again = await deployment.claim(member);
  assert.equal(secretsIn(again).length, 1, `the member can claim: ${again.status} ${again.text}`);
  await deployment.promises({ settled: true });
}

/** A member with a key. */
async function holder(at = deployment) {
  const member = await at.member();
  assert.equal((await at.claim(member)).status, 201);
  return member;
}

// The nights come first: later tests let time pass, after which a row's expiry differs from that of its upstream key.

/** Runs the nightly run, some time after the previous one. @param {Deployment} deployment */
async function night(deployment) {
  const { outcome, code } = await deployment.night();
  return [outcome, code];
}

/** A change that somebody made to a key at the upstream. @param {string} method @param {object} [json] */
const meddling = (method, json) => async (/** @type {Deployment} */ deployment, /** @type {any} */ generation) => {
  await deployment.management(method, `/keys/${generation.upstream_hash}`, json);
};

let longAgo = 0;

/** A sign-in that the audit need not retain any longer. @param {Deployment} deployment @param {any} generation */
async function signedInLongAgo(deployment, { public_id: id }) {
  // A night before this one may have pruned within the same second, and would leave nothing to move.
  const [{ sql }] = await deployment.worker.d1("SELECT sql FROM sqlite_master WHERE name = 'settings_retention_audited'");
  await deployment.worker.d1(`DROP TRIGGER settings_retention_audited; UPDATE settings SET audit_since = MAX(audit_since - 60, 0); ${sql};
    INSERT INTO audit (change_id, target, action, actor, at) VALUES ('old-${id}', 'mem_t', 'signed_in', 't', ${1 + longAgo++}), ('new-${id}', 'mem_t', 'hold_put', 't', unixepoch()); SELECT 1`);
}

for (const [what, when, happened] of /** @type {[string, string, (deployment: Deployment, generation: any) => Promise<void>][]} */ ([
  ["its cursor", "BEFORE UPDATE OF cursor ON runs WHEN NEW.ended_at IS NULL", async () => {}],
  ["a difference", "BEFORE INSERT ON drift", meddling("PATCH", { limit: 5 })],
  ["the cap that follows a limit that someone lowered", "BEFORE UPDATE OF limit_nano ON generations", meddling("PATCH", { limit: 1 })],
  ["the audit without its oldest rows", "BEFORE DELETE ON audit", signedInLongAgo],
])) {
  test(`a nightly comparison that cannot write down ${what} fails, says so, and is finished later`, async () => {
    const own = deployment;
    const member = await holder(own);
    assert.equal((await member.post(`${await own.keyPath(member)}/limit`, { limit_usd: "4.00" })).status, 200);
    const [generation] = await own.generations(member);
    // So long ago that a difference is no accident of timing.
    await own.agesAudit(TEN_MINUTES);
    await happened(own, generation);
    await breakAt(own, when);
    const failed = await night(own);
    await mend(own);
    assert.deepEqual(failed, ["failed", "storage_unavailable"]);
    await own.promises();
    assert.deepEqual(await night(own), ["done", null]);
    const [{ missing_since }] = await own.generations(member);
    if (missing_since !== null) assert.equal((await member.delete(await own.keyPath(member))).status, 200);
    // No time may pass here, because a row's expiry would then differ from that of its upstream key.
    for (let n = 0; n < 2; n += 1) assert.equal((await own.sweep())?.outcome, "done");
    assert.deepEqual([await night(own), await own.worker.d1("SELECT * FROM drift")], [["done", null], []]);
    await own.promises({ settled: true });
  });
}

for (const [what, when] of [
  ["the new key", "BEFORE INSERT ON keys"],
  ["the seat", "BEFORE UPDATE ON seats WHEN NEW.live > OLD.live"],
  ["what its Idempotency-Key made", "BEFORE UPDATE OF generation_id ON idempotency_keys WHEN NEW.generation_id IS NOT NULL"],
]) {
  test(`a reservation in which ${what} cannot be written is an error, leaves no row and asks the upstream for nothing`, async () => {
    const member = await deployment.member();
    const before = await deployment.calls(CREATE);
    await breakAt(deployment, when);
    const answer = await member.post("/api/v1/claim", CLAIM, { "idempotency-key": "once" });
    assert.deepEqual([answer.status, answer.body.code, secretsIn(answer)], [500, "internal", []]);
    assert.equal((await deployment.calls(CREATE)) - before, 0);
    assert.deepEqual(await deployment.states(member), []);
    await deployment.promises({ settled: true });
    await isOverAfterTwoSweeps(member);
  });
}

test("a key whose record fails is deleted again and its secret never leaves", async () => {
  const member = await deployment.member();
  await breakAt(deployment, becomes("active"));
  const answer = await deployment.claim(member);
  assert.deepEqual([answer.status, answer.body.code, secretsIn(answer)], [500, "internal", []]);
  assert.deepEqual(await deployment.states(member), ["revoked"]);
  await deployment.promises({ settled: true });
  await isOverAfterTwoSweeps(member);
});

test("a key that can neither be recorded nor abandoned is not delivered, not touched, and left to the sweep", async () => {
  const member = await deployment.member();
  await breakAt(deployment, "BEFORE UPDATE OF state ON generations");
  const answer = await deployment.claim(member);
  assert.deepEqual([answer.status, secretsIn(answer)], [500, []]);
  assert.deepEqual(await deployment.states(member), ["minting"]);
  await deployment.promises();
  await isOverAfterTwoSweeps(member);
});

/** A fault of the create, and the write that should follow it. */
for (const [kind, what, when] of [
  ["refuse", "the refusal", becomes("void")],
  ["reset_before", "an unknown outcome", becomes("verifying")],
  ["echo_limit_larger", "the removal's end", becomes("revoked")],
]) {
  test(`a create with ${kind} whose outcome cannot be written, at ${what}, leaves nothing stuck`, async () => {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind });
    await breakAt(deployment, when);
    const answer = await deployment.claim(member);
    assert.ok(answer.status >= 500, `${answer.status}`);
    assert.deepEqual(secretsIn(answer), []);
    assert.notDeepEqual(await deployment.states(member), ["active"]);
    await deployment.promises();
    await isOverAfterTwoSweeps(member);
  });
}

test("a sweep that cannot clear a mint of unknown outcome whose key was found fails, says so, and the next one does it", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await deployment.claim(member)).status, 503);
  await deployment.pass(TEN_MINUTES);
  await breakAt(deployment, becomes("void"));
  const run = await deployment.sweep();
  assert.deepEqual([run?.outcome, run?.code], ["failed", "storage_unavailable"]);
  assert.notDeepEqual(await deployment.states(member), ["void"]);
  await deployment.promises();
  await isOverAfterTwoSweeps(member);
});

test("a sweep that cannot begin touches nothing; one that cannot end is recorded as dead by the next", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await deployment.claim(member)).status, 503);
  await deployment.pass(TEN_MINUTES);
  await breakAt(deployment, "BEFORE INSERT ON runs");
  const lists = await deployment.calls(LIST);
  assert.equal(await deployment.sweep(), undefined);
  assert.equal((await deployment.calls(LIST)) - lists, 0);
  await mend(deployment);
  await breakAt(deployment, "BEFORE UPDATE OF ended_at ON runs");
  const run = await deployment.sweep();
  assert.deepEqual([run?.outcome, run?.ended_at], ["running", null]);
  await isOverAfterTwoSweeps(member);
  assert.deepEqual(await deployment.worker.d1("SELECT outcome FROM runs WHERE id = ?1", [run?.id]), [{ outcome: "abandoned" }]);
});

test("a sign-in that cannot be written down ends without a session and without a member, and can be begun again", async () => {
  const persona = "load-90001";
  await breakAt(deployment, "BEFORE INSERT ON members");
  await assert.rejects(deployment.member(persona), /auth_error=storage_unavailable/);
  await mend(deployment);
  assert.deepEqual(await deployment.worker.d1("SELECT 1 FROM members WHERE login = ?1", [persona]), []);
  assert.equal((await deployment.claim(await deployment.member(persona))).status, 201);
  assert.deepEqual(await deployment.worker.d1("SELECT 1 FROM owners WHERE id NOT IN (SELECT owner_id FROM members)"), [], "no owner without a member");
  await deployment.promises({ settled: true });
});

/** A sweep that closes an expired key that its owner had disabled. @type {Moment} */
const sweepingAnExpiryOfADisabledKey = {
  ...sweepingAnExpiry,
  prepare: async (deployment) => {
    const member = /** @type {any} */ (await sweepingAnExpiry.prepare(deployment));
    assert.equal((await member.patch(await deployment.keyPath(member), { disabled: true })).status, 200);
    return member;
  },
};

/** A sweep that has to forget what is a day old, and a run of long ago. @type {Moment} */
const sweepingUp = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    assert.equal((await member.post("/api/v1/claim", CLAIM, { "idempotency-key": "of-yesterday" })).status, 201);
    await deployment.worker.d1("INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome) VALUES ('run_' || hex(randomblob(12)), 'sweep', 1, 1, 1, 2, 'failed')");
    await deployment.pass(2 * 86_400);
    await deployment.worker.d1("INSERT INTO findings (public_id, upstream_hash, upstream_name, workspace_id, first_seen_at, last_seen_at) VALUES ('fnd_' || hex(randomblob(12)), hex(randomblob(32)), 'gone', 'w', 1, 1)");
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** @type {Moment} */
const sweepingAGrace = {
  prepare: async (deployment) => {
    const member = await holder();
    assert.equal((await member.post(`${await deployment.keyPath(member)}/rotate`, GRACE)).status, 201);
    await deployment.pass(HOUR + TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A change of a limit that the upstream did not answer. @type {Moment} */
const sweepingACap = {
  prepare: async (deployment) => {
    const member = await holder();
    await deployment.sandbox.fault({ operation: UPDATE, kind: "error_before", times: 0 });
    assert.equal((await member.post(`${await deployment.keyPath(member)}/limit`, { limit_usd: "2.00" })).status, 202);
    await deployment.sandbox.clearFaults();
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** An assignment to a guardrail that the upstream did not answer. @type {Moment} */
const sweepingAGuardrail = {
  prepare: async (deployment) => {
    const [member, operator] = [await holder(), await deployment.member("operator")];
    const guardrail_id = await deployment.guardrail("cheap/one");
    assert.equal((await operator.patch("/api/v1/admin/plans/enterprise", { limit_usd: "5", guardrail_id })).status, 200);
    await deployment.sandbox.fault({ operation: ASSIGN, kind: "error_before" });
    assert.equal((await operator.post(`/api/v1/admin/members/${await deployment.memberId(member)}/plan`, { plan: "enterprise" })).status, 200);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

for (const [what, when, moment] of /** @type {[string, string, Moment][]} */ ([
  ["the end of an expired key's hold", "BEFORE DELETE ON holds", sweepingAnExpiryOfADisabledKey],
  ["a removed key's delete", "BEFORE UPDATE OF erased_at ON generations WHEN OLD.state = 'revoked'", sweepingUpAKey],
  ["a disable", becomes("disabled"), sweepingAHold],
  ["the removal of old runs", "BEFORE DELETE ON runs", sweepingUp],
  ["a grace's end", becomes("revoking"), sweepingAGrace],
  ["a limit", "BEFORE UPDATE OF limit_nano ON generations", sweepingACap],
  ["a guardrail", "BEFORE UPDATE OF guardrail_id ON generations WHEN NEW.state = OLD.state", sweepingAGuardrail],
])) {
  test(`${what} that cannot be written down fails with an answer of ours, and nothing stays stuck`, () => breaksIn(deployment, moment, when));
}

test("a rotation whose end cannot be written gives out no secret, and the key is one that works again", async () => {
  const member = await holder();
  const key = await deployment.keyPath(member);
  await breakAt(deployment, "BEFORE INSERT ON audit WHEN NEW.action = 'rotation_ended' AND NEW.before IS NULL");
  const answer = await member.post(`${key}/rotate`, {});
  assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`);
  assert.deepEqual(secretsIn(answer), []);
  await deployment.promises();
  await mend(deployment);
  await deployment.recovers(member);
  assert.equal((await member.post(`${key}/rotate`)).status, 201);
  await deployment.twoSweeps();
  await deployment.promises({ settled: true });
});

test("what members and admins change is written completely or not at all", async () => {
  const persona = "load-90002";
  const [operator, member, asker] = [await deployment.member("operator"), await deployment.member(persona), await deployment.member()];
  assert.equal((await deployment.claim(member)).status, 201);
  const state = () => deployment.worker.d1(`SELECT (SELECT COUNT(*) FROM audit) AS audit, (SELECT json_group_array(h.key_id || h.reason) FROM holds h) AS holds,
    (SELECT json_group_array(json_array(m.status, m.login)) FROM members m) AS members, (SELECT json_group_array(json_array(k.name, k.ended_at)) FROM keys k) AS keys,
    (SELECT json_group_array(json_array(p.name, p.rev)) FROM plans p) AS plans, (SELECT COUNT(*) FROM allotments) AS allotments,
    (SELECT json_group_array(state) FROM requests) AS requests, (SELECT COUNT(*) FROM idempotency_keys) AS taken, s.minting, s.keys, s.claims FROM settings s`);
  /** @param {() => Promise<Answer>} act @param {string} when */
  const whole = (act, when) => isWhole(deployment, state, act, [[when]]);
  const change = (/** @type {object} */ json) => operator.patch("/api/v1/admin/settings", json);

  await whole(() => change({ minting: "stopped" }), audit("minting_switched"));
  const { live_keys: confirm } = (await operator.get("/api/v1/admin/settings")).body;
  await whole(() => change({ keys: "off", confirm }), "BEFORE INSERT ON holds");
  await deployment.twoSweeps();
  await whole(() => change({ keys: "on" }), "BEFORE DELETE ON holds");
  await deployment.twoSweeps();
  assert.equal((await change({ minting: "open" })).status, 200);
  assert.equal((await change({ claims: "by_approval" })).status, 200);
  assert.equal((await asker.post("/api/v1/requests", { kind: "claim" })).status, 201);
  const { requests: [asked] } = (await asker.get("/api/v1/requests")).body;
  await whole(() => operator.patch(`/api/v1/admin/requests/${asked.id}`, { state: "approved" }), "BEFORE INSERT ON allotments");
  assert.equal((await change({ claims: "open" })).status, 200);
  await whole(() => operator.patch("/api/v1/admin/plans/basic", { limit_usd: "3" }), "BEFORE UPDATE OF rev ON plans");
  const key = await deployment.keyPath(member);
  const named = { method: "PATCH", json: { name: "laptop" }, headers: { "idempotency-key": "of-a-rename" } };
  await whole(() => member.call(key, named), "BEFORE INSERT ON idempotency_keys");
  await whole(() => member.delete(key), "BEFORE UPDATE OF ended_at ON keys");
  await whole(() => member.call("/api/v1/me", { method: "DELETE", json: { confirm: persona } }), "BEFORE UPDATE OF login ON members");
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
});
