-- Device grants (RFC 8628): a terminal asks for a key, and its person approves in a browser. No secret is in this table: a
-- device code is stored as its SHA-256, and a user code, which is short, as a keyed hash.

CREATE TABLE device_grants (
  id INTEGER PRIMARY KEY,
  device_code_sha256 TEXT NOT NULL CONSTRAINT device_grants_device_code_valid CHECK (length(device_code_sha256) = 64),
  user_code_hmac TEXT NOT NULL CONSTRAINT device_grants_user_code_valid CHECK (length(user_code_hmac) = 64),
  -- What the terminal says about itself. Nobody has checked it, so it is in no audit row and no log line.
  client TEXT NOT NULL CONSTRAINT device_grants_client_valid CHECK (length(client) BETWEEN 1 AND 64),
  device TEXT CONSTRAINT device_grants_device_valid CHECK (length(device) BETWEEN 1 AND 64),
  -- A keyed hash of the network address that began, by which the page says whether it is the browser's own.
  address_hmac TEXT CONSTRAINT device_grants_address_valid CHECK (length(address_hmac) = 64),
  state TEXT NOT NULL DEFAULT 'pending' CONSTRAINT device_grants_state_valid CHECK (state IN ('pending', 'approved', 'denied', 'redeemed', 'failed')),
  -- Who decided, and the session's epoch then: an approval ends with the sessions of its member.
  owner_id INTEGER REFERENCES members (owner_id),
  epoch INTEGER,
  -- Whether the member accepted the terms with the approval, and the workspace that they chose.
  accepts_terms INTEGER NOT NULL DEFAULT 0 CONSTRAINT device_grants_accepts_terms_valid CHECK (accepts_terms IN (0, 1)),
  workspace TEXT,
  -- The pace of the terminal's questions: how long it has to wait, when the last one came, its nonce, and whether it was early.
  interval_secs INTEGER NOT NULL DEFAULT 5 CONSTRAINT device_grants_interval_valid CHECK (interval_secs >= 5),
  polled_at INTEGER,
  poll TEXT,
  was_early INTEGER NOT NULL DEFAULT 0 CONSTRAINT device_grants_was_early_valid CHECK (was_early IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  change_id TEXT NOT NULL DEFAULT '',
  CONSTRAINT device_grants_device_code_once UNIQUE (device_code_sha256),
  CONSTRAINT device_grants_user_code_once UNIQUE (user_code_hmac),
  CONSTRAINT device_grants_decided_whole CHECK ((state = 'pending') = (owner_id IS NULL) AND (owner_id IS NULL) = (epoch IS NULL))
) STRICT;

INSERT INTO audit_actions (name) VALUES ('device_code_wrong'), ('device_approved'), ('device_denied'), ('device_redeemed'), ('device_failed'), ('provider_key_leaked') ON CONFLICT DO NOTHING;

-- Beginning is nobody's change, so it has no audit row, and can do nothing but begin.
CREATE TRIGGER device_grants_insert_pending BEFORE INSERT ON device_grants WHEN NEW.state <> 'pending' BEGIN SELECT RAISE(ABORT, 'a device grant begins pending'); END;

-- The decision and its outcome are changes of the member. Only the pace of questions is none.
CREATE TRIGGER device_grants_update_audited BEFORE UPDATE ON device_grants WHEN NEW.device_code_sha256 <> OLD.device_code_sha256 OR NEW.user_code_hmac <> OLD.user_code_hmac OR NEW.client <> OLD.client OR NEW.device IS NOT OLD.device OR NEW.address_hmac IS NOT OLD.address_hmac OR NEW.expires_at <> OLD.expires_at OR ((NEW.state <> OLD.state OR NEW.owner_id IS NOT OLD.owner_id OR NEW.epoch IS NOT OLD.epoch OR NEW.accepts_terms <> OLD.accepts_terms OR NEW.workspace IS NOT OLD.workspace OR NEW.change_id <> OLD.change_id) AND (NEW.state = OLD.state OR NEW.change_id = OLD.change_id OR NOT EXISTS (SELECT 1 FROM audit a JOIN members m ON m.public_id = a.target WHERE a.change_id = NEW.change_id AND m.owner_id = NEW.owner_id AND a.action = 'device_' || NEW.state))) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A grant goes forward only, so no key is made twice for it.
CREATE TRIGGER device_grants_go_forward BEFORE UPDATE OF state ON device_grants WHEN NEW.state <> OLD.state AND NOT (OLD.state = 'pending' AND NEW.state IN ('approved', 'denied')) AND NOT (OLD.state = 'approved' AND NEW.state IN ('redeemed', 'denied')) AND NOT (OLD.state = 'redeemed' AND NEW.state = 'failed') BEGIN SELECT RAISE(ABORT, 'a device grant goes forward'); END;

-- Like `daily_uses_counted`, for what is not a change of a key as such.
CREATE TRIGGER daily_uses_of_devices AFTER INSERT ON audit WHEN NEW.action = 'device_code_wrong' BEGIN INSERT INTO daily_uses (owner_id, action, day, n) SELECT m.owner_id, NEW.action, NEW.at / 86400, 1 FROM members m WHERE m.public_id = NEW.actor ON CONFLICT (owner_id, action) DO UPDATE SET n = n * (day = excluded.day) + 1, day = excluded.day; END;

CREATE INDEX device_grants_by_owner ON device_grants (owner_id, id) WHERE owner_id IS NOT NULL;
-- For a report of a found secret: its provider's key is looked for, too.
CREATE INDEX provider_keys_by_secret ON provider_keys (secret_sha256);
-- For the bound on those that wait, and for the sweep.
CREATE INDEX device_grants_by_expiry ON device_grants (expires_at);
