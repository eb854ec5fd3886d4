// Clocks that differ: the upstreams' clock is ahead of the Worker's or behind it, by as much as networks cause and by
// as much as a broken host causes. What waits for evidence uses one clock alone, and five minutes after its expiry a
// key has ended by both clocks.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { claiming, claimingWith, isOver, signingIn, sweepingAHold, sweepingAStray, sweepingAnExpiry } from "./moments.mjs";
import { CREATE, Deployment, SCALE, TEN_MINUTES } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */

const DAY = 86_400;
/** How far the upstreams' clock is ahead, in seconds. */
const SMALL = [-90, 90];
const LARGE = [-3_600, 3_600];

/** @type {Deployment} */
let deployment;
let offset = 0;
let stories = 0;
before(async () => {
  deployment = await Deployment.open();
});
after(async () => {
  await deployment?.close();
  console.log(`counted: ${stories} stories under skewed clocks on workerd`);
});
afterEach(async () => {
  await deployment.sandbox.clearFaults();
  await skew(0);
});

/** Sets the upstreams' clock ahead of the Worker's, or behind it. @param {number} seconds */
async function skew(seconds) {
  await deployment.sandbox.clock((seconds - offset) * 1000);
  offset = seconds;
}

/** @type {[string, Moment][]} */
const MOMENTS = [
  ["a sign-in", signingIn],
  ["a claim", claiming],
  ["a lost create", claimingWith("reset_before")],
  ["a lost answer", claimingWith("reset_after")],
  ["a create that lands late", claimingWith("late")],
  ["two keys of one name", claimingWith("duplicate")],
  ["a wrong echo", claimingWith("echo_expiry_later")],
  ["a sweep of a stray", sweepingAStray],
  ["a sweep of a hold", sweepingAHold],
  ["a sweep of an expiry", sweepingAnExpiry],
];

// What lies between two clocks that agree and two that differ by an hour is left to a larger run.
for (const seconds of SCALE > 1 ? [...SMALL, ...LARGE] : LARGE) {
  test(`with the upstreams ${seconds} seconds ahead, every test case ends as it does without: settled in two sweeps, a key for everybody`, async () => {
    await skew(seconds);
    for (const [what, moment] of MOMENTS) {
      const who = await moment.prepare(deployment);
      await moment.act(deployment, who);
      try {
        await deployment.promises();
        await isOver(deployment, moment, who);
        // What was sent arrives when nobody waits for it any more.
        await deployment.sandbox.land();
        await deployment.twoSweeps();
        await deployment.promises({ settled: true });
      } catch (error) {
        throw new Error(what, { cause: error });
      }
      stories += 1;
    }
  });

}

for (const seconds of [...SMALL, ...LARGE]) {
  test(`with the upstreams ${seconds} seconds ahead, no mint of unknown outcome is freed before its five minutes, and no mint under way is touched`, async () => {
    await skew(seconds);
    const [unknown, slow] = [await deployment.member(), await deployment.member()];
    await deployment.sandbox.fault({ operation: CREATE, kind: "reset_before" });
    assert.equal((await deployment.claim(unknown)).status, 503);
    await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
    const claim = deployment.claim(slow);
    await deployment.sandbox.held(CREATE);
    assert.equal((await deployment.sweep())?.outcome, "done");
    assert.deepEqual([await deployment.states(unknown), await deployment.states(slow)], [["verifying"], ["minting"]]);
    await deployment.sandbox.release();
    assert.equal((await claim).status, 201);
    await deployment.recovers(unknown);
    await deployment.recovers(slow);
    stories += 1;
  });
}

for (const seconds of SMALL) {
  test(`with the upstreams ${seconds} seconds ahead, a key past its expiry is closed only when it has expired by both clocks, and then claimed anew`, async () => {
    await skew(seconds);
    const member = await deployment.member();
    await deployment.keysLast(1);
    const made = await deployment.claim(member);
    await deployment.keysLast(90);
    assert.equal(made.status, 201);
    const [row] = await deployment.generations(member);
    const works = async () => {
      const { keys, now_ms } = await deployment.sandbox.ledger();
      return keys.find((/** @type {any} */ key) => key.hash === row?.upstream_hash).expires_at_ms > now_ms;
    };
    /** @type {[number, string, boolean][]} */
    const times = [[DAY + 1, "active", seconds < 0], [280, "active", false], [40, "expired", false]];
    for (const [later, state, working] of times) {
      await deployment.passEverywhere(later);
      assert.equal((await deployment.sweep())?.outcome, "done");
      assert.deepEqual([await deployment.states(member), await works()], [[state], working]);
      await deployment.promises();
    }
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.promises({ settled: true });
    // Back to the present, where the upstream would let the expired key work again.
    await deployment.management("DELETE", `/keys/${row?.upstream_hash}`);
    await deployment.sandbox.clock(-(DAY + 321) * 1000);
    await deployment.pass(TEN_MINUTES);
    stories += 1;
  });
}
