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

-- The keys that take one of the plan's places, by who stays when there are fewer: whom the owner prefers, then the oldest
-- ordinal (B5). A key that has ended leaves by itself.
CREATE VIEW ranked_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.owner_id, o.plan_id, p.max_active_keys,
  ROW_NUMBER() OVER (PARTITION BY o.plan_id, k.owner_id ORDER BY k.preferred_at DESC, k.ordinal) AS rank
FROM owners o JOIN plans p ON p.id = o.plan_id JOIN keys k ON k.owner_id = o.id
WHERE k.ended_at IS NULL AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.live = 1);
