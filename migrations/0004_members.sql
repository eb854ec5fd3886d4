-- Members: the people who sign in, the people who are blocked, and the sign-in attempts that have come back.

-- A person, known by (provider, subject). The login is an attribute, and it can pass to another person.
CREATE TABLE members (
  owner_id INTEGER PRIMARY KEY REFERENCES owners (id),
  public_id TEXT NOT NULL,
  provider TEXT NOT NULL CONSTRAINT members_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL CONSTRAINT members_subject_valid CHECK (length(subject) BETWEEN 1 AND 255),
  -- The login that the provider gave at the last sign-in. People can change it, so it never identifies a person.
  login TEXT NOT NULL,
  -- When another account of the provider signed in under this login. Since then this is a former login.
  login_passed_on_at INTEGER,
  account_created_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CONSTRAINT members_status_valid CHECK (status IN ('active', 'suspended', 'banned', 'left')),
  -- Session tokens carry this number, so raising it ends the member's sessions.
  epoch INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_epoch_valid CHECK (epoch >= 0),
  -- The newest revision of the terms that the member has accepted, and when. Earlier acceptances are in the audit.
  terms_rev INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_terms_rev_valid CHECK (terms_rev >= 0),
  terms_at INTEGER CONSTRAINT members_terms_whole CHECK ((terms_rev = 0) = (terms_at IS NULL)),
  created_at INTEGER NOT NULL,
  signed_in_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT members_public_id_once UNIQUE (public_id),
  CONSTRAINT members_person_once UNIQUE (provider, subject)
) STRICT;

-- People who may not claim. A block can be set before the person first signs in.
CREATE TABLE blocks (
  provider TEXT NOT NULL CONSTRAINT blocks_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- The audit refers to a block by this id, because an account number does not belong in the audit.
  public_id TEXT,
  change_id TEXT,
  PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;

-- Sign-in attempts that have come back to the callback, so that each comes back only once. A row is written at the
-- callback. Starting a sign-in writes nothing.
CREATE TABLE used_states (
  state_sha256 TEXT PRIMARY KEY,
  -- The change of the sign-in that used the state. Sending that same change again is no replay.
  change_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How often a member has changed something of their own keys in a day. There is one row for each action of the audit,
-- and its count begins anew each day. The guards of those changes compare the count with the daily quota.
CREATE TABLE daily_uses (
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  action TEXT NOT NULL REFERENCES audit_actions (name),
  -- The UTC day, in days since 1970-01-01.
  day INTEGER NOT NULL,
  n INTEGER NOT NULL CONSTRAINT daily_uses_n_valid CHECK (n > 0),
  PRIMARY KEY (owner_id, action)
) STRICT, WITHOUT ROWID;

-- The audit row itself is counted, so that no change can be written without being counted. What an administrator
-- changes on the keys of others is not counted. Neither are the changes that make a key safer: disabling it and
-- removing it.
CREATE TRIGGER daily_uses_counted AFTER INSERT ON audit WHEN NEW.action IN ('key_renamed', 'hold_lifted', 'own_limit_set', 'key_preferred', 'rotation_begun') OR (NEW.action = 'hold_put' AND NEW.after = 'leak') BEGIN INSERT INTO daily_uses (owner_id, action, day, n) SELECT m.owner_id, NEW.action, NEW.at / 86400, 1 FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE k.public_id = NEW.target AND m.public_id = NEW.actor ON CONFLICT (owner_id, action) DO UPDATE SET n = n * (day = excluded.day) + 1, day = excluded.day; END;

CREATE TRIGGER members_insert_audited BEFORE INSERT ON members WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER members_update_audited BEFORE UPDATE OF status, epoch ON members WHEN (NEW.status <> OLD.status OR NEW.epoch <> OLD.epoch) AND (NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- The identity of a member never changes, so a renamed or recycled login gives nobody access to a key. The one
-- exception is a member who leaves. Then a keyed hash of the identity is retained. It is enough to recognise the person
-- who comes back, so that nobody escapes a limit by leaving.
CREATE TRIGGER members_identity_fixed BEFORE UPDATE OF public_id, provider, subject ON members WHEN NEW.public_id <> OLD.public_id OR NEW.provider <> OLD.provider OR (NEW.subject <> OLD.subject AND NOT EXISTS (SELECT 1 FROM audit WHERE id = (SELECT MAX(id) FROM audit WHERE target = NEW.public_id) AND change_id = NEW.change_id AND ((action = 'member_left' AND OLD.status = 'active' AND NEW.status = 'left') OR (action = 'member_returned' AND OLD.status = 'left' AND NEW.status = 'active')))) BEGIN SELECT RAISE(ABORT, 'identity is fixed'); END;

-- Nothing in the row of a member who left tells who they were, and no other row has that form.
CREATE TRIGGER members_left_erased BEFORE UPDATE ON members WHEN (NEW.status = 'left') <> (NEW.subject GLOB 'left:*') OR (NEW.status = 'left' AND (NEW.login <> '' OR NEW.account_created_at <> 0 OR NEW.terms_rev <> 0)) BEGIN SELECT RAISE(ABORT, 'who left is erased'); END;

-- The acceptance of the terms is removed from the row of a member who leaves. The audit retains which revision was
-- accepted and when.
CREATE TRIGGER members_terms_audited BEFORE UPDATE OF terms_rev, terms_at ON members WHEN (NEW.terms_rev <> OLD.terms_rev OR NEW.terms_at IS NOT OLD.terms_at) AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND ((action = 'terms_accepted' AND after = CAST(NEW.terms_rev AS TEXT)) OR (action = 'member_left' AND NEW.terms_rev = 0))) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER blocks_insert_audited BEFORE INSERT ON blocks WHEN NEW.public_id IS NULL OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'blocked') OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER blocks_never_updated BEFORE UPDATE ON blocks BEGIN SELECT RAISE(ABORT, 'a block is put and lifted'); END;

CREATE TRIGGER blocks_delete_audited BEFORE DELETE ON blocks WHEN (SELECT action FROM audit WHERE target = OLD.public_id ORDER BY id DESC LIMIT 1) IS NOT 'unblocked' BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- For an administrator's list of members, page by page, by the status or by the beginning of the login.
CREATE INDEX members_by_status ON members (status, owner_id);
CREATE INDEX members_by_login ON members (lower(login), owner_id);
CREATE INDEX members_by_status_and_login ON members (status, lower(login), owner_id);
CREATE UNIQUE INDEX blocks_public_id_once ON blocks (public_id);
CREATE INDEX used_states_by_expiry ON used_states (expires_at);

-- The sessions that are current, each by its member and the epoch that its token carries. Ending the member's sessions or
-- everybody's raises the epoch, and a member who is not active has no session.
CREATE VIEW current_sessions AS
SELECT m.owner_id, m.public_id AS member, m.provider, m.subject, m.epoch + s.session_epoch AS epoch
FROM members m JOIN settings s
WHERE m.status = 'active';
