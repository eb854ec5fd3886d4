// One statement fails, in the middle of a batch, on real D1: a trigger breaks it. No secret leaves, nothing is half
// done, and two sweeps after the trigger is gone nothing is stuck (S4-13, P4, P11, X3).

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CLAIM } from "../harness/index.mjs";
import { CREATE, House, LIST, TEN_MINUTES, secretsIn } from "./support.mjs";

/** @type {House} */
let house;
before(async () => {
  house = await House.open();
});
after(() => house?.close());
afterEach(async () => {
  await mend();
  await house.sandbox.clearFaults();
  await house.endPause();
});

/** @param {string} when such as "BEFORE INSERT ON audit WHEN NEW.action = 'recorded'" */
async function breakAt(when) {
  await house.worker.d1(`CREATE TRIGGER broken_by_a_test ${when} BEGIN SELECT RAISE(ABORT, 'broken by a test'); END`);
}
const mend = () => house.worker.d1("DROP TRIGGER IF EXISTS broken_by_a_test");

/** Once everything works again: settled after two sweeps, and the member can claim. @param {import("../harness/index.mjs").Client} member */
async function isOverAfterTwoSweeps(member) {
  await mend();
  await house.sandbox.clearFaults();
  assert.deepEqual(await house.twoSweeps(), ["done", "done"]);
  await house.promises({ settled: true });
  await house.endPause();
  const again = await house.claim(member);
  assert.equal(secretsIn(again).length, 1, `the member can claim: ${again.status} ${again.text}`);
  await house.promises({ settled: true });
}

const audit = (/** @type {string} */ action) => `BEFORE INSERT ON audit WHEN NEW.action = '${action}'`;
const becomes = (/** @type {string} */ state) => `BEFORE UPDATE ON generations WHEN NEW.state = '${state}' AND OLD.state <> NEW.state`;

for (const [what, when] of [
  ["the reservation's audit row", audit("reserved")],
  ["the new key", "BEFORE INSERT ON keys"],
  ["the new generation", "BEFORE INSERT ON generations"],
  ["the seat", "BEFORE UPDATE ON seats WHEN NEW.live > OLD.live"],
]) {
  test(`a reservation in which ${what} cannot be written is an error, leaves no row and asks the upstream for nothing (S4-13)`, async () => {
    const member = await house.member();
    const before = await house.calls(CREATE);
    await breakAt(when);
    const told = await house.claim(member);
    assert.deepEqual([told.status, told.body.code, secretsIn(told)], [500, "internal", []]);
    assert.equal((await house.calls(CREATE)) - before, 0);
    assert.deepEqual(await house.states(member), []);
    await house.promises({ settled: true });
    await isOverAfterTwoSweeps(member);
  });
}

test("a reservation that cannot remember its Idempotency-Key makes no key either (A15)", async () => {
  const member = await house.member();
  const before = await house.calls(CREATE);
  await breakAt("BEFORE INSERT ON idempotency_keys");
  const told = await member.post("/api/v1/claim", CLAIM, { "idempotency-key": "once" });
  assert.deepEqual([told.status, secretsIn(told)], [500, []]);
  assert.equal((await house.calls(CREATE)) - before, 0);
  assert.deepEqual(await house.states(member), []);
  await isOverAfterTwoSweeps(member);
});

for (const [what, when] of [
  ["the record's audit row", audit("recorded")],
  ["the record itself", becomes("active")],
]) {
  test(`a key whose record fails at ${what} is deleted again and never told (P4, S4-13)`, async () => {
    const member = await house.member();
    await breakAt(when);
    const told = await house.claim(member);
    assert.deepEqual([told.status, told.body.code, secretsIn(told)], [500, "internal", []]);
    assert.deepEqual(await house.states(member), ["revoked"]);
    await house.promises({ settled: true });
    await isOverAfterTwoSweeps(member);
  });
}

test("a key that can neither be recorded nor given up is not told, not touched, and left to the sweep (X3)", async () => {
  const member = await house.member();
  await breakAt("BEFORE UPDATE OF state ON generations");
  const told = await house.claim(member);
  assert.deepEqual([told.status, secretsIn(told)], [500, []]);
  assert.deepEqual(await house.states(member), ["minting"]);
  await house.promises();
  await isOverAfterTwoSweeps(member);
});

