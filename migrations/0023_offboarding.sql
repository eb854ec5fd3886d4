-- Offboarding: what the directories say of members, the lists of people who are gone, and who was put out because of it.

-- One row for each directory that members are compared with.
CREATE TABLE directories (
  provider TEXT PRIMARY KEY CONSTRAINT directories_provider_valid CHECK (provider IN ('github', 'google')),
  -- A digest of which directory it is: its address, the account that reads it, the domains. Under another one, absence
  -- means nothing until a whole walk has shown who is there. Empty until the first good walk.
  source TEXT NOT NULL,
  -- When the last good walk began, and how many people it listed.
  good_at INTEGER,
  people INTEGER NOT NULL CONSTRAINT directories_people_valid CHECK (people >= 0),
  -- Since when no walk was good, why the last one was not, and since when that is the reason.
  unknown_since INTEGER,
  code TEXT,
  code_since INTEGER,
  CONSTRAINT directories_doubt_whole CHECK ((unknown_since IS NULL) = (code IS NULL) AND (code_since IS NULL) = (code IS NULL))
) STRICT, WITHOUT ROWID;

-- What the last walk found about a member whom this directory has shown at least once. A member without a row was never
-- in the directory, so absence says nothing about them.
CREATE TABLE presences (
  owner_id INTEGER PRIMARY KEY REFERENCES members (owner_id),
  source TEXT NOT NULL,
  -- When the walk began, in seconds. It is the name of the walk.
  walk INTEGER NOT NULL,
  found TEXT NOT NULL CONSTRAINT presences_found_valid CHECK (found IN
    ('active', 'suspended', 'archived', 'deleted', 'gone', 'no_account', 'not_a_member', 'unknown')),
  -- On how many UTC days in a row a good walk found the person gone, the last such day, and since when.
  strikes INTEGER NOT NULL DEFAULT 0 CONSTRAINT presences_strikes_valid CHECK (strikes >= 0),
  strike_day INTEGER,
  since INTEGER
) STRICT;
CREATE INDEX presences_struck ON presences (owner_id) WHERE strikes > 0;

-- A list of people who are gone. A list that is implausibly long is held until an administrator releases or rejects it.
CREATE TABLE departure_lists (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  provider TEXT NOT NULL CONSTRAINT departure_lists_provider_valid CHECK (provider IN ('github', 'google')),
  state TEXT NOT NULL CONSTRAINT departure_lists_state_valid CHECK (state IN ('held', 'released', 'rejected', 'expired')),
  made_at INTEGER NOT NULL,
  -- After this moment nobody can release the list.
  expires_at INTEGER NOT NULL,
  decided_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT departure_lists_public_id_once UNIQUE (public_id)
) STRICT;
CREATE INDEX departure_lists_held ON departure_lists (id) WHERE state = 'held';

-- The people of a list.
CREATE TABLE departures (
  list_id INTEGER NOT NULL REFERENCES departure_lists (id),
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- When the member was put out.
  blocked_at INTEGER,
  PRIMARY KEY (list_id, owner_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX departures_by_owner ON departures (owner_id);
CREATE INDEX departures_open ON departures (owner_id, list_id) WHERE blocked_at IS NULL;

-- Members who were put out because a directory says that they are gone, until an administrator reinstates them.
CREATE TABLE departed (
  owner_id INTEGER PRIMARY KEY REFERENCES members (owner_id),
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- When what is stored about the person was erased.
  erased_at INTEGER,
  change_id TEXT NOT NULL
) STRICT;
CREATE INDEX departed_to_erase ON departed (since) WHERE erased_at IS NULL;

CREATE TRIGGER departure_lists_insert_audited BEFORE INSERT ON departure_lists WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'departures_listed' AND after = NEW.state) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER departure_lists_update_audited BEFORE UPDATE OF state ON departure_lists WHEN NEW.state <> OLD.state AND (NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER departed_insert_audited BEFORE INSERT ON departed WHEN NOT EXISTS (SELECT 1 FROM members m JOIN audit a ON a.target = m.public_id WHERE m.owner_id = NEW.owner_id AND a.change_id = NEW.change_id AND a.action = 'member_departed') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER departed_erased_audited BEFORE UPDATE OF erased_at ON departed WHEN NOT EXISTS (SELECT 1 FROM members m JOIN audit a ON a.target = m.public_id WHERE m.owner_id = NEW.owner_id AND a.change_id = NEW.change_id AND a.action = 'member_erased') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Projects are deleted with what names their owner: when the owner leaves, and when an owner who was put out is erased.
DROP TRIGGER projects_delete_audited;
CREATE TRIGGER projects_delete_audited BEFORE DELETE ON projects WHEN COALESCE((SELECT a.action FROM audit a JOIN members m ON m.public_id = a.target WHERE m.owner_id = OLD.owner_id ORDER BY a.id DESC LIMIT 1), '') NOT IN ('member_left', 'member_erased') BEGIN SELECT RAISE(ABORT, 'a project is archived'); END;

-- So is what is on record of keys that a billing provider made for them.
DROP TRIGGER provider_keys_delete_audited;
CREATE TRIGGER provider_keys_delete_audited BEFORE DELETE ON provider_keys WHEN (SELECT a.action FROM audit a WHERE a.target = OLD.public_id ORDER BY a.id DESC LIMIT 1) IS NOT 'provider_key_unlinked' AND COALESCE((SELECT a.action FROM audit a JOIN members m ON m.public_id = a.target WHERE m.owner_id = OLD.owner_id ORDER BY a.id DESC LIMIT 1), '') NOT IN ('member_left', 'member_erased') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A member who is reinstated begins anew. One who leaves and comes back does not: what a directory said of them stays.
CREATE TRIGGER members_departure_over AFTER UPDATE OF status ON members WHEN OLD.status IN ('suspended', 'banned') AND NEW.status = 'active' BEGIN DELETE FROM departed WHERE owner_id = NEW.owner_id; DELETE FROM departures WHERE owner_id = NEW.owner_id; DELETE FROM presences WHERE owner_id = NEW.owner_id; END;

INSERT INTO audit_actions (name) VALUES ('departures_listed'), ('departures_released'), ('departures_rejected'),
  ('departures_expired'), ('member_departed'), ('member_erased') ON CONFLICT DO NOTHING;

-- Members whom the last good walk of their directory found gone for the second day or longer, and who are in no list that
-- waits or is being carried out.
CREATE VIEW departing AS
SELECT m.owner_id, m.provider, m.subject, p.found AS reason, p.since
FROM presences p JOIN members m ON m.owner_id = p.owner_id
JOIN directories d ON d.provider = m.provider AND d.source = p.source AND d.good_at = p.walk
WHERE p.strikes >= 2 AND p.found NOT IN ('active', 'unknown') AND m.status = 'active'
  AND NOT EXISTS (SELECT 1 FROM departures x JOIN departure_lists l ON l.id = x.list_id
    WHERE x.owner_id = p.owner_id AND x.blocked_at IS NULL AND l.state IN ('held', 'released'));
