-- The life of a key after its claim: what owners do with it, further generations of it, and caps that follow the plan.

INSERT INTO audit_actions (name) VALUES
  ('key_renamed'), ('hold_put'), ('hold_lifted'), ('key_ended'), ('revoke_asked'), ('erased'),
  ('rotation_begun'), ('rotation_ended'), ('superseded'), ('grace_ended'),
  ('cap_changed'), ('plan_created'), ('plan_assigned'), ('limit_raised'), ('own_limit_set'), ('key_preferred'), ('payment_booked');

-- ---------------------------------------------------------------------------------------------- plans

-- Raised by every change of what the plan gives. A mint is recorded only under the sum of it and the owner's own.
ALTER TABLE plans ADD COLUMN rev INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_rev_valid CHECK (rev >= 0);
-- Of a payment's amount, what is not passed on, in hundredths of a percent.
ALTER TABLE plans ADD COLUMN margin_bp INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_margin_bp_valid CHECK (margin_bp BETWEEN 0 AND 9999);

-- When the owner came to a prepaid plan: what was spent before is not counted against what was paid (B4).
ALTER TABLE owners ADD COLUMN prepaid_since INTEGER;
-- The change that last gave the owner another plan, or another allowance under it.
ALTER TABLE owners ADD COLUMN change_id TEXT;

CREATE TRIGGER owners_plan_audited BEFORE UPDATE OF plan_id, plan_rev, prepaid_since ON owners
WHEN (NEW.plan_id <> OLD.plan_id OR NEW.plan_rev <> OLD.plan_rev OR NEW.prepaid_since IS NOT OLD.prepaid_since)
  AND (NEW.change_id IS OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- More for one key than its plan gives, until a moment or for good.
CREATE TABLE raises (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  key_id INTEGER NOT NULL REFERENCES keys (id),
  amount_nano INTEGER NOT NULL CONSTRAINT raises_amount_nano_valid CHECK (amount_nano >= 10000000 AND amount_nano <= 9000000000000000),
  since INTEGER NOT NULL,
  until INTEGER CONSTRAINT raises_until_valid CHECK (until > since),
  change_id TEXT NOT NULL,
  CONSTRAINT raises_public_id_once UNIQUE (public_id)
) STRICT;
CREATE INDEX raises_by_key ON raises (key_id);

CREATE TRIGGER raises_insert_audited BEFORE INSERT ON raises
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'limit_raised')
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- What prepaying owners have paid, each payment once: the balance is their sum less what was spent (B4).
CREATE TABLE payments (
  payment_id TEXT PRIMARY KEY CONSTRAINT payments_id_valid CHECK (length(payment_id) BETWEEN 1 AND 128),
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  paid_nano INTEGER NOT NULL CONSTRAINT payments_paid_nano_valid CHECK (paid_nano > 0 AND paid_nano <= 9000000000000000),
  -- Of it, what may be spent.
  credit_nano INTEGER NOT NULL CONSTRAINT payments_credit_nano_valid CHECK (credit_nano > 0 AND credit_nano <= paid_nano),
  at INTEGER NOT NULL,
  change_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_by_owner ON payments (owner_id, at);

CREATE TRIGGER payments_insert_audited BEFORE INSERT ON payments
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'payment_booked')
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER payments_never_updated BEFORE UPDATE ON payments
BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;
CREATE TRIGGER payments_never_deleted BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;

-- ---------------------------------------------------------------------------------------------- keys

-- Less than the plan gives, as the owner wishes.
ALTER TABLE keys ADD COLUMN own_limit_nano INTEGER CONSTRAINT keys_own_limit_nano_valid CHECK (own_limit_nano >= 10000000);
-- When the owner chose to keep this one, should the plan allow fewer than there are.
ALTER TABLE keys ADD COLUMN preferred_at INTEGER;

-- A name has the newest audit row of its key behind it; the name itself is in none.
CREATE TRIGGER keys_name_audited BEFORE UPDATE OF name ON keys
WHEN NEW.name IS NOT OLD.name
  AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Ended is ended.
CREATE TRIGGER keys_end_final BEFORE UPDATE OF ended_at ON keys
WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at
BEGIN SELECT RAISE(ABORT, 'a key that ended stays so'); END;

-- ---------------------------------------------------------------------------------------------- generations

