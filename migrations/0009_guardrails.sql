-- Guardrails: a plan may name one of the upstream's, which its owners' keys are held to; the upstream enforces it.

INSERT INTO audit_actions (name) VALUES ('guardrail_changed');

-- The upstream's own id. It stands in addresses.
ALTER TABLE plans ADD COLUMN guardrail_id TEXT
  CONSTRAINT plans_guardrail_id_valid CHECK (length(guardrail_id) BETWEEN 1 AND 64 AND guardrail_id NOT GLOB '*[^0-9A-Za-z_-]*');

-- The one that upstream has confirmed for this key: before the secret was given out, and at each change since.
ALTER TABLE generations ADD COLUMN guardrail_id TEXT;
-- When another was last sent whose outcome is not known: it may land late, so what is wanted is said again until nothing
-- in doubt can land any more.
ALTER TABLE generations ADD COLUMN guardrail_sent_at INTEGER;

CREATE TRIGGER generations_guardrail_audited BEFORE UPDATE OF guardrail_id ON generations
WHEN NEW.guardrail_id IS NOT OLD.guardrail_id
  AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id
    AND action IN ('recorded', 'guardrail_changed'))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;
