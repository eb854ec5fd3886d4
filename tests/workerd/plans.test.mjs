// Plans on the real Worker and D1: a change that cron carries out, and keys asked for at the same time (B5, P6).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { House } from "./support.mjs";

/** @type {House} */
let house;
before(async () => {
  house = await House.open();
});
after(() => house?.close());

test("a plan's change reaches its owners' keys upstream with the next sweep, in place (B5, S3-04)", async () => {
  const [member, operator] = [await house.member(), await house.member("operator")];
  assert.equal((await house.claim(member)).status, 201);
  const changed = await operator.patch("/api/v1/admin/plans/default", { limit_usd: "2.50", limit_reset: "weekly" });
  assert.equal(changed.status, 200);
  await house.sweep();
  const [row] = await house.generations(member);
  assert.deepEqual([row.state, row.limit_nano, row.limit_reset, row.cap_due_at], ["active", 2_500_000_000, "weekly", null]);
  const key = (await member.get("/api/v1/keys")).body.keys[0];
  assert.deepEqual([key.limit_usd, key.limit_reset], ["2.50", "weekly"]);
  await house.promises({ settled: true });
});

test("of five keys asked for at once one is made where the plan has room for one (P6)", async () => {
  const [member, operator] = [await house.member(), await house.member("operator")];
  const id = await house.memberId(member);
  assert.equal((await operator.post(`/api/v1/admin/members/${id}/plan`, { plan: "basic" })).status, 200);
  assert.equal((await house.claim(member)).status, 201);
  const asked = await Promise.all([1, 2, 3, 4, 5].map((n) => member.post("/api/v1/keys", { name: `key ${n}` })));
  assert.deepEqual(asked.map(({ status }) => status).sort(), [201, 409, 409, 409, 409]);
  const live = (await house.generations(member)).filter(({ live }) => live === 1);
  assert.equal(live.length, 2);
  await house.promises({ settled: true });
});
