-- The first schema: owners, keys, generations, and the rules that no code may break.
-- Times are seconds of UTC, money is nano-USD; both bind as REAL and land in INTEGER columns losslessly (STRICT).
-- Integer keys inside, opaque public ids outside.

-- ---------------------------------------------------------------------------------------------- audit

-- Every change of state, inserted before the change and guarding it: the other statements of a batch act
-- only where their change_id is here. Reading it back settles a write whose answer was lost.
-- Only the newest row of a target permits a change: a batch that was believed lost and lands late, after another has
-- acted, is refused whole.
-- Opaque ids and enums only, so that it may be kept for ever.
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
  -- A change touches a target once; sending it again is harmless.
  CONSTRAINT audit_change_once UNIQUE (change_id, target)
) STRICT;

-- A table rather than a CHECK, so that a later migration adds an action by inserting it.
CREATE TABLE audit_actions (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO audit_actions (name) VALUES
  ('instance_bound'), ('plan_seeded'), ('plan_changed'), ('member_created'), ('signed_in'), ('sessions_ended'),
  ('minting_switched'), ('keys_switched'), ('disabled'), ('enabled'), ('reserved'), ('recorded'), ('refused'), ('doubted'), ('abandoned'),
  ('cleared'), ('revoke_confirmed'), ('revoke_given_up'), ('expired');

CREATE INDEX audit_by_target ON audit (target, id);

CREATE TRIGGER audit_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- INSERT OR REPLACE deletes what is in its way without firing the trigger above (recursive_triggers is off).
CREATE TRIGGER audit_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.target)
BEGIN SELECT RAISE(IGNORE); END;

-- ---------------------------------------------------------------------------------------------- the house

-- Who this deployment is. Its name is part of every upstream key's name; bound to one public origin, so that a
-- second deployment on the same account, or a copy of this database, cannot repair what is not its own.
CREATE TABLE instance (
  id INTEGER PRIMARY KEY CONSTRAINT instance_id_valid CHECK (id = 1),
  name TEXT NOT NULL CONSTRAINT instance_name_valid CHECK (length(name) = 12),
  public_origin TEXT,
  change_id TEXT
) STRICT;
INSERT INTO instance (id, name) VALUES (1, lower(hex(randomblob(6))));

CREATE TRIGGER instance_audited BEFORE UPDATE ON instance
WHEN NEW.change_id IS OLD.change_id
  OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = 'instance')
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Switches that act at once in every isolate, because the guarding statements read them here.
CREATE TABLE settings (
  id INTEGER PRIMARY KEY CONSTRAINT settings_id_valid CHECK (id = 1),
  minting TEXT NOT NULL DEFAULT 'open' CONSTRAINT settings_minting_valid CHECK (minting IN ('open', 'stopped')),
  -- 'off' while every key is to be off: the stronger switch. Each key has a hold of that name meanwhile.
  keys TEXT NOT NULL DEFAULT 'on' CONSTRAINT settings_keys_valid CHECK (keys IN ('on', 'off')),
  -- Added to every member's own epoch: raising it ends all sessions.
  session_epoch INTEGER NOT NULL DEFAULT 0 CONSTRAINT settings_session_epoch_valid CHECK (session_epoch >= 0),
  -- The account's default workspace, as the first key that was recorded there named it. A credential whose account does
  -- not have it is another account's: nothing may be minted with it or concluded from its answers.
  home_workspace_id TEXT,
  -- No reservation before this moment; set after repeated doubt, and when upstream asks for patience.
  -- It only delays, so it needs no audit row.
  pause_until INTEGER NOT NULL DEFAULT 0,
  change_id TEXT
) STRICT;
INSERT INTO settings (id) VALUES (1);

