-- Bystanders: people, plans and keys that no test is about, so that a statement which forgets whom it is about meets
-- somebody else's row. There is one in each state. What was done is ten days old when a world begins, and nothing of
-- theirs becomes due before the year 2100. Their numbers end at 0, so the rows of a test get the numbers that they
-- would get without them. These rows are inserted without triggers, which would refuse what nobody asked for.

CREATE TEMP TABLE moment AS SELECT 1794398400 AS past, 4102444800 AS future;

INSERT INTO plans (id, name, limit_nano, limit_reset, expiry_days, max_active_keys, workspace_id, guardrail_id, margin_bp, rev, created_at, change_id)
SELECT v.column1, v.column2, v.column3, v.column4, 90, v.column5, 'bystanders-workspace', 'their-guardrail', 500, 3, past, 'chg_their_plan'
FROM moment, (VALUES (0, 'theirs', 7000000000, 'daily', 100), (-1, 'theirs, prepaid', 9000000000000000, 'none', 1)) v;

INSERT INTO owners (id, kind, plan_id, plan_rev, prepaid_since, created_at, change_id)
SELECT v.column1, 'member', v.column2, 4, v.column3, past, 'chg_their_plan'
FROM moment, (VALUES (0, 0, NULL), (-1, -1, 1794398400), (-2, 0, NULL), (-3, 0, NULL), (-4, 0, NULL)) v;

INSERT INTO members (owner_id, public_id, provider, subject, login, login_passed_on_at, account_created_at, status, epoch, terms_rev, terms_at, created_at, signed_in_at, change_id)
SELECT v.column1, 'mem_bystander' || -v.column1, 'github', v.column2, v.column3, v.column5, IIF(v.column4 = 'left', 0, 1500000000), v.column4, 7,
  IIF(v.column4 = 'left', 0, 9), IIF(v.column4 = 'left', NULL, past), past, past, 'chg_their_member'
FROM moment, (VALUES (0, '7700077', 'bystander', 'active', NULL), (-1, '7700078', 'payer', 'active', 1794398400), (-2, '7700079', 'suspended', 'suspended', NULL),
  (-3, '7700080', 'banned', 'banned', NULL), (-4, 'left:81', '', 'left', NULL)) v;

-- Namesakes: accounts of another provider whose numbers are those of the people in the tests.
CREATE TEMP TABLE namesakes AS SELECT -4 - ROW_NUMBER() OVER () AS id, column1 AS subject
FROM (VALUES ('1000001'), ('1000100'), ('1000101'), ('1000200'), ('9000000'), ('9000001'), ('9000002'));
INSERT INTO owners (id, kind, plan_id, created_at) SELECT id, 'member', 0, past FROM namesakes, moment;
INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
SELECT id, 'mem_bystander' || -id, 'google', subject, 'namesake' || -id, 1500000000, past, past, 'chg_their_member' FROM namesakes, moment;
-- Each of them is managed by a Workspace that no test is about, and one of them is an admin's account.
UPDATE members SET hosted_domain = 'theirs.example' WHERE provider = 'google';
INSERT INTO admin_pins (email_sha256, domain, owner_id, public_id, since, refused_at, change_id)
SELECT printf('%064d', 7), 'theirs.example', -5, 'pin_bystander', past, past, 'chg_their_pin' FROM moment;
INSERT INTO blocks (provider, subject, since, public_id, change_id)
SELECT 'google', subject, past, 'blk_bystander' || -id, 'chg_their_block' FROM namesakes, moment
UNION ALL SELECT 'github', '7700078', past, 'blk_bystander', 'chg_their_block' FROM moment;
INSERT INTO allotments (public_id, provider, subject, kind, name, since, change_id)
SELECT 'alt_bystander_' || kind.column1 || -id, provider, subject, kind.column1, 'their name', past, 'chg_their_allotment'
FROM (SELECT id, 'google' AS provider, subject FROM namesakes UNION ALL SELECT 1, 'github', '7700077'), moment, (VALUES ('claim'), ('appeal')) kind;

