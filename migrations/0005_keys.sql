-- Keys, and the reasons why a key is disabled.

-- What an owner has: an id, a name, a plan and a history. They outlive the upstream keys under them.
CREATE TABLE keys (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  -- The claimed key has 0. Every other key takes the lowest free number.
  ordinal INTEGER NOT NULL CONSTRAINT keys_ordinal_valid CHECK (ordinal BETWEEN 0 AND 99),
  origin TEXT NOT NULL CONSTRAINT keys_origin_valid CHECK (origin IN ('claim', 'created', 'allotted', 'adopted')),
  name TEXT,
  plan_id INTEGER NOT NULL REFERENCES plans (id),
  -- A limit below the plan's, which the owner has chosen.
  own_limit_nano INTEGER CONSTRAINT keys_own_limit_nano_valid CHECK (own_limit_nano >= 10000000),
  -- A lower limit that somebody else set at OpenRouter. It is in force until an administrator lifts it.
  upstream_limit_nano INTEGER CONSTRAINT keys_upstream_limit_nano_valid CHECK (upstream_limit_nano >= 10000000),
  -- When the owner chose to keep this key, should the plan allow fewer keys than there are.
  preferred_at INTEGER,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT keys_public_id_once UNIQUE (public_id)
) STRICT;

-- The reasons why a key is disabled. The key is disabled at OpenRouter while it has any of them. Each actor lifts only
-- the holds that it has set.
CREATE TABLE holds (
  key_id INTEGER NOT NULL REFERENCES keys (id),
  reason TEXT NOT NULL CONSTRAINT holds_reason_valid CHECK (reason IN
    -- 'upstream': somebody else disabled the key at OpenRouter.
    ('owner', 'admin', 'offboarding', 'leak', 'idle', 'budget', 'plan', 'switch', 'rotation', 'upstream')),
  actor TEXT NOT NULL,
  since INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  PRIMARY KEY (key_id, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER keys_insert_audited BEFORE INSERT ON keys WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER keys_end_audited BEFORE UPDATE OF ended_at ON keys WHEN NEW.ended_at IS NOT OLD.ended_at AND (NEW.change_id = OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A key that has ended never becomes usable again, so its end is never changed.
CREATE TRIGGER keys_end_final BEFORE UPDATE OF ended_at ON keys WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at BEGIN SELECT RAISE(ABORT, 'a key that ended stays so'); END;

-- A change of the name needs the newest audit row of its key. The name itself is in no audit row.
CREATE TRIGGER keys_name_audited BEFORE UPDATE OF name ON keys WHEN NEW.name IS NOT OLD.name AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER keys_own_limit_audited BEFORE UPDATE OF own_limit_nano, preferred_at ON keys WHEN (NEW.own_limit_nano IS NOT OLD.own_limit_nano OR NEW.preferred_at IS NOT OLD.preferred_at) AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER keys_upstream_limit_audited BEFORE UPDATE OF upstream_limit_nano ON keys WHEN NEW.upstream_limit_nano IS NOT OLD.upstream_limit_nano AND NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER holds_insert_audited BEFORE INSERT ON holds WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- An owner has one key of each ordinal, and therefore one claimed key.
CREATE UNIQUE INDEX keys_one_per_ordinal ON keys (owner_id, ordinal) WHERE ended_at IS NULL;
CREATE INDEX keys_by_owner ON keys (owner_id, created_at);
CREATE INDEX keys_by_plan ON keys (plan_id);
-- The few keys whose limit somebody else lowered at OpenRouter.
CREATE INDEX keys_limited_upstream ON keys (id) WHERE upstream_limit_nano IS NOT NULL;
CREATE INDEX holds_by_reason ON holds (reason, since);
