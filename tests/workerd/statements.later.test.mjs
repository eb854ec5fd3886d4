// As in `statements.test.mjs`, for what comes after a key's claim: plans and what admins grant beside them, rotations,
// limits, alerts and the nightly comparison.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { allWereBroken, audit, becomes, breakAt, breaking, breaksIn, isWhole, mend } from "./breaking.mjs";
import { claiming } from "./moments.mjs";
import { ASSIGN, CREATE, Deployment, TEN_MINUTES, secretsIn } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */
/** @typedef {import("../harness/index.mjs").Client} Client */
/** @typedef {import("./support.mjs").Answer} Answer */

const UPDATE = "openrouter.keys.update";
/** What a run records while it works. */
const BEFORE_ITS_END = "BEFORE UPDATE OF cursor ON runs WHEN NEW.ended_at IS NULL";
const HOUR = 3_600;
const DAY = 86_400;

/** @type {Deployment} */
let deployment;
/** A deployment in which no time passes. @type {Deployment} */
let byNight;
before(async () => {
  [deployment, byNight] = await Promise.all([Deployment.open(), Deployment.open()]);
});
after(() => Promise.all([deployment?.close(), byNight?.close()]));
afterEach(async () => {
  await mend(deployment);
  await deployment.sandbox.clearFaults();
  await deployment.endPause();
});

/** A member with a key. */
async function holder(at = deployment) {
  const member = await at.member();
  assert.equal((await at.claim(member)).status, 201);
  return member;
}

/** @param {Client} member @param {number} usd on their newest key */
async function spend(member, usd) {
  const generation = (await deployment.generations(member)).at(-1);
  await deployment.sandbox.spend(generation?.upstream_hash, usd);
}

/** An owner with two keys, on a plan that has room for both. No other test uses this owner. @param {Deployment} deployment */
async function ownerOfTwo(deployment) {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const id = await deployment.memberId(member);
  assert.equal((await operator.post(`/api/v1/admin/members/${id}/plan`, { plan: "basic" })).status, 200);
  const first = (await deployment.claim(member)).body.key;
  const second = (await member.post("/api/v1/keys", { name: "second" })).body.key;
  return { member, operator, id, first: `/api/v1/keys/${first.id}`, second: `/api/v1/keys/${second.id}` };
}

