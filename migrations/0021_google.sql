-- People who sign in with Google: the Workspace that manages their account, and the admins among them.

-- The domain of the Google Workspace that manages the account, as Google proved it at the last sign-in. Claims of Google
-- accounts depend on it. An account of no Workspace, and every account of GitHub, has none.
ALTER TABLE members ADD COLUMN hosted_domain TEXT CONSTRAINT members_hosted_domain_valid CHECK (length(hosted_domain) BETWEEN 1 AND 253);

-- The address of an admin, and the one account that is this admin. An address can be given to another person, so the
-- first account that signs in under it is the only one. The address itself is not stored.
CREATE TABLE admin_pins (
  email_sha256 TEXT PRIMARY KEY CONSTRAINT admin_pins_email_sha256_valid CHECK (length(email_sha256) = 64),
  -- The domain of the address. The account is the admin only while the Workspace of this domain manages it.
  domain TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  -- The audit refers to the binding by this id.
  public_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- When another account last signed in under the address. It did not become an admin.
  refused_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT admin_pins_public_id_once UNIQUE (public_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX admin_pins_by_owner ON admin_pins (owner_id);

CREATE TRIGGER members_left_domain_erased BEFORE UPDATE ON members WHEN NEW.status = 'left' AND NEW.hosted_domain IS NOT NULL BEGIN SELECT RAISE(ABORT, 'who left is erased'); END;

CREATE TRIGGER admin_pins_insert_audited BEFORE INSERT ON admin_pins WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'admin_pinned') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER admin_pins_update_audited BEFORE UPDATE ON admin_pins WHEN NEW.email_sha256 <> OLD.email_sha256 OR NEW.domain <> OLD.domain OR NEW.owner_id <> OLD.owner_id OR NEW.public_id <> OLD.public_id OR NEW.since <> OLD.since OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'admin_refused') BEGIN SELECT RAISE(ABORT, 'an admin stays the one account'); END;

CREATE TRIGGER admin_pins_never_deleted BEFORE DELETE ON admin_pins BEGIN SELECT RAISE(ABORT, 'an admin stays the one account'); END;

-- The names under which the configuration lists an admin: the account number at GitHub, or the SHA-256 of the address of
-- a Google account.
CREATE VIEW admin_names AS
SELECT m.owner_id, m.subject AS name FROM members m WHERE m.provider = 'github'
UNION ALL
SELECT p.owner_id, p.email_sha256 FROM admin_pins p JOIN members m ON m.owner_id = p.owner_id WHERE m.hosted_domain = p.domain;

INSERT INTO audit_actions (name) VALUES ('admin_pinned'), ('admin_refused') ON CONFLICT DO NOTHING;
