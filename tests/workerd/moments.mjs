// Moments in which something may go wrong: what has to exist before, what is done, and who must have a key once it is
// over. Tests combine them with faults, power cuts and outages.

import assert from "node:assert/strict";
import { attemptSignIn } from "../harness/index.mjs";
import { ASSIGN, CREATE, TEN_MINUTES } from "./support.mjs";

/** @typedef {import("../harness/index.mjs").Client} Client */
/** @typedef {import("./support.mjs").Deployment} Deployment */

/**
 * @typedef {object} Moment
 * @property {(deployment: Deployment) => Promise<Client | string>} prepare a member, or the persona of somebody who will sign in
 * @property {(deployment: Deployment, who: any) => Promise<any>} act
 * @property {(deployment: Deployment, who: any) => Promise<void>} [mend] what has to be done once the faults are over
 * @property {(deployment: Deployment, who: any) => Promise<void>} [tidy] restores the deployment for the moments that follow
 */

const DAY = 86_400;
let newcomers = 0;

/** @type {Moment} */
export const signingIn = {
  prepare: async () => `load-${700_000 + newcomers++}`,
  act: (deployment, persona) => attemptSignIn(deployment.worker, deployment.upstream, persona),
};

/** @type {Moment} */
export const claiming = {
  prepare: (deployment) => deployment.member(),
  act: (deployment, member) => deployment.claim(member),
};

/** A claim whose create has a fault, so that it makes another call. @param {string} kind @returns {Moment} */
export const claimingWith = (kind) => ({
  prepare: async (deployment) => {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind });
    return member;
  },
  act: claiming.act,
});

/** A member on a plan of their own, whose keys a guardrail limits to one model. @param {Deployment} deployment */
async function underAGuardrail(deployment) {
  const [member, operator] = [await deployment.member(), await deployment.member("operator")];
  const plan = `held-${newcomers++}`;
  const guardrail_id = await deployment.guardrail("cheap/one");
  const terms = { name: plan, limit_usd: "5", limit_reset: "daily", expiry_days: 30, max_active_keys: 1, guardrail_id };
  assert.equal((await operator.post("/api/v1/admin/plans", terms)).status, 201);
  assert.equal((await operator.post(`/api/v1/admin/members/${await deployment.memberId(member)}/plan`, { plan })).status, 200);
  return { member, operator, plan };
}

/** A claim whose key is assigned to a guardrail before it is given out. @type {Moment} */
export const claimingUnderAGuardrail = {
  prepare: async (deployment) => (await underAGuardrail(deployment)).member,
  act: claiming.act,
};

/** An admin names the guardrail of a plan, and the Worker looks it up. @type {Moment} */
export const namingAGuardrail = {
  prepare: (deployment) => deployment.member(),
  act: async (deployment) => {
    const operator = await deployment.member("operator");
    const answer = await operator.patch("/api/v1/admin/plans/enterprise", { guardrail_id: await deployment.guardrail("cheap/one") });
    assert.ok([200, 409, 503].includes(answer.status), `${answer.status} ${JSON.stringify(answer.body)}`);
  },
};

/** A sweep that removes a key from its guardrail, because its plan no longer has one. @type {Moment} */
export const sweepingALetGo = {
  prepare: async (deployment) => {
    const { member, operator, plan } = await underAGuardrail(deployment);
    assert.equal((await deployment.claim(member)).status, 201);
    assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id: null })).status, 200);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A sweep that asks which guardrail a key has: the key was assigned, and the answer was lost. @type {Moment} */
export const sweepingAnAssignment = {
  prepare: async (deployment) => {
    const { member, operator, plan } = await underAGuardrail(deployment);
    assert.equal((await deployment.claim(member)).status, 201);
    const guardrail_id = await deployment.guardrail("cheap/two");
    assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id })).status, 200);
    await deployment.sandbox.fault({ operation: ASSIGN, kind: "error_after" });
    await deployment.sweep();
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/**
 * A sweep that asks which guardrail a key has: one may have been assigned, and the plan has none by now.
 * @type {Moment}
 */
export const sweepingALostAssignment = {
  prepare: async (deployment) => {
    const { member, operator, plan } = await underAGuardrail(deployment);
    const wants = async (/** @type {string | null} */ guardrail_id) =>
      assert.equal((await operator.patch(`/api/v1/admin/plans/${plan}`, { guardrail_id })).status, 200);
    await wants(null);
    assert.equal((await deployment.claim(member)).status, 201);
    await wants(await deployment.guardrail("cheap/two"));
    await deployment.sandbox.fault({ operation: ASSIGN, kind: "error_after" });
    await deployment.sweep();
    await wants(null);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/**
 * A sweep ten minutes after a create that made a key and whose answer was lost: it lists the keys, deletes this one and
 * frees the member.
 * @type {Moment}
 */
export const sweepingAStray = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind: "reset_after" });
    assert.equal((await deployment.claim(member)).status, 503);
    await deployment.pass(TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/** A sweep that has to disable a key. @type {Moment} */
export const sweepingAHold = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.hold(member, true);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  mend: (deployment, member) => deployment.hold(member, false),
};

/** A sweep that reads the spend of a key past its expiry. @type {Moment} */
export const sweepingAnExpiry = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    await deployment.keysLast(1);
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.keysLast(90);
    await deployment.passEverywhere(DAY + TEN_MINUTES);
    return member;
  },
  act: (deployment) => deployment.sweep(),
  // A spend that could not be read counts as the whole limit of the window, so the member waits for the next window.
  mend: (deployment) => deployment.passEverywhere(DAY),
  // Back to the present. There the upstream would let the expired key work again, unless it was deleted meanwhile.
  tidy: async (deployment, member) => {
    const [expired] = await deployment.generations(member);
    if (expired?.erased_at === null) await deployment.management("DELETE", `/keys/${expired.upstream_hash}`);
    await deployment.sandbox.clock(-(2 * DAY + TEN_MINUTES) * 1000);
  },
};

/** An owner removes a key that has spent something. @type {Moment} */
export const removing = {
  prepare: async (deployment) => {
    const member = await deployment.member();
    assert.equal((await deployment.claim(member)).status, 201);
    const [{ upstream_hash: hash }] = await deployment.generations(member);
    await deployment.sandbox.spend(hash, 1);
    return member;
  },
  act: async (deployment, member) => member.delete(await deployment.keyPath(member)),
  // A removal that could not be carried out ends in the same way. Figures that could not be read count as the whole
  // limit of the window.
  mend: async (deployment, member) => {
    await member.delete(await deployment.keyPath(member));
    await deployment.passEverywhere(DAY);
  },
  tidy: (deployment) => deployment.sandbox.clock(-DAY * 1000),
};

/** A sweep that deletes a removed key whose figures are settled. @type {Moment} */
export const sweepingUpAKey = {
  prepare: async (deployment) => {
    const member = await removing.prepare(deployment);
    assert.equal((await removing.act(deployment, member)).body.key.state, "revoked");
    assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
    await deployment.pass(2 * DAY);
    return member;
  },
  act: (deployment) => deployment.sweep(),
};

/**
 * Asserts, once everything works again, that two sweeps later nothing is left and that the member has a key.
 * @param {Deployment} deployment
 * @param {Moment} moment
 * @param {Client | string} who
 */
export async function isOver(deployment, moment, who) {
  await deployment.sandbox.clearFaults();
  await moment.mend?.(deployment, who);
  await deployment.recovers(who);
  await moment.tidy?.(deployment, who);
}