test("plans, grants, further keys and requested runs are written completely or not at all", async (t) => {
  const own = await Deployment.open();
  t.after(() => own.close());
  const { member, operator, id, first, second } = await ownerOfTwo(own);
  const state = () => own.worker.d1(`SELECT (SELECT json_group_array(p.name || p.rev || p.limit_nano || p.is_default) FROM plans p) AS plans,
    (SELECT json_group_array(o.plan_id || '/' || o.plan_rev || COALESCE(o.prepaid_since, '')) FROM owners o) AS owners,
    (SELECT json_group_array(json_array(k.public_id, k.plan_id, k.ended_at, k.own_limit_nano, k.preferred_at)) FROM keys k) AS keys,
    (SELECT json_group_array(h.key_id || h.reason) FROM holds h) AS holds, (SELECT json_group_array(r.public_id || COALESCE(r.until, '')) FROM raises r) AS raises,
    (SELECT COUNT(*) FROM payments) AS payments, (SELECT COUNT(*) FROM audit) AS audit,
    (SELECT json_group_array(json_array(g.state, g.limit_nano, g.cap_due_at, g.lifetime_at_switch_nano, g.prepaid_spent_nano, g.prepaid_reserved_nano)) FROM generations g) AS generations`);
  /** @param {() => Promise<Answer>} act @param {[string][]} rows */
  const whole = (act, rows) => isWhole(own, state, act, rows);
  const capDue = "BEFORE UPDATE OF cap_due_at ON generations";
  const assign = (/** @type {string} */ plan) => operator.post(`/api/v1/admin/members/${id}/plan`, { plan });

  await whole(() => operator.post("/api/v1/admin/plans", { name: "small", limit_usd: "2", limit_reset: "daily", expiry_days: 30, max_active_keys: 1 }), breaking([
    ["plans::CREATE_GUARD", audit("plan_created")],
    ["plans::CREATE", "BEFORE INSERT ON plans"],
  ]));
  await whole(() => operator.patch("/api/v1/admin/plans/basic", { limit_usd: "3", max_active_keys: 1, is_default: true }), breaking([
    ["plans::CHANGE_GUARD", audit("plan_changed")],
    ["plans::NO_DEFAULT", "BEFORE UPDATE OF is_default ON plans WHEN NEW.is_default < OLD.is_default"],
    ["plans::CHANGE", "BEFORE UPDATE OF rev ON plans"],
    ["plans::DUE", capDue],
    ["over_quota::EXCESS_OF_PLAN", audit("hold_put")],
    ["over_quota::PUT", "BEFORE INSERT ON holds"],
  ]));
  await whole(() => operator.patch("/api/v1/admin/plans/basic", { max_active_keys: 2 }), []);
  await whole(() => assign("small"), breaking([
    ["allowances::ASSIGN_GUARD", audit("plan_assigned")],
    ["allowances::ASSIGN", "BEFORE UPDATE OF plan_id ON owners"],
    ["allowances::ASSIGN_KEYS", "BEFORE UPDATE OF plan_id ON keys"],
    ["plans::OWNER_DUE", capDue],
    ["over_quota::EXCESS_OF_OWNER", audit("hold_put")],
  ]));
  assert.deepEqual(await own.twoSweeps(), ["done", "done"]);
  await whole(() => assign("prepaid"), breaking([["allowances::SWITCHED", "BEFORE UPDATE OF lifetime_at_switch_nano ON generations"]]));
  await whole(() => operator.post(`/api/v1/admin/members/${id}/payments`, { payment_id: "of-a-test", amount_usd: "4" }), breaking([
    ["payments::PAY_GUARD", audit("payment_booked")],
    ["payments::PAY", "BEFORE INSERT ON payments"],
  ]));
  await whole(() => assign("basic"), breaking([
    ["over_quota::WITHIN_QUOTA_OF_OWNER", audit("hold_lifted")],
    ["allowances::RESERVED", "BEFORE UPDATE OF prepaid_reserved_nano ON generations"],
  ]));
  await own.twoSweeps();

  await whole(() => member.post(`${first}/limit`, { limit_usd: "0.50" }), breaking([
    ["preferences::OWN_LIMIT_GUARD", audit("own_limit_set")],
    ["preferences::OWN_LIMIT", "BEFORE UPDATE OF own_limit_nano ON keys"],
  ]));
  await whole(() => member.post(`${second}/prefer`), breaking([
    ["preferences::PREFER_GUARD", audit("key_preferred")],
    ["preferences::PREFER", "BEFORE UPDATE OF preferred_at ON keys"],
  ]));
  const raised = await whole(() => operator.post(`/api/v1/admin/keys/${second.split("/").at(-1)}/raises`, { amount_usd: "1" }), breaking([
    ["raises::RAISE_GUARD", audit("limit_raised")],
    ["raises::RAISE", "BEFORE INSERT ON raises"],
  ]));
  await whole(() => operator.delete(`/api/v1/admin/raises/${raised.body.raise.id}`), breaking([
    ["raises::END_RAISE_GUARD", audit("raise_ended")],
    ["raises::END_RAISE", "BEFORE UPDATE ON raises"],
  ]));

  // A further key takes the place of a key that was never made.
  assert.equal((await member.delete(second)).body.key.state, "revoked");
  await own.sandbox.fault({ operation: CREATE, kind: "refuse" });
  assert.equal((await member.post("/api/v1/keys", { name: "third" })).status, 502);
  await whole(() => member.post("/api/v1/keys", { name: "fourth" }), breaking([
    ["claims::MAKE_ROOM", "BEFORE UPDATE OF ended_at ON keys"],
    ["claims::CREATED", "BEFORE INSERT ON keys"],
  ]));
  const ask = () => operator.post("/api/v1/admin/jobs/reconcile", { dry_run: true });
  for (const [when] of breaking([["runs::KEEP", BEFORE_ITS_END]])) {
    await breakAt(own, when);
    assert.equal((await ask()).status, 500);
    await mend(own);
    // A run that did not begin is closed, so that nobody waits for it.
    assert.deepEqual(await own.worker.d1("SELECT outcome, code FROM runs ORDER BY id DESC LIMIT 1"), [{ outcome: "failed", code: "storage_unavailable" }]);
  }
  await whole(ask, breaking([
    ["runs::ASK_GUARD", audit("job_asked")],
  ]));
  assert.deepEqual(await own.twoSweeps(), ["done", "done"]);
  await own.promises({ settled: true });
});

