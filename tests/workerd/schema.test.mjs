// The rules that no code may break, tried on D1 itself: by SQL alone, without our code in between.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeConfig } from "../../scripts/local.mjs";
import { inRoot, node, root } from "../../scripts/paths.mjs";
import { run } from "../../scripts/process.mjs";
import { Deployment } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** @param {string} sql */
const sql = (sql) => deployment.worker.d1(sql);
/** @param {string} statement @param {RegExp} because */
const isRefused = (statement, because) => assert.rejects(sql(statement), because, statement);

/** A member with an active key. */
async function holder() {
  const member = await deployment.member();
  assert.equal((await deployment.claim(member)).status, 201);
  const [generation] = await deployment.generations(member);
  return { member, generation };
}

test("applying the migrations again, on a database in use, does nothing and says so", async () => {
  const { member } = await holder();
  const schema = () => sql("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY type, name");
  const before = await schema();
  await deployment.worker.kill();
  const folder = join(deployment.worker.folder, "again");
  const config = await writeConfig(folder);
  const wrangler = inRoot("node_modules", "wrangler", "bin", "wrangler.js");
  const args = ["d1", "migrations", "apply", "DB", "--local", "--config", config, "--persist-to", deployment.worker.persist];
  const { output } = await run(node, [wrangler, ...args], {
    cwd: root,
    env: { CI: "true", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", WRANGLER_LOG_PATH: join(folder, "logs"), WRANGLER_REGISTRY_PATH: join(folder, "registry"), TMPDIR: folder },
  });
  assert.match(output, /No migrations to apply/);
  await deployment.worker.restart();
  assert.deepEqual(await schema(), before);
  assert.deepEqual(await deployment.states(member), ["active"]);
  await deployment.promises({ settled: true });
});

test("the audit takes rows and lets none be changed or deleted", async () => {
  await holder();
  const [{ count }] = await sql("SELECT COUNT(*) AS count FROM audit");
  assert.ok(count > 0);
  await isRefused("UPDATE audit SET actor = 'somebody else'", /audit is append-only/);
  await isRefused("DELETE FROM audit", /audit is append-only/);
  await isRefused("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 't', 'made_up', 'a', 1)", /FOREIGN KEY/);
  assert.deepEqual(await sql("SELECT COUNT(*) AS count FROM audit"), [{ count }]);
});

test("the audit keeps its rows under INSERT OR REPLACE too, for which SQLite fires no DELETE trigger", async () => {
  // This row belongs to this test alone, so that nothing else is harmed if it is replaced.
  await sql("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('kept', 'kept', 'refused', 'test', 1)");
  const rows = () => sql("SELECT * FROM audit WHERE target = 'kept'");
  const [row] = await rows();
  const replace = (/** @type {string} */ values) => sql(`INSERT OR REPLACE INTO audit (id, change_id, target, action, actor, at) VALUES (${values})`).catch(() => {});
  await replace("NULL, 'kept', 'kept', 'refused', 'forger', 2");
  assert.deepEqual(await rows(), [row], "by its change and target");
  await replace(`${row.id}, 'forged', 'forged', 'refused', 'forger', 2`);
  assert.deepEqual(await rows(), [row], "by its id");
});

test("a change of state without its audit row aborts, and so does one that reuses another's", async () => {
  const { generation } = await holder();
  const { id, public_id, change_id } = generation;
  await isRefused(`UPDATE generations SET state = 'revoking' WHERE id = ${id}`, /unaudited change/);
  await isRefused(`UPDATE generations SET state = 'revoking', change_id = '${change_id}' WHERE id = ${id}`, /unaudited change/);
  // An audit row of another row, or of another transition, is not accepted either.
  await sql(`INSERT INTO audit (change_id, target, action, actor, before, after, at) VALUES ('other-${id}', 'of another', 'abandoned', 'test', 'active', 'revoking', 1)`);
  await isRefused(`UPDATE generations SET state = 'revoking', change_id = 'other-${id}' WHERE id = ${id}`, /unaudited change/);
  await isRefused("UPDATE settings SET minting = 'stopped'", /unaudited change/);
  await isRefused("UPDATE settings SET session_epoch = session_epoch + 1", /unaudited change/);
  await isRefused("UPDATE members SET status = 'banned'", /unaudited change/);
  await isRefused("UPDATE members SET epoch = epoch + 1", /unaudited change/);
  await isRefused("UPDATE instance SET public_origin = 'https://elsewhere.example'", /unaudited change/);
  await isRefused("UPDATE plans SET limit_nano = limit_nano + 1", /unaudited change/);
  await isRefused("INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, created_at, change_id) VALUES ('p', 5000000000, 'daily', 90, 1, 1, 'nobody')", /unaudited change/);
  assert.deepEqual(await sql(`SELECT state, public_id FROM generations WHERE id = ${id}`), [{ state: "active", public_id }]);
  await deployment.promises({ settled: true });
});

test("a generation changes state only along its transitions, even if the trigger of the audit is absent", async (t) => {
  const { generation } = await holder();
  const { id } = generation;
  const [{ sql: asksTheAudit }] = await sql("SELECT sql FROM sqlite_master WHERE name = 'generations_state_audited'");
  await sql("DROP TRIGGER generations_state_audited");
  t.after(() => sql(asksTheAudit));
  for (const state of ["minting", "verifying", "void", "revoked", "reserved", "stuck"]) {
    await isRefused(`UPDATE generations SET state = '${state}' WHERE id = ${id}`, /no such transition/);
  }
  await isRefused(`UPDATE generations SET state = 'lost' WHERE id = ${id}`, /CHECK|no such transition/);
  assert.deepEqual(await sql(`SELECT state FROM generations WHERE id = ${id}`), [{ state: "active" }]);
});

test("a second live generation in a slot aborts on D1 itself, and so do a second name, hash or claimed key", async () => {
  const { generation } = await holder();
  const insert = (/** @type {Record<string, string>} */ changes) => {
    const columns = ["key_id", "owner_id", "slot", "op_nonce", "upstream_name", "plan_rev", "limit_nano", "limit_reset", "created_at", "expires_at"];
    const values = columns.map((name) => changes[name] ?? name);
    const id = changes.public_id;
    return `INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('chg_${id}', '${id}', 'reserved', 'test', 'minting', 1);
      INSERT INTO generations (public_id, state, change_id, ${columns.join(", ")}) SELECT '${id}', 'minting', 'chg_${id}', ${values.join(", ")} FROM generations WHERE id = ${generation.id}; SELECT 1`;
  };
  await isRefused(insert({ public_id: "gen_second", upstream_name: "'another name'" }), /UNIQUE constraint failed: generations.key_id, generations.slot/);
  await isRefused(insert({ public_id: "gen_named", slot: "1" }), /UNIQUE constraint failed: generations.upstream_name/);
  await isRefused(insert({ public_id: "gen_slot", slot: "2", upstream_name: "'a third name'" }), /CHECK/);
  await isRefused(insert({ public_id: "gen_uncapped", slot: "1", upstream_name: "'a fourth name'", limit_nano: "0" }), /CHECK/);
  await isRefused(insert({ public_id: "gen_endless", slot: "1", upstream_name: "'a fifth name'", expires_at: "created_at" }), /CHECK/);
  await isRefused(`INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
    SELECT 'key_second', owner_id, 0, 'claim', plan_id, 1, change_id FROM keys WHERE id = ${generation.key_id}`, /UNIQUE constraint failed: keys.owner_id, keys.ordinal/);
  const { generation: other } = await holder();
  await isRefused(`UPDATE generations SET upstream_hash = '${other.upstream_hash}' WHERE id = ${generation.id}`, /UNIQUE constraint failed: generations.upstream_hash/);
  await deployment.promises({ settled: true });
});

test("a member's identity and a generation's name never change", async () => {
  const { generation } = await holder();
  for (const change of ["subject = '1'", "provider = 'google'", "public_id = 'mem_other'"]) await isRefused(`UPDATE members SET ${change}`, /identity is fixed/);
  for (const change of ["upstream_name = 'another'", "public_id = 'gen_other'", "key_id = key_id + 1", "created_at = created_at - 1"]) {
    await isRefused(`UPDATE generations SET ${change} WHERE id = ${generation.id}`, /a generation keeps its name/);
  }
});

test("tables accept no wrong types, and the count of seats never falls below zero", async () => {
  await isRefused("UPDATE settings SET pause_until = 'tomorrow'", /cannot store TEXT value in INTEGER column/);
  await isRefused("UPDATE settings SET pause_until = 1.5", /cannot store REAL value in INTEGER column/);
  await isRefused("UPDATE seats SET live = -1", /CHECK/);
  await isRefused("INSERT INTO settings (id) VALUES (2)", /CHECK/);
  const loose = await sql("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name <> 'd1_migrations'");
  assert.deepEqual(loose, [], "every table of ours is STRICT");
});
