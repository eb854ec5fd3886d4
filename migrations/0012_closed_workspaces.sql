-- A workspace that is closed while every key must be disabled. Its default guardrail then lets no request through, which
-- takes one call for all keys; the keys are disabled one by one meanwhile.
CREATE TABLE closed_workspaces (
  workspace_id TEXT PRIMARY KEY,
  guardrail_id TEXT NOT NULL,
  -- What the guardrail allowed before it was first changed, as JSON. Opening the workspace restores exactly this.
  rules_before TEXT NOT NULL CONSTRAINT closed_workspaces_rules_valid CHECK (json_valid(rules_before)),
  -- What was sent last, and whether OpenRouter confirmed it.
  wanted TEXT NOT NULL CONSTRAINT closed_workspaces_wanted_valid CHECK (wanted IN ('closed', 'open')),
  confirmed INTEGER NOT NULL DEFAULT 0 CONSTRAINT closed_workspaces_confirmed_valid CHECK (confirmed IN (0, 1)),
  -- When a change was sent that may still take effect after the one that was confirmed.
  sent_at INTEGER,
  -- Only the code that sent the latest change knows this text, and nobody else can confirm it.
  nonce TEXT,
  change_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER closed_workspaces_begun_audited BEFORE INSERT ON closed_workspaces WHEN NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'workspace' ORDER BY id DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER closed_workspaces_audited BEFORE UPDATE OF workspace_id, guardrail_id, rules_before, confirmed ON closed_workspaces WHEN (NEW.workspace_id <> OLD.workspace_id OR NEW.guardrail_id <> OLD.guardrail_id OR NEW.rules_before <> OLD.rules_before OR NEW.confirmed > OLD.confirmed) AND (NEW.change_id IS OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'workspace' ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A workspace is forgotten only once it is open again.
CREATE TRIGGER closed_workspaces_forgotten_when_open BEFORE DELETE ON closed_workspaces WHEN OLD.wanted <> 'open' OR OLD.confirmed = 0 BEGIN SELECT RAISE(ABORT, 'the workspace is not open'); END;

INSERT INTO audit_actions (name) VALUES ('workspace_closing'), ('workspace_closed'), ('workspace_opened') ON CONFLICT DO NOTHING;
