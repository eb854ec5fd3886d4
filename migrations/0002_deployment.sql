-- The deployment: its identity, and the switches that take effect at once in every isolate.

-- The instance's name is part of every upstream key's name. The instance is bound to one public origin, so that a
-- second deployment on the same account, or a copy of this database, cannot repair keys that are not its own.
CREATE TABLE instance (
  id INTEGER PRIMARY KEY CONSTRAINT instance_id_valid CHECK (id = 1),
  name TEXT NOT NULL CONSTRAINT instance_name_valid CHECK (length(name) = 12),
  public_origin TEXT,
  change_id TEXT
) STRICT;

-- Every isolate sees a changed switch at once, because the guarding statements read it from this table.
CREATE TABLE settings (
  id INTEGER PRIMARY KEY CONSTRAINT settings_id_valid CHECK (id = 1),
  minting TEXT NOT NULL DEFAULT 'open' CONSTRAINT settings_minting_valid CHECK (minting IN ('open', 'stopped')),
  -- 'off' while every key must be disabled: the stronger switch. Each key then has the hold 'switch'.
  keys TEXT NOT NULL DEFAULT 'on' CONSTRAINT settings_keys_valid CHECK (keys IN ('on', 'off')),
  -- 'by_approval': only people whom an administrator has permitted may claim.
  claims TEXT NOT NULL DEFAULT 'open' CONSTRAINT settings_claims_valid CHECK (claims IN ('open', 'by_approval')),
  -- This is added to every member's own epoch, so raising it ends all sessions.
  session_epoch INTEGER NOT NULL DEFAULT 0 CONSTRAINT settings_session_epoch_valid CHECK (session_epoch >= 0),
  -- Whether an administrator has confirmed what OpenRouter's terms say about sharing keys, who did so, and when.
  -- Outside development, no key is minted before that.
  upstream_terms TEXT NOT NULL DEFAULT 'unconfirmed'
    CONSTRAINT settings_upstream_terms_valid CHECK (upstream_terms IN ('unconfirmed', 'confirmed')),
  upstream_terms_by TEXT,
  upstream_terms_at INTEGER,
  -- The account's default workspace, as the first key that was recorded there named it. If the account of a credential
  -- does not have this workspace, it is another account: no key may be minted with that credential, and nothing may be
  -- concluded from its answers.
  home_workspace_id TEXT,
  -- No key is reserved before this moment. It is set after repeated mints with an unknown outcome, and when OpenRouter
  -- asks us to wait. It only delays, so it needs no audit row.
  pause_until INTEGER NOT NULL DEFAULT 0,
  -- 'suspected' once the database seems to have been restored to an earlier state: whatever was made or forbidden since
  -- that state is missing from it.
  restore TEXT NOT NULL DEFAULT 'none' CONSTRAINT settings_restore_valid CHECK (restore IN ('none', 'suspected')),
  -- When an administrator last accepted a restored database. A note of the audit's end that is older than this proves
  -- nothing about the time after it.
  restore_since INTEGER NOT NULL DEFAULT 0,
  -- 'foreign' while the management key belongs to an account that lacks the workspace of our keys.
  account TEXT NOT NULL DEFAULT 'known' CONSTRAINT settings_account_valid CHECK (account IN ('known', 'foreign')),
  -- When an administrator last accepted another account. Keys that were recorded before prove nothing about this
  -- account.
  account_since INTEGER NOT NULL DEFAULT 0,
  -- Sign-ins and changes of limits from before this moment are deleted from the audit. All other rows are retained for
  -- ever.
  audit_since INTEGER NOT NULL DEFAULT 0,
  change_id TEXT
) STRICT;

CREATE TRIGGER instance_audited BEFORE UPDATE ON instance WHEN NEW.change_id IS OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = 'instance') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER settings_audited BEFORE UPDATE OF minting, keys, session_epoch ON settings WHEN (NEW.minting <> OLD.minting OR NEW.keys <> OLD.keys OR NEW.session_epoch <> OLD.session_epoch) AND (NEW.change_id IS OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER settings_policy_audited BEFORE UPDATE OF upstream_terms, upstream_terms_by, upstream_terms_at, claims ON settings WHEN (NEW.upstream_terms <> OLD.upstream_terms OR NEW.upstream_terms_by IS NOT OLD.upstream_terms_by OR NEW.upstream_terms_at IS NOT OLD.upstream_terms_at OR NEW.claims <> OLD.claims) AND (NEW.change_id IS OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER settings_alarms_audited BEFORE UPDATE OF restore, restore_since, account, account_since ON settings WHEN (NEW.restore <> OLD.restore OR NEW.restore_since <> OLD.restore_since OR NEW.account <> OLD.account OR NEW.account_since <> OLD.account_since) AND (NEW.change_id IS OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- `audit_since` moves only with an audit row that says so, and only to a moment at least thirty days before that row.
CREATE TRIGGER settings_retention_audited BEFORE UPDATE OF audit_since ON settings WHEN NEW.audit_since <> OLD.audit_since AND NOT EXISTS (SELECT 1 FROM audit WHERE id = (SELECT MAX(id) FROM audit WHERE target = 'settings') AND change_id = NEW.change_id AND action = 'audit_pruned' AND NEW.audit_since <= at - 30 * 86400) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

INSERT INTO instance (id, name) VALUES (1, lower(hex(randomblob(6))));
INSERT INTO settings (id) VALUES (1);
