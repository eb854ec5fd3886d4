-- Plans to begin with, caps that are computed anew when what they depend on changes, and several keys of one owner.

INSERT INTO audit_actions (name) VALUES ('raise_ended');

-- ---------------------------------------------------------------------------------------------- plans

-- The starting set (S3-01). The default plan is configuration's to seed, at the first sign-in (A5).
INSERT INTO audit (change_id, target, action, actor, at)
SELECT 'plan-seed-' || s.column1, 'plan:' || s.column1, 'plan_seeded', 'migration', unixepoch()
FROM (VALUES ('free'), ('basic'), ('pro'), ('enterprise'), ('prepaid')) s
WHERE NOT EXISTS (SELECT 1 FROM plans p WHERE p.name = s.column1)
ON CONFLICT DO NOTHING;

-- A prepaid plan has no limit of its own: what was paid is it.
INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, created_at, change_id)
SELECT s.column1, s.column2, s.column3, 90, s.column4, unixepoch(), 'plan-seed-' || s.column1
FROM (VALUES ('free', 1000000000, 'monthly', 1), ('basic', 5000000000, 'monthly', 2), ('pro', 20000000000, 'monthly', 5),
  ('enterprise', 100000000000, 'monthly', 10), ('prepaid', 9000000000000000, 'none', 1)) s
WHERE EXISTS (SELECT 1 FROM audit a WHERE a.change_id = 'plan-seed-' || s.column1)
ON CONFLICT DO NOTHING;

CREATE TRIGGER plans_prepaid_one_key BEFORE INSERT ON plans
WHEN NEW.limit_reset = 'none' AND NEW.max_active_keys <> 1
BEGIN SELECT RAISE(ABORT, 'a prepaid plan has one key'); END;

CREATE TRIGGER plans_prepaid_for_good BEFORE UPDATE OF limit_reset, max_active_keys ON plans
WHEN (NEW.limit_reset = 'none') <> (OLD.limit_reset = 'none') OR (NEW.limit_reset = 'none' AND NEW.max_active_keys <> 1)
BEGIN SELECT RAISE(ABORT, 'a plan stays prepaid or not, with one key'); END;

CREATE TRIGGER raises_update_audited BEFORE UPDATE ON raises
WHEN NEW.change_id = OLD.change_id OR NEW.amount_nano <> OLD.amount_nano OR NEW.key_id <> OLD.key_id
  OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'raise_ended')
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER raises_never_deleted BEFORE DELETE ON raises
BEGIN SELECT RAISE(ABORT, 'a raise ends'); END;

CREATE TRIGGER keys_own_limit_audited BEFORE UPDATE OF own_limit_nano, preferred_at ON keys
WHEN (NEW.own_limit_nano IS NOT OLD.own_limit_nano OR NEW.preferred_at IS NOT OLD.preferred_at)
  AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- ---------------------------------------------------------------------------------------------- keys

-- As many live keys as the plan allows, whoever counts: a key without a live generation gets one only where there is room.
CREATE TRIGGER keys_within_plan BEFORE INSERT ON generations
WHEN NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = NEW.key_id AND o.live = 1)
  AND (SELECT COUNT(DISTINCT o.key_id) FROM generations o WHERE o.owner_id = NEW.owner_id AND o.live = 1)
    >= (SELECT p.max_active_keys FROM owners w JOIN plans p ON p.id = w.plan_id WHERE w.id = NEW.owner_id)
BEGIN SELECT RAISE(ABORT, 'the plan allows no further key'); END;

-- ---------------------------------------------------------------------------------------------- caps

-- What an owner's dead generations used decides what the living may: at the end of one, and whenever its figures change
-- after that, the others' caps are computed anew, whoever wrote it down (B1, X8).
CREATE TRIGGER caps_follow_an_end AFTER UPDATE OF state ON generations
WHEN OLD.live = 1 AND NEW.live = 0
BEGIN
  UPDATE generations SET cap_due_at = NULL WHERE id = NEW.id AND cap_due_at IS NOT NULL;
  UPDATE generations SET cap_due_at = COALESCE(NEW.ended_at, NEW.created_at)
    WHERE owner_id = NEW.owner_id AND live = 1 AND id <> NEW.id;
END;

CREATE TRIGGER caps_follow_figures AFTER UPDATE OF usage_daily_nano, usage_weekly_nano, usage_monthly_nano, usage_lifetime_nano ON generations
WHEN NEW.ended_at IS NOT NULL
  AND (NEW.usage_daily_nano IS NOT OLD.usage_daily_nano OR NEW.usage_weekly_nano IS NOT OLD.usage_weekly_nano
    OR NEW.usage_monthly_nano IS NOT OLD.usage_monthly_nano OR NEW.usage_lifetime_nano IS NOT OLD.usage_lifetime_nano)
BEGIN
  UPDATE generations SET cap_due_at = COALESCE(NEW.usage_read_at, NEW.ended_at)
    WHERE owner_id = NEW.owner_id AND live = 1 AND id <> NEW.id;
END;

-- ---------------------------------------------------------------------------------------------- views

-- As before, with what the plan allows: how many keys, how many there are, and the lowest ordinal that is free. One that
-- has ended and is not off yet still takes its place (X14).
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
  o.plan_id, o.plan_rev + (SELECT p.rev FROM plans p WHERE p.id = o.plan_id) AS plan_rev,
  (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS keys_allowed,
  (SELECT COUNT(DISTINCT l.key_id) FROM generations l WHERE l.owner_id = m.owner_id AND l.live = 1) AS keys_live,
  (SELECT MIN(c.n) FROM (SELECT 0 AS n UNION ALL SELECT lk.ordinal + 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1) c
    WHERE NOT EXISTS (SELECT 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1 AND lk.ordinal = c.n)) AS free_ordinal,
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

-- The keys that take one of the plan's places, by who stays when there are fewer: whom the owner prefers, then the oldest
-- ordinal (B5). A key that has ended leaves by itself.
CREATE VIEW ranked_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.owner_id, o.plan_id, p.max_active_keys,
  ROW_NUMBER() OVER (PARTITION BY o.plan_id, k.owner_id ORDER BY k.preferred_at DESC, k.ordinal) AS rank
FROM owners o JOIN plans p ON p.id = o.plan_id JOIN keys k ON k.owner_id = o.id
WHERE k.ended_at IS NULL AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.live = 1);
