-- Workspaces: those in which administrators let keys be made, and those whose keys could not be read.

-- A workspace that is not enabled any more stays here, because its keys stay and are shown with its name. While no
-- workspace is enabled, keys are made where their plan says.
CREATE TABLE workspaces (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  -- OpenRouter's id of the workspace, and its name as it was last read there.
  upstream_id TEXT NOT NULL CONSTRAINT workspaces_upstream_id_valid CHECK (length(upstream_id) BETWEEN 1 AND 64),
  name TEXT NOT NULL CONSTRAINT workspaces_name_valid CHECK (length(name) BETWEEN 1 AND 100),
  enabled INTEGER NOT NULL CONSTRAINT workspaces_enabled_valid CHECK (enabled IN (0, 1)),
  change_id TEXT NOT NULL,
  CONSTRAINT workspaces_public_id_once UNIQUE (public_id),
  CONSTRAINT workspaces_upstream_id_once UNIQUE (upstream_id)
) STRICT;
-- The workspaces that a claim chooses from, in the order in which they are offered.
CREATE INDEX workspaces_enabled ON workspaces (name, id) WHERE enabled = 1;

CREATE TRIGGER workspaces_insert_audited BEFORE INSERT ON workspaces WHEN NEW.enabled = 0 OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'workspace_enabled') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER workspaces_update_audited BEFORE UPDATE OF public_id, upstream_id, enabled ON workspaces WHEN NEW.public_id <> OLD.public_id OR NEW.upstream_id <> OLD.upstream_id OR (NEW.enabled <> OLD.enabled AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = iif(NEW.enabled = 1, 'workspace_enabled', 'workspace_disabled') AND id = (SELECT MAX(a.id) FROM audit a WHERE a.target = NEW.public_id))) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER workspaces_never_deleted BEFORE DELETE ON workspaces BEGIN SELECT RAISE(ABORT, 'a workspace is disabled'); END;

-- The workspaces whose keys the latest run could not read. The name of the account's default workspace is empty here
-- while its id is unknown.
CREATE TABLE unread_workspaces (
  workspace_id TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The workspaces that have live keys, and how many these are.
CREATE INDEX generations_by_workspace ON generations (workspace_id) WHERE live = 1;

INSERT INTO audit_actions (name) VALUES ('workspaces_chosen'), ('workspace_enabled'), ('workspace_disabled') ON CONFLICT DO NOTHING;
