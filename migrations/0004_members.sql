-- Members: who signs in, who is blocked, and which sign-in attempts have come back.

-- A person, known by (provider, subject). The login is an attribute and changes hands.
CREATE TABLE members (
  owner_id INTEGER PRIMARY KEY REFERENCES owners (id),
  public_id TEXT NOT NULL,
  provider TEXT NOT NULL CONSTRAINT members_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL CONSTRAINT members_subject_valid CHECK (length(subject) BETWEEN 1 AND 255),
  -- As the provider said at the last sign-in. It is a name that people change: nobody is found by it.
  login TEXT NOT NULL,
  -- When another account of the provider signed in under this login: since then it is a former one.
  login_passed_on_at INTEGER,
  account_created_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CONSTRAINT members_status_valid CHECK (status IN ('active', 'suspended', 'banned', 'left')),
  -- Sessions carry it; raising it ends them.
  epoch INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_epoch_valid CHECK (epoch >= 0),
  -- The newest revision of the terms that the member has accepted, and when; earlier ones are in the audit.
  terms_rev INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_terms_rev_valid CHECK (terms_rev >= 0),
  terms_at INTEGER CONSTRAINT members_terms_whole CHECK ((terms_rev = 0) = (terms_at IS NULL)),
  created_at INTEGER NOT NULL,
  signed_in_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT members_public_id_once UNIQUE (public_id),
  CONSTRAINT members_person_once UNIQUE (provider, subject)
) STRICT;

-- People who may not claim, also before they first sign in.
CREATE TABLE blocks (
  provider TEXT NOT NULL CONSTRAINT blocks_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- The audit knows a block by an id of its own: an account number is not for it.
  public_id TEXT,
  change_id TEXT,
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

-- How often a member has changed something of their own keys in a day, by the audit's action: one row for each kind, which
-- begins anew with the day. The guards of those changes compare it with the day's quota.
CREATE TABLE daily_uses (
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  action TEXT NOT NULL REFERENCES audit_actions (name),
  -- Days since 1970, UTC.
  day INTEGER NOT NULL,
  n INTEGER NOT NULL CONSTRAINT daily_uses_n_valid CHECK (n > 0),
  PRIMARY KEY (owner_id, action)
) STRICT, WITHOUT ROWID;

-- Counted with the audit row itself, so that no change can be written without being counted. What an admin does to the keys
-- of others is not counted, and neither is what makes a key safer: disabling and removing it.
CREATE TRIGGER daily_uses_counted AFTER INSERT ON audit WHEN NEW.action IN ('key_renamed', 'hold_lifted', 'own_limit_set', 'key_preferred', 'rotation_begun') OR (NEW.action = 'hold_put' AND NEW.after = 'leak') BEGIN INSERT INTO daily_uses (owner_id, action, day, n) SELECT m.owner_id, NEW.action, NEW.at / 86400, 1 FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE k.public_id = NEW.target AND m.public_id = NEW.actor ON CONFLICT (owner_id, action) DO UPDATE SET n = n * (day = excluded.day) + 1, day = excluded.day; END;

CREATE TRIGGER members_insert_audited BEFORE INSERT ON members WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER members_update_audited BEFORE UPDATE OF status, epoch ON members WHEN (NEW.status <> OLD.status OR NEW.epoch <> OLD.epoch) AND (NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Who a person is never changes: a renamed or recycled login reaches no key. The one exception is a member who leaves: a
-- keyed hash of the identity is retained, enough to recognise the person who comes back, so that leaving is no way out of
-- a limit.
CREATE TRIGGER members_identity_fixed BEFORE UPDATE OF public_id, provider, subject ON members WHEN NEW.public_id <> OLD.public_id OR NEW.provider <> OLD.provider OR (NEW.subject <> OLD.subject AND NOT EXISTS (SELECT 1 FROM audit WHERE id = (SELECT MAX(id) FROM audit WHERE target = NEW.public_id) AND change_id = NEW.change_id AND ((action = 'member_left' AND OLD.status = 'active' AND NEW.status = 'left') OR (action = 'member_returned' AND OLD.status = 'left' AND NEW.status = 'active')))) BEGIN SELECT RAISE(ABORT, 'identity is fixed'); END;

-- Nothing about a member who left says who they were, and nobody else is stored like that.
CREATE TRIGGER members_left_erased BEFORE UPDATE ON members WHEN (NEW.status = 'left') <> (NEW.subject GLOB 'left:*') OR (NEW.status = 'left' AND (NEW.login <> '' OR NEW.account_created_at <> 0 OR NEW.terms_rev <> 0)) BEGIN SELECT RAISE(ABORT, 'who left is erased'); END;

-- An acceptance of the terms is forgotten with the person: the audit retains which revision was accepted when.
CREATE TRIGGER members_terms_audited BEFORE UPDATE OF terms_rev, terms_at ON members WHEN (NEW.terms_rev <> OLD.terms_rev OR NEW.terms_at IS NOT OLD.terms_at) AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND ((action = 'terms_accepted' AND after = CAST(NEW.terms_rev AS TEXT)) OR (action = 'member_left' AND NEW.terms_rev = 0))) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER blocks_insert_audited BEFORE INSERT ON blocks WHEN NEW.public_id IS NULL OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'blocked') OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER blocks_never_updated BEFORE UPDATE ON blocks BEGIN SELECT RAISE(ABORT, 'a block is put and lifted'); END;

CREATE TRIGGER blocks_delete_audited BEFORE DELETE ON blocks WHEN (SELECT action FROM audit WHERE target = OLD.public_id ORDER BY id DESC LIMIT 1) IS NOT 'unblocked' BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- An admin's list, page by page, by its status or the beginning of the login.
CREATE INDEX members_by_status ON members (status, owner_id);
CREATE INDEX members_by_login ON members (lower(login), owner_id);
CREATE UNIQUE INDEX blocks_public_id_once ON blocks (public_id);
CREATE INDEX used_states_by_expiry ON used_states (expires_at);
