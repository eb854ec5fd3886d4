-- Members as admins see to them: suspended, banned, let in again; people who leave, and come back; the list of blocks.

INSERT INTO audit_actions (name) VALUES
  ('member_suspended'), ('member_banned'), ('member_reinstated'), ('member_left'), ('member_returned'), ('blocked'), ('unblocked');

-- ---------------------------------------------------------------------------------------------- blocks

-- The audit knows a block by an id of its own: an account number is not for it (C17).
ALTER TABLE blocks ADD COLUMN public_id TEXT;
ALTER TABLE blocks ADD COLUMN change_id TEXT;
UPDATE blocks SET public_id = 'blk_' || lower(hex(randomblob(12)));
CREATE UNIQUE INDEX blocks_public_id_once ON blocks (public_id);

CREATE TRIGGER blocks_insert_audited BEFORE INSERT ON blocks
WHEN NEW.public_id IS NULL
  OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'blocked')
  OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER blocks_never_updated BEFORE UPDATE ON blocks
BEGIN SELECT RAISE(ABORT, 'a block is put and lifted'); END;

CREATE TRIGGER blocks_delete_audited BEFORE DELETE ON blocks
WHEN (SELECT action FROM audit WHERE target = OLD.public_id ORDER BY id DESC LIMIT 1) IS NOT 'unblocked'
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- ---------------------------------------------------------------------------------------------- people

-- Who a person is never changes, but that whoever has left is kept as a keyed hash of it: enough to know them when they
-- come back, so that leaving is no way out of a limit (A16).
DROP TRIGGER members_identity_fixed;
CREATE TRIGGER members_identity_fixed BEFORE UPDATE OF public_id, provider, subject ON members
WHEN NEW.public_id <> OLD.public_id OR NEW.provider <> OLD.provider
  OR (NEW.subject <> OLD.subject
    AND (SELECT change_id || ' ' || action FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)
      IS NOT NEW.change_id || CASE
        WHEN OLD.status = 'active' AND NEW.status = 'left' THEN ' member_left'
        WHEN OLD.status = 'left' AND NEW.status = 'active' THEN ' member_returned' END)
BEGIN SELECT RAISE(ABORT, 'identity is fixed'); END;

-- Nothing of who left says who they were, and nobody else is kept like that.
CREATE TRIGGER members_left_erased BEFORE UPDATE ON members
WHEN (NEW.status = 'left') <> (NEW.subject GLOB 'left:*')
  OR (NEW.status = 'left' AND (NEW.login <> '' OR NEW.account_created_at <> 0 OR NEW.terms_rev <> 0))
BEGIN SELECT RAISE(ABORT, 'who left is erased'); END;

-- As before; and forgotten with the person: the audit keeps which revision was accepted when.
DROP TRIGGER members_terms_audited;
CREATE TRIGGER members_terms_audited BEFORE UPDATE OF terms_rev, terms_at ON members
WHEN (NEW.terms_rev <> OLD.terms_rev OR NEW.terms_at IS NOT OLD.terms_at)
  AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id
    AND ((action = 'terms_accepted' AND after = CAST(NEW.terms_rev AS TEXT)) OR (action = 'member_left' AND NEW.terms_rev = 0)))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- An admin's list, page by page, by its status or the beginning of the login.
CREATE INDEX members_by_status ON members (status, owner_id);
CREATE INDEX members_by_login ON members (lower(login), owner_id);
