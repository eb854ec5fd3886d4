-- The audit: one row for every change of state, written before the change and in the same batch.
--
-- How all migrations are written. Times are seconds of UTC and money is nano-USD. D1 binds both as REAL, and they land
-- in INTEGER columns losslessly, because every table is STRICT. Integer keys are used inside, and opaque public ids
-- outside. Each table, index, trigger and view is defined once. Cloudflare's remote endpoint splits a file into
-- statements more simply than SQLite does. Therefore a trigger stands on one line with one BEGIN and one END, without
-- CASE, and is never the last statement of its file. `tests/native/migrations.rs` checks that form.

-- The other statements of a batch act only where the batch's change_id is in this table. If the answer of a write was
-- lost, reading the audit for its change_id tells whether the write was committed. Only the newest row of a target
-- permits a change: a batch that was believed lost, and that arrives after another batch has changed the target, is
-- refused as a whole. A row holds opaque ids and enums only, so that it may be retained for ever.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  change_id TEXT NOT NULL,
  target TEXT NOT NULL,
  action TEXT NOT NULL REFERENCES audit_actions (name),
  -- A member's public id, or the name of the job that acted.
  actor TEXT NOT NULL,
  before TEXT,
  after TEXT,
  at INTEGER NOT NULL CONSTRAINT audit_at_valid CHECK (at > 0),
  -- A change has one row for each target, so sending the change again is harmless.
  CONSTRAINT audit_change_once UNIQUE (change_id, target)
) STRICT;

-- The actions are a table rather than a CHECK, so that a later migration adds an action by inserting it.
CREATE TABLE audit_actions (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_never_updated BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- Rows of two actions are many, and they settle nothing once they are old. The nightly job deletes those that are older
-- than `audit_since`, which is written to the settings first. The newest row is never deleted, because a restored
-- database is recognised by it.
CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit WHEN OLD.action NOT IN ('signed_in', 'cap_changed') OR OLD.at >= COALESCE((SELECT audit_since FROM settings), 0) OR OLD.id >= COALESCE((SELECT l.id FROM audit l WHERE l.action <> 'audit_pruned' ORDER BY l.id DESC LIMIT 1), 0) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- INSERT OR REPLACE deletes the rows in its way without firing the trigger above (recursive_triggers is off).
CREATE TRIGGER audit_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.target) BEGIN SELECT RAISE(IGNORE); END;

CREATE INDEX audit_by_target ON audit (target, id);
-- The rows that the nightly job may delete, found without reading the others.
CREATE INDEX audit_prunable ON audit (at) WHERE action IN ('signed_in', 'cap_changed');

INSERT INTO audit_actions (name) VALUES
  -- The deployment.
  ('instance_bound'), ('minting_switched'), ('keys_switched'), ('claims_switched'), ('upstream_terms_confirmed'),
  ('restore_suspected'), ('restore_accepted'), ('account_lost'), ('account_found'), ('account_accepted'), ('job_asked'),
  ('audit_pruned'),
  -- Plans.
  ('plan_seeded'), ('plan_created'), ('plan_changed'), ('plan_assigned'),
  -- Members.
  ('member_created'), ('signed_in'), ('login_passed_on'), ('sessions_ended'), ('terms_accepted'), ('member_suspended'), ('member_banned'),
  ('member_reinstated'), ('member_left'), ('member_returned'), ('blocked'), ('unblocked'),
  -- Keys.
  ('key_renamed'), ('hold_put'), ('hold_lifted'), ('own_limit_set'), ('key_preferred'), ('key_ended'),
  ('rotation_begun'), ('rotation_ended'), ('upstream_limit_kept'), ('upstream_lifted'),
  -- Generations.
  ('reserved'), ('recorded'), ('refused'), ('doubted'), ('abandoned'), ('cleared'), ('disabled'), ('enabled'),
  ('superseded'), ('grace_ended'), ('expired'), ('cap_changed'), ('guardrail_changed'), ('key_missed'), ('key_found'),
  ('revoke_asked'), ('revoke_confirmed'), ('revoke_given_up'), ('erased'),
  -- What members are granted.
  ('limit_raised'), ('raise_ended'), ('payment_booked'), ('request_made'), ('request_decided'),
  ('allotted'), ('allotment_withdrawn'),
  -- What jobs found.
  ('finding_acknowledged');
