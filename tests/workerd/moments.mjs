// Moments in which something may go wrong: what has to exist before, what is done, and who must have a key once it is
// over. Tests combine them with faults, power cuts and outages.

import assert from "node:assert/strict";
import { attemptSignIn } from "../harness/index.mjs";
import { ASSIGN, CREATE, TEN_MINUTES } from "./support.mjs";

/** @typedef {import("../harness/index.mjs").Client} Client */
/** @typedef {import("./support.mjs").House} House */

/**
 * @typedef {object} Moment
 * @property {(house: House) => Promise<Client | string>} prepare a member, or the persona of somebody who will sign in
 * @property {(house: House, who: any) => Promise<any>} act
 * @property {(house: House, who: any) => Promise<void>} [mend] what has to be done once the faults are over
 * @property {(house: House, who: any) => Promise<void>} [tidy] restores the deployment for the moments that follow
 */

const DAY = 86_400;
let newcomers = 0;

/** @type {Moment} */
export const signingIn = {
  prepare: async () => `load-${700_000 + newcomers++}`,
  act: (house, persona) => attemptSignIn(house.worker, house.upstream, persona),
};

/** @type {Moment} */
export const claiming = {
  prepare: (house) => house.member(),
  act: (house, member) => house.claim(member),
};

/** A claim whose create has a fault, so that it makes another call. @param {string} kind @returns {Moment} */
export const claimingWith = (kind) => ({
  prepare: async (house) => {
    const member = await house.member();
    await house.sandbox.fault({ operation: CREATE, kind });
    return member;
  },
  act: claiming.act,
});

/** A member on a plan of their own, whose keys a guardrail limits to one model. @param {House} house */
async function underAGuardrail(house) {
  const [member, operator] = [await house.member(), await house.member("operator")];
  const plan = `held-${newcomers++}`;
  const guardrail_id = await house.guardrail("cheap/one");
  const terms = { name: plan, limit_usd: "5", limit_reset: "daily", expiry_days: 30, max_active_keys: 1, guardrail_id };
  assert.equal((await operator.post("/api/v1/admin/plans", terms)).status, 201);
  assert.equal((await operator.post(`/api/v1/admin/members/${await house.memberId(member)}/plan`, { plan })).status, 200);
  return { member, operator, plan };
}

/** A claim whose key is assigned to a guardrail before it is given out. @type {Moment} */
export const claimingUnderAGuardrail = {
  prepare: async (house) => (await underAGuardrail(house)).member,
  act: claiming.act,
};

/** An admin names the guardrail of a plan, and the Worker looks it up. @type {Moment} */
export const namingAGuardrail = {
  prepare: (house) => house.member(),
  act: async (house) => {
    const operator = await house.member("operator");
    const told = await operator.patch("/api/v1/admin/plans/enterprise", { guardrail_id: await house.guardrail("cheap/one") });
    assert.ok([200, 409, 503].includes(told.status), `${told.status} ${JSON.stringify(told.body)}`);
  },
};

/** A sweep that removes a key from its guardrail, because its plan no longer has one. @type {Moment} */
export const sweepingALetGo = {
  prepare: async (house) => {
    const { member, operator, plan } = await underAGuardrail(house);
    assert.equal((await house.claim(member)).status, 201);
    assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id: null })).status, 200);
    return member;
  },
  act: (house) => house.sweep(),
};

/** A sweep that asks which guardrail a key has: the key was assigned, and the answer was lost. @type {Moment} */
export const sweepingAnAssignment = {
  prepare: async (house) => {
    const { member, operator, plan } = await underAGuardrail(house);
    assert.equal((await house.claim(member)).status, 201);
    const guardrail_id = await house.guardrail("cheap/two");
    assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id })).status, 200);
    await house.sandbox.fault({ operation: ASSIGN, kind: "error_after" });
    await house.sweep();
    await house.pass(TEN_MINUTES);
    return member;
  },
  act: (house) => house.sweep(),
};

