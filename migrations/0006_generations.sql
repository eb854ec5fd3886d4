-- Generations: each is one upstream key under a key of ours. The generations of a key follow one another.

-- The secret is never stored here. Only our own hash of it is stored, with OpenRouter's hash beside it.
CREATE TABLE generations (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  key_id INTEGER NOT NULL REFERENCES keys (id),
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  -- 1 only beside a generation in slot 0 that is in grace or disabled for rotation.
  slot INTEGER NOT NULL DEFAULT 0 CONSTRAINT generations_slot_valid CHECK (slot IN (0, 1)),
  -- The generation that this one replaces, at once or when the grace is over.
  replaces INTEGER,
  state TEXT NOT NULL CONSTRAINT generations_state_valid CHECK (state IN ('reserved', 'minting', 'verifying', 'active', 'disabled',
    'revoking', 'stuck', 'revoked', 'expired', 'void')),
  -- This is the only list of the states that hold a seat and a slot. Indexes, triggers and queries use this column.
  live INTEGER GENERATED ALWAYS AS (state NOT IN ('revoked', 'expired', 'void')) STORED,
  -- The states that the sweep still has to settle. It is a column for an index of few rows: SQLite uses a partial index
  -- only where a query has the same condition.
  unsettled INTEGER GENERATED ALWAYS AS (state IN ('minting', 'verifying', 'revoking', 'stuck')) STORED,
  -- The nonce of the run or request that drives this generation. Another driver that takes over changes the nonce, so
  -- that the former driver can record nothing.
  op_nonce TEXT NOT NULL,
  upstream_name TEXT NOT NULL,
  upstream_hash TEXT,
  -- Our own SHA-256 of the secret. By it an administrator finds the key that a found secret belongs to. OpenRouter's
  -- hash is stored beside it, since nothing promises that the two are equal.
  secret_sha256 TEXT,
  label TEXT,
  -- The workspace where the key was minted, or will be. NULL means the account's default workspace while its id is
  -- unknown.
  workspace_id TEXT,
  plan_rev INTEGER NOT NULL,
  limit_nano INTEGER NOT NULL CONSTRAINT generations_limit_nano_valid CHECK (limit_nano >= 10000000 AND limit_nano <= 9000000000000000),
  limit_reset TEXT NOT NULL CONSTRAINT generations_limit_reset_valid CHECK (limit_reset IN ('daily', 'weekly', 'monthly', 'none')),
  -- A limit that was sent and is in flight. It is treated as being in force wherever that is the more cautious choice.
  limit_sent_nano INTEGER,
  limit_sent_at INTEGER,
  -- When the cap of this generation must be computed again from all its siblings. The cap itself is never stored.
  cap_due_at INTEGER,
  -- The guardrail that OpenRouter has confirmed for this key: before the secret was given out, and at each change
  -- since.
  guardrail_id TEXT,
  -- When another guardrail was last sent whose outcome is unknown. It may take effect late, so the wanted guardrail is
  -- sent again until no earlier change can be in flight any more.
  guardrail_sent_at INTEGER,
  -- The offset up to which the account's list of assignments was read in the search for this key. A long list takes
  -- several sweeps.
  guardrail_list_offset INTEGER NOT NULL DEFAULT 0 CONSTRAINT generations_guardrail_list_offset_valid CHECK (guardrail_list_offset >= 0),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CONSTRAINT generations_expires_at_valid CHECK (expires_at > created_at),
  recorded_at INTEGER,
  -- Until this moment the generation works beside its successor.
  grace_until INTEGER,
  -- When the generation stopped working for good: it was disabled, deleted or found missing, or it expired.
  ended_at INTEGER,
  -- How often its spend was read, at different sweeps, since it was disabled for good. Requests that were running at
  -- that moment are counted late. So its spend is not settled before the second reading, and its DELETE at OpenRouter
  -- waits for that too.
  readings_since_off INTEGER NOT NULL DEFAULT 0,
  -- Before this moment its upstream key is retained, disabled or expired, so that its spend can still be read.
  erase_at INTEGER,
  -- When OpenRouter confirmed the DELETE of its key.
  erased_at INTEGER,
  -- When a sweep last saw its key in OpenRouter's list while the outcome of its mint was unknown. The row is freed only
  -- after a later walk that does not find the key.
  seen_at INTEGER,
  -- When OpenRouter, asked for this very key, answered that it does not exist. The generation holds its seat until its
  -- owner removes the key.
  missing_since INTEGER,
  -- When a switch was last sent whose outcome is unknown. It may take effect late, so the wanted state is sent again
  -- until no earlier switch can be in flight any more.
  switch_doubted_at INTEGER,
  -- How often the job that drives this generation has failed, and when it may try again.
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  -- The spend in each window at the last confirmed reading, credits and BYOK together.
  usage_daily_nano INTEGER,
  usage_weekly_nano INTEGER,
  usage_monthly_nano INTEGER,
  usage_lifetime_nano INTEGER,
  usage_read_at INTEGER,
  -- When somebody last asked OpenRouter for the spend. The writing of this moment permits the question, so that two
  -- pages do not ask twice.
  usage_asked_at INTEGER,
  -- The spend of its whole life when its owner came to a prepaid plan.
  lifetime_at_switch_nano INTEGER NOT NULL DEFAULT 0,
  -- What this generation spent of its owner's payments in prepaid times that are over, as far as that is known. NULL if
  -- there was no such time.
  prepaid_spent_nano INTEGER CONSTRAINT generations_prepaid_spent_nano_valid CHECK (prepaid_spent_nano >= 0),
  -- In addition, all that this generation may spend of the last prepaid time. The limit of that time is in force until
  -- OpenRouter has confirmed another window, or until the generation has ended. Then what it did spend takes the place
  -- of this amount.
  prepaid_reserved_nano INTEGER
    CONSTRAINT generations_prepaid_reserved_nano_valid CHECK (prepaid_reserved_nano IS NULL OR (prepaid_reserved_nano >= 0 AND prepaid_spent_nano IS NOT NULL)),
  -- Why the mint failed, as one of the codes of the mint. The page shows it.
  failure TEXT,
  change_id TEXT NOT NULL,
  CONSTRAINT generations_public_id_once UNIQUE (public_id),
  -- A name is used once, for ever, so that every upstream key leads by its name to one row.
  CONSTRAINT generations_upstream_name_once UNIQUE (upstream_name),
  -- A recorded generation can be found at OpenRouter, and it can expire.
  CONSTRAINT generations_recorded_whole CHECK (state NOT IN ('active', 'disabled', 'expired')
    OR (upstream_hash IS NOT NULL AND secret_sha256 IS NOT NULL AND recorded_at IS NOT NULL))
) STRICT;

