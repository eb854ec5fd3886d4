-- Amounts of the audit: what a limit was before a change and after it, so that its owner can be told. They are apart from
-- `before` and `after`, which name the state of a generation also where only its limit changes.

ALTER TABLE audit ADD COLUMN before_nano INTEGER CONSTRAINT audit_before_nano_valid CHECK (before_nano >= 0);
ALTER TABLE audit ADD COLUMN after_nano INTEGER CONSTRAINT audit_after_nano_valid CHECK (after_nano >= 0);
