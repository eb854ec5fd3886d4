-- Requests for more: a member asks for a higher limit of one key, until a moment or for good, and can withdraw any
-- request that is not decided. The kinds and states of a request are a rule of its table, so the table is made anew with
-- its rows; the view that reads it is dropped before and made again.

DROP VIEW claim_gates;

CREATE TABLE requests_with_limits (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  kind TEXT NOT NULL CONSTRAINT requests_kind_valid CHECK (kind IN ('claim', 'appeal', 'limit')),
  state TEXT NOT NULL DEFAULT 'open' CONSTRAINT requests_state_valid CHECK (state IN ('open', 'approved', 'declined', 'withdrawn')),
  -- What the member and the administrator wrote to each other. It is personal, so it is in no audit row and no log
  -- line.
  note TEXT CONSTRAINT requests_note_valid CHECK (length(note) BETWEEN 1 AND 500),
  answer TEXT CONSTRAINT requests_answer_valid CHECK (length(answer) BETWEEN 1 AND 500),
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  change_id TEXT NOT NULL,
  -- Of a request for more: the key, the amount beyond the plan's limit, and until when; NULL is for good.
  key_id INTEGER REFERENCES keys (id),
  amount_nano INTEGER CONSTRAINT requests_amount_nano_valid CHECK (amount_nano >= 10000000 AND amount_nano <= 9000000000000000),
  until INTEGER,
  CONSTRAINT requests_public_id_once UNIQUE (public_id),
  CONSTRAINT requests_decided_whole CHECK ((state = 'open') = (decided_at IS NULL)),
  CONSTRAINT requests_limit_whole CHECK ((kind = 'limit') = (key_id IS NOT NULL) AND (kind = 'limit') = (amount_nano IS NOT NULL))
) STRICT;

INSERT INTO requests_with_limits (id, public_id, owner_id, kind, state, note, answer, created_at, decided_at, change_id)
SELECT id, public_id, owner_id, kind, state, note, answer, created_at, decided_at, change_id FROM requests;

DROP TABLE requests;
ALTER TABLE requests_with_limits RENAME TO requests;

CREATE TRIGGER requests_insert_audited BEFORE INSERT ON requests WHEN NEW.state <> 'open' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- A request is decided or withdrawn once, by an audit row that names the new state.
CREATE TRIGGER requests_update_audited BEFORE UPDATE OF state, decided_at ON requests WHEN OLD.state <> 'open' OR NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action IN ('request_decided', 'request_withdrawn') AND (action = 'request_withdrawn') = (NEW.state = 'withdrawn') AND before = OLD.state AND after = NEW.state) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER requests_wish_fixed BEFORE UPDATE OF kind, key_id, amount_nano, until ON requests BEGIN SELECT RAISE(ABORT, 'a request stays as it was made'); END;

-- A member has one open request of each kind, so asking twice makes one request.
CREATE UNIQUE INDEX requests_one_open ON requests (owner_id, kind) WHERE state = 'open';
-- A member's own requests, and those of one day.
CREATE INDEX requests_by_owner ON requests (owner_id, created_at);
-- A member's last request of a kind.
CREATE INDEX requests_by_kind ON requests (owner_id, kind, id);
-- For an administrator's list of requests, page by page.
CREATE INDEX requests_by_state ON requests (state, id);
CREATE INDEX requests_by_key ON requests (key_id);

INSERT INTO audit_actions (name) VALUES ('request_withdrawn') ON CONFLICT DO NOTHING;

-- Everything that the gates of a claim need about a member, read in the one transaction that decides.
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  m.terms_rev, m.terms_at, s.upstream_terms, s.claims,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject) AS allotted,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject AND t.kind = 'appeal') AS age_waived,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'claim' ORDER BY q.id DESC LIMIT 1) AS claim_request,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'appeal' ORDER BY q.id DESC LIMIT 1) AS appeal,
  -- No key is made while every key must be disabled, while the database may have been restored to an earlier state, or
  -- while the management key belongs to another account.
  CASE WHEN s.keys = 'on' AND s.restore = 'none' AND s.account = 'known' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance,
  seats.live + seats.retained AS seats_taken, seats.live AS seats_live,
  -- Whether the claimed key can take over its own retained seat, and whether any next key of the owner can take over
  -- one.
  EXISTS (SELECT 1 FROM reusable_seats r WHERE r.key_id = k.id) AS own_seat,
  EXISTS (SELECT 1 FROM reusable_seats r WHERE r.owner_id = m.owner_id AND r.owner_seats >= r.keys_allowed) AS owner_seat,
  o.plan_id, o.plan_rev + (SELECT p.rev FROM plans p WHERE p.id = o.plan_id) AS plan_rev,
  (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS keys_allowed,
  (SELECT COUNT(DISTINCT l.key_id) FROM generations l WHERE l.owner_id = m.owner_id AND l.live = 1) AS keys_live,
  (SELECT MIN(c.n) FROM (SELECT 0 AS n UNION ALL SELECT lk.ordinal + 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1) c
    WHERE NOT EXISTS (SELECT 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1 AND lk.ordinal = c.n)) AS free_ordinal,
  -- Whether the owner has more ended keys with unsettled spend than the plan allows keys, however those keys ended.
  (SELECT COUNT(*) FROM generations e WHERE e.owner_id = m.owner_id AND e.erase_at IS NOT NULL AND e.erased_at IS NULL
    AND e.readings_since_off < 2) > (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS unsettled,
  -- The highest limit that a mint under way may come to have.
  (SELECT CASE p.limit_reset
      WHEN 'none' THEN MAX(10000000, (SELECT COALESCE(SUM(y.credit_nano), 0) FROM payments y
        WHERE y.owner_id = m.owner_id)
        - (SELECT COALESCE(SUM(b.prepaid_spent_nano + COALESCE(b.prepaid_reserved_nano, 0)), 0) FROM generations b
          WHERE b.owner_id = m.owner_id AND b.prepaid_spent_nano IS NOT NULL))
      ELSE MIN(9000000000000000, p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0) FROM raises r WHERE r.key_id = k.id)) END
    FROM plans p WHERE p.id = o.plan_id) AS most_nano,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g JOIN keys gk ON gk.id = g.key_id
    WHERE g.owner_id = m.owner_id AND g.live = 1 AND gk.ordinal = 0
    ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state,
  -- A hold that the owner did not set outlives its key, so nobody escapes it by deleting the key and claiming again. A
  -- leak holds only until its key has ended.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch', 'upstream') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;