-- One key for each state of a generation, and its history. The first column is the key's number.
CREATE TEMP TABLE theirs AS
SELECT -column1 AS id, column2 AS owner_id, column3 AS state, column4 AS ended FROM (VALUES
  (0, 0, 'active', 0), (1, 0, 'disabled', 0), (2, 0, 'active', 0), (3, 0, 'minting', 0), (4, 0, 'verifying', 0),
  (5, 0, 'revoking', 0), (6, 0, 'stuck', 0), (7, 0, 'revoked', 1), (8, 0, 'expired', 1), (9, 0, 'void', 0),
  (10, 0, 'active', 0), (11, -1, 'active', 0), (12, -2, 'disabled', 0), (13, -1, 'revoked', 1), (14, 0, 'reserved', 0),
  -- Each of these has one hold.
  (15, 0, 'disabled', 0), (16, 0, 'disabled', 0), (17, 0, 'disabled', 0), (18, 0, 'disabled', 0), (19, 0, 'disabled', 0), (20, 0, 'disabled', 0),
  (21, 0, 'disabled', 0), (22, 0, 'disabled', 0), (23, 0, 'disabled', 0));

INSERT INTO keys (id, public_id, owner_id, ordinal, origin, name, plan_id, own_limit_nano, upstream_limit_nano, preferred_at, created_at, ended_at, change_id)
SELECT id, 'key_bystander' || -id, owner_id, IIF(owner_id = 0, -id, 0), 'claim', 'their key', owner_id = -1, 6000000000, 5000000000, past, past,
  IIF(ended, past + 86400, NULL), 'chg_their_key'
FROM theirs, moment;

INSERT INTO holds (key_id, reason, actor, since, change_id)
SELECT k.column1, r.column1, 'mem_bystander0', IIF(r.column1 = 'rotation', future, past), 'chg_their_hold'
FROM moment, (VALUES (-1), (-8), (-12)) k, (VALUES ('owner'), ('admin'), ('offboarding'), ('leak'), ('idle'), ('budget'), ('plan'), ('switch'), ('rotation'), ('upstream')) r
-- A key within its plan's quota loses this hold in every sweep.
WHERE r.column1 <> 'plan' OR k.column1 = -8
UNION ALL SELECT column1, column2, 'mem_bystander0', IIF(column2 = 'rotation', future, past), 'chg_their_hold'
FROM moment, (VALUES (-15, 'owner'), (-16, 'admin'), (-17, 'offboarding'), (-18, 'leak'), (-19, 'idle'), (-20, 'budget'), (-21, 'switch'),
  (-22, 'rotation'), (-23, 'upstream'));

-- The key of number 2 is in grace: its newer generation has the number -100.
INSERT INTO generations (id, public_id, key_id, owner_id, slot, replaces, state, op_nonce, upstream_name, upstream_hash, secret_sha256, label,
  workspace_id, plan_rev, limit_nano, limit_reset, guardrail_id, created_at, expires_at, recorded_at, grace_until, ended_at, erase_at, erased_at,
  next_attempt_at, usage_daily_nano, usage_weekly_nano, usage_monthly_nano, usage_lifetime_nano, usage_read_at, usage_asked_at,
  prepaid_spent_nano, prepaid_reserved_nano, failure, change_id)