CREATE TRIGGER settings_audited BEFORE UPDATE OF minting, keys, session_epoch ON settings
WHEN (NEW.minting <> OLD.minting OR NEW.keys <> OLD.keys OR NEW.session_epoch <> OLD.session_epoch)
  AND (NEW.change_id IS OLD.change_id
    OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- ---------------------------------------------------------------------------------------------- people

-- What a key of this plan gets. The default plan is seeded once from configuration; from then on the row rules.
CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  -- Positive and below $9.0 M: an uncapped plan cannot be written down.
  limit_nano INTEGER NOT NULL CONSTRAINT plans_limit_nano_valid CHECK (limit_nano >= 10000000 AND limit_nano <= 9000000000000000),
  -- 'none' is for prepaid plans, which count lifetime spend.
  limit_reset TEXT NOT NULL CONSTRAINT plans_limit_reset_valid CHECK (limit_reset IN ('daily', 'weekly', 'monthly', 'none')),
  expiry_days INTEGER NOT NULL CONSTRAINT plans_expiry_days_valid CHECK (expiry_days BETWEEN 1 AND 365),
  max_active_keys INTEGER NOT NULL CONSTRAINT plans_max_active_keys_valid CHECK (max_active_keys BETWEEN 1 AND 100),
  -- NULL is the account's default workspace.
  workspace_id TEXT,
  is_default INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_is_default_valid CHECK (is_default IN (0, 1)),
  created_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT plans_name_once UNIQUE (name)
) STRICT;

-- One default, so that "the plan of a new member" has one answer.
CREATE UNIQUE INDEX plans_one_default ON plans (is_default) WHERE is_default = 1;

