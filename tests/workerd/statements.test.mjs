// One statement in the middle of a batch fails on real D1, because a trigger breaks it. No secret leaves, nothing is
// half done, and two sweeps after the trigger is gone nothing is stuck. Each row names the statements that it breaks,
// and the last test finds the writing statements of src/store that no row breaks.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { statements } from "../../bench/statements.mjs";
import { CLAIM } from "../harness/index.mjs";
import { inRoot } from "../../scripts/paths.mjs";
import { NOT_ON_D1, allWereBroken, audit, becomes, breakAt, breaking, breaksIn, isWhole, mend, namedIn } from "./breaking.mjs";
import { claiming, isOver, removing, sweepingAHold, sweepingAStray, sweepingAnExpiry, sweepingUpAKey } from "./moments.mjs";
import { CREATE, DELETE, Deployment, LIST, TEN_MINUTES, secretsIn } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */

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

for (const [what, when] of breaking([
  ["terms::ACCEPT_GUARD", "the acceptance's audit row", audit("terms_accepted")],
  ["terms::ACCEPT", "the acceptance of the terms", "BEFORE UPDATE OF terms_rev ON members"],
  ["claims::GUARD", "the reservation's audit row", audit("reserved")],
  ["claims::KEY", "the new key", "BEFORE INSERT ON keys"],
  ["claims::GENERATION", "the new generation", "BEFORE INSERT ON generations"],
  ["claims::GENERATION", "the seat", "BEFORE UPDATE ON seats WHEN NEW.live > OLD.live"],
])) {
  test(`a reservation in which ${what} cannot be written is an error, leaves no row and asks the upstream for nothing`, async () => {
    const member = await deployment.member();
    const before = await deployment.calls(CREATE);
    await breakAt(deployment, when);
    const answer = await deployment.claim(member);
    assert.deepEqual([answer.status, answer.body.code, secretsIn(answer)], [500, "internal", []]);
    assert.equal((await deployment.calls(CREATE)) - before, 0);
    assert.deepEqual(await deployment.states(member), []);
    await deployment.promises({ settled: true });
    await isOverAfterTwoSweeps(member);
  });
}

test("a reservation that cannot remember its Idempotency-Key makes no key either", async () => {
  const member = await deployment.member();
  const before = await deployment.calls(CREATE);
  for (const [when] of breaking([["claims::REMEMBER", "BEFORE UPDATE OF generation_id ON idempotency_keys WHEN NEW.generation_id IS NOT NULL"]])) await breakAt(deployment, when);
  const answer = await member.post("/api/v1/claim", CLAIM, { "idempotency-key": "once" });
  assert.deepEqual([answer.status, secretsIn(answer)], [500, []]);
  assert.equal((await deployment.calls(CREATE)) - before, 0);
  assert.deepEqual(await deployment.states(member), []);
  await isOverAfterTwoSweeps(member);
});

