-- Projects: how a member groups their own keys.

CREATE TABLE projects (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  -- Written by the member, so it is in no audit row and no log line.
  name TEXT NOT NULL CONSTRAINT projects_name_valid CHECK (length(name) BETWEEN 1 AND 64),
  -- The name in small letters and with single blanks. Two projects of a member differ in it.
  normal_name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- Since when it is offered for no new key.
  archived_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT projects_public_id_once UNIQUE (public_id),
  CONSTRAINT projects_name_once UNIQUE (owner_id, normal_name)
) STRICT;

ALTER TABLE keys ADD COLUMN project_id INTEGER REFERENCES projects (id);
CREATE INDEX keys_by_project ON keys (project_id) WHERE project_id IS NOT NULL;

INSERT INTO audit_actions (name) VALUES ('project_created'), ('project_renamed'), ('project_archived'), ('project_restored'), ('key_moved') ON CONFLICT DO NOTHING;

CREATE TRIGGER projects_insert_audited BEFORE INSERT ON projects WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'project_created') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER projects_update_audited BEFORE UPDATE ON projects WHEN NEW.public_id <> OLD.public_id OR NEW.owner_id <> OLD.owner_id OR NEW.change_id = OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A project is deleted only with its owner's name: when they leave.
CREATE TRIGGER projects_delete_audited BEFORE DELETE ON projects WHEN (SELECT a.action FROM audit a JOIN members m ON m.public_id = a.target WHERE m.owner_id = OLD.owner_id ORDER BY a.id DESC LIMIT 1) IS NOT 'member_left' BEGIN SELECT RAISE(ABORT, 'a project is archived'); END;

-- A key moves to a project of its own owner, with the newest audit row of the key.
CREATE TRIGGER keys_project_audited BEFORE UPDATE OF project_id ON keys WHEN NEW.project_id IS NOT OLD.project_id AND (NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1) OR NOT EXISTS (SELECT 1 WHERE NEW.project_id IS NULL UNION ALL SELECT 1 FROM projects p WHERE p.id = NEW.project_id AND p.owner_id = NEW.owner_id)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Like `daily_uses_counted`, for what is not a change of a key as such.
CREATE TRIGGER daily_uses_of_projects AFTER INSERT ON audit WHEN NEW.action IN ('project_created', 'project_renamed', 'project_archived', 'project_restored', 'key_moved') BEGIN INSERT INTO daily_uses (owner_id, action, day, n) SELECT m.owner_id, NEW.action, NEW.at / 86400, 1 FROM members m WHERE m.public_id = NEW.actor ON CONFLICT (owner_id, action) DO UPDATE SET n = n * (day = excluded.day) + 1, day = excluded.day; END;

-- The order in which a member's projects are listed.
CREATE INDEX projects_by_owner ON projects (owner_id, archived_at, normal_name);