CREATE TRIGGER plans_insert_audited BEFORE INSERT ON plans
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER plans_update_audited BEFORE UPDATE ON plans
WHEN NEW.change_id = OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Whoever has keys. Members today; services, agents and customers have their place.
CREATE TABLE owners (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CONSTRAINT owners_kind_valid CHECK (kind IN ('member', 'service', 'agent', 'customer')),
  plan_id INTEGER NOT NULL REFERENCES plans (id),
  -- Raised by every change of what the plan gives this owner; a mint is recorded only under the revision it was made for.
  plan_rev INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX owners_by_plan ON owners (plan_id);

-- A person, known by (provider, subject). The login is an attribute and changes hands.
CREATE TABLE members (
  owner_id INTEGER PRIMARY KEY REFERENCES owners (id),
  public_id TEXT NOT NULL,
  provider TEXT NOT NULL CONSTRAINT members_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL CONSTRAINT members_subject_valid CHECK (length(subject) BETWEEN 1 AND 255),
  login TEXT NOT NULL,
  account_created_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CONSTRAINT members_status_valid CHECK (status IN ('active', 'suspended', 'banned', 'left')),
  -- Sessions carry it; raising it ends them.
  epoch INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_epoch_valid CHECK (epoch >= 0),
  created_at INTEGER NOT NULL,
  signed_in_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT members_public_id_once UNIQUE (public_id),
  CONSTRAINT members_person_once UNIQUE (provider, subject)
) STRICT;

CREATE TRIGGER members_insert_audited BEFORE INSERT ON members
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER members_update_audited BEFORE UPDATE OF status, epoch ON members
WHEN (NEW.status <> OLD.status OR NEW.epoch <> OLD.epoch)
  AND (NEW.change_id = OLD.change_id
    OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Who a person is never changes; a renamed or recycled login reaches no key.
CREATE TRIGGER members_identity_fixed BEFORE UPDATE OF public_id, provider, subject ON members
WHEN NEW.public_id <> OLD.public_id OR NEW.provider <> OLD.provider OR NEW.subject <> OLD.subject
BEGIN SELECT RAISE(ABORT, 'identity is fixed'); END;

-- People who may not claim, also before they first sign in.
CREATE TABLE blocks (
  provider TEXT NOT NULL CONSTRAINT blocks_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;

-- Sign-in attempts that have come back, so that each comes back once. Written only at the callback:
-- starting a sign-in writes nothing.
CREATE TABLE used_states (
  state_sha256 TEXT PRIMARY KEY,
  -- The sign-in that used it: sending that one again is no replay.
  change_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_states_by_expiry ON used_states (expires_at);

-- ---------------------------------------------------------------------------------------------- keys

-- What an owner has: an id, a name, a plan and a history that outlive the upstream keys under it.
CREATE TABLE keys (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  -- 0 is the claimed key; others take the lowest free one.
  ordinal INTEGER NOT NULL CONSTRAINT keys_ordinal_valid CHECK (ordinal BETWEEN 0 AND 99),
  origin TEXT NOT NULL CONSTRAINT keys_origin_valid CHECK (origin IN ('claim', 'created', 'allotted', 'adopted')),
  name TEXT,
  plan_id INTEGER NOT NULL REFERENCES plans (id),
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT keys_public_id_once UNIQUE (public_id)
) STRICT;

-- "One claimed key per member" and "as many as the plan allows" are this index.
CREATE UNIQUE INDEX keys_one_per_ordinal ON keys (owner_id, ordinal) WHERE ended_at IS NULL;
CREATE INDEX keys_by_owner ON keys (owner_id, created_at);
CREATE INDEX keys_by_plan ON keys (plan_id);

CREATE TRIGGER keys_insert_audited BEFORE INSERT ON keys
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER keys_end_audited BEFORE UPDATE OF ended_at ON keys
WHEN NEW.ended_at IS NOT OLD.ended_at
  AND (NEW.change_id = OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Why a key is off: it is off upstream if there is any. Each actor removes only its own.
CREATE TABLE holds (
  key_id INTEGER NOT NULL REFERENCES keys (id),
  reason TEXT NOT NULL CONSTRAINT holds_reason_valid CHECK (reason IN
    ('owner', 'admin', 'offboarding', 'leak', 'idle', 'budget', 'plan', 'switch', 'rotation')),
  actor TEXT NOT NULL,
  since INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  PRIMARY KEY (key_id, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER holds_insert_audited BEFORE INSERT ON holds
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- One upstream key each. The secret is never here: only its hash, ours, and the upstream's own hash beside it.
CREATE TABLE generations (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  key_id INTEGER NOT NULL REFERENCES keys (id),
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  -- 1 only beside a slot 0 that is in grace or disabled for rotation.
  slot INTEGER NOT NULL DEFAULT 0 CONSTRAINT generations_slot_valid CHECK (slot IN (0, 1)),
  state TEXT NOT NULL CONSTRAINT generations_state_valid CHECK (state IN ('reserved', 'minting', 'verifying', 'active', 'disabled',
    'revoking', 'stuck', 'revoked', 'expired', 'void')),
  -- The one list of states that hold a seat and a slot; indexes, triggers and queries use this column.
  live INTEGER GENERATED ALWAYS AS (state NOT IN ('revoked', 'expired', 'void')) STORED,
  -- What the sweep still has to settle, for an index of few rows: a partial index is used only where a query has its very condition.
  unsettled INTEGER GENERATED ALWAYS AS (state IN ('minting', 'verifying', 'revoking', 'stuck')) STORED,
  -- Whoever drives this generation holds its nonce; taking over changes it, so the old driver can record nothing.
  op_nonce TEXT NOT NULL,
  upstream_name TEXT NOT NULL,
  upstream_hash TEXT,
  secret_sha256 TEXT,
  label TEXT,
  -- Where it was, or is to be, minted; NULL until known means the account's default.
  workspace_id TEXT,
  plan_rev INTEGER NOT NULL,
  limit_nano INTEGER NOT NULL CONSTRAINT generations_limit_nano_valid CHECK (limit_nano >= 10000000 AND limit_nano <= 9000000000000000),
  limit_reset TEXT NOT NULL CONSTRAINT generations_limit_reset_valid CHECK (limit_reset IN ('daily', 'weekly', 'monthly', 'none')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CONSTRAINT generations_expires_at_valid CHECK (expires_at > created_at),
  recorded_at INTEGER,
  -- When it was off for good.
  ended_at INTEGER,
  -- When its DELETE upstream was confirmed.
  erased_at INTEGER,
  -- When a sweep last saw it listed while it was in doubt; a later walk must miss it before it is freed.
  seen_at INTEGER,
  -- When a switch was last sent whose outcome is not known: it may land late, so what is wanted is said again until
  -- nothing in doubt can land any more.
  switch_doubted_at INTEGER,
  -- Failed tries of the job that drives it, and when it may try again.
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  -- Spend of the window each, at the last confirmed read: credits and BYOK together.
  usage_daily_nano INTEGER,
  usage_weekly_nano INTEGER,
  usage_monthly_nano INTEGER,
  usage_lifetime_nano INTEGER,
  usage_read_at INTEGER,
  -- Why it never was, for the page: an enum of the mint's.
  failure TEXT,
  change_id TEXT NOT NULL,
  CONSTRAINT generations_public_id_once UNIQUE (public_id),
  -- A name is used once, for ever: every upstream key maps by it to one row.
  CONSTRAINT generations_upstream_name_once UNIQUE (upstream_name),
  -- What was recorded can be found, and can expire.
  CONSTRAINT generations_recorded_whole CHECK (state NOT IN ('active', 'disabled', 'expired')
    OR (upstream_hash IS NOT NULL AND secret_sha256 IS NOT NULL AND recorded_at IS NOT NULL))
) STRICT;

-- One live generation for each key and slot, under any interleaving.
CREATE UNIQUE INDEX generations_one_live_per_slot ON generations (key_id, slot) WHERE live = 1;
-- A recorded upstream key belongs to one row.
CREATE UNIQUE INDEX generations_hash_once ON generations (upstream_hash) WHERE upstream_hash IS NOT NULL;
-- Attempts of a day, and siblings for the cap.
CREATE INDEX generations_by_owner ON generations (owner_id, created_at);
CREATE INDEX generations_by_key ON generations (key_id, id);
-- The sweep's work: few rows, found without looking at the many.
CREATE INDEX generations_unsettled ON generations (state, next_attempt_at) WHERE unsettled = 1;
CREATE INDEX generations_by_expiry ON generations (expires_at) WHERE state IN ('active', 'disabled');
CREATE INDEX generations_off ON generations (next_attempt_at) WHERE state = 'disabled';
CREATE INDEX generations_in_doubt ON generations (switch_doubted_at) WHERE switch_doubted_at IS NOT NULL;
CREATE INDEX generations_by_creation ON generations (created_at);

-- The edges of a generation's life. The code has the same list; a test compares the two.
CREATE TABLE transitions (
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  PRIMARY KEY (before, after)
) STRICT, WITHOUT ROWID;
INSERT INTO transitions (before, after) VALUES
  ('reserved', 'minting'), ('reserved', 'void'),
  ('minting', 'active'), ('minting', 'void'), ('minting', 'verifying'), ('minting', 'revoking'),
  ('verifying', 'void'),
  ('active', 'disabled'), ('disabled', 'active'),
  ('active', 'revoking'), ('disabled', 'revoking'),
  ('revoking', 'stuck'), ('revoking', 'revoked'), ('stuck', 'revoked'),
  ('active', 'expired'), ('disabled', 'expired');

CREATE TRIGGER generations_insert_audited BEFORE INSERT ON generations
WHEN NEW.state NOT IN ('reserved', 'minting')
  OR NOT EXISTS (SELECT 1 FROM audit
    WHERE change_id = NEW.change_id AND target = NEW.public_id AND after = NEW.state)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER generations_state_audited BEFORE UPDATE OF state ON generations
WHEN NEW.state <> OLD.state
  AND (NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
    OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id
      AND before = OLD.state AND after = NEW.state))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER generations_state_follows_edges BEFORE UPDATE OF state ON generations
WHEN NEW.state <> OLD.state
  AND NOT EXISTS (SELECT 1 FROM transitions WHERE before = OLD.state AND after = NEW.state)
BEGIN SELECT RAISE(ABORT, 'no such transition'); END;

CREATE TRIGGER generations_names_fixed BEFORE UPDATE OF public_id, upstream_name, key_id, owner_id, created_at ON generations
BEGIN SELECT RAISE(ABORT, 'a generation keeps its name'); END;

-- The replay of a request with an Idempotency-Key finds what the first one did; for 24 hours.
CREATE TABLE idempotency_keys (
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  key_sha256 TEXT NOT NULL,
  body_sha256 TEXT NOT NULL,
  generation_id INTEGER NOT NULL REFERENCES generations (id),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, key_sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Live generations, counted by the database itself; the reservation's guard compares it with the ceiling.
CREATE TABLE seats (
  id INTEGER PRIMARY KEY CONSTRAINT seats_id_valid CHECK (id = 1),
  live INTEGER NOT NULL CONSTRAINT seats_live_valid CHECK (live >= 0)
) STRICT;
INSERT INTO seats (id, live) VALUES (1, 0);

CREATE TRIGGER seats_taken AFTER INSERT ON generations WHEN NEW.live = 1
BEGIN UPDATE seats SET live = live + 1; END;

CREATE TRIGGER seats_given_back AFTER UPDATE OF state ON generations WHEN OLD.live = 1 AND NEW.live = 0
BEGIN UPDATE seats SET live = live - 1; END;

CREATE TRIGGER seats_deleted AFTER DELETE ON generations WHEN OLD.live = 1
BEGIN UPDATE seats SET live = live - 1; END;

-- Everything a claim's gates need about a member, read in the one transaction that decides. The reservation, the record
-- and the answer that names the refusal all read this view, so a gate cannot be in one and missing in another.
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  -- While every key is to be off, none is made either.
  CASE s.keys WHEN 'on' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance, seats.live AS seats_live,
  o.plan_id, o.plan_rev,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g WHERE g.key_id = k.id AND g.slot = 0 AND g.live = 1) AS live_state,
  -- A hold of the house outlives the key it was put on: deleting and claiming again is no way out of it.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;

-- Each key as its owner sees it: with its live generation, or else the last one that ever was.
CREATE VIEW key_cards AS
SELECT k.owner_id, k.ordinal, k.ended_at, k.public_id, k.name, k.created_at,
  g.state, g.label, g.limit_nano, g.limit_reset, g.expires_at
FROM keys k
JOIN generations g ON g.id =
  (SELECT own.id FROM generations own WHERE own.key_id = k.id
    ORDER BY own.live DESC, own.state = 'void', own.id DESC LIMIT 1);

-- ---------------------------------------------------------------------------------------------- jobs

-- One row a run: the lease that keeps two from running at once, what it did, and where the next one goes on.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  job TEXT NOT NULL,
  -- The event's own time: a run may be replayed for a past moment.
  scheduled_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT NOT NULL CONSTRAINT runs_outcome_valid CHECK (outcome IN ('running', 'done', 'partial', 'failed', 'stopped', 'abandoned')),
  -- Why it failed or stopped: a stable code.
  code TEXT,
  counts TEXT NOT NULL DEFAULT '{}' CONSTRAINT runs_counts_valid CHECK (json_valid(counts)),
  cursor TEXT CONSTRAINT runs_cursor_valid CHECK (cursor IS NULL OR json_valid(cursor)),
  CONSTRAINT runs_public_id_once UNIQUE (public_id)
) STRICT;
-- The lease: one unfinished run of a job.
CREATE UNIQUE INDEX runs_one_at_a_time ON runs (job) WHERE ended_at IS NULL;
CREATE INDEX runs_by_job ON runs (job, id);
-- The last clean run, without looking at the others.
CREATE INDEX runs_clean ON runs (job, started_at) WHERE outcome = 'done';

-- Upstream keys that carry our marker and have no row: disabled, listed here, never deleted.
CREATE TABLE findings (
  id INTEGER PRIMARY KEY,
  upstream_hash TEXT NOT NULL,
  upstream_name TEXT NOT NULL,
  workspace_id TEXT,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  disabled_at INTEGER,
  CONSTRAINT findings_hash_once UNIQUE (upstream_hash)
) STRICT;