/**
 * A sweep that asks which guardrail a key has: one may have been assigned, and the plan has none by now.
 * @type {Moment}
 */
export const sweepingALostAssignment = {
  prepare: async (house) => {
    const { member, operator, plan } = await underAGuardrail(house);
    const wants = async (/** @type {string | null} */ guardrail_id) =>
      assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id })).status, 200);
    await wants(null);
    assert.equal((await house.claim(member)).status, 201);
    await wants(await house.guardrail("cheap/two"));
    await house.sandbox.fault({ operation: ASSIGN, kind: "error_after" });
    await house.sweep();
    await wants(null);
    await house.pass(TEN_MINUTES);
    return member;
  },
  act: (house) => house.sweep(),
};

/**
 * A sweep ten minutes after a create that made a key and whose answer was lost: it lists the keys, deletes this one and
 * frees the member.
 * @type {Moment}
 */
export const sweepingAStray = {
  prepare: async (house) => {
    const member = await house.member();
    await house.sandbox.fault({ operation: CREATE, kind: "reset_after" });
    assert.equal((await house.claim(member)).status, 503);
    await house.pass(TEN_MINUTES);
    return member;
  },
  act: (house) => house.sweep(),
};

/** A sweep that has to disable a key. @type {Moment} */
export const sweepingAHold = {
  prepare: async (house) => {
    const member = await house.member();
    assert.equal((await house.claim(member)).status, 201);
    await house.hold(member, true);
    return member;
  },
  act: (house) => house.sweep(),
  mend: (house, member) => house.hold(member, false),
};

/** A sweep that reads the spend of a key past its expiry. @type {Moment} */
export const sweepingAnExpiry = {
  prepare: async (house) => {
    const member = await house.member();
    await house.keysLast(1);
    assert.equal((await house.claim(member)).status, 201);
    await house.keysLast(90);
    await house.passEverywhere(DAY + TEN_MINUTES);
    return member;
  },
  act: (house) => house.sweep(),
  // A spend that could not be read counts as the whole limit of the window, so the member waits for the next window.
  mend: (house) => house.passEverywhere(DAY),
  // Back to the present. There the upstream would let the expired key work again, unless it was deleted meanwhile.
  tidy: async (house, member) => {
    const [expired] = await house.generations(member);
    if (expired?.erased_at === null) await house.management("DELETE", `/keys/${expired.upstream_hash}`);
    await house.sandbox.clock(-(2 * DAY + TEN_MINUTES) * 1000);
  },
};

/** An owner removes a key that has spent something. @type {Moment} */
export const removing = {
  prepare: async (house) => {
    const member = await house.member();
    assert.equal((await house.claim(member)).status, 201);
    const [{ upstream_hash: hash }] = await house.generations(member);
    await house.sandbox.spend(hash, 1);
    return member;
  },
  act: async (house, member) => member.delete(await house.keyPath(member)),
  // A removal that could not be carried out ends in the same way. Figures that could not be read count as the whole
  // limit of the window.
  mend: async (house, member) => {
    await member.delete(await house.keyPath(member));
    await house.passEverywhere(DAY);
  },
  tidy: (house) => house.sandbox.clock(-DAY * 1000),
};

/** A sweep that deletes a removed key whose figures are settled. @type {Moment} */
export const sweepingUpAKey = {
  prepare: async (house) => {
    const member = await removing.prepare(house);
    assert.equal((await removing.act(house, member)).body.key.state, "revoked");
    assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
    await house.pass(2 * DAY);
    return member;
  },
  act: (house) => house.sweep(),
};

/**
 * Asserts, once everything works again, that two sweeps later nothing is left and that the member has a key.
 * @param {House} house
 * @param {Moment} moment
 * @param {Client | string} who
 */
export async function isOver(house, moment, who) {
  await house.sandbox.clearFaults();
  await moment.mend?.(house, who);
  await house.recovers(typeof who === "string" ? await house.member(who) : who);
  await moment.tidy?.(house, who);
}