for (const [what, when] of breaking([
  ["mints::RECORD_GUARD", "the record's audit row", audit("recorded")],
  ["mints::RECORD", "the record itself", becomes("active")],
])) {
  test(`a key whose record fails at ${what} is deleted again and its secret never leaves`, async () => {
    const member = await deployment.member();
    await breakAt(deployment, when);
    const answer = await deployment.claim(member);
    assert.deepEqual([answer.status, answer.body.code, secretsIn(answer)], [500, "internal", []]);
    assert.deepEqual(await deployment.states(member), ["revoked"]);
    await deployment.promises({ settled: true });
    await isOverAfterTwoSweeps(member);
  });
}

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
for (const [kind, what, when] of breaking([
  ["mints::REFUSE_GUARD", "refuse", "the refusal's audit row", audit("refused")],
  ["mints::REFUSE", "refuse", "the refusal", becomes("void")],
  ["mints::PAUSE", "rate_limited", "the pause", "BEFORE UPDATE OF pause_until ON settings"],
  ["mints::UNKNOWN_GUARD", "reset_after", "the audit row of an unknown outcome", audit("doubted")],
  ["mints::UNKNOWN", "reset_before", "an unknown outcome", becomes("verifying")],
  ["mints::ABANDON_GUARD", "echo_limit_larger", "the removal's audit row", audit("abandoned")],
  ["mints::ABANDON", "echo_limit_larger", "the removal", becomes("revoking")],
  ["generations::OFF_GUARD", "echo_limit_larger", "the end's audit row", audit("revoke_confirmed")],
  ["generations::OFF", "echo_limit_larger", "the removal's end", becomes("revoked")],
])) {
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

/** What a sweep has to write, and the fault that makes it necessary. */
for (const [what, when, kind] of breaking([
  ["generations::FENCE_GUARD", "fence a lost mint, at its audit row,", audit("doubted"), "lost"],
  ["generations::FENCE", "fence a lost mint", becomes("verifying"), "lost"],
  ["generations::CLEAR_GUARD", "clear a mint of unknown outcome whose key was found, at its audit row,", audit("cleared"), "reset_after"],
  ["generations::CLEAR", "clear a mint of unknown outcome whose key was found", becomes("void"), "reset_after"],
  ["generations::ABSENT_GUARD", "clear a mint of unknown outcome that left nothing, at its audit row,", audit("cleared"), "reset_before"],
  ["generations::ABSENT", "clear a mint of unknown outcome that left nothing", becomes("void"), "reset_before"],
  ["strays::SEEN", "remember what it has seen", "BEFORE UPDATE OF seen_at ON generations", "reset_after"],
])) {
  test(`a sweep that cannot ${what} fails, says so, and the next one does it`, async () => {
    const member = await deployment.member();
    if (kind === "lost") await lostMint(member);
    else {
      await deployment.sandbox.fault({ operation: CREATE, kind });
      assert.equal((await deployment.claim(member)).status, 503);
    }
    await deployment.pass(TEN_MINUTES);
    await breakAt(deployment, when);
    const run = await deployment.sweep();
    assert.deepEqual([run?.outcome, run?.code], ["failed", "storage_unavailable"]);
    assert.notDeepEqual(await deployment.states(member), ["void"]);
    await deployment.promises();
    await isOverAfterTwoSweeps(member);
  });
}

/**
 * A mint whose row stays `minting`, because both its record and its end were broken.
 * @param {import("../harness/index.mjs").Client} member
 */
async function lostMint(member) {
  await breakAt(deployment, "BEFORE UPDATE OF state ON generations");
  assert.equal((await deployment.claim(member)).status, 500);
  await mend(deployment);
  assert.deepEqual(await deployment.states(member), ["minting"]);
}

test("a sweep that cannot begin touches nothing; one that cannot end is recorded as dead by the next", async () => {
  breaking([["runs::BEGIN runs::END"]]);
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
  const rows = breaking([
    ["sign_in::SIGN_IN_GUARD", audit("member_created")],
    ["sign_in::OWNER", "BEFORE INSERT ON owners"],
    ["sign_in::MEMBER", "BEFORE INSERT ON members"],
    ["sign_in::BURN", "BEFORE INSERT ON used_states"],
  ]);
  for (const [when] of rows) {
    await breakAt(deployment, when);
    await assert.rejects(deployment.member(persona), /auth_error=storage_unavailable/, when);
    await mend(deployment);
    assert.deepEqual(await deployment.worker.d1("SELECT 1 FROM members WHERE login = ?1", [persona]), []);
  }
  assert.equal((await deployment.claim(await deployment.member(persona))).status, 201);
  assert.deepEqual(await deployment.worker.d1("SELECT 1 FROM owners WHERE id NOT IN (SELECT owner_id FROM members)"), [], "no owner without a member");
  await deployment.promises({ settled: true });
});

/** A sweep that finds a key to remove and whose delete is refused. @type {Moment} */
const sweepingARefusedRemoval = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    await deployment.sandbox.fault([{ operation: CREATE, kind: "echo_limit_larger" }, { operation: DELETE, kind: "refuse", times: 0 }]);
    assert.equal((await deployment.claim(member)).status, 502);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** The same, at the attempt after which a revocation is given up. @type {Moment} */
const sweepingForTheLastTime = {
  ...sweepingARefusedRemoval,
  prepare: async (deployment) => {
    const member = await sweepingARefusedRemoval.prepare(deployment);
    await deployment.worker.d1("UPDATE generations SET attempts = 5 WHERE state = 'revoking'");
    return member;
  },
};

/** A sweep that may enable a key again. @type {Moment} */
const sweepingARelease = {
  prepare: async (deployment) => {
    const member = await sweepingAHold.prepare(deployment);
    assert.equal((await deployment.sweep())?.counts.disabled, 1);
    await deployment.hold(/** @type {any} */ (member), false);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A sweep that closes an expired key that its owner had disabled. @type {Moment} */
const sweepingAnExpiryOfADisabledKey = {
  ...sweepingAnExpiry,
  prepare: async (deployment) => {
    const member = /** @type {any} */ (await sweepingAnExpiry.prepare(deployment));
    assert.equal((await member.patch(await deployment.keyPath(member), { disabled: true })).status, 200);
    return member;
  },
};

/** A sweep that finishes a removal which the upstream has not answered. @type {Moment} */
const sweepingARemoval = {
  prepare: async (deployment) => {
    const member = /** @type {any} */ (await deployment.member());
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.sandbox.fault({ operation: "openrouter.keys.update", kind: "error_before", times: 3 });
    assert.equal((await removing.act(deployment, member)).body.key.state, "revoking");
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/**
 * A sweep that learns that a removed key has spent more than was known when its successor was claimed.
 * @type {Moment}
 */
const sweepingALateBill = {
  prepare: async (deployment) => {
    const member = /** @type {any} */ (await removing.prepare(deployment));
    assert.equal((await removing.act(deployment, member)).body.key.state, "revoked");
    assert.equal((await deployment.claim(member)).status, 201);
    const [{ upstream_hash: hash }] = await deployment.generations(member);
    await deployment.sandbox.spend(hash, 1);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A sweep that finds a retained seat whose window is over. @type {Moment} */
const sweepingARetainedSeat = {
  prepare: async (deployment) => {
    const member = await removing.prepare(deployment);
    assert.equal((await removing.act(deployment, member)).body.key.state, "revoked");
    await deployment.passEverywhere(DAY);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  tidy: (deployment) => deployment.sandbox.clock(-DAY * 1000),
};

/** The member whose key is disabled after an outage. @type {any} */
let held;

/**
 * The last sweep got no answer to any change of its own, and this sweep first has a key to disable.
 * @param {Deployment} deployment
 */
async function afterAnOutage(deployment) {
  const held = await deployment.member();
  assert.equal((await deployment.claim(held)).status, 201);
  await deployment.hold(held, true);
  await deployment.worker.d1(`INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome, counts)
    VALUES ('run_' || hex(randomblob(12)), 'sweep', 1, 1, 1, 2, 'done', '{"writes":0,"writes_failed":1}')`);
  return held;
}

/**
 * The first sweep in which the upstream accepts changes again, with a removal that would have to wait for one more
 * hour.
 * @type {Moment}
 */
const sweepingAfterAnOutage = {
  prepare: async (deployment) => {
    const member = await sweepingARefusedRemoval.prepare(deployment);
    await deployment.sandbox.clearFaults();
    await deployment.worker.d1("UPDATE generations SET attempts = 3, next_attempt_at = unixepoch() + 3600 WHERE state = 'revoking'");
    held = await afterAnOutage(deployment);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  mend: (deployment) => deployment.hold(held, false),
};

/** The same, with a removed key that is due to be deleted. @type {Moment} */
const sweepingUpAfterAnOutage = {
  ...sweepingAfterAnOutage,
  prepare: async (deployment) => {
    const member = await sweepingUpAKey.prepare(deployment);
    await deployment.worker.d1("UPDATE generations SET attempts = 3, next_attempt_at = unixepoch() + 3600 WHERE erase_at IS NOT NULL AND erased_at IS NULL");
    held = await afterAnOutage(deployment);
    return member;
  },
  // A row that is not tried again in this sweep is tried when its hour is over.
  mend: async (deployment) => {
    await deployment.hold(held, false);
    await deployment.pass(3600);
  },
};

let markers = 1_000;

/** A sweep that finds a key with our marker and without a row. @type {Moment} */
const sweepingAMarker = {
  prepare: async (deployment) => {
    await deployment.markerWithoutRow(markers++);
    await deployment.pass(TEN_MINUTES);
    return deployment.member();
  },
  act: (deployment) => deployment.sweep(),
  tidy: async (deployment) => {
    for (const { hash } of await deployment.worker.d1("SELECT upstream_hash AS hash FROM findings")) await deployment.management("DELETE", `/keys/${hash}`);
    await deployment.worker.d1("DELETE FROM findings");
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

/** A claim that is the fifth at the same time with an unknown outcome. @type {Moment} */
const claimingTheFifthUnknown = {
  prepare: async (deployment) => {
    await deployment.sandbox.fault({ operation: CREATE, kind: "reset_before", times: 5 });
    for (let n = 0; n < 4; n += 1) assert.equal((await deployment.claim(await deployment.member())).status, 503);
    return deployment.member();
  },
  act: claiming.act,
};

/** A claim that shows which account this is. @type {Moment} */
const claimingFirst = {
  prepare: async (deployment) => {
    await deployment.worker.d1("UPDATE settings SET home_workspace_id = NULL");
    return deployment.member();
  },
  act: claiming.act,
};

const DAY = 86_400;
const UPSTREAM_SWITCH = "BEFORE UPDATE OF switch_doubted_at ON generations WHEN NEW.state = OLD.state";

for (const [what, when, moment] of breaking(/** @type {[string, string, string, Moment][]} */ ([
  ["mints::HOME", "the account's workspace", "BEFORE UPDATE OF home_workspace_id ON settings", claimingFirst],
  ["mints::PAUSE_AFTER_UNKNOWN", "the pause after many unknown outcomes", "BEFORE UPDATE OF pause_until ON settings", claimingTheFifthUnknown],
  ["generations::POSTPONE", "a revoke's postponement", "BEFORE UPDATE OF attempts ON generations", sweepingARefusedRemoval],
  ["generations::GIVE_UP_GUARD", "the audit row of giving up", audit("revoke_given_up"), sweepingForTheLastTime],
  ["generations::GIVE_UP", "giving up", becomes("stuck"), sweepingForTheLastTime],
  ["generations::EXPIRE_GUARD", "an expiry's audit row", audit("expired"), sweepingAnExpiry],
  ["generations::EXPIRE", "an expiry", becomes("expired"), sweepingAnExpiry],
  ["generations::EXPIRE_BOOK", "an expired key's last figures", "BEFORE UPDATE OF usage_read_at ON generations", sweepingAnExpiry],
  ["generations::FREE_SEATS", "that a seat is free whose window is over", "BEFORE DELETE ON retained_seats", sweepingARetainedSeat],
  ["generations::UNSETTLED_AGAIN", "that a removal is due again", "BEFORE UPDATE OF next_attempt_at ON generations WHEN NEW.state = OLD.state AND NEW.next_attempt_at < OLD.next_attempt_at", sweepingAfterAnOutage],
  ["generations::KEPT_AGAIN", "that a purge is due again", "BEFORE UPDATE OF next_attempt_at ON generations WHEN OLD.state = 'revoked'", sweepingUpAfterAnOutage],
  ["generations::EXPIRE_HOLD", "the end of an expired key's hold", "BEFORE DELETE ON holds", sweepingAnExpiryOfADisabledKey],
  ["generations::BOOK", "a removed key's last figures", "BEFORE UPDATE OF usage_read_at ON generations WHEN NEW.state = 'revoking'", sweepingARemoval],
  ["retained::BOOK", "a removed key's later figures", "BEFORE UPDATE OF readings_since_off ON generations", sweepingUpAKey],
  ["retained::CAPS_DUE", "that a successor's cap is due", "BEFORE UPDATE OF cap_due_at ON generations", sweepingALateBill],
  ["retained::ERASED_GUARD", "the audit row of a removed key's delete", audit("erased"), sweepingUpAKey],
  ["retained::ERASED", "a removed key's delete", "BEFORE UPDATE OF erased_at ON generations WHEN OLD.state = 'revoked'", sweepingUpAKey],
  ["holds::ABOUT_TO", "the mark of a switch in flight", UPSTREAM_SWITCH, sweepingAHold],
  ["holds::CONFIRMED_GUARD", "the audit row of a disable", audit("disabled"), sweepingAHold],
  ["holds::CONFIRMED", "a disable", becomes("disabled"), sweepingAHold],
  ["holds::CONFIRMED_GUARD", "the audit row of an enable", audit("enabled"), sweepingARelease],
  ["holds::CONFIRMED", "an enable", becomes("active"), sweepingARelease],
  ["strays::FOUND", "a finding", "BEFORE INSERT ON findings", sweepingAMarker],
  ["strays::DISABLED", "a finding's end", "BEFORE UPDATE OF disabled_at ON findings", sweepingAMarker],
  ["tidy::STATES", "the removal of old sign-ins", "BEFORE DELETE ON used_states", sweepingUp],
  ["tidy::IDEMPOTENCY", "the removal of old Idempotency-Keys", "BEFORE DELETE ON idempotency_keys", sweepingUp],
  ["tidy::FINDINGS", "the removal of old findings", "BEFORE DELETE ON findings", sweepingUp],
  ["tidy::RUNS", "the removal of old runs", "BEFORE DELETE ON runs", sweepingUp],
]))) {
  test(`${what} that cannot be written down fails with an answer of ours, and nothing stays stuck`, () => breaksIn(deployment, moment, when));
}

test("a dead run that cannot be recorded as dead keeps its lease, nothing else begins, and it is recorded later", async () => {
  breaking([["runs::WRITE_OFF"]]);
  const who = await sweepingAStray.prepare(deployment);
  await deployment.worker.d1("INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, outcome) SELECT 'run_dead', 'sweep', at, at, at, 'running' FROM (SELECT unixepoch() - 900 AS at)");
  await breakAt(deployment, "BEFORE UPDATE OF outcome ON runs WHEN NEW.outcome = 'abandoned'");
  const lists = await deployment.calls(LIST);
  await deployment.worker.cron();
  assert.equal((await deployment.calls(LIST)) - lists, 0);
  await mend(deployment);
  await isOver(deployment, sweepingAStray, who);
  assert.deepEqual(await deployment.worker.d1("SELECT outcome FROM runs WHERE public_id = 'run_dead'"), [{ outcome: "abandoned" }]);
});

test("the first sign-in ever, and any later one, binds, seeds and refreshes all or nothing", async (t) => {
  const own = await Deployment.open();
  t.after(() => own.close());
  const failing = async (/** @type {[string][]} */ rows) => {
    for (const [when] of rows) {
      await breakAt(own, when);
      await assert.rejects(own.member("member"), /auth_error=storage_unavailable/, when);
      await mend(own);
      await own.promises({ settled: true });
    }
  };
  await failing(breaking([
    ["sign_in::BIND_GUARD", audit("instance_bound")],
    ["sign_in::BIND", "BEFORE UPDATE ON instance"],
    ["sign_in::SEED_GUARD", audit("plan_seeded")],
    ["sign_in::SEED", "BEFORE INSERT ON plans"],
  ]));
  assert.deepEqual(await own.worker.d1("SELECT (SELECT COUNT(*) FROM audit WHERE actor <> 'migration') AS audit, (SELECT COUNT(*) FROM plans WHERE is_default = 1) AS plans"), [{ audit: 0, plans: 0 }]);
  await own.member("member");
  await failing(breaking([
    ["sign_in::SIGN_IN_GUARD", audit("signed_in")],
    ["sign_in::REFRESH", "BEFORE UPDATE OF login ON members"],
  ]));
  // Another member had the login before.
  await own.member("second");
  const former = () => own.worker.d1("UPDATE members SET login = 'member', login_passed_on_at = NULL WHERE login IN ('second', 'member') AND subject <> '1000100'");
  await former();
  await failing(breaking([
    ["sign_in::PASS_ON_GUARD", audit("login_passed_on")],
    ["sign_in::PASS_ON", "BEFORE UPDATE OF login_passed_on_at ON members"],
  ]));
  assert.equal((await own.claim(await own.member("member"))).status, 201);
});

test("switches, requests, keys, spend and signing out everywhere are written completely or not at all, and say which", async (t) => {
  const own = await Deployment.open();
  t.after(() => own.close());
  const [operator, holder] = [await own.member("operator"), await own.member()];
  assert.equal((await own.claim(holder)).status, 201);
  const settings = async () => (await operator.get("/api/v1/admin/settings")).body;
  const change = (/** @type {object} */ json) => operator.patch("/api/v1/admin/settings", json);
  const state = async () => {
    await own.worker.d1("UPDATE generations SET next_attempt_at = 1");
    const is = await settings();
    await own.promises({ settled: is.keys === "on" });
    return is;
  };
  /** @param {() => Promise<import("./support.mjs").Answer>} act @param {[string][]} rows */
  const whole = (act, rows) => isWhole(own, state, act, rows);
  const dueNow = "BEFORE UPDATE OF next_attempt_at ON generations";
  await whole(() => change({ minting: "stopped" }), breaking([
    ["settings::SWITCH_GUARD", audit("minting_switched")],
    ["settings::SWITCH", "BEFORE UPDATE OF minting ON settings"],
  ]));
  await whole(() => change({ keys: "off", confirm: 1 }), breaking([
    ["settings::KEYS_OFF_GUARD", audit("keys_switched")],
    ["settings::KEYS_OFF", "BEFORE UPDATE OF keys ON settings"],
    ["settings::HOLD_ALL", "BEFORE INSERT ON holds"],
    ["settings::DUE_NOW", dueNow],
  ]));
  await own.twoSweeps();
  await own.promises({ settled: true });
  assert.deepEqual(await own.states(holder), ["disabled"]);
  await whole(() => change({ keys: "on" }), breaking([
    ["settings::KEYS_ON_GUARD", audit("keys_switched")],
    ["settings::KEYS_ON", "BEFORE UPDATE OF keys ON settings"],
    ["settings::RELEASE_ALL", "BEFORE DELETE ON holds"],
    ["settings::DUE_NOW", dueNow],
  ]));
  await whole(() => change({ instance: "take_over" }), breaking([
    ["origin::TAKE_OVER_GUARD", audit("instance_bound")],
    ["origin::TAKE_OVER", "BEFORE UPDATE ON instance"],
  ]));
  await whole(() => change({ minting: "open" }), []);
  await whole(() => change({ upstream_terms: "confirmed" }), breaking([
    ["settings::CONFIRM_GUARD", audit("upstream_terms_confirmed")],
    ["settings::CONFIRM", "BEFORE UPDATE OF upstream_terms ON settings"],
  ]));
  await whole(() => change({ claims: "by_approval" }), breaking([
    ["settings::CLAIMS_GUARD", audit("claims_switched")],
    ["settings::CLAIMS", "BEFORE UPDATE OF claims ON settings"],
  ]));
  const asker = await own.member();
  await whole(() => asker.post("/api/v1/requests", { kind: "claim" }), breaking([
    ["requests::MAKE_GUARD", audit("request_made")],
    ["requests::MAKE", "BEFORE INSERT ON requests"],
  ]));
  const { requests: [asked] } = (await asker.get("/api/v1/requests")).body;
  await whole(() => operator.patch(`/api/v1/admin/requests/${asked.id}`, { state: "approved" }), breaking([
    ["requests::DECIDE_GUARD", audit("request_decided")],
    ["requests::DECIDE", "BEFORE UPDATE OF state ON requests"],
    ["requests::ALLOT", "BEFORE INSERT ON allotments"],
  ]));
  assert.equal((await own.claim(asker)).status, 201, "let in");
  await whole(() => change({ claims: "open" }), []);
  await whole(() => holder.post("/api/v1/keys/refresh"), breaking([
    ["refresh::TAKE", "BEFORE UPDATE OF usage_asked_at ON generations"],
    ["refresh::TELL", "BEFORE UPDATE OF usage_read_at ON generations"],
  ]));
  await own.recovers(holder);
  const key = await own.keyPath(holder);
  await whole(() => holder.patch(key, { name: "laptop" }), breaking([
    ["own_keys::RENAME_GUARD", audit("key_renamed")],
    ["own_keys::RENAME", "BEFORE UPDATE OF name ON keys"],
  ]));
  await whole(() => operator.patch(key, { disabled: true }), breaking([
    ["own_keys::HOLD_GUARD", audit("hold_put")],
    ["own_keys::HOLD", "BEFORE INSERT ON holds"],
    ["own_keys::DUE_NOW", dueNow],
  ]));
  await whole(() => operator.patch(key, { disabled: false }), breaking([
    ["own_keys::LIFT_GUARD", audit("hold_lifted")],
    ["own_keys::LIFT", "BEFORE DELETE ON holds"],
  ]));
  // Somebody disables the key at OpenRouter, and the nightly run finds that.
  await own.twoSweeps();
  const [{ upstream_hash: hash }] = await own.generations(holder);
  await own.agesAudit(TEN_MINUTES);
  await own.management("PATCH", `/keys/${hash}`, { disabled: true });
  await own.night();
  assert.deepEqual(await own.worker.d1("SELECT reason FROM holds"), [{ reason: "upstream" }]);
  const kept = async () => [await state(), await own.worker.d1("SELECT reason FROM holds"), await own.worker.d1("SELECT COUNT(*) FROM audit")];
  await isWhole(own, kept, () => operator.patch(`/api/v1/admin${key.slice("/api/v1".length)}`, { upstream_hold: "lift" }), breaking([
    ["upstream_holds::LIFT_GUARD", audit("upstream_lifted")],
    ["upstream_holds::LIFT_HOLD", "BEFORE DELETE ON holds"],
    ["upstream_holds::LIFT_LIMIT", "BEFORE UPDATE OF upstream_limit_nano ON keys"],
    ["upstream_holds::AGAIN", "BEFORE UPDATE OF limit_sent_nano ON generations"],
  ]));
  await whole(() => holder.delete(key), breaking([
    ["own_keys::END_GUARD", audit("key_ended")],
    ["own_keys::REVOKE_GUARD", audit("revoke_asked")],
    ["own_keys::REVOKE", becomes("revoking")],
    ["own_keys::END", "BEFORE UPDATE OF ended_at ON keys"],
  ]));
  await whole(() => holder.post("/api/v1/me/sign-out-everywhere"), breaking([
    ["members::END_GUARD", audit("sessions_ended")],
    ["members::END", "BEFORE UPDATE OF epoch ON members"],
  ]));
  assert.equal((await holder.get("/api/v1/me")).status, 401);
  const { session_epoch: epoch } = await settings();
  await whole(() => change({ sessions: "end", confirm: epoch }), breaking([
    ["settings::END_SESSIONS_GUARD", audit("sessions_ended")],
    ["settings::END_SESSIONS", "BEFORE UPDATE OF session_epoch ON settings"],
  ]));
  assert.equal((await operator.get("/api/v1/me")).status, 401);
});

test("suspending, blocking and leaving are done completely or not at all", async () => {
  const persona = "load-90002";
  const [member, operator] = [await deployment.member(persona), await deployment.member("operator")];
  const id = await deployment.memberId(member);
  const [{ subject }] = await deployment.worker.d1("SELECT subject FROM members WHERE public_id = ?1", [id]);
  const everything = () => deployment.worker.d1(`SELECT m.status, m.epoch, m.subject, m.login, (SELECT COUNT(*) FROM blocks) AS blocks, (SELECT COUNT(*) FROM allotments) AS allotments,
    (SELECT COUNT(*) FROM idempotency_keys) AS remembered,
    (SELECT COUNT(*) FROM audit) AS audit, (SELECT json_group_array(k.ended_at || k.name) FROM keys k) AS keys, (SELECT json_group_array(g.state || g.label) FROM generations g) AS generations,
    (SELECT json_group_array(q.state || q.note) FROM requests q) AS requests FROM members m WHERE m.public_id = ?1`, [id]);
  /** @param {() => Promise<import("./support.mjs").Answer>} act @param {[string][]} rows */
  const whole = (act, rows) => isWhole(deployment, everything, act, rows);
  const settings = (/** @type {object} */ json) => operator.patch("/api/v1/admin/settings", json);
  const blocks = (/** @type {string} */ method) => operator.call("/api/v1/admin/blocks", { method, json: { provider: "github", subject } });
  const setStatus = (/** @type {string} */ status) => operator.patch(`/api/v1/admin/members/${id}`, { status });

  // A named key that has ended, another key that is live, a permission, and an open request.
  assert.equal((await settings({ claims: "by_approval" })).status, 200);
  const asked = (await member.post("/api/v1/requests", { kind: "claim" })).body.request;
  assert.equal((await operator.patch(`/api/v1/admin/requests/${asked.id}`, { state: "approved" })).status, 200);
  assert.equal((await settings({ claims: "open" })).status, 200);
  const { key } = (await deployment.claim(member)).body;
  assert.equal((await member.patch(`/api/v1/keys/${key.id}`, { name: "first" })).status, 200);
  assert.equal((await member.call(`/api/v1/keys/${key.id}`, { method: "DELETE", json: {} })).status, 200);
  assert.equal((await member.post("/api/v1/claim", CLAIM, { "idempotency-key": "of-one-who-leaves" })).status, 201);
  const permitted = await whole(() => operator.post("/api/v1/admin/allotments", { provider: "github", subject: "7000001" }), breaking([
    ["allotments::PUT_GUARD", audit("allotted")],
    ["allotments::PUT", "BEFORE INSERT ON allotments"],
  ]));
  await whole(() => operator.call(`/api/v1/admin/allotments/${permitted.body.allotment.id}`, { method: "DELETE", json: {} }), breaking([
    ["allotments::WITHDRAW_GUARD", audit("allotment_withdrawn")],
    ["allotments::WITHDRAW", "BEFORE DELETE ON allotments"],
  ]));
  await whole(() => blocks("POST"), breaking([
    ["blocks::PUT_GUARD", audit("blocked")],
    ["blocks::PUT", "BEFORE INSERT ON blocks"],
  ]));
  assert.equal((await member.post("/api/v1/requests", { kind: "appeal", note: "Why?" })).status, 201);
  await whole(() => member.call("/api/v1/me", { method: "DELETE", json: { confirm: persona } }), breaking([
    ["offboard::LEAVE_GUARD", audit("member_left")],
    ["offboard::END_KEYS_GUARD", audit("key_ended")],
    ["offboard::REVOKE_GUARD", audit("revoke_asked")],
    ["offboard::REVOKE", becomes("revoking")],
    ["offboard::END_KEYS", "BEFORE UPDATE OF ended_at ON keys"],
    ["offboard::UNNAME_GUARD", audit("key_renamed")],
    ["offboard::UNNAME", "BEFORE UPDATE OF name ON keys"],
    ["offboard::UNMASK", "BEFORE UPDATE OF label ON generations"],
    ["offboard::WITHDRAW_GUARD", audit("request_decided")],
    ["offboard::WITHDRAW", "BEFORE UPDATE OF state ON requests"],
    ["offboard::UNWRITE", "BEFORE UPDATE OF note ON requests"],
    ["offboard::UNANSWER", "BEFORE DELETE ON idempotency_keys"],
    ["offboard::UNALLOT", "BEFORE DELETE ON allotments"],
    ["offboard::ERASE", "BEFORE UPDATE OF login ON members"],
  ]));
  for (const [when] of breaking([
    ["sign_in::RETURN_GUARD", audit("member_returned")],
    ["sign_in::RETURN", "BEFORE UPDATE OF status ON members"],
  ])) {
    await breakAt(deployment, when);
    await assert.rejects(deployment.member(persona), /auth_error=storage_unavailable/, when);
    await mend(deployment);
  }
  const back = await deployment.member(persona);
  assert.equal(await deployment.memberId(back), id);
  await whole(() => blocks("DELETE"), breaking([
    ["blocks::LIFT_GUARD", audit("unblocked")],
    ["blocks::LIFT", "BEFORE DELETE ON blocks"],
  ]));
  // The next case is an admin's hold on a key that will end. First, sweeps count what the last two keys had in flight.
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  const again = (await deployment.claim(back)).body.key;
  assert.equal((await operator.patch(`/api/v1/keys/${again.id}`, { disabled: true })).status, 200);
  await whole(() => setStatus("banned"), breaking([
    ["offboard::SET_STATUS_GUARD", audit("member_banned")],
    ["offboard::SET_STATUS", "BEFORE UPDATE OF status ON members"],
    ["offboard::BAN_GUARD", audit("blocked")],
    ["offboard::BAN", "BEFORE INSERT ON blocks"],
  ]));
  await whole(() => setStatus("active"), breaking([
    ["offboard::UNBAN_GUARD", audit("unblocked")],
    ["offboard::UNBAN", "BEFORE DELETE ON blocks"],
    ["offboard::FORGIVE_GUARD", audit("hold_lifted")],
    ["offboard::FORGIVE", "BEFORE DELETE ON holds"],
  ]));
  await whole(() => operator.post(`/api/v1/admin/members/${id}/sign-out`), breaking([["members::END_BY_ADMIN_GUARD", audit("sessions_ended")]]));
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
});

test("a finding is acknowledged completely or not at all", async () => {
  const operator = await deployment.member("operator");
  const who = await sweepingAMarker.prepare(deployment);
  assert.equal((await deployment.sweep())?.outcome, "done");
  const [{ id }] = await deployment.worker.d1("SELECT public_id AS id FROM findings");
  const state = () => deployment.worker.d1("SELECT acknowledged_at, (SELECT COUNT(*) FROM audit) AS audit FROM findings");
  await isWhole(deployment, state, () => operator.patch(`/api/v1/admin/findings/${id}`, { acknowledged: true }), breaking([
    ["findings::ACKNOWLEDGE_GUARD", audit("finding_acknowledged")],
    ["findings::ACKNOWLEDGE", "BEFORE UPDATE OF acknowledged_at ON findings"],
  ]));
  await sweepingAMarker.tidy?.(deployment, who);
});

test("an Idempotency-Key that cannot be taken changes nothing; one whose answer cannot be stored takes effect once and is answered", async () => {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const key = await deployment.keyPath(member);
  const rename = (/** @type {string} */ name) => member.call(key, { method: "PATCH", json: { name }, headers: { "idempotency-key": "of-a-rename" } });
  const state = () => deployment.worker.d1("SELECT (SELECT COUNT(*) FROM idempotency_keys) AS taken, (SELECT COUNT(*) FROM audit) AS audit");
  const answer = await isWhole(deployment, state, () => rename("first"), breaking([["idempotency::TAKE", "BEFORE INSERT ON idempotency_keys"]]));
  assert.deepEqual((await rename("first")).body, answer.body);
  // A day later another request may use the same key. If the old entry cannot be deleted, it is not overwritten.
  await deployment.pass(2 * DAY);
  await isWhole(deployment, state, () => rename("second"), breaking([["idempotency::FORGET_OLD", "BEFORE DELETE ON idempotency_keys"]]));
  await deployment.pass(2 * DAY);
  for (const [when] of breaking([["idempotency::ANSWERED", "BEFORE UPDATE OF status ON idempotency_keys"]])) await breakAt(deployment, when);
  assert.equal((await rename("third")).status, 200);
  await mend(deployment);
  assert.deepEqual([(await rename("third")).status, (await rename("fourth")).status], [409, 422]);
  await deployment.pass(2 * DAY);
  // A failed request keeps its key until a day is over, if the key cannot be given back.
  for (const [when] of breaking([["idempotency::RELEASE", "BEFORE DELETE ON idempotency_keys WHEN OLD.created_at > unixepoch() - 3600"]])) await breakAt(deployment, when);
  const refused = await rename("a name that is far too long ".repeat(20));
  assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status} ${refused.text}`);
  await mend(deployment);
  assert.equal((await rename("fifth")).status, 422);
  await deployment.pass(2 * DAY);
  // A request that may have been carried out stays in progress, if the end of it cannot be recorded.
  await deployment.worker.d1("CREATE TRIGGER no_name BEFORE UPDATE OF name ON keys BEGIN SELECT RAISE(ABORT, 'broken by a test'); END");
  for (const [when] of breaking([["idempotency::RELEASE_FOR_RETRY", "BEFORE UPDATE OF taken_at ON idempotency_keys WHEN NEW.taken_at = 0"]])) await breakAt(deployment, when);
  assert.equal((await rename("sixth")).status, 500);
  await mend(deployment);
  await deployment.worker.d1("DROP TRIGGER no_name");
  assert.equal((await rename("sixth")).status, 409);
  await deployment.promises();
});

test("every statement of src/store that writes is broken by a test, here or in statements.later", async () => {
  const writing = [...await statements()].filter(([, text]) => !/^\s*SELECT\b/.test(text)).map(([name]) => name);
  await allWereBroken(import.meta.filename);
  const later = await namedIn(inRoot("tests", "workerd", "statements.later.test.mjs"));
  const all = [...await namedIn(import.meta.filename), ...later, ...NOT_ON_D1].sort();
  assert.deepEqual(all, writing.sort());
  console.log(`counted: ${writing.length - NOT_ON_D1.length} writing statements broken on D1`);
});
