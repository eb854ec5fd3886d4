// Rows for the measurements, written by SQL through D1 with all triggers in force: every row has its audit row, as the
// application's rows have. The first member has five keys, and each further member has one.

import { hkdfSync } from "node:crypto";
import { SignJWT } from "jose";
import { localVars } from "../scripts/local.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */

/** The public id of the first member. */
export const MEMBER = `mem_${"1".padStart(24, "0")}`;
/** The number of keys of the first member. */
export const FIRST_HAS = 5;
/** How many keys are written in one transaction, because D1 ends a query after 30 s. */
const CHUNK = 10_000;
/** The same time for every database of a run, so that two Workers answer alike. */
const NOW = Math.floor(Date.now() / 1000);

const id = (/** @type {string} */ kind, /** @type {string} */ number) => `format('${kind}_%024x', ${number})`;

/** An id far from those of the plans that migrations seed. */
const PLAN_ID = 1_000;

/** The plan that all keys have. It is written before the first key. */
const PLAN = `
  INSERT INTO audit (change_id, target, action, actor, at) VALUES ('seed-plan', 'plan:default', 'plan_seeded', 'bench', ${NOW});
  INSERT INTO plans (id, name, limit_nano, limit_reset, expiry_days, max_active_keys, is_default, created_at, change_id)
    VALUES (${PLAN_ID}, 'default', 5000000000, 'daily', 90, ${FIRST_HAS}, 1, ${NOW}, 'seed-plan');`;

/**
 * SQL for the keys `from` to `to`, counted from 0, and for the members who have them.
 * @param {number} from @param {number} to
 */
function rows(from, to) {
  const each = `WITH RECURSIVE k (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM k WHERE n < ${to - 1}),
    seeded AS (SELECT n, MAX(n - ${FIRST_HAS - 2}, 1) AS owner, CASE WHEN n < ${FIRST_HAS} THEN n ELSE 0 END AS ordinal FROM k)`;
  const owners = "FROM seeded WHERE ordinal = 0";
  return `
    INSERT INTO owners (id, kind, plan_id, created_at) ${each} SELECT owner, 'member', ${PLAN_ID}, ${NOW} ${owners};
    INSERT INTO audit (change_id, target, action, actor, at)
      ${each} SELECT 'seed-member-' || owner, ${id("mem", "owner")}, 'member_created', 'bench', ${NOW} ${owners};
    INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
      ${each} SELECT owner, ${id("mem", "owner")}, 'github', 'seed-' || owner, 'seed-' || owner, 1500000000, ${NOW}, ${NOW}, 'seed-member-' || owner ${owners};
    INSERT INTO audit (change_id, target, action, actor, after, at)
      ${each} SELECT 'seed-key-' || n, ${id("gen", "n")}, 'reserved', 'bench', 'minting', ${NOW} FROM seeded;
    INSERT INTO keys (id, public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
      ${each} SELECT n + 1, ${id("key", "n")}, owner, ordinal, 'claim', ${PLAN_ID}, ${NOW}, 'seed-key-' || n FROM seeded;
    INSERT INTO generations (id, public_id, key_id, owner_id, state, op_nonce, upstream_name, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
      ${each} SELECT n + 1, ${id("gen", "n")}, n + 1, owner, 'minting', 'seed', 'keycap/seed/' || n, 0, 5000000000, 'daily', ${NOW}, ${NOW + 90 * 86_400}, 'seed-key-' || n FROM seeded;
    INSERT INTO audit (change_id, target, action, actor, before, after, at)
      ${each} SELECT 'seed-record-' || n, ${id("gen", "n")}, 'recorded', 'bench', 'minting', 'active', ${NOW} FROM seeded;
    UPDATE generations SET state = 'active', upstream_hash = 'seed-hash-' || id, secret_sha256 = 'seed-secret-' || id, label = 'sk-or-v1-5a4...' || id,
      -- Of five keys one was never asked for its spend, and one not today.
      usage_daily_nano = id * 1000000, usage_weekly_nano = id * 2000000, usage_monthly_nano = id * 3000000, usage_lifetime_nano = id * 4000000,
      usage_read_at = CASE id % 5 WHEN 0 THEN NULL WHEN 1 THEN ${NOW - 86_400} ELSE ${NOW} END,
      recorded_at = ${NOW}, change_id = 'seed-record-' || (id - 1) WHERE id > ${from} AND id <= ${to};`;
}

/** Fills a database up to `count` keys. @param {Program} program @param {number} count */
export async function seed(program, count) {
  await program.sql(PLAN);
  for (let from = 0; from < count; from += CHUNK) await program.sql(rows(from, Math.min(from + CHUNK, count)));
}

/** The Cookie header of the first member's session, as the Worker would have issued it. */
export async function cookie() {
  const { AUTH_SESSION_SECRET } = localVars({ origin: "", sandboxUrl: "" });
  const key = hkdfSync("sha256", AUTH_SESSION_SECRET, "", "keycap session v1", 32);
  const claims = { sub: MEMBER, epoch: 0, iat: NOW, exp: NOW + 86_400 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new Uint8Array(key));
  return `__Host-keycap_session=${token}`;
}