-- The allowed changes of a generation's state. The code has the same list, and a test compares the two.
CREATE TABLE transitions (
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  PRIMARY KEY (before, after)
) STRICT, WITHOUT ROWID;

-- What a request with an Idempotency-Key did, stored for 24 hours. The same request is answered like the first one.
-- Another request under the same Idempotency-Key is refused. A stored answer never contains the secret.
CREATE TABLE idempotency_keys (
  -- The owner who sent the request.
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  key_sha256 TEXT NOT NULL,
  -- SHA-256 of the request's method, path and body.
  request_sha256 TEXT NOT NULL,
  -- Only the attempt that works on the request knows this nonce. An attempt that takes over changes it, so that the
  -- former attempt mints no more.
  nonce TEXT NOT NULL,
  -- The nonce of the first attempt. The ids of the rows that the request writes are derived from it. So an attempt that
  -- takes over, after the first answer was lost, writes the same rows.
  seed TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  -- The generation that the request has reserved: at most one mint for each Idempotency-Key.
  generation_id INTEGER REFERENCES generations (id),
  -- The first answer. It is NULL while the request is being worked on.
  status INTEGER CONSTRAINT idempotency_keys_status_valid CHECK (status BETWEEN 200 AND 299),
  body TEXT CONSTRAINT idempotency_keys_body_valid CHECK (body IS NULL OR (status IS NOT NULL AND json_valid(body))),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, key_sha256)
) STRICT, WITHOUT ROWID;

