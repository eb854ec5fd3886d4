// What owners and admins do with keys, over HTTP on real D1: disable, enable, rename and delete, also through a power
// cut.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Deployment, TEN_MINUTES, tally } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ unreliable: true });
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

const UPDATE = "openrouter.keys.update";
const GET = "openrouter.keys.get";

/** A member with a key that has spent a dollar, and the address of that key. */
async function holder() {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const [{ upstream_hash: hash }] = await deployment.generations(member);
  await deployment.sandbox.spend(hash, 1);
  return { member, hash, key: await deployment.keyPath(member) };
}

/** @param {string} hash */
async function upstream(hash) {
  const { keys } = await deployment.sandbox.ledger();
  const key = keys.find((/** @type {any} */ one) => one.hash === hash);
  return { is: key.deleted_at_ms !== null ? "deleted" : key.disabled ? "off" : "on", name: key.name };
}

/** @param {import("./support.mjs").Answer} answer */
const outcome = ({ status, body }) => [status, body.code ?? body.key.state, body.key?.holds];

test("an owner disables, enables and names a key; only an admin lifts an admin's hold", async () => {
  const { member, hash, key } = await holder();
  const [stranger, operator] = [await deployment.member(), await deployment.member("operator")];
  const { name } = await upstream(hash);
  assert.deepEqual(outcome(await member.patch(key, { disabled: true, name: " laptop " })), [200, "disabled", ["owner"]]);
  assert.equal((await upstream(hash)).is, "off");
  assert.deepEqual((await member.get("/api/v1/keys")).body.keys.map((/** @type {any} */ one) => [one.name, one.state]), [["laptop", "disabled"]]);
  assert.deepEqual(outcome(await member.patch(key, { disabled: false })), [200, "active", []]);
  assert.deepEqual(outcome(await operator.patch(key, { disabled: true })), [200, "disabled", ["admin"]]);
  assert.deepEqual(outcome(await member.patch(key, { disabled: false })), [403, "key_held", undefined]);
  for (const foreign of [key, "/api/v1/keys/key_000000000000000000000000", "/api/v1/keys/1"]) {
    assert.deepEqual(outcome(await stranger.patch(foreign, { disabled: false })), [404, "not_found", undefined]);
    assert.deepEqual(outcome(await stranger.delete(foreign)), [404, "not_found", undefined]);
  }
  assert.equal((await upstream(hash)).is, "off");
  assert.deepEqual(outcome(await operator.patch(key, { disabled: false })), [200, "active", []]);
  assert.deepEqual(await upstream(hash), { is: "on", name });
  await deployment.promises({ settled: true });
});

test("a removed key is disabled at once, read again by two sweeps and deleted the day after; nothing enables it again", async () => {
  const { member, hash, key } = await holder();
  const operator = await deployment.member("operator");
  assert.deepEqual(outcome(await operator.delete(key)), [200, "revoked", []]);
  assert.deepEqual(outcome(await operator.delete(key)), [200, "revoked", []]);
  assert.equal((await upstream(hash)).is, "off");
  for (const client of [member, operator]) assert.deepEqual(outcome(await client.patch(key, { disabled: false })), [409, "key_ended", undefined]);
  const next = await deployment.claim(member);
  assert.deepEqual([next.status, next.body.key.limit_usd], [201, "4.00"]);

  assert.deepEqual(await deployment.twoSweeps(), ["done", "done"]);
  assert.equal((await upstream(hash)).is, "off");
  await deployment.pass(2 * 86_400);
  assert.equal((await deployment.sweep())?.counts.erased, 1);
  assert.equal((await upstream(hash)).is, "deleted");
  await deployment.promises({ settled: true });
});

for (const [call, side, left] of /** @type {const} */ ([
  [UPDATE, "hold_before", "on"],
  [UPDATE, "hold_after", "off"],
  [GET, "hold_before", "off"],
])) {
  test(`killed during a removal, ${side} at ${call}: it is visible, claims wait for it, and the next sweep finishes it`, async () => {
    const { member, hash, key } = await holder();
    await deployment.sandbox.fault({ operation: call, kind: side });
    const removal = Promise.allSettled([member.delete(key)]);
    await deployment.sandbox.held(call);
    await deployment.worker.kill();
    const [{ status }] = await removal;
    assert.equal(status, "rejected", "nobody was answered");
    await deployment.sandbox.clearFaults();
    await deployment.worker.restart();
    assert.equal((await upstream(hash)).is, left);
    assert.deepEqual(await deployment.states(member), ["revoking"]);
    assert.deepEqual((await member.get("/api/v1/keys")).body.keys.map((/** @type {any} */ one) => one.state), ["revoking"]);
    assert.deepEqual(tally([await deployment.claim(member), await member.patch(key, { disabled: false })]), { "409 key_being_removed": 2 });
    await deployment.promises();

    await deployment.pass(TEN_MINUTES);
    assert.equal((await deployment.sweep())?.outcome, "done");
    assert.deepEqual(await deployment.states(member), ["revoked"]);
    assert.equal((await upstream(hash)).is, "off");
    await deployment.sandbox.release();
    assert.deepEqual(outcome(await member.delete(key)), [200, "revoked", []]);
    assert.equal((await deployment.claim(member)).status, 201);
    await deployment.promises({ settled: true });
  });
}