test("alarms are raised and ended completely or not at all, and again by the next run", async (t) => {
  const own = await Deployment.open();
  t.after(() => own.close());
  assert.equal((await own.claim(await own.member())).status, 201);
  // The operator's sign-in writes the last row of the audit, which will be lost.
  const operator = await own.member("operator");
  await own.pass(TEN_MINUTES);
  assert.equal((await own.sweep())?.outcome, "done");
  const settings = async () => (await operator.get("/api/v1/admin/settings")).body;
  /** @param {[string][]} rows @param {string} code how the run ends if nothing is broken */
  const raising = async (rows, code) => {
    const was = await settings();
    for (const [when] of rows) {
      await breakAt(own, when);
      const run = await own.sweep();
      await mend(own);
      assert.deepEqual([run?.outcome, run?.code], ["failed", "storage_unavailable"], when);
      assert.deepEqual(await settings(), was, when);
    }
    assert.equal((await own.sweep())?.code, code);
    assert.notDeepEqual(await settings(), was);
  };
  /** @param {object} json @param {[string][]} rows */
  const accepting = (json, rows) => isWhole(own, settings, () => operator.patch("/api/v1/admin/settings", json), rows);

  const [{ sql }] = await own.worker.d1("SELECT sql FROM sqlite_master WHERE name = 'audit_never_deleted'");
  await own.worker.d1(`DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE id = (SELECT MAX(id) FROM audit); ${sql}; SELECT 1`);
  await raising(breaking([
    ["alarms::SUSPECT_GUARD", audit("restore_suspected")],
    ["alarms::SUSPECT", "BEFORE UPDATE OF restore ON settings"],
  ]), "database_restored");
  await accepting({ restore: "accept" }, breaking([
    ["alarms::ACCEPT_GUARD", audit("restore_accepted")],
    ["alarms::ACCEPT_RESTORE", "BEFORE UPDATE OF restore_since ON settings"],
  ]));
  const [{ home }] = await own.worker.d1("SELECT home_workspace_id AS home FROM settings");
  await own.worker.d1("UPDATE settings SET home_workspace_id = 'of-another-account'");
  await raising(breaking([
    ["alarms::LOST_GUARD", audit("account_lost")],
    ["alarms::ACCOUNT", "BEFORE UPDATE OF account ON settings"],
  ]), "foreign_account");
  await own.worker.d1("UPDATE settings SET home_workspace_id = ?1", [home]);
  await raising(breaking([
    ["alarms::FOUND_GUARD", audit("account_found")],
    ["alarms::ACCOUNT", "BEFORE UPDATE OF account ON settings"],
  ]), /** @type {any} */ (null));
  await accepting({ account: "accept" }, breaking([["alarms::ACCEPT_ACCOUNT", "BEFORE UPDATE OF account_since ON settings"]]));
  assert.deepEqual(await own.twoSweeps(), ["done", "done"]);
  await own.promises({ settled: true });
});

/**
 * Asserts that a failed rotation was not released, so that the sweep has to do it.
 * @param {Client} member
 * @param {object | string} how
 */
async function isLeftToTheSweep(member, how) {
  const [{ key_id, public_id }] = await deployment.generations(member);
  const holds = await deployment.worker.d1("SELECT reason FROM holds WHERE key_id = ?1", [key_id]);
  if (how === AT_ONCE) assert.deepEqual(holds, [{ reason: "rotation" }]);
  else assert.ok(deployment.worker.logs().some((line) => line.includes("cap_left_low") && line.includes(public_id)), "the Worker says so");
}

const AT_ONCE = {};
const GRACE = { grace_hours: 1 };
const LEAKED = "leaked";
const lifts = "BEFORE INSERT ON audit WHEN NEW.action = 'rotation_ended' AND NEW.before = 'rotation'";
const releasesLock = "BEFORE DELETE ON holds WHEN OLD.reason = 'rotation'";