-- The members whom a stored answer names, besides the member who asked. An administrator's answers are deleted together
-- with the members whom they are about.
CREATE TABLE idempotency_names (
  -- A member's public id.
  member TEXT NOT NULL,
  owner_id INTEGER NOT NULL,
  key_sha256 TEXT NOT NULL,
  PRIMARY KEY (member, owner_id, key_sha256),
  FOREIGN KEY (owner_id, key_sha256) REFERENCES idempotency_keys (owner_id, key_sha256) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Seats, counted by the database itself. The guard of the reservation compares their sum with MAX_TOTAL_KEYS. `live`
-- counts the keys with a live generation. Such a key has one seat, however many of its generations live while one
-- follows the other. `retained` counts the rows of `retained_seats` that are not in use.
CREATE TABLE seats (
  id INTEGER PRIMARY KEY CONSTRAINT seats_id_valid CHECK (id = 1),
  live INTEGER NOT NULL CONSTRAINT seats_live_valid CHECK (live >= 0),
  retained INTEGER NOT NULL DEFAULT 0 CONSTRAINT seats_retained_valid CHECK (retained >= 0)
) STRICT;

-- The seat of a key that has ended, and may have spent something in the window in which it ended. Until that window is
-- over, nobody else gets this seat. So MAX_TOTAL_KEYS times a key's limit is the most that can be spent in a window,
-- however many keys are deleted and claimed in it.
CREATE TABLE retained_seats (
  id INTEGER PRIMARY KEY,
  key_id INTEGER NOT NULL REFERENCES keys (id),
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  until INTEGER NOT NULL,
  -- The same owner's next key that last used this seat, and whether it still does. What the first key spent is
  -- subtracted from the next key's budget, so the next key needs no seat of its own. So nobody is locked out by
  -- deleting their own key.
  reused_by INTEGER REFERENCES keys (id),
  in_use INTEGER NOT NULL DEFAULT 0 CONSTRAINT retained_seats_in_use_valid CHECK (in_use IN (0, 1) AND (in_use = 0 OR reused_by IS NOT NULL))
) STRICT;

CREATE TRIGGER generations_insert_audited BEFORE INSERT ON generations WHEN NEW.state NOT IN ('reserved', 'minting') OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND after = NEW.state) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER generations_state_audited BEFORE UPDATE OF state ON generations WHEN NEW.state <> OLD.state AND (NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND before = OLD.state AND after = NEW.state)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER generations_state_follows_edges BEFORE UPDATE OF state ON generations WHEN NEW.state <> OLD.state AND NOT EXISTS (SELECT 1 FROM transitions WHERE before = OLD.state AND after = NEW.state) BEGIN SELECT RAISE(ABORT, 'no such transition'); END;

CREATE TRIGGER generations_names_fixed BEFORE UPDATE OF public_id, upstream_name, key_id, owner_id, created_at ON generations BEGIN SELECT RAISE(ABORT, 'a generation keeps its name'); END;

