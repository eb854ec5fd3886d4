-- What members get beyond their plan: raises and payments; and what they ask an administrator for.

-- An amount that one key gets beyond its plan's limit, until a moment or for good.
CREATE TABLE raises (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  key_id INTEGER NOT NULL REFERENCES keys (id),
  amount_nano INTEGER NOT NULL CONSTRAINT raises_amount_nano_valid CHECK (amount_nano >= 10000000 AND amount_nano <= 9000000000000000),
  since INTEGER NOT NULL,
  until INTEGER CONSTRAINT raises_until_valid CHECK (until > since),
  change_id TEXT NOT NULL,
  CONSTRAINT raises_public_id_once UNIQUE (public_id)
) STRICT;

-- What prepaying owners have paid. Each payment is booked once. The balance is the sum of the credits less what was
-- spent.
CREATE TABLE payments (
  payment_id TEXT PRIMARY KEY CONSTRAINT payments_id_valid CHECK (length(payment_id) BETWEEN 1 AND 128),
  owner_id INTEGER NOT NULL REFERENCES owners (id),
  paid_nano INTEGER NOT NULL CONSTRAINT payments_paid_nano_valid CHECK (paid_nano > 0 AND paid_nano <= 9000000000000000),
  -- The part of the payment that may be spent.
  credit_nano INTEGER NOT NULL CONSTRAINT payments_credit_nano_valid CHECK (credit_nano > 0 AND credit_nano <= paid_nano),
  at INTEGER NOT NULL,
  change_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a member asks an administrator for: to be permitted to claim, or to be exempt from a rule that refuses the
-- claim.
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  kind TEXT NOT NULL CONSTRAINT requests_kind_valid CHECK (kind IN ('claim', 'appeal')),
  state TEXT NOT NULL DEFAULT 'open' CONSTRAINT requests_state_valid CHECK (state IN ('open', 'approved', 'declined')),
  -- What the member and the administrator wrote to each other. It is personal, so it is in no audit row and no log
  -- line.
  note TEXT CONSTRAINT requests_note_valid CHECK (length(note) BETWEEN 1 AND 500),
  answer TEXT CONSTRAINT requests_answer_valid CHECK (length(answer) BETWEEN 1 AND 500),
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  change_id TEXT NOT NULL,
  CONSTRAINT requests_public_id_once UNIQUE (public_id),
  CONSTRAINT requests_decided_whole CHECK ((state = 'open') = (decided_at IS NULL))
) STRICT;

-- An administrator's permission for one person to claim. No key is minted until the person claims, and a block outranks
-- the permission.
CREATE TABLE allotments (
  public_id TEXT NOT NULL,
  provider TEXT NOT NULL CONSTRAINT allotments_provider_valid CHECK (provider IN ('github', 'google')),
  subject TEXT NOT NULL,
  -- An approved appeal waives the rule about the age of the account too.
  kind TEXT NOT NULL CONSTRAINT allotments_kind_valid CHECK (kind IN ('claim', 'appeal')),
  -- The name that the claimed key will get.
  name TEXT CONSTRAINT allotments_name_valid CHECK (length(name) BETWEEN 1 AND 64),
  since INTEGER NOT NULL,
  change_id TEXT NOT NULL,
  PRIMARY KEY (provider, subject, kind),
  CONSTRAINT allotments_public_id_once UNIQUE (public_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER raises_insert_audited BEFORE INSERT ON raises WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'limit_raised') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER raises_update_audited BEFORE UPDATE ON raises WHEN NEW.change_id = OLD.change_id OR NEW.amount_nano <> OLD.amount_nano OR NEW.key_id <> OLD.key_id OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'raise_ended') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER raises_never_deleted BEFORE DELETE ON raises BEGIN SELECT RAISE(ABORT, 'a raise ends'); END;

CREATE TRIGGER payments_insert_audited BEFORE INSERT ON payments WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND action = 'payment_booked') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER payments_never_updated BEFORE UPDATE ON payments BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;

CREATE TRIGGER payments_never_deleted BEFORE DELETE ON payments BEGIN SELECT RAISE(ABORT, 'payments are append-only'); END;

CREATE TRIGGER requests_insert_audited BEFORE INSERT ON requests WHEN NEW.state <> 'open' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A request is decided once, by an audit row that names the decision.
CREATE TRIGGER requests_update_audited BEFORE UPDATE OF state, decided_at ON requests WHEN OLD.state <> 'open' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'request_decided' AND before = OLD.state AND after = NEW.state) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER allotments_insert_audited BEFORE INSERT ON allotments WHEN NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND ((action = 'request_decided' AND after = 'approved') OR (action = 'allotted' AND target = NEW.public_id))) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE INDEX raises_by_key ON raises (key_id);
CREATE INDEX payments_by_owner ON payments (owner_id, at);
-- A member has one open request of each kind, so asking twice makes one request.
CREATE UNIQUE INDEX requests_one_open ON requests (owner_id, kind) WHERE state = 'open';
-- A member's own requests, and those of one day.
CREATE INDEX requests_by_owner ON requests (owner_id, created_at);
-- A member's last request of a kind.
CREATE INDEX requests_by_kind ON requests (owner_id, kind, id);
-- For an administrator's list of requests, page by page.
CREATE INDEX requests_by_state ON requests (state, id);
