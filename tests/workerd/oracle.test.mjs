// The oracle notices what it is made for: each promise is broken on purpose, and the oracle says which one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { House, secretsIn } from "./support.mjs";

test("a wrong count, a lost audit, a second delivery, a secret in an answer or at rest, a key that is off on paper only, one that is kept for nothing, and one that is held to nothing on record are each noticed", async (t) => {
  const house = await House.open();
  t.after(() => house.close());
  const member = await house.member();
  const secret = secretsIn(await house.claim(member)).join();
  const sql = (/** @type {string} */ text) => house.worker.d1(text);
  const isNoticed = (/** @type {RegExp} */ as) => assert.rejects(house.promises(), as);
  await house.promises({ settled: true });

  await sql("UPDATE seats SET live = live + 1");
  await isNoticed(/the counter is the count/);
  await sql("UPDATE seats SET live = live - 1");

  await sql("INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'made up', public_id, 'disabled', 'test', 'disabled', 'active', 1 FROM generations");
  await isNoticed(/the audit of gen_\w+ has a gap/);
  await sql("DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE change_id = 'made up'; SELECT 1");
  await house.promises({ settled: true });

  house.delivered.push(secret);
  await isNoticed(/secrets that left twice/);
  house.delivered.pop();

  const { hash } = (await house.sandbox.ledger()).keys[0];
  await sql("UPDATE generations SET upstream_hash = 'another'");
  await isNoticed(/was delivered without being recorded/);
  await sql(`UPDATE generations SET upstream_hash = '${hash}'`);
  await house.promises({ settled: true });

  const guardrail = await house.guardrail("cheap/one");
  await house.management("POST", `/guardrails/${guardrail}/assignments/keys`, { key_hashes: [hash] });
  await isNoticed(/what \S+ is held to/);
  await house.management("DELETE", `/guardrails/${guardrail}`);
  await house.promises({ settled: true });

  const other = await house.member();
  assert.equal((await house.claim(other)).status, 201);
  const [{ id }] = await house.generations(other);
  for (const [n, before, after] of [[1, "active", "revoking"], [2, "revoking", "revoked"]]) {
    await sql(`INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'paper-${n}', public_id, 'abandoned', 'test', '${before}', '${after}', 1 FROM generations WHERE id = ${id};
      UPDATE generations SET state = '${after}', change_id = 'paper-${n}' WHERE id = ${id}; SELECT 1`);
  }
  await isNoticed(/keys that work and are written down as revoked/);
  await house.management("DELETE", `/keys/${(await house.generations(other))[0]?.upstream_hash}`);
  await isNoticed(/\S+ is kept for nothing/);
  await sql(`INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'paper-3', public_id, 'erased', 'test', 'revoked', 'revoked', 1 FROM generations WHERE id = ${id};
    UPDATE generations SET erased_at = 1, change_id = 'paper-3' WHERE id = ${id}; SELECT 1`);
  await house.promises({ settled: true });

  await sql(`UPDATE generations SET label = '${secret}' WHERE state = 'active'`);
  await member.get("/api/v1/keys");
  await isNoticed(/\S+ is in the answer to GET \/api\/v1\/keys: 200/);
  await isNoticed(/\S+ is in v3.d1/);
  house.excuse("the secret stays in the pages that the database has freed");
});