SELECT g.id, 'gen_bystander' || -g.id, t.id, owner_id, g.slot, IIF(g.slot, t.id, NULL), state, 'their nonce', 'their name ' || g.id,
  'their hash ' || g.id, 'their secret ' || g.id, 'sk-or-v1-the...irs', IIF(state IN ('minting', 'verifying'), 'bystanders-workspace', NULL), 7, 4000000000, IIF(owner_id = -1, 'none', 'daily'),
  'their-guardrail', IIF(state = 'minting', future, past), future + 1, IIF(state IN ('reserved', 'minting', 'verifying', 'void'), NULL, past), IIF(t.id = -2 AND g.slot = 0, future, NULL),
  IIF(ended, past + 86400, NULL), IIF(ended, future, NULL), IIF(t.id = -8, past + 86400, NULL), future, 1000000000, 2000000000, 3000000000,
  3000000000, past, past, IIF(owner_id = -1, 1000000000, NULL), IIF(owner_id = -1, 1000000000, NULL), IIF(state = 'void', 'refused', NULL), 'chg_their_key'
FROM moment, theirs t JOIN (SELECT id, id AS key_id, 0 AS slot FROM theirs UNION ALL SELECT -100, -2, 1) g ON g.key_id = t.id;
-- What is in flight, and due in the year 2100.
UPDATE generations SET limit_sent_nano = 9000000000, limit_sent_at = future, cap_due_at = future, guardrail_sent_at = future, switch_doubted_at = future,
  missing_since = future, seen_at = future FROM moment WHERE id = -10;

INSERT INTO retained_seats (id, key_id, owner_id, until, reused_by, in_use)
SELECT v.column1, -7, 0, future, v.column2, v.column3 FROM moment, (VALUES (0, NULL, 0), (-1, 0, 1)) v;
INSERT INTO raises (id, public_id, key_id, amount_nano, since, until, change_id)
SELECT v.column1, 'rai_bystander' || -v.column1, v.column1, 2000000000, past, v.column2, 'chg_their_raise' FROM moment, (VALUES (0, NULL), (-1, 4102444800), (-2, 1794398401)) v;
INSERT INTO payments (payment_id, owner_id, paid_nano, credit_nano, at, change_id) SELECT 'their payment', -1, 9000000000, 8000000000, past, 'chg_their_payment' FROM moment;
INSERT INTO requests (id, public_id, owner_id, kind, state, note, answer, created_at, decided_at, change_id)
SELECT v.column1, 'req_bystander' || -v.column1, v.column2, v.column3, v.column4, 'their note', IIF(v.column4 = 'open', NULL, 'the answer'), past, IIF(v.column4 = 'open', NULL, past), 'chg_their_request'
FROM moment, (VALUES (0, 0, 'claim', 'open'), (-1, 0, 'appeal', 'declined'), (-2, -1, 'claim', 'approved'), (-3, -1, 'appeal', 'open')) v;
INSERT INTO requests (id, public_id, owner_id, kind, state, note, created_at, change_id, key_id, amount_nano)
SELECT -4, 'req_bystander4', 0, 'limit', 'open', 'their note', past, 'chg_their_request', 0, 1000000000 FROM moment;
INSERT INTO daily_uses (owner_id, action, day, n)
SELECT 0, column1, 1, 1000 FROM (VALUES ('key_renamed'), ('hold_lifted'), ('own_limit_set'), ('key_preferred'), ('rotation_begun'), ('hold_put'), ('project_created'), ('key_moved'), ('handoff_started'), ('provider_key_changed'), ('device_code_wrong'));
INSERT INTO idempotency_keys (owner_id, key_sha256, request_sha256, nonce, seed, taken_at, generation_id, status, body, created_at)
SELECT 0, v.column1, 'theirs', 'their nonce', 'their nonce', future, v.column2, v.column3, v.column4, future
FROM moment, (VALUES ('at work', -3, NULL, NULL), ('answered', 0, 201, '{"member":"mem_bystander1"}')) v;
INSERT INTO idempotency_names (member, owner_id, key_sha256) VALUES ('mem_bystander1', 0, 'answered');
INSERT INTO used_states (state_sha256, change_id, expires_at) SELECT 'theirs', 'chg_their_member', future FROM moment;

