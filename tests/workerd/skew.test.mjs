// Clocks that differ: the upstreams' clock is ahead of the Worker's or behind it, by as much as networks cause and by
// as much as a broken host causes. What waits for evidence uses one clock alone, and five minutes after its expiry a
// key has ended by both clocks.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { claiming, claimingWith, isOver, signingIn, sweepingAHold, sweepingAStray, sweepingAnExpiry } from "./moments.mjs";
import { CREATE, House, TEN_MINUTES } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */

const DAY = 86_400;
/** How far the upstreams' clock is ahead, in seconds. */
const SMALL = [-90, 90];
const LARGE = [-3_600, 3_600];

/** @type {House} */
let house;
let offset = 0;
let stories = 0;
before(async () => {
  house = await House.open();
});
after(async () => {
  await house?.close();
  console.log(`counted: ${stories} stories under skewed clocks on workerd`);
});
afterEach(async () => {
  await house.sandbox.clearFaults();
  await skew(0);
});

/** Sets the upstreams' clock ahead of the Worker's, or behind it. @param {number} seconds */
async function skew(seconds) {
  await house.sandbox.clock((seconds - offset) * 1000);
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

for (const seconds of [...SMALL, ...LARGE]) {
  test(`with the upstreams ${seconds} seconds ahead, every story ends as it does without: settled in two sweeps, a key for everybody`, async () => {
    await skew(seconds);
    for (const [what, moment] of MOMENTS) {
      const who = await moment.prepare(house);
      await moment.act(house, who);
      try {
        await house.promises();
        await isOver(house, moment, who);
        // What was sent arrives when nobody waits for it any more.
        await house.sandbox.land();
        await house.twoSweeps();
        await house.promises({ settled: true });
      } catch (error) {
        throw new Error(what, { cause: error });
      }
      stories += 1;
    }
  });

  test(`with the upstreams ${seconds} seconds ahead, no doubt is freed before its five minutes, and no mint under way is touched`, async () => {
    await skew(seconds);
    const [doubtful, slow] = [await house.member(), await house.member()];
    await house.sandbox.fault({ operation: CREATE, kind: "reset_before" });
    assert.equal((await house.claim(doubtful)).status, 503);
    await house.sandbox.fault({ operation: CREATE, kind: "hold_after" });
    const claim = house.claim(slow);
    await house.sandbox.held(CREATE);
    assert.equal((await house.sweep())?.outcome, "done");
    assert.deepEqual([await house.states(doubtful), await house.states(slow)], [["verifying"], ["minting"]]);
    await house.sandbox.release();
    assert.equal((await claim).status, 201);
    await house.recovers(doubtful);
    await house.recovers(slow);
    stories += 1;
  });
}

for (const seconds of SMALL) {
  test(`with the upstreams ${seconds} seconds ahead, a key past its expiry is closed only when it is off by both clocks, and then claimed anew`, async () => {
    await skew(seconds);
    const member = await house.member();
    await house.keysLast(1);
    const made = await house.claim(member);
    await house.keysLast(90);
    assert.equal(made.status, 201);
    const [row] = await house.generations(member);
    const works = async () => {
      const { keys, now_ms } = await house.sandbox.ledger();
      return keys.find((/** @type {any} */ key) => key.hash === row?.upstream_hash).expires_at_ms > now_ms;
    };
    /** @type {[number, string, boolean][]} */
    const times = [[DAY + 1, "active", seconds < 0], [280, "active", false], [40, "expired", false]];
    for (const [later, state, working] of times) {
      await house.passEverywhere(later);
      assert.equal((await house.sweep())?.outcome, "done");
      assert.deepEqual([await house.states(member), await works()], [[state], working]);
      await house.promises();
    }
    assert.equal((await house.claim(member)).status, 201);
    await house.promises({ settled: true });
    // Back to the present, where the upstream would let the expired key work again.
    await house.management("DELETE", `/keys/${row?.upstream_hash}`);
    await house.sandbox.clock(-(DAY + 321) * 1000);
    await house.pass(TEN_MINUTES);
    stories += 1;
  });
}