CREATE TRIGGER generations_missing_audited BEFORE UPDATE OF missing_since ON generations WHEN NEW.missing_since IS NOT OLD.missing_since AND NOT EXISTS (SELECT 1 FROM audit WHERE target = NEW.public_id AND action IN ('key_missed', 'key_found') AND id = (SELECT MAX(id) FROM audit WHERE target = NEW.public_id)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER generations_guardrail_audited BEFORE UPDATE OF guardrail_id ON generations WHEN NEW.guardrail_id IS NOT OLD.guardrail_id AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action IN ('recorded', 'guardrail_changed')) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- The names are written together with the answer, so that every stored answer can be found by the members it names.
CREATE TRIGGER idempotency_names_follow AFTER UPDATE OF body ON idempotency_keys WHEN NEW.body IS NOT NULL BEGIN INSERT INTO idempotency_names (member, owner_id, key_sha256) SELECT DISTINCT t.atom, NEW.owner_id, NEW.key_sha256 FROM json_tree(NEW.body) t WHERE t.type = 'text' AND t.atom GLOB 'mem_*' AND t.atom NOT IN (SELECT m.public_id FROM members m WHERE m.owner_id = NEW.owner_id) ON CONFLICT DO NOTHING; END;

-- An owner has at most as many live keys as the plan allows, whichever statement adds one: a key without a live
-- generation gets one only where the plan has room.
CREATE TRIGGER keys_within_plan BEFORE INSERT ON generations WHEN NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1) AND (SELECT COUNT(DISTINCT o.key_id) FROM generations o WHERE o.owner_id = NEW.owner_id AND o.live = 1) >= (SELECT p.max_active_keys FROM owners w JOIN plans p ON p.id = w.plan_id WHERE w.id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'the plan allows no further key'); END;

-- A key takes over its own retained seat. Where the plan allows no further key beside it, it takes over another
-- retained seat of its owner, since all of them are spent from the owner's one total. Otherwise it takes a seat of its
-- own.
CREATE TRIGGER seats_taken AFTER INSERT ON generations WHEN NEW.live = 1 AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1 AND o.id <> NEW.id) BEGIN UPDATE seats SET live = live + 1; UPDATE retained_seats SET reused_by = NEW.key_id, in_use = 1 WHERE id = (SELECT r.id FROM reusable_seats r WHERE r.owner_id = NEW.owner_id AND (r.key_id = NEW.key_id OR r.owner_seats > r.keys_allowed) ORDER BY r.key_id <> NEW.key_id, r.until DESC, r.id LIMIT 1); END;

-- The seat of a key that has ended is retained: the seat that the key had taken over, or else its own if it may have
-- spent something.
CREATE TRIGGER seats_given_back AFTER UPDATE OF state ON generations WHEN OLD.live = 1 AND NEW.live = 0 AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1 AND o.id <> NEW.id) BEGIN UPDATE seats SET live = live - 1; INSERT INTO retained_seats (key_id, owner_id, until) SELECT s.key_id, s.owner_id, MAX(s.until) FROM spent_generations s WHERE s.key_id = NEW.key_id AND s.until > NEW.ended_at AND NOT EXISTS (SELECT 1 FROM retained_seats r WHERE r.reused_by = NEW.key_id AND r.in_use = 1) GROUP BY s.key_id; UPDATE retained_seats SET in_use = 0, until = MAX(until, COALESCE((SELECT MAX(s.until) FROM spent_generations s WHERE s.key_id = NEW.key_id), 0)) WHERE reused_by = NEW.key_id AND in_use = 1; END;

CREATE TRIGGER seats_deleted AFTER DELETE ON generations WHEN OLD.live = 1 AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = OLD.key_id AND o.live = 1) BEGIN UPDATE seats SET live = live - 1; END;

-- Later figures of an ended key can show that it spent something after all, or that it spent nothing.
CREATE TRIGGER seats_follow_figures AFTER UPDATE OF usage_daily_nano, usage_weekly_nano, usage_monthly_nano, usage_read_at ON generations WHEN OLD.live = 0 AND NEW.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1) BEGIN DELETE FROM retained_seats WHERE key_id = NEW.key_id AND COALESCE(reused_by, key_id) = key_id AND NOT EXISTS (SELECT 1 FROM spent_generations s WHERE s.key_id = NEW.key_id); INSERT INTO retained_seats (key_id, owner_id, until) SELECT s.key_id, s.owner_id, MAX(s.until) FROM spent_generations s WHERE s.key_id = NEW.key_id AND s.until > NEW.usage_read_at AND NOT EXISTS (SELECT 1 FROM retained_seats r WHERE r.owner_id = NEW.owner_id AND NEW.key_id IN (r.key_id, r.reused_by)) GROUP BY s.key_id; END;

