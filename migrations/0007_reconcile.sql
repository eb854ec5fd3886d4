-- Two alarms that stop whatever could not be undone, and what the nightly comparison with the upstream remembers.

INSERT INTO audit_actions (name) VALUES
  ('restore_suspected'), ('restore_accepted'), ('account_lost'), ('account_found'), ('account_accepted'),
  ('key_missed'), ('key_found'), ('job_asked');

-- ---------------------------------------------------------------------------------------------- alarms

-- 'suspected' once the database is behind what it was: what was made or forbidden since is forgotten (X7).
ALTER TABLE settings ADD COLUMN restore TEXT NOT NULL DEFAULT 'none'
  CONSTRAINT settings_restore_valid CHECK (restore IN ('none', 'suspected'));
-- When an admin last accepted that. A mark of the audit from before it says nothing about the time after.
ALTER TABLE settings ADD COLUMN restore_since INTEGER NOT NULL DEFAULT 0;
-- 'foreign' while the management key is of an account that lacks the workspace our keys are in (X6).
ALTER TABLE settings ADD COLUMN account TEXT NOT NULL DEFAULT 'known'
  CONSTRAINT settings_account_valid CHECK (account IN ('known', 'foreign'));
-- When an admin last accepted another account: keys recorded before say nothing about the one there is now.
ALTER TABLE settings ADD COLUMN account_since INTEGER NOT NULL DEFAULT 0;
-- When the account last was ours, and with which management key, as its SHA-256.
ALTER TABLE settings ADD COLUMN account_matched_at INTEGER;
ALTER TABLE settings ADD COLUMN account_credential TEXT;

CREATE TRIGGER settings_alarms_audited BEFORE UPDATE OF restore, restore_since, account, account_since ON settings
WHEN (NEW.restore <> OLD.restore OR NEW.restore_since <> OLD.restore_since
    OR NEW.account <> OLD.account OR NEW.account_since <> OLD.account_since)
  AND (NEW.change_id IS OLD.change_id
    OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- ---------------------------------------------------------------------------------------------- reconciling

-- When upstream, asked for this very key, said that it is not there. It holds its seat until its owner removes it.
ALTER TABLE generations ADD COLUMN missing_since INTEGER;

CREATE TRIGGER generations_missing_audited BEFORE UPDATE OF missing_since ON generations
WHEN NEW.missing_since IS NOT OLD.missing_since
  AND NOT EXISTS (SELECT 1 FROM audit WHERE target = NEW.public_id AND action IN ('key_missed', 'key_found')
    AND id = (SELECT MAX(id) FROM audit WHERE target = NEW.public_id))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- When a walk last saw the upstream key of a row: apart from the row itself, which is not changed by being looked at.
CREATE TABLE sightings (
  generation_id INTEGER PRIMARY KEY REFERENCES generations (id),
  seen_at INTEGER NOT NULL
) STRICT;

-- In what an upstream key differs from its row, for as long as it does.
CREATE TABLE drift (
  generation_id INTEGER NOT NULL REFERENCES generations (id),
  kind TEXT NOT NULL CONSTRAINT drift_kind_valid CHECK (kind IN
    ('name', 'disabled', 'limit', 'limit_reset', 'byok', 'expires_at', 'on_after_end', 'missing')),
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  PRIMARY KEY (generation_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX drift_by_age ON drift (first_seen_at);

-- ---------------------------------------------------------------------------------------------- claims

-- As before, with every plan's revision in `plan_rev`; with what the plan allows: how many keys, how many there are, and the
-- lowest ordinal that is free; and `live_state` sees a claimed key that has ended and is not off yet: it still takes its
-- place (X14).
DROP VIEW claim_gates;
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  m.terms_rev, m.terms_at, s.upstream_terms, s.claims,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject) AS allotted,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject AND t.kind = 'appeal') AS age_waived,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'claim' ORDER BY q.id DESC LIMIT 1) AS claim_request,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'appeal' ORDER BY q.id DESC LIMIT 1) AS appeal,
  -- While every key is to be off, while the database may have forgotten something, and while the account is another one,
  -- none is made either.
  CASE WHEN s.keys = 'on' AND s.restore = 'none' AND s.account = 'known' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance, seats.live AS seats_live,
  o.plan_id, o.plan_rev + (SELECT p.rev FROM plans p WHERE p.id = o.plan_id) AS plan_rev,
  (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS keys_allowed,
  (SELECT COUNT(DISTINCT l.key_id) FROM generations l WHERE l.owner_id = m.owner_id AND l.live = 1) AS keys_live,
  (SELECT MIN(c.n) FROM (SELECT 0 AS n UNION ALL SELECT lk.ordinal + 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1) c
    WHERE NOT EXISTS (SELECT 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1 AND lk.ordinal = c.n)) AS free_ordinal,
  -- Whose last spend is still being counted: as many as the plan allows keys may be at a time, however they were ended (X8).
  (SELECT COUNT(*) FROM generations e WHERE e.owner_id = m.owner_id AND e.erase_at IS NOT NULL AND e.erased_at IS NULL
    AND e.readings_since_off < 2) > (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS unsettled,
  -- The most that a mint under way may come to have.
  (SELECT CASE p.limit_reset
      WHEN 'none' THEN MAX(10000000, (SELECT COALESCE(SUM(y.credit_nano), 0) FROM payments y
        WHERE y.owner_id = m.owner_id AND y.at >= COALESCE(o.prepaid_since, 0)))
      ELSE MIN(9000000000000000, p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0) FROM raises r WHERE r.key_id = k.id)) END
    FROM plans p WHERE p.id = o.plan_id) AS most_nano,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g JOIN keys gk ON gk.id = g.key_id
    WHERE g.owner_id = m.owner_id AND g.live = 1 AND gk.ordinal = 0
    ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state,
  -- A hold of the house outlives the key it was put on: deleting and claiming again is no way out of it.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;