/** A create's fault, and the write that should follow it. */
for (const [kind, what, when] of [
  ["refuse", "the refusal's audit row", audit("refused")],
  ["refuse", "the refusal", becomes("void")],
  ["reset_after", "the doubt's audit row", audit("doubted")],
  ["reset_before", "the doubt", becomes("verifying")],
  ["echo_limit_larger", "the removal's audit row", audit("abandoned")],
  ["echo_limit_larger", "the removal", becomes("revoking")],
  ["echo_limit_larger", "the removal's end", becomes("revoked")],
]) {
  test(`a create with ${kind} whose outcome cannot be written, at ${what}, leaves nothing stuck (S4-13, S4-71)`, async () => {
    const member = await house.member();
    await house.sandbox.fault({ operation: CREATE, kind });
    await breakAt(when);
    const told = await house.claim(member);
    assert.ok(told.status >= 500, `${told.status}`);
    assert.deepEqual(secretsIn(told), []);
    assert.notDeepEqual(await house.states(member), ["active"]);
    await house.promises();
    await isOverAfterTwoSweeps(member);
  });
}

/** What a sweep has to write, and what makes it have to. */
for (const [what, when, kind] of [
  ["fence a lost mint", audit("doubted"), "lost"],
  ["clear a doubt whose key was found", audit("cleared"), "reset_after"],
  ["clear a doubt that left nothing", becomes("void"), "reset_before"],
  ["remember what it has seen", "BEFORE UPDATE OF seen_at ON generations", "reset_after"],
]) {
  test(`a sweep that cannot ${what} fails, says so, and the next one does it (P2, P8)`, async () => {
    const member = await house.member();
    if (kind === "lost") await lostMint(member);
    else {
      await house.sandbox.fault({ operation: CREATE, kind });
      assert.equal((await house.claim(member)).status, 503);
    }
    await house.pass(TEN_MINUTES);
    await breakAt(when);
    const run = await house.sweep();
    assert.deepEqual([run?.outcome, run?.code], ["failed", "storage_unavailable"]);
    assert.notDeepEqual(await house.states(member), ["void"]);
    await house.promises();
    await isOverAfterTwoSweeps(member);
  });
}

/** A mint whose row stays `minting`: its record and its end were both broken. @param {import("../harness/index.mjs").Client} member */
async function lostMint(member) {
  await breakAt("BEFORE UPDATE OF state ON generations");
  assert.equal((await house.claim(member)).status, 500);
  await mend();
  assert.deepEqual(await house.states(member), ["minting"]);
}

test("a sweep that cannot begin touches nothing; one that cannot end is written off by the next (F10)", async () => {
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "reset_after" });
  assert.equal((await house.claim(member)).status, 503);
  await house.pass(TEN_MINUTES);
  await breakAt("BEFORE INSERT ON runs");
  const lists = await house.calls(LIST);
  assert.equal(await house.sweep(), undefined);
  assert.equal((await house.calls(LIST)) - lists, 0);
  await mend();
  await breakAt("BEFORE UPDATE OF ended_at ON runs");
  const run = await house.sweep();
  assert.deepEqual([run?.outcome, run?.ended_at], ["running", null]);
  await isOverAfterTwoSweeps(member);
  assert.deepEqual(await house.worker.d1("SELECT outcome FROM runs WHERE id = ?1", [run?.id]), [{ outcome: "abandoned" }]);
});

test("a sign-in that cannot be written down ends without a session and without a member, and can be begun again (P11)", async () => {
  const persona = "load-90001";
  for (const when of [audit("member_created"), "BEFORE INSERT ON owners", "BEFORE INSERT ON members", "BEFORE INSERT ON used_states"]) {
    await breakAt(when);
    await assert.rejects(house.member(persona), /auth_error=storage_unavailable/, when);
    await mend();
    assert.deepEqual(await house.worker.d1("SELECT 1 FROM members WHERE login = ?1", [persona]), []);
  }
  assert.equal((await house.claim(await house.member(persona))).status, 201);
  assert.deepEqual(await house.worker.d1("SELECT 1 FROM owners WHERE id NOT IN (SELECT owner_id FROM members)"), [], "no owner without a member");
  await house.promises({ settled: true });
});
