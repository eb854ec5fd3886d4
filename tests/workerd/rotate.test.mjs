// A rotation over HTTP, and power cuts during it: one secret works, and the key stays the same key.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CREATE, House, TEN_MINUTES, tally } from "./support.mjs";

const UPDATE = "openrouter.keys.update";

/** @type {House} */
let house;
before(async () => {
  house = await House.open({ doubtful: true });
});
after(() => house?.close());
afterEach(() => house.sandbox.clearFaults());

/** A member with a key, and the address of that key. */
async function holder() {
  const member = await house.member();
  const { status, body } = await house.claim(member);
  assert.equal(status, 201);
  return { member, key: `/api/v1/keys/${body.key.id}`, id: body.key.id };
}

/** Runs sweeps until the previous generation is settled: one sweep ends it, and two read it again. */
async function settles() {
  for (let n = 0; n < 3; n += 1) {
    await house.pass(TEN_MINUTES);
    assert.equal((await house.sweep())?.outcome, "done");
  }
}

test("a key is rotated at once, with grace, and after a leak; id and place stay", async () => {
  const { member, key, id } = await holder();
  const first = await member.post(`${key}/rotate`);
  assert.deepEqual([first.status, first.body.key.id, first.headers.get("cache-control")], [201, id, "no-store, no-transform"]);
  assert.equal((await house.working(member)).length, 1);
  assert.deepEqual(await house.states(member), ["revoking", "active"]);
  assert.deepEqual(tally([await member.post(`${key}/rotate`)]), { "409 rotation_unsettled": 1 });
  await settles();

  const graced = await member.post(`${key}/rotate`, { grace_hours: 1 });
  assert.equal(graced.status, 201);
  const limits = (await house.working(member)).map((/** @type {any} */ one) => one.limit);
  assert.equal(limits.length, 2);
  await house.promises({ settled: true });
  await house.pass(3_600);
  await settles();
  assert.equal((await house.working(member)).length, 1);

  const leaked = await member.post(`${key}/leaked`);
  assert.deepEqual([leaked.status, leaked.body.key.id], [201, id]);
  assert.equal(new Set([first, graced, leaked].map(({ body }) => body.secret)).size, 3);
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  await house.promises({ settled: true });
});

for (const side of /** @type {const} */ (["hold_before", "hold_after"])) {
  for (const [operation, verb, json] of /** @type {const} */ ([
    [CREATE, "rotate", {}],
    [CREATE, "rotate", { grace_hours: 1 }],
    [UPDATE, "rotate", {}],
    [UPDATE, "rotate", { grace_hours: 1 }],
  ])) {
    test(`killed at the ${operation} of a rotation ${JSON.stringify(json)}, ${side}: the old secret works again`, async () => {
      const { member, key } = await holder();
      const [{ upstream_hash: old }] = await house.generations(member);
      await house.sandbox.fault({ operation, kind: side });
      const lost = Promise.allSettled([member.post(`${key}/${verb}`, json)]);
      await house.sandbox.held(operation);
      await house.worker.kill();
      assert.equal((await lost)[0].status, "rejected");
      await house.worker.restart();
      await house.sandbox.release();
      await house.promises();
      assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
      const left = await house.working(member);
      assert.deepEqual(left.map((/** @type {any} */ one) => one.hash), [old]);
      await house.promises({ settled: true });
      await house.endPause();
      if (operation === CREATE) assert.equal((await member.post(`${key}/rotate`)).status, 201);
    });
  }
}

test("killed while a leak's replacement was made: off for good, and the next one is delivered", async () => {
  const { member, key } = await holder();
  await house.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const lost = Promise.allSettled([member.post(`${key}/leaked`)]);
  await house.sandbox.held(CREATE);
  await house.worker.kill();
  await lost;
  await house.worker.restart();
  await house.sandbox.release();
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  assert.equal((await house.working(member)).length, 0);
  assert.equal((await member.post(`${key}/rotate`)).status, 201);
  assert.equal((await house.working(member)).length, 1);
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  await house.promises({ settled: true });
});
