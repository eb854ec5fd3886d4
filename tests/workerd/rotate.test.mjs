// A rotation over HTTP, and power cuts during it: one secret works, and the key stays the same key.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CREATE, Deployment, TEN_MINUTES, tally } from "./support.mjs";

const UPDATE = "openrouter.keys.update";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ unreliable: true });
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/** A member with a key, and the address of that key. */
async function holder() {
  const member = await deployment.member();
  const { status, body } = await deployment.claim(member);
  assert.equal(status, 201);
  return { member, key: `/api/v1/keys/${body.key.id}`, id: body.key.id };
}

/** Runs sweeps until the previous generation is settled: one sweep ends it, and two read it again. */
async function settles() {
  for (let n = 0; n < 3; n += 1) {
    await deployment.pass(TEN_MINUTES);
    assert.equal((await deployment.sweep())?.outcome, "done");
  }
}

test("a key is rotated at once, with grace, and after a leak; id and place stay", async () => {
  const { member, key, id } = await holder();
  const first = await member.post(`${key}/rotate`);
  assert.deepEqual([first.status, first.body.key.id, first.headers.get("cache-control")], [201, id, "no-store, no-transform"]);
  assert.equal((await deployment.working(member)).length, 1);
  assert.deepEqual(await deployment.states(member), ["revoking", "active"]);
  assert.deepEqual(tally([await member.post(`${key}/rotate`)]), { "409 rotation_unsettled": 1 });
  await settles();

  const graced = await member.post(`${key}/rotate`, { grace_hours: 1 });
  assert.equal(graced.status, 201);
  const limits = (await deployment.working(member)).map((/** @type {any} */ one) => one.limit);
  assert.equal(limits.length, 2);
  await deployment.promises({ settled: true });
  await deployment.pass(3_600);
  await settles();
  assert.equal((await deployment.working(member)).length, 1);

  const leaked = await member.post(`${key}/leaked`);
  assert.deepEqual([leaked.status, leaked.body.key.id], [201, id]);
  assert.equal(new Set([first, graced, leaked].map(({ body }) => body.secret)).size, 3);
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
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
      const [{ upstream_hash: old }] = await deployment.generations(member);
      await deployment.sandbox.fault({ operation, kind: side });
      const lost = Promise.allSettled([member.post(`${key}/${verb}`, json)]);
      await deployment.sandbox.held(operation);
      await deployment.worker.kill();
      assert.equal((await lost)[0].status, "rejected");
      await deployment.worker.restart();
      await deployment.sandbox.release();
      await deployment.promises();
      assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
      const left = await deployment.working(member);
      assert.deepEqual(left.map((/** @type {any} */ one) => one.hash), [old]);
      await deployment.promises({ settled: true });
      await deployment.endPause();
      if (operation === CREATE) assert.equal((await member.post(`${key}/rotate`)).status, 201);
    });
  }
}

test("killed while a leak's replacement was made: the leaked secret stays disabled, and the next replacement is delivered", async () => {
  const { member, key } = await holder();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_after" });
  const lost = Promise.allSettled([member.post(`${key}/leaked`)]);
  await deployment.sandbox.held(CREATE);
  await deployment.worker.kill();
  await lost;
  await deployment.worker.restart();
  await deployment.sandbox.release();
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.equal((await deployment.working(member)).length, 0);
  assert.equal((await member.post(`${key}/rotate`)).status, 201);
  assert.equal((await deployment.working(member)).length, 1);
  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  await deployment.promises({ settled: true });
});
