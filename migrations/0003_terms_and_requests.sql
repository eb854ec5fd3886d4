-- Who may claim, beyond configuration: the members' acceptance of the house's terms, the operator's word on the
-- upstream's, claims by approval, and what members ask an admin for.

INSERT INTO audit_actions (name) VALUES
  ('terms_accepted'), ('upstream_terms_confirmed'), ('claims_switched'), ('request_made'), ('request_decided');

-- ---------------------------------------------------------------------------------------------- terms

-- The newest revision of the house's terms that the member has accepted, and when; earlier ones are in the audit.
ALTER TABLE members ADD COLUMN terms_rev INTEGER NOT NULL DEFAULT 0 CONSTRAINT members_terms_rev_valid CHECK (terms_rev >= 0);
ALTER TABLE members ADD COLUMN terms_at INTEGER CONSTRAINT members_terms_whole CHECK ((terms_rev = 0) = (terms_at IS NULL));

CREATE TRIGGER members_terms_audited BEFORE UPDATE OF terms_rev, terms_at ON members
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id
    AND action = 'terms_accepted' AND after = CAST(NEW.terms_rev AS TEXT))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- That an admin has read what OpenRouter's terms say about sharing keys: nothing is minted before. Who and when.
ALTER TABLE settings ADD COLUMN upstream_terms TEXT NOT NULL DEFAULT 'unconfirmed'
  CONSTRAINT settings_upstream_terms_valid CHECK (upstream_terms IN ('unconfirmed', 'confirmed'));
ALTER TABLE settings ADD COLUMN upstream_terms_by TEXT;
ALTER TABLE settings ADD COLUMN upstream_terms_at INTEGER;

-- ---------------------------------------------------------------------------------------------- by approval

-- 'by_approval': only whom an admin has let in claims.
ALTER TABLE settings ADD COLUMN claims TEXT NOT NULL DEFAULT 'open'
  CONSTRAINT settings_claims_valid CHECK (claims IN ('open', 'by_approval'));

CREATE TRIGGER settings_policy_audited BEFORE UPDATE OF upstream_terms, upstream_terms_by, upstream_terms_at, claims ON settings
WHEN (NEW.upstream_terms <> OLD.upstream_terms OR NEW.upstream_terms_by IS NOT OLD.upstream_terms_by
    OR NEW.upstream_terms_at IS NOT OLD.upstream_terms_at OR NEW.claims <> OLD.claims)
  AND (NEW.change_id IS OLD.change_id
    OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = 'settings' ORDER BY id DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- What a member asks an admin for: to be let in, or to be let off a rule that refuses them.
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  kind TEXT NOT NULL CONSTRAINT requests_kind_valid CHECK (kind IN ('claim', 'appeal')),
  state TEXT NOT NULL DEFAULT 'open' CONSTRAINT requests_state_valid CHECK (state IN ('open', 'approved', 'declined')),
  -- What two people wrote to each other: personal, so in no audit row and no log line.
  note TEXT CONSTRAINT requests_note_valid CHECK (length(note) BETWEEN 1 AND 500),
  answer TEXT CONSTRAINT requests_answer_valid CHECK (length(answer) BETWEEN 1 AND 500),
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT requests_public_id_once UNIQUE (public_id),
  CONSTRAINT requests_decided_whole CHECK ((state = 'open') = (decided_at IS NULL))
) STRICT;

-- Asking twice is one request.
CREATE UNIQUE INDEX requests_one_open ON requests (owner_id, kind) WHERE state = 'open';
-- A member's own, and those of a day.
CREATE INDEX requests_by_owner ON requests (owner_id, created_at);
-- The last one of a kind.
CREATE INDEX requests_by_kind ON requests (owner_id, kind, id);
-- An admin's list, page by page.
CREATE INDEX requests_by_state ON requests (state, id);

CREATE TRIGGER requests_insert_audited BEFORE INSERT ON requests
WHEN NEW.state <> 'open' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- Decided once, by an audit row that names the decision.
CREATE TRIGGER requests_update_audited BEFORE UPDATE OF state, decided_at ON requests
WHEN OLD.state <> 'open'
  OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id
    AND action = 'request_decided' AND before = OLD.state AND after = NEW.state)
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- An admin's permission for a named person to claim. Nothing is minted until they do, and a block outranks it.
CREATE TABLE allotments (
  provider TEXT NOT NULL CONSTRAINT allotments_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL,
  -- An appeal that was heard waives the age of the account too.
  kind TEXT NOT NULL CONSTRAINT allotments_kind_valid CHECK (kind IN ('claim', 'appeal')),
  since INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  PRIMARY KEY (provider, subject, kind)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER allotments_insert_audited BEFORE INSERT ON allotments
WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'request_decided' AND after = 'approved')
BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- ---------------------------------------------------------------------------------------------- claims

-- Keys of the last hour, for the brake on bursts: those that were made, or still may be.
CREATE INDEX generations_claimed ON generations (created_at) WHERE state <> 'void';

-- As before, and with this file's gates.
DROP VIEW claim_gates;
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  m.terms_rev, m.terms_at, s.upstream_terms, s.claims,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject) AS allotted,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject AND t.kind = 'appeal') AS age_waived,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'claim' ORDER BY q.id DESC LIMIT 1) AS claim_request,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'appeal' ORDER BY q.id DESC LIMIT 1) AS appeal,
  -- While every key is to be off, none is made either.
  CASE s.keys WHEN 'on' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance, seats.live AS seats_live,
  o.plan_id, o.plan_rev,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g WHERE g.key_id = k.id AND g.slot = 0 AND g.live = 1) AS live_state,
  -- A hold of the house outlives the key it was put on: deleting and claiming again is no way out of it.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;