INSERT INTO runs (id, public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome, code)
SELECT v.column1, 'run_bystander' || -v.column1, 'another job', future, future, future, v.column2, v.column3, v.column4
FROM moment, (VALUES (0, NULL, 'running', NULL), (-1, 4102444800, 'done', NULL), (-2, 4102444800, 'failed', 'brake')) v;
INSERT INTO findings (id, public_id, upstream_hash, upstream_name, first_seen_at, last_seen_at, disabled_at, acknowledged_at)
SELECT v.column1, 'fnd_bystander' || -v.column1, 'their strange ' || v.column1, 'their strange', past, future, past, v.column2 FROM moment, (VALUES (0, NULL), (-1, 1794398400)) v;
INSERT INTO sightings (generation_id, seen_at) SELECT id, future FROM generations, moment WHERE id <= 0;
INSERT INTO drift (generation_id, kind, first_seen_at, last_seen_at) SELECT 0, column1, past, future FROM moment, (VALUES ('limit'), ('missing'), ('disabled'));

-- Their usage is of the year 2100, and explains all that their counters show.
INSERT INTO models (id, source, slug, name) VALUES (0, 'openrouter', 'bystander/model', 'bystander model');
INSERT INTO usage_workspaces (id, workspace_id) VALUES (0, 'bystanders-workspace');
INSERT INTO usage_days_read (day, writing, shown, source, run, as_of, row_count, ours_nano) SELECT future / 86400, 3, 3, 'analytics', 'run_bystander0', future, 1, 3000000000 FROM moment;
INSERT INTO usage_days (day, revision, generation_id, model_id, owner_id, plan_id, project, workspace, cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
SELECT future / 86400, 3, -1, 0, -1, -1, 0, 0, 3000000000, 0, 7, 70, 30, 3, 10 FROM moment;
INSERT INTO usage_months (month, generation_id, model_id, owner_id, plan_id, project, workspace, cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
SELECT future / 86400, -1, 0, -1, -1, 0, 0, 3000000000, 0, 7, 70, 30, 3, 10 FROM moment;
INSERT INTO usage_months_summed (month, summed_at) SELECT future / 86400, future FROM moment;
INSERT INTO limit_steps (generation_id, at, limit_nano, limit_reset) SELECT 0, past, 4000000000, 'daily' FROM moment;
UPDATE generations SET explained_nano = usage_lifetime_nano WHERE usage_lifetime_nano IS NOT NULL;

-- The newest row of each of them, and one row of each action. Before a row is inserted, SQLite calls its number -1.
INSERT INTO audit (id, change_id, target, action, actor, before, after, at)
SELECT -1000 - ROW_NUMBER() OVER (), change_id, public_id, 'recorded', 'mem_bystander0', 'minting', 'active', future FROM moment, (
  SELECT change_id, public_id FROM members WHERE owner_id <= 0 UNION ALL SELECT change_id, public_id FROM keys WHERE id <= 0
  UNION ALL SELECT change_id, public_id FROM generations WHERE id <= 0 UNION ALL SELECT change_id, public_id FROM blocks
  UNION ALL SELECT change_id, public_id FROM requests UNION ALL SELECT change_id, public_id FROM raises);
INSERT INTO audit (id, change_id, target, action, actor, at)
SELECT -1 - ROW_NUMBER() OVER (), 'chg_their_' || name, 'key_bystander0', name, 'mem_bystander0', future FROM audit_actions, moment;

INSERT INTO projects (id, public_id, owner_id, name, normal_name, created_at, archived_at, change_id)
SELECT v.column1, 'prj_bystander' || -v.column1, 0, v.column2, lower(v.column2), past, v.column3, 'chg_their_project'
FROM moment, (VALUES (0, 'Their project', NULL), (-1, 'Archived', 1794398400)) v;
UPDATE keys SET project_id = 0 WHERE id IN (-1, -7);
INSERT INTO handoffs (id, public_id, owner_id, provider, state, challenge, blob, confirmed_at, wrong_codes, created_at, expires_at, redeeming_at, ended_at, change_id)
SELECT v.column1, 'hnd_bystander' || -v.column1, 0, 'openrouter', v.column2, 'their challenge', 'handoff/theirs', v.column3, 3, past, future, v.column3, v.column4, 'chg_their_handoff'
FROM moment, (VALUES (0, 'pending', NULL, NULL), (-1, 'ready', NULL, NULL), (-2, 'redeeming', 4102444800, NULL), (-3, 'unknown', 4102444800, 4102444800), (-4, 'redeemed', 4102444800, 4102444800)) v;
INSERT INTO provider_keys (id, public_id, owner_id, provider, label, mask, secret_sha256, project_id, handoff, created_at, change_id)
SELECT 0, 'pky_bystander0', 0, 'openrouter', 'their words', 'sk-or-v1-the...irs', printf('%064d', 7), 0, 'hnd_bystander4', past, 'chg_their_key' FROM moment;
-- One of these may still be approved, by them, in the year 2100.
INSERT INTO device_grants (id, device_code_sha256, user_code_hmac, client, device, address_hmac, state, owner_id, epoch, accepts_terms, workspace, interval_secs, polled_at, poll, created_at, expires_at, change_id)
SELECT v.column1, printf('%064d', 100 - v.column1), printf('%064d', 200 - v.column1), 'their terminal', 'their machine', printf('%064d', 9), v.column2, v.column3, v.column4, 1, 'their workspace', 10, past, 'their nonce', past, future, 'chg_their_grant'
FROM moment, (VALUES (0, 'pending', NULL, NULL), (-1, 'approved', 0, 1), (-2, 'denied', 0, 1), (-3, 'redeemed', 0, 1), (-4, 'failed', 0, 1)) v;
-- One of them waits in a held list, and one was put out.
INSERT INTO presences (owner_id, source, walk, found, strikes, strike_day, since)
SELECT v.column1, 'their directory', future, v.column2, v.column3, v.column4, v.column5 FROM moment, (VALUES (0, 'suspended', 2, 20768, 1794398400), (-1, 'active', 0, NULL, NULL)) v;
INSERT INTO departure_lists (id, public_id, provider, state, made_at, expires_at, decided_at, change_id)
SELECT v.column1, 'dep_bystander' || -v.column1, 'github', v.column2, past, future, v.column3, 'chg_their_list' FROM moment, (VALUES (0, 'held', NULL), (-1, 'released', 4102444800)) v;
INSERT INTO departures (list_id, owner_id, reason, since, blocked_at)
SELECT v.column1, v.column2, 'suspended', past, v.column3 FROM moment, (VALUES (0, 0, NULL), (-1, -2, 1794398400)) v;
INSERT INTO bulk_changes (id, public_id, action, state, actor, made_at, expires_at, started_at, ended_at, change_id)
SELECT v.column1, 'blc_bystander' || -v.column1, v.column2, v.column3, 'mem_bystander0', past, future, v.column4, v.column4, v.column5
FROM moment, (VALUES (0, 'disable', 'shown', NULL, NULL), (-1, 'suspend', 'done', 1794398400, 'chg_their_bulk')) v;
INSERT INTO bulk_targets (bulk_id, target_id, verdict, outcome) VALUES (0, 0, 'change', NULL), (0, -2, 'already', NULL), (-1, -2, 'change', 'done'), (-1, 0, 'change', 'failed');
INSERT INTO departed (owner_id, reason, since, change_id) SELECT -2, 'suspended', future, 'chg_their_departure' FROM moment;
DROP TABLE moment;
DROP TABLE namesakes;
DROP TABLE theirs;
INSERT INTO leak_reports (day, reports) VALUES (1, 7);
INSERT INTO notice_reads (owner_id, notice, read_at) VALUES (0, 'ntc_theirs', 4102444800), (-1, 'ntc_theirs', 4102444800);
