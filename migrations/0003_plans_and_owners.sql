-- Plans, and the owners who have them.

-- What a key of this plan gets. The configuration creates the default plan once, at the first sign-in. From then on the
-- row decides.
CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  -- Positive and at most $9.0 M, so that a plan without a limit cannot be stored. A prepaid plan has no limit of its
  -- own: its keys may spend what was paid, less the margin.
  limit_nano INTEGER NOT NULL CONSTRAINT plans_limit_nano_valid CHECK (limit_nano >= 10000000 AND limit_nano <= 9000000000000000),
  -- 'none' is for prepaid plans, whose limit counts the spend of the whole life.
  limit_reset TEXT NOT NULL CONSTRAINT plans_limit_reset_valid CHECK (limit_reset IN ('daily', 'weekly', 'monthly', 'none')),
  expiry_days INTEGER NOT NULL CONSTRAINT plans_expiry_days_valid CHECK (expiry_days BETWEEN 1 AND 365),
  max_active_keys INTEGER NOT NULL CONSTRAINT plans_max_active_keys_valid CHECK (max_active_keys BETWEEN 1 AND 100),
  -- NULL means the account's default workspace.
  workspace_id TEXT,
  -- OpenRouter's id of the guardrail that the keys of this plan are assigned to. It becomes part of URLs, so only these
  -- characters are allowed.
  guardrail_id TEXT
    CONSTRAINT plans_guardrail_id_valid CHECK (length(guardrail_id) BETWEEN 1 AND 64 AND guardrail_id NOT GLOB '*[^0-9A-Za-z_-]*'),
  -- The part of a payment that is not passed on to the owner, in hundredths of a percent.
  margin_bp INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_margin_bp_valid CHECK (margin_bp BETWEEN 0 AND 9999),
  is_default INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_is_default_valid CHECK (is_default IN (0, 1)),
  -- Raised by every change of what the plan gives. A mint is recorded only if the sum of this and the owner's
  -- `plan_rev` is still the one that it was reserved with.
  rev INTEGER NOT NULL DEFAULT 0 CONSTRAINT plans_rev_valid CHECK (rev >= 0),
  created_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT plans_name_once UNIQUE (name)
) STRICT;

-- Anyone who has keys. Today every owner is a member. Services, agents and customers may follow.
CREATE TABLE owners (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CONSTRAINT owners_kind_valid CHECK (kind IN ('member', 'service', 'agent', 'customer')),
  plan_id INTEGER NOT NULL REFERENCES plans (id),
  -- Raised by every change of what the plan gives this owner. A mint is recorded only if the sum of this and
  -- `plans.rev` is still the one that it was reserved with.
  plan_rev INTEGER NOT NULL DEFAULT 0,
  -- When the owner came to a prepaid plan. What was spent before is not counted against what was paid.
  prepaid_since INTEGER,
  created_at INTEGER NOT NULL,
  -- The change that last gave the owner another plan, or another allowance under it.
  change_id TEXT
) STRICT;

CREATE TRIGGER plans_insert_audited BEFORE INSERT ON plans WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER plans_update_audited BEFORE UPDATE ON plans WHEN NEW.change_id = OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER plans_prepaid_one_key BEFORE INSERT ON plans WHEN NEW.limit_reset = 'none' AND NEW.max_active_keys <> 1 BEGIN SELECT RAISE(ABORT, 'a prepaid plan has one key'); END;

CREATE TRIGGER plans_prepaid_for_good BEFORE UPDATE OF limit_reset, max_active_keys ON plans WHEN (NEW.limit_reset = 'none') <> (OLD.limit_reset = 'none') OR (NEW.limit_reset = 'none' AND NEW.max_active_keys <> 1) BEGIN SELECT RAISE(ABORT, 'a plan stays prepaid or not, with one key'); END;

CREATE TRIGGER owners_plan_audited BEFORE UPDATE OF plan_id, plan_rev, prepaid_since ON owners WHEN (NEW.plan_id <> OLD.plan_id OR NEW.plan_rev <> OLD.plan_rev OR NEW.prepaid_since IS NOT OLD.prepaid_since) AND (NEW.change_id IS OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- There is one default plan, so that the plan of a new member is never ambiguous.
CREATE UNIQUE INDEX plans_one_default ON plans (is_default) WHERE is_default = 1;
CREATE INDEX owners_by_plan ON owners (plan_id);

-- The plans that a new deployment starts with.
INSERT INTO audit (change_id, target, action, actor, at)
SELECT 'plan-seed-' || s.column1, 'plan:' || s.column1, 'plan_seeded', 'migration', unixepoch()
FROM (VALUES ('free'), ('basic'), ('pro'), ('enterprise'), ('prepaid')) s;

INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, created_at, change_id)
SELECT s.column1, s.column2, s.column3, 90, s.column4, unixepoch(), 'plan-seed-' || s.column1
FROM (VALUES ('free', 1000000000, 'monthly', 1), ('basic', 5000000000, 'monthly', 2), ('pro', 20000000000, 'monthly', 5),
  ('enterprise', 100000000000, 'monthly', 10), ('prepaid', 9000000000000000, 'none', 1)) s;