CREATE TRIGGER retained_seats_put AFTER INSERT ON retained_seats BEGIN UPDATE seats SET retained = retained + 1; END;

CREATE TRIGGER retained_seats_reused AFTER UPDATE OF in_use ON retained_seats WHEN OLD.in_use <> NEW.in_use BEGIN UPDATE seats SET retained = retained + OLD.in_use - NEW.in_use; END;

CREATE TRIGGER retained_seats_freed AFTER DELETE ON retained_seats WHEN OLD.in_use = 0 BEGIN UPDATE seats SET retained = retained - 1; END;

-- What an owner's dead generations have spent decides what the live ones may spend. When a generation ends, and
-- whenever its figures change after that, the caps of the others become due, whichever statement wrote the change.
CREATE TRIGGER caps_follow_an_end AFTER UPDATE OF state ON generations WHEN OLD.live = 1 AND NEW.live = 0 BEGIN UPDATE generations SET cap_due_at = NULL WHERE id = NEW.id AND cap_due_at IS NOT NULL; UPDATE generations SET cap_due_at = COALESCE(NEW.ended_at, NEW.created_at) WHERE owner_id = NEW.owner_id AND live = 1 AND id <> NEW.id; END;

CREATE TRIGGER caps_follow_figures AFTER UPDATE OF usage_daily_nano, usage_weekly_nano, usage_monthly_nano, usage_lifetime_nano ON generations WHEN NEW.ended_at IS NOT NULL AND (NEW.usage_daily_nano IS NOT OLD.usage_daily_nano OR NEW.usage_weekly_nano IS NOT OLD.usage_weekly_nano OR NEW.usage_monthly_nano IS NOT OLD.usage_monthly_nano OR NEW.usage_lifetime_nano IS NOT OLD.usage_lifetime_nano) BEGIN UPDATE generations SET cap_due_at = COALESCE(NEW.usage_read_at, NEW.ended_at) WHERE owner_id = NEW.owner_id AND live = 1 AND id <> NEW.id; END;

-- A lower limit that someone outside keycap set is the key's: during a grace, the limit of the other secret is computed again.
CREATE TRIGGER caps_follow_a_kept_limit AFTER UPDATE OF upstream_limit_nano ON keys WHEN NEW.upstream_limit_nano < COALESCE(OLD.upstream_limit_nano, NEW.upstream_limit_nano + 1) BEGIN UPDATE generations SET cap_due_at = (SELECT a.at FROM audit a WHERE a.change_id = NEW.change_id AND a.target = NEW.public_id) WHERE key_id = NEW.id AND live = 1; END;

-- A prepaid time is over for a key when OpenRouter has confirmed the window of the next plan. The same answer says what
-- the key had spent by then. This applies to whichever statement writes it.
CREATE TRIGGER prepaid_ends_with_its_window AFTER UPDATE OF limit_reset ON generations WHEN NEW.prepaid_reserved_nano IS NOT NULL AND NEW.limit_reset <> 'none' AND NEW.usage_lifetime_nano IS NOT NULL BEGIN UPDATE generations SET prepaid_spent_nano = prepaid_spent_nano + MAX(0, usage_lifetime_nano - lifetime_at_switch_nano), prepaid_reserved_nano = NULL WHERE id = NEW.id; END;

-- A prepaid time is also over when the key has ended before that. Its last figures say what it spent, and later figures
-- replace them.
CREATE TRIGGER prepaid_ends_with_last_figures AFTER UPDATE OF usage_lifetime_nano, usage_read_at, ended_at ON generations WHEN NEW.prepaid_reserved_nano IS NOT NULL AND NEW.usage_lifetime_nano IS NOT NULL AND NEW.ended_at IS NOT NULL AND NEW.usage_read_at >= NEW.ended_at BEGIN UPDATE generations SET prepaid_reserved_nano = MAX(0, usage_lifetime_nano - lifetime_at_switch_nano) WHERE id = NEW.id; END;