for (const [what, when, how, kind] of breaking(/** @type {[string, string, string, object | string, string?][]} */ ([
  ["rotations::BEGIN_GUARD", "the audit row that locks a key", audit("rotation_begun"), AT_ONCE],
  ["rotations::HOLD", "the hold of a rotation", "BEFORE INSERT ON holds WHEN NEW.reason = 'rotation'", AT_ONCE],
  ["rotations::RESERVE_GUARD", "the audit row of a successor's reservation", audit("reserved"), AT_ONCE],
  ["rotations::GENERATION", "a successor's reservation", "BEFORE INSERT ON generations", AT_ONCE],
  ["rotations::BOOK", "the old secret's spend", "BEFORE UPDATE OF usage_read_at ON generations", AT_ONCE],
  ["successors::RECORD_GUARD", "the audit row of a successor's record", audit("recorded"), AT_ONCE],
  ["successors::SUPERSEDE_GUARD", "the audit row of what it replaces", audit("superseded"), AT_ONCE],
  ["successors::REVOKE", "the end of what it replaces", "BEFORE UPDATE ON generations WHEN NEW.state = 'revoking' AND OLD.state = 'disabled'", AT_ONCE],
  ["successors::ENDED_GUARD", "the audit row of a rotation's end", "BEFORE INSERT ON audit WHEN NEW.action = 'rotation_ended' AND NEW.before IS NULL", AT_ONCE],
  ["successors::UNLOCK", "the end of a rotation's hold", releasesLock, AT_ONCE],
  ["successors::LIFT_GUARD", "the audit row of a lock's release", lifts, AT_ONCE, "refuse"],
  ["successors::LIFT", "the release of a lock", releasesLock, AT_ONCE, "refuse"],
  ["rotations::CAP_DUE", "that the old secret's cap is due", "BEFORE UPDATE OF cap_due_at ON generations", GRACE],
  ["successors::GRACE", "the old secret's grace", "BEFORE UPDATE OF grace_until ON generations WHEN NEW.grace_until IS NOT NULL", GRACE],
  ["successors::CAP_DUE", "that the old secret's cap is due again", "BEFORE UPDATE OF cap_due_at ON generations WHEN NEW.cap_due_at <= unixepoch() AND OLD.cap_due_at <= unixepoch()", GRACE, "refuse"],
  ["rotations::LEAK_GUARD", "the audit row of a leak", audit("hold_put"), LEAKED],
]))) {
  test(`a rotation in which ${what} cannot be written gives out no secret, and the key is one that works again`, async () => {
    const member = await holder();
    const key = await deployment.keyPath(member);
    if (kind) await deployment.sandbox.fault({ operation: CREATE, kind });
    await breakAt(deployment, when);
    const answer = how === LEAKED ? await member.post(`${key}/leaked`) : await member.post(`${key}/rotate`, how);
    assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`);
    assert.deepEqual(secretsIn(answer), []);
    if (kind) await isLeftToTheSweep(member, how);
    await deployment.promises();
    await mend(deployment);
    await deployment.recovers(member);
    assert.equal((await member.post(`${key}/rotate`)).status, 201);
    await deployment.twoSweeps();
    await deployment.promises({ settled: true });
  });
}

test("a leak whose older secret cannot be marked as revoked is reported completely by the next try", async () => {
  const member = await holder();
  const key = await deployment.keyPath(member);
  assert.equal((await member.post(`${key}/rotate`, GRACE)).status, 201);
  const state = () => deployment.worker.d1("SELECT (SELECT COUNT(*) FROM audit) AS audit, (SELECT COUNT(*) FROM holds) AS holds, (SELECT json_group_array(state) FROM generations) AS states");
  await isWhole(deployment, state, () => member.post(`${key}/leaked`), breaking([["rotations::LEAK_GRACE_GUARD", audit("grace_ended")]]));
  await deployment.twoSweeps();
  await deployment.promises({ settled: true });
});

/** @type {Moment} */
const sweepingADeadRotation = {
  prepare: async (deployment) => {
    const member = await holder();
    await deployment.sandbox.fault({ operation: CREATE, kind: "refuse" });
    await breakAt(deployment, lifts);
    assert.ok((await member.post(`${await deployment.keyPath(member)}/rotate`)).status >= 500);
    await mend(deployment);
    await deployment.pass(TEN_MINUTES);
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

/** The same, with another key whose turn comes later. @type {Moment} */
const sweepingTwoCaps = {
  prepare: async (deployment) => {
    const { member, first } = await ownerOfTwo(deployment);
    await deployment.sandbox.fault({ operation: UPDATE, kind: "error_before", times: 0 });
    assert.equal((await member.post(`${first}/limit`, { limit_usd: "2.00" })).status, 202);
    await deployment.sandbox.clearFaults();
    await deployment.pass(TEN_MINUTES);
    const [{ owner_id }] = await deployment.generations(member);
    await deployment.worker.d1("UPDATE generations SET cap_due_at = id WHERE owner_id = ?1 AND live = 1", [owner_id]);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A removed key has spent more than was known, and its successor has nothing left. @type {Moment} */
const sweepingUpTheRest = {
  prepare: async (deployment) => {
    const member = await holder();
    await spend(member, 1);
    assert.equal((await member.delete(await deployment.keyPath(member))).body.key.state, "revoked");
    assert.equal((await deployment.claim(member)).status, 201);
    const [{ upstream_hash: hash }] = await deployment.generations(member);
    await deployment.sandbox.spend(hash, 4);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  mend: (deployment) => deployment.passEverywhere(DAY),
  tidy: (deployment) => deployment.sandbox.clock(-DAY * 1000),
};

/** The day after that. @type {Moment} */
const sweepingANewDay = {
  prepare: async (deployment) => {
    const member = await sweepingUpTheRest.prepare(deployment);
    assert.equal((await deployment.sweep())?.counts.disabled, 1);
    await deployment.passEverywhere(DAY);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  tidy: (deployment) => deployment.sandbox.clock(-DAY * 1000),
};

/** One of two keys is over the plan's quota, and the other one is removed. @type {Moment} */
const sweepingAKeyThatFits = {
  prepare: async (deployment) => {
    const { member, operator, id, second } = await ownerOfTwo(deployment);
    assert.equal((await member.post(`${second}/prefer`)).status, 200);
    assert.equal((await operator.post(`/api/v1/admin/members/${id}/plan`, { plan: "free" })).status, 200);
    assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
    assert.equal((await member.delete(second)).body.key.state, "revoked");
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** @type {Moment} */
const claimingWithNothingLeft = {
  prepare: async (deployment) => {
    const member = await holder();
    await spend(member, 5);
    assert.equal((await member.delete(await deployment.keyPath(member))).body.key.state, "revoked");
    return member;
  },
  act: claiming.act,
  mend: (deployment) => deployment.passEverywhere(DAY),
  tidy: (deployment) => deployment.sandbox.clock(-DAY * 1000),
};

let leftovers = 0;

/** A claim of a key on which an earlier generation has left a `budget` hold. @type {Moment} */
const claimingWithABudget = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind: "refuse" });
    assert.ok((await deployment.claim(member)).status >= 500);
    const [{ key_id }] = await deployment.generations(member);
    const change = `leftover-${leftovers++}`;
    await deployment.worker.d1(`INSERT INTO audit (change_id, target, action, actor, at) VALUES ('${change}', 'a key', 'hold_put', 'test', 1);
      INSERT INTO holds (key_id, reason, actor, since, change_id) VALUES (${key_id}, 'budget', 'test', 1, '${change}'); SELECT 1`);
    return member;
  },
  act: claiming.act,
};

const ASKED_NOW = "NEW.cap_due_at <= unixepoch()";
const capDue = (/** @type {string} */ which) => `BEFORE UPDATE OF cap_due_at ON generations WHEN ${which}`;

for (const [what, when, moment] of breaking(/** @type {[string, string, string, Moment][]} */ ([
  ["successors::DEAD_GUARD", "the audit row of a dead rotation's end", lifts, sweepingADeadRotation],
  ["successors::DEAD", "a dead rotation's end", releasesLock, sweepingADeadRotation],
  ["successors::GRACES_GUARD", "the audit row of a grace's end", audit("grace_ended"), sweepingAGrace],
  ["successors::GRACES_HEIRS", "that a successor's cap is due", capDue(ASKED_NOW), sweepingAGrace],
  ["successors::GRACES", "a grace's end", becomes("revoking"), sweepingAGrace],
  ["caps::TAKE", "that a cap is taken up", capDue("NEW.cap_due_at > unixepoch()"), sweepingACap],
  ["limits::ABOUT_TO", "the mark of a limit in flight", "BEFORE UPDATE OF limit_sent_at ON generations WHEN NEW.op_nonce <> OLD.op_nonce", sweepingACap],
  ["limits::CONFIRMED_GUARD", "the audit row of a limit", audit("cap_changed"), sweepingACap],
  ["limits::CONFIRMED", "a limit", "BEFORE UPDATE OF limit_nano ON generations", sweepingACap],
  ["limits::RECORD_SPEND", "the spend that the answer shows", "BEFORE UPDATE OF usage_read_at ON generations", sweepingACap],
  ["caps::NEXT", "when to look again", capDue("NEW.cap_due_at IS NULL"), sweepingACap],
  ["limits::OTHERS", "that a sibling's cap is due", capDue("NEW.cap_due_at = OLD.cap_due_at"), sweepingTwoCaps],
  ["limits::EXHAUSTED", "that nothing is left", "BEFORE INSERT ON holds WHEN NEW.reason = 'budget'", sweepingUpTheRest],
  ["limits::HAS_BUDGET", "that there is something again", "BEFORE DELETE ON holds WHEN OLD.reason = 'budget'", sweepingANewDay],
  ["guardrails::ABOUT_TO", "the mark of a guardrail in flight", "BEFORE UPDATE OF guardrail_sent_at ON generations WHEN NEW.op_nonce <> OLD.op_nonce", sweepingAGuardrail],
  ["guardrails::CONFIRMED_GUARD", "the audit row of a guardrail", audit("guardrail_changed"), sweepingAGuardrail],
  ["guardrails::CONFIRMED", "a guardrail", "BEFORE UPDATE OF guardrail_id ON generations WHEN NEW.state = OLD.state", sweepingAGuardrail],
  ["over_quota::WITHIN_QUOTA", "the audit row of a key that is within the quota again", audit("hold_lifted"), sweepingAKeyThatFits],
  ["over_quota::LIFT", "that a key is within the quota again", "BEFORE DELETE ON holds WHEN OLD.reason = 'plan'", sweepingAKeyThatFits],
  ["over_quota::CAPS_DUE", "that the cap of a key within the quota is due", capDue(ASKED_NOW), sweepingAKeyThatFits],
  ["mints::BUDGET_HOLD", "that a new key has nothing left", "BEFORE INSERT ON holds WHEN NEW.reason = 'budget'", claimingWithNothingLeft],
  ["mints::BUDGET_LIFT", "that a new key has a budget", "BEFORE DELETE ON holds WHEN OLD.reason = 'budget'", claimingWithABudget],
]))) {
  test(`${what} that cannot be written down fails with an answer of ours, and nothing stays stuck`, () => breaksIn(deployment, moment, when));
}

/** Runs the nightly run, some time after the previous one. @param {Deployment} deployment */
async function night(deployment) {
  const { outcome, code } = await deployment.night();
  return [outcome, code];
}

/** A change that somebody made to a key at the upstream. @param {string} method @param {object} [json] */
const meddling = (method, json) => async (/** @type {Deployment} */ deployment, /** @type {any} */ generation) => {
  await deployment.management(method, `/keys/${generation.upstream_hash}`, json);
};

/**
 * A key that its owner has disabled and that somebody has enabled at the upstream.
 * @param {Deployment} deployment
 * @param {any} generation
 */
async function wasEnabled(deployment, generation) {
  await deployment.worker.d1(`INSERT INTO audit (change_id, target, action, actor, at) VALUES ('held-${generation.public_id}', 'key_t', 'hold_put', 't', 1);
    INSERT INTO holds (key_id, reason, actor, since, change_id) VALUES (${generation.key_id}, 'owner', 't', 1, 'held-${generation.public_id}'); SELECT 1`);
  assert.equal((await deployment.sweep())?.outcome, "done");
  await meddling("PATCH", { disabled: false })(deployment, generation);
}

/** A key that was missing in some night and exists again. @param {Deployment} deployment @param {any} generation */
async function wasMissing(deployment, { public_id: id, state }) {
  await deployment.worker.d1(`INSERT INTO audit (change_id, target, action, actor, before, after, at) VALUES ('missed-${id}', '${id}', 'key_missed', 'reconcile', '${state}', '${state}', 1);
    UPDATE generations SET missing_since = 1 WHERE public_id = '${id}'; SELECT 1`);
}

/** A difference that an earlier night found. @param {Deployment} deployment @param {any} generation */
async function hadDiffered(deployment, { id }) {
  await deployment.worker.d1("INSERT INTO drift (generation_id, kind, first_seen_at, last_seen_at) VALUES (?1, 'name', 1, 1)", [id]);
}

let longAgo = 0;

/** A sign-in that the audit need not retain any longer. @param {Deployment} deployment @param {any} generation */
async function signedInLongAgo(deployment, { public_id: id }) {
  // A night before this one may have pruned within the same second, and would leave nothing to move.
  const [{ sql }] = await deployment.worker.d1("SELECT sql FROM sqlite_master WHERE name = 'settings_retention_audited'");
  await deployment.worker.d1(`DROP TRIGGER settings_retention_audited; UPDATE settings SET audit_since = MAX(audit_since - 60, 0); ${sql};
    INSERT INTO audit (change_id, target, action, actor, at) VALUES ('old-${id}', 'mem_t', 'signed_in', 't', ${1 + longAgo++}), ('new-${id}', 'mem_t', 'hold_put', 't', unixepoch()); SELECT 1`);
}

const nothing = async () => {};

for (const [what, when, happened] of breaking(/** @type {[string, string, string, (deployment: Deployment, generation: any) => Promise<void>][]} */ ([
  ["runs::KEEP", "its cursor", BEFORE_ITS_END, nothing],
  ["drift::SIGHT", "which keys it has seen", "BEFORE INSERT ON sightings", nothing],
  ["drift::NOTE", "a difference", "BEFORE INSERT ON drift", meddling("PATCH", { limit: 5 })],
  ["drift::SWITCH_AGAIN", "that a switch has to be sent again", "BEFORE UPDATE OF switch_doubted_at ON generations", wasEnabled],
  ["drift::LIMIT_AGAIN", "that a limit has to be sent again", "BEFORE UPDATE OF limit_sent_nano ON generations", meddling("PATCH", { limit: 5 })],
  ["missing::MISSED_GUARD", "the audit row of a missing key", audit("key_missed"), meddling("DELETE")],
  ["missing::MISSED", "that a key is missing", "BEFORE UPDATE OF missing_since ON generations", meddling("DELETE")],
  ["missing::FOUND_GUARD", "the audit row of a key that is found again", audit("key_found"), wasMissing],
  ["missing::FOUND", "that a key is found again", "BEFORE UPDATE OF missing_since ON generations", wasMissing],
  ["upstream_holds::HOLD_GUARD", "the audit row of the hold of a key that someone disabled", audit("hold_put"), meddling("PATCH", { disabled: true })],
  ["upstream_holds::HOLD", "the hold of a key that someone disabled", "BEFORE INSERT ON holds", meddling("PATCH", { disabled: true })],
  ["upstream_holds::OFF_GUARD", "the audit row of a key that is disabled already", audit("disabled"), meddling("PATCH", { disabled: true })],
  ["upstream_holds::OFF", "that a key is disabled already", becomes("disabled"), meddling("PATCH", { disabled: true })],
  ["upstream_holds::LIMIT_GUARD", "the audit row of a limit that someone lowered", audit("upstream_limit_kept"), meddling("PATCH", { limit: 1 })],
  ["upstream_holds::CAP_GUARD", "the audit row of the cap that follows it", audit("cap_changed"), meddling("PATCH", { limit: 1 })],
  ["upstream_holds::LIMIT", "a limit that someone lowered", "BEFORE UPDATE OF upstream_limit_nano ON keys", meddling("PATCH", { limit: 1 })],
  ["upstream_holds::CAP", "the cap that follows it", "BEFORE UPDATE OF limit_nano ON generations", meddling("PATCH", { limit: 1 })],
  ["retention::SINCE_GUARD", "the audit row of what it prunes", audit("audit_pruned"), signedInLongAgo],
  ["retention::SINCE", "from when on the audit is complete", "BEFORE UPDATE OF audit_since ON settings", signedInLongAgo],
  ["retention::PRUNE", "the audit without its oldest rows", "BEFORE DELETE ON audit", signedInLongAgo],
  ["drift::CLOSE", "that a difference is gone", "BEFORE DELETE ON drift", hadDiffered],
]))) {
  test(`a nightly comparison that cannot write down ${what} fails, says so, and is finished later`, async () => {
    const own = byNight;
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

test("every statement that this file names was broken", () => allWereBroken(import.meta.filename));
