-- When an administrator asked a run to stop. The run notices it when it next renews its lease.
ALTER TABLE runs ADD COLUMN stop_asked_at INTEGER;

INSERT INTO audit_actions (name) VALUES ('stop_asked') ON CONFLICT DO NOTHING;
