-- Billing providers, sign-ins there that end in a key (hand-offs), and the keys that came of them. No secret is in any of
-- these tables: what a provider sends back is sealed in KV until its owner redeems it.

-- The providers that the code knows. Each is seeded once, here; afterwards only administrators change it.
CREATE TABLE providers (
  slug TEXT PRIMARY KEY,
  name TEXT NOT NULL CONSTRAINT providers_name_valid CHECK (length(name) BETWEEN 1 AND 64),
  -- What members read before they sign in there.
  about TEXT NOT NULL CONSTRAINT providers_about_valid CHECK (length(about) BETWEEN 1 AND 300),
  enabled INTEGER NOT NULL CONSTRAINT providers_enabled_valid CHECK (enabled IN (0, 1)),
  -- The place in the list.
  position INTEGER NOT NULL CONSTRAINT providers_position_valid CHECK (position BETWEEN 0 AND 99),
  change_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Daydream sends browsers back only to addresses that it has put on its own list, so an operator enables it afterwards.
INSERT INTO providers (slug, name, about, enabled, position, change_id) VALUES ('openrouter', 'OpenRouter', 'You sign in at OpenRouter, and your own account there pays for what the key spends.', 1, 0, ''), ('daydream', 'Livepeer Daydream', 'You sign in at Daydream, and your own account there pays for what the key uses.', 0, 1, '') ON CONFLICT DO NOTHING;

-- A hand-off: a member's sign-in at a provider. It is used once, and its state says how far it has come.
CREATE TABLE handoffs (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  provider TEXT NOT NULL REFERENCES providers (slug),
  state TEXT NOT NULL DEFAULT 'pending' CONSTRAINT handoffs_state_valid CHECK (state IN ('pending', 'ready', 'redeeming', 'redeemed', 'refused', 'unknown')),
  -- The PKCE challenge of the verifier, which only the browser that began has.
  challenge TEXT NOT NULL,
  -- The name in KV of what the provider sent back.
  blob TEXT,
  -- When the code was typed on the page that began.
  confirmed_at INTEGER,
  wrong_codes INTEGER NOT NULL DEFAULT 0 CONSTRAINT handoffs_wrong_codes_valid CHECK (wrong_codes BETWEEN 0 AND 5),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  -- When its exchange began. Its outcome is known within five minutes, or never.
  redeeming_at INTEGER,
  ended_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT handoffs_public_id_once UNIQUE (public_id),
  CONSTRAINT handoffs_ready_whole CHECK (state NOT IN ('ready', 'redeeming') OR blob IS NOT NULL),
  CONSTRAINT handoffs_redeeming_whole CHECK (state <> 'redeeming' OR (redeeming_at IS NOT NULL AND confirmed_at IS NOT NULL)),
  CONSTRAINT handoffs_ended_whole CHECK ((state IN ('redeemed', 'refused', 'unknown')) = (ended_at IS NOT NULL))
) STRICT;

-- A key that a provider made for a member. It is billed to the member's account there, and only the member can end it.
CREATE TABLE provider_keys (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  provider TEXT NOT NULL REFERENCES providers (slug),
  -- Written by the member, so it is in no audit row and no log line.
  label TEXT CONSTRAINT provider_keys_label_valid CHECK (length(label) BETWEEN 1 AND 64),
  mask TEXT NOT NULL,
  secret_sha256 TEXT NOT NULL CONSTRAINT provider_keys_secret_sha256_valid CHECK (length(secret_sha256) = 64),
  project_id INTEGER REFERENCES projects (id),
  -- The hand-off that it came of. Its id is part of the key's name at the provider.
  handoff TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  CONSTRAINT provider_keys_public_id_once UNIQUE (public_id),
  CONSTRAINT provider_keys_handoff_once UNIQUE (handoff)
) STRICT;

INSERT INTO audit_actions (name) VALUES ('provider_changed'), ('handoff_started'), ('handoff_ready'), ('handoff_code_wrong'), ('handoff_confirmed'), ('handoff_redeeming'), ('handoff_redeemed'), ('handoff_refused'), ('handoff_unknown'), ('provider_key_linked'), ('provider_key_changed'), ('provider_key_unlinked') ON CONFLICT DO NOTHING;

CREATE TRIGGER providers_update_audited BEFORE UPDATE ON providers WHEN NEW.slug <> OLD.slug OR NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'provider/' || NEW.slug ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER handoffs_insert_audited BEFORE INSERT ON handoffs WHEN NEW.state <> 'pending' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'handoff_started') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER handoffs_update_audited BEFORE UPDATE ON handoffs WHEN NEW.public_id <> OLD.public_id OR NEW.owner_id <> OLD.owner_id OR NEW.provider <> OLD.provider OR NEW.challenge <> OLD.challenge OR NEW.expires_at <> OLD.expires_at OR NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A hand-off goes forward only, so nothing is redeemed twice.
CREATE TRIGGER handoffs_go_forward BEFORE UPDATE OF state ON handoffs WHEN NEW.state <> OLD.state AND NOT (OLD.state = 'pending' AND NEW.state IN ('ready', 'refused')) AND NOT (OLD.state = 'ready' AND NEW.state IN ('redeeming', 'refused')) AND NOT (OLD.state = 'redeeming' AND NEW.state IN ('redeemed', 'refused', 'unknown')) BEGIN SELECT RAISE(ABORT, 'a hand-off goes forward'); END;