-- A slot of a key has one live generation, under any interleaving of statements.
CREATE UNIQUE INDEX generations_one_live_per_slot ON generations (key_id, slot) WHERE live = 1;
-- A recorded upstream key belongs to one row.
CREATE UNIQUE INDEX generations_hash_once ON generations (upstream_hash) WHERE upstream_hash IS NOT NULL;
-- For the mint attempts of a day, and for the siblings of a cap.
CREATE INDEX generations_by_owner ON generations (owner_id, created_at);
CREATE INDEX generations_prepaid_by_owner ON generations (owner_id) WHERE prepaid_spent_nano IS NOT NULL;
CREATE INDEX generations_by_key ON generations (key_id, id);
CREATE INDEX generations_by_replaces ON generations (replaces) WHERE replaces IS NOT NULL;
-- The live generations of an owner, including those of ended keys that are still being removed.
CREATE INDEX generations_live_by_owner ON generations (owner_id) WHERE live = 1;
-- The keys that were made in the last hour, or still may be. CLAIMS_PER_HOUR limits their number.
CREATE INDEX generations_claimed ON generations (created_at) WHERE state <> 'void';
CREATE INDEX generations_by_creation ON generations (created_at);
-- The sweep's work: each index has few rows, and the sweep finds them without reading the others.
CREATE INDEX generations_unsettled ON generations (state, next_attempt_at) WHERE unsettled = 1;
CREATE INDEX generations_by_expiry ON generations (expires_at) WHERE state IN ('active', 'disabled');
CREATE INDEX generations_off ON generations (next_attempt_at) WHERE state = 'disabled';
CREATE INDEX generations_in_doubt ON generations (switch_doubted_at) WHERE switch_doubted_at IS NOT NULL;
CREATE INDEX generations_unerased ON generations (next_attempt_at) WHERE erase_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX generations_by_cap_due ON generations (cap_due_at) WHERE cap_due_at IS NOT NULL;
CREATE INDEX generations_in_grace ON generations (grace_until) WHERE grace_until IS NOT NULL;
-- How many readings were asked for within the last minute, found without reading the other rows.
CREATE INDEX generations_by_usage_asked ON generations (usage_asked_at) WHERE usage_asked_at IS NOT NULL;
CREATE INDEX retained_seats_by_owner ON retained_seats (owner_id);
CREATE INDEX retained_seats_by_key ON retained_seats (key_id);
CREATE INDEX retained_seats_by_next_key ON retained_seats (reused_by);
-- The retained seats that are over, and the next one that becomes free.
CREATE INDEX retained_seats_by_end ON retained_seats (until);
CREATE INDEX retained_seats_unused ON retained_seats (until) WHERE in_use = 0;
CREATE INDEX generations_by_secret ON generations (secret_sha256) WHERE secret_sha256 IS NOT NULL;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_names_by_answer ON idempotency_names (owner_id, key_sha256);

INSERT INTO transitions (before, after) VALUES
  ('reserved', 'minting'), ('reserved', 'void'),
  -- A key with nothing left to spend is recorded as disabled.
  ('minting', 'active'), ('minting', 'disabled'), ('minting', 'void'), ('minting', 'verifying'), ('minting', 'revoking'),
  ('verifying', 'void'),
  ('active', 'disabled'), ('disabled', 'active'),
  ('active', 'revoking'), ('disabled', 'revoking'),
  ('revoking', 'stuck'), ('revoking', 'revoked'), ('stuck', 'revoked'),
  ('active', 'expired'), ('disabled', 'expired');
INSERT INTO seats (id, live) VALUES (1, 0);
