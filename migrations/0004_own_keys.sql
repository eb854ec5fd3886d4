-- What owners do with their keys: put them off and on, name them, have them removed for good.

INSERT INTO audit_actions (name) VALUES
  ('key_renamed'), ('hold_put'), ('hold_lifted'), ('key_ended'), ('revoke_asked');

-- A name has the newest audit row of its key behind it; the name itself is in none.
CREATE TRIGGER keys_name_audited BEFORE UPDATE OF name ON keys
WHEN NEW.name IS NOT OLD.name
  AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Ended is ended.
CREATE TRIGGER keys_end_final BEFORE UPDATE OF ended_at ON keys
WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at
BEGIN SELECT RAISE(ABORT, 'a key that ended stays so'); END;

-- What an owner has at the moment, ended keys that are still being removed included.
CREATE INDEX generations_live_by_owner ON generations (owner_id) WHERE live = 1;

-- The keys that their owners may change, with what the guards have to know. One that never came to be is none.
CREATE VIEW own_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.name, m.public_id AS member, m.epoch + s.session_epoch AS epoch,
  (SELECT g.state FROM generations g WHERE g.key_id = k.id AND g.slot = 0 AND g.live = 1) AS live_state,
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'owner') AS held_by_owner
FROM keys k JOIN members m ON m.owner_id = k.owner_id JOIN settings s
WHERE k.ended_at IS NULL AND m.status = 'active'
  AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.state <> 'void');

-- As before, and with why the key is off, and whether there is anything left of it.
DROP VIEW key_cards;
CREATE VIEW key_cards AS
SELECT k.owner_id, k.ordinal, k.ended_at, k.public_id, k.name, k.created_at,
  g.state, g.live, g.label, g.limit_nano, g.limit_reset, g.expires_at,
  g.usage_daily_nano, g.usage_weekly_nano, g.usage_monthly_nano, g.usage_lifetime_nano, g.usage_read_at,
  (SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = k.id) AS holds
FROM keys k
JOIN generations g ON g.id =
  (SELECT own.id FROM generations own WHERE own.key_id = k.id
    ORDER BY own.live DESC, own.state = 'void', own.id DESC LIMIT 1);

-- As before, but `live_state` sees a claimed key that has ended and is not off yet: there is one at a time (X14).
DROP VIEW claim_gates;
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  m.terms_rev, m.terms_at, s.upstream_terms, s.claims,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject) AS allotted,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject AND t.kind = 'appeal') AS age_waived,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'claim' ORDER BY q.id DESC LIMIT 1) AS claim_request,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'appeal' ORDER BY q.id DESC LIMIT 1) AS appeal,
  -- While every key is to be off, none is made either.
  CASE s.keys WHEN 'on' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance, seats.live AS seats_live,
  o.plan_id, o.plan_rev,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g JOIN keys gk ON gk.id = g.key_id
    WHERE g.owner_id = m.owner_id AND g.live = 1 AND g.slot = 0 AND gk.ordinal = 0) AS live_state,
  -- A hold of the house outlives the key it was put on: deleting and claiming again is no way out of it.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;