-- What was not redeemed in time is forgotten, and what has ended a while later. One whose exchange is under way stays.
CREATE TRIGGER handoffs_delete_ended BEFORE DELETE ON handoffs WHEN OLD.state = 'redeeming' BEGIN SELECT RAISE(ABORT, 'an exchange is under way'); END;

CREATE TRIGGER provider_keys_insert_audited BEFORE INSERT ON provider_keys WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'provider_key_linked') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER provider_keys_update_audited BEFORE UPDATE ON provider_keys WHEN NEW.public_id <> OLD.public_id OR NEW.owner_id <> OLD.owner_id OR NEW.provider <> OLD.provider OR NEW.mask <> OLD.mask OR NEW.secret_sha256 <> OLD.secret_sha256 OR NEW.handoff <> OLD.handoff OR NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A project of another member would tell its name.
CREATE TRIGGER provider_keys_own_project BEFORE UPDATE OF project_id ON provider_keys WHEN NEW.project_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = NEW.project_id AND p.owner_id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'a project of its owner'); END;

CREATE TRIGGER provider_keys_new_own_project BEFORE INSERT ON provider_keys WHEN NEW.project_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = NEW.project_id AND p.owner_id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'a project of its owner'); END;

CREATE TRIGGER provider_keys_delete_audited BEFORE DELETE ON provider_keys WHEN (SELECT a.action FROM audit a WHERE a.target = OLD.public_id ORDER BY a.id DESC LIMIT 1) IS NOT 'provider_key_unlinked' AND (SELECT a.action FROM audit a JOIN members m ON m.public_id = a.target WHERE m.owner_id = OLD.owner_id ORDER BY a.id DESC LIMIT 1) IS NOT 'member_left' BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Like `daily_uses_counted`, for what is not a change of a key as such.
CREATE TRIGGER daily_uses_of_handoffs AFTER INSERT ON audit WHEN NEW.action IN ('handoff_started', 'provider_key_changed') BEGIN INSERT INTO daily_uses (owner_id, action, day, n) SELECT m.owner_id, NEW.action, NEW.at / 86400, 1 FROM members m WHERE m.public_id = NEW.actor ON CONFLICT (owner_id, action) DO UPDATE SET n = n * (day = excluded.day) + 1, day = excluded.day; END;

CREATE INDEX handoffs_by_owner ON handoffs (owner_id, id);
-- For the sweep: those that were left behind, and those whose exchange never told how it ended.
CREATE INDEX handoffs_open ON handoffs (expires_at) WHERE state IN ('pending', 'ready');
CREATE INDEX handoffs_redeeming ON handoffs (redeeming_at) WHERE state = 'redeeming';
CREATE INDEX handoffs_ended ON handoffs (ended_at) WHERE state IN ('redeemed', 'refused', 'unknown');
CREATE INDEX provider_keys_by_owner ON provider_keys (owner_id, id);
CREATE INDEX provider_keys_by_project ON provider_keys (project_id) WHERE project_id IS NOT NULL;