-- Readings of its spend since it was off for good, at different sweeps: what was running when it was cut is counted
-- late. Until the second one it is not settled, and its DELETE upstream waits for that too (X8, C1).
ALTER TABLE generations ADD COLUMN readings_since_off INTEGER NOT NULL DEFAULT 0;
-- Before this its upstream key is kept, off or expired, for the sake of its figures.
ALTER TABLE generations ADD COLUMN erase_at INTEGER;
-- A limit that was sent, and whose outcome is not known: it counts as in force where that is the more cautious.
ALTER TABLE generations ADD COLUMN limit_sent_nano INTEGER;
ALTER TABLE generations ADD COLUMN limit_sent_at INTEGER;
-- When its cap is to be computed anew from all its siblings; never a stored amount (B3).
ALTER TABLE generations ADD COLUMN cap_due_at INTEGER;
-- Until then it works beside its successor.
ALTER TABLE generations ADD COLUMN grace_until INTEGER;
-- Spend of its whole life when its owner came to a prepaid plan (B4).
ALTER TABLE generations ADD COLUMN lifetime_at_switch_nano INTEGER NOT NULL DEFAULT 0;

-- What an owner has at the moment, ended keys that are still being removed included.
CREATE INDEX generations_live_by_owner ON generations (owner_id) WHERE live = 1;
-- The sweep's further work: few rows each.
CREATE INDEX generations_unerased ON generations (next_attempt_at) WHERE erase_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX generations_by_cap_due ON generations (cap_due_at) WHERE cap_due_at IS NOT NULL;
CREATE INDEX generations_in_grace ON generations (grace_until) WHERE grace_until IS NOT NULL;
CREATE INDEX holds_by_reason ON holds (reason, since);

-- A key without anything left to spend is recorded off (B2).
INSERT INTO transitions (before, after) VALUES ('minting', 'disabled');

-- A seat is a key's, however many of its generations are alive while one follows the other.
DROP TRIGGER seats_taken;
DROP TRIGGER seats_given_back;
DROP TRIGGER seats_deleted;

CREATE TRIGGER seats_taken AFTER INSERT ON generations
WHEN NEW.live = 1
  AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1 AND o.id <> NEW.id)
BEGIN UPDATE seats SET live = live + 1; END;

CREATE TRIGGER seats_given_back AFTER UPDATE OF state ON generations
WHEN OLD.live = 1 AND NEW.live = 0
  AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1 AND o.id <> NEW.id)
BEGIN UPDATE seats SET live = live - 1; END;

CREATE TRIGGER seats_deleted AFTER DELETE ON generations
WHEN OLD.live = 1
  AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = OLD.key_id AND o.live = 1)
BEGIN UPDATE seats SET live = live - 1; END;

-- ---------------------------------------------------------------------------------------------- views

-- The generation that stands for a key: the newest that was recorded and lives, else one that lives, else the last that
-- ever was.
DROP VIEW key_cards;
CREATE VIEW key_cards AS
SELECT k.owner_id, k.ordinal, k.ended_at, k.public_id, k.name, k.created_at, k.own_limit_nano,
  g.id AS generation_id, g.state, g.live, g.label, g.limit_nano, g.limit_reset, g.expires_at,
  g.usage_daily_nano, g.usage_weekly_nano, g.usage_monthly_nano, g.usage_lifetime_nano, g.usage_read_at,
  (SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = k.id) AS holds,
  (SELECT MIN(o.grace_until) FROM generations o WHERE o.key_id = k.id AND o.live = 1 AND o.id <> g.id) AS grace_until,
  -- Which of the key's generations it is, and since when.
  (SELECT COUNT(*) FROM generations o WHERE o.key_id = k.id AND o.id <= g.id AND o.state <> 'void') AS number, g.created_at AS issued_at
FROM keys k
JOIN generations g ON g.id =
  (SELECT own.id FROM generations own WHERE own.key_id = k.id
    ORDER BY own.state IN ('active', 'disabled') DESC, own.live DESC, own.state = 'void', own.id DESC LIMIT 1);

-- The keys that their owners may change, with what the guards have to know. One that never came to be is none.
CREATE VIEW own_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.name, k.owner_id, m.public_id AS member, m.epoch + s.session_epoch AS epoch,
  (SELECT g.state FROM generations g WHERE g.key_id = k.id AND g.live = 1
    ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state,
  (SELECT COUNT(*) FROM generations g WHERE g.key_id = k.id AND g.live = 1) AS generations_live,
  EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.live = 1
    AND g.state IN ('reserved', 'minting', 'verifying')) AS being_made,
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'owner') AS held_by_owner,
  -- Not the owner's to lift (A2).
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id
    AND h.reason IN ('admin', 'offboarding', 'leak', 'switch')) AS held_by_house
FROM keys k JOIN members m ON m.owner_id = k.owner_id JOIN settings s
WHERE k.ended_at IS NULL AND m.status = 'active'
  AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.state <> 'void');
