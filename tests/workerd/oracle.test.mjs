// The oracle detects what it is made for: the test breaks each promise on purpose, and the oracle names it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Deployment, secretsIn } from "./support.mjs";

test("a wrong count, a lost audit row, a second delivery, a secret in an answer or at rest, a key that is disabled only on record, one that is retained without need, and one without its recorded guardrail are each detected", async (t) => {
  const deployment = await Deployment.open();
  t.after(() => deployment.close());
  const member = await deployment.member();
  const secret = secretsIn(await deployment.claim(member)).join();
  const sql = (/** @type {string} */ text) => deployment.worker.d1(text);
  const isNoticed = (/** @type {RegExp} */ as) => assert.rejects(deployment.promises(), as);
  await deployment.promises({ settled: true });

  await sql("UPDATE seats SET live = live + 1");
  await isNoticed(/the counter is the count/);
  await sql("UPDATE seats SET live = live - 1");

  await sql("INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'made up', public_id, 'disabled', 'test', 'disabled', 'active', 1 FROM generations");
  await isNoticed(/the audit of gen_\w+ has a gap/);
  await sql("DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE change_id = 'made up'; SELECT 1");
  await deployment.promises({ settled: true });

  deployment.delivered.push(secret);
  await isNoticed(/secrets that were delivered twice/);
  deployment.delivered.pop();

  const { hash } = (await deployment.sandbox.ledger()).keys[0];
  await sql("UPDATE generations SET upstream_hash = 'another'");
  await isNoticed(/was delivered without being recorded/);
  await sql(`UPDATE generations SET upstream_hash = '${hash}'`);
  await deployment.promises({ settled: true });

  const guardrail = await deployment.guardrail("cheap/one");
  await deployment.management("POST", `/guardrails/${guardrail}/assignments/keys`, { key_hashes: [hash] });
  await isNoticed(/the guardrail of \S+/);
  await deployment.management("DELETE", `/guardrails/${guardrail}`);
  await deployment.promises({ settled: true });

  const other = await deployment.member();
  assert.equal((await deployment.claim(other)).status, 201);
  const [{ id }] = await deployment.generations(other);
  for (const [n, before, after] of [[1, "active", "revoking"], [2, "revoking", "revoked"]]) {
    await sql(`INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'paper-${n}', public_id, 'abandoned', 'test', '${before}', '${after}', 1 FROM generations WHERE id = ${id};
      UPDATE generations SET state = '${after}', change_id = 'paper-${n}' WHERE id = ${id}; SELECT 1`);
  }
  await isNoticed(/keys that work although they are recorded as revoked/);
  await deployment.management("DELETE", `/keys/${(await deployment.generations(other))[0]?.upstream_hash}`);
  await isNoticed(/\S+ is retained without figures/);
  await sql(`INSERT INTO audit (change_id, target, action, actor, before, after, at) SELECT 'paper-3', public_id, 'erased', 'test', 'revoked', 'revoked', 1 FROM generations WHERE id = ${id};
    UPDATE generations SET erased_at = 1, change_id = 'paper-3' WHERE id = ${id}; SELECT 1`);
  await deployment.promises({ settled: true });

  await sql(`UPDATE generations SET label = '${secret}' WHERE state = 'active'`);
  await member.get("/api/v1/keys");
  await isNoticed(/\S+ is in the answer to GET \/api\/v1\/keys: 200/);
  await assert.rejects(deployment.look(), /\S+ is in v3.d1/);
  deployment.excuse("the secret stays in the pages that the database has freed");
});
