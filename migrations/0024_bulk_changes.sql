-- Changes of many keys or members at once: the targets, frozen when an administrator asked, and how far the change has come.

CREATE TABLE bulk_changes (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  action TEXT NOT NULL CONSTRAINT bulk_changes_action_valid CHECK (action IN ('disable', 'enable', 'revoke', 'suspend', 'reinstate')),
  -- 'shown' until the administrator starts what was shown. Only a running change changes anything.
  state TEXT NOT NULL CONSTRAINT bulk_changes_state_valid CHECK (state IN ('shown', 'running', 'stopped', 'done')),
  -- The public id of the administrator who asked.
  actor TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  -- After this moment what was shown is too old to be started.
  expires_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  -- The newest change of this row. While it runs, each change of a target has the same id. Empty until it is started.
  change_id TEXT,
  CONSTRAINT bulk_changes_public_id_once UNIQUE (public_id),
  CONSTRAINT bulk_changes_started_whole CHECK ((state = 'shown') = (started_at IS NULL) AND (state = 'shown') = (change_id IS NULL))
) STRICT;
CREATE INDEX bulk_changes_running ON bulk_changes (id) WHERE state = 'running';

-- The keys, by their row, or the members, by their owner. The action of the change says which.
CREATE TABLE bulk_targets (
  bulk_id INTEGER NOT NULL REFERENCES bulk_changes (id),
  target_id INTEGER NOT NULL,
  -- What was shown: 'change', or why the target is left as it is.
  verdict TEXT NOT NULL,
  -- 'skipped' if it was not to be changed any more when its turn came, 'failed' if the database refused it.
  outcome TEXT CONSTRAINT bulk_targets_outcome_valid CHECK (outcome IN ('done', 'skipped', 'failed')),
  PRIMARY KEY (bulk_id, target_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_targets_left ON bulk_targets (bulk_id, target_id) WHERE verdict = 'change' AND outcome IS NULL;

CREATE TRIGGER bulk_changes_begin_shown BEFORE INSERT ON bulk_changes WHEN NEW.state <> 'shown' BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

CREATE TRIGGER bulk_changes_update_audited BEFORE UPDATE OF state ON bulk_changes WHEN NEW.state <> OLD.state AND (NEW.change_id IS OLD.change_id OR NEW.change_id IS NOT (SELECT change_id FROM audit WHERE target = NEW.public_id ORDER BY id DESC LIMIT 1)) BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- What was shown stays: nothing joins a change or leaves it.
CREATE TRIGGER bulk_targets_frozen BEFORE INSERT ON bulk_targets WHEN (SELECT state FROM bulk_changes WHERE id = NEW.bulk_id) IS NOT 'shown' BEGIN SELECT RAISE(ABORT, 'the targets are frozen'); END;

INSERT INTO audit_actions (name) VALUES ('bulk_started'), ('bulk_stopped'), ('bulk_ended') ON CONFLICT DO NOTHING;

-- What a change would do to each of its targets now: 'change', or why it leaves the target as it is.
CREATE VIEW bulk_verdicts AS
SELECT t.bulk_id, t.target_id, t.verdict, t.outcome, COALESCE(CASE WHEN b.action IN ('suspend', 'reinstate') THEN
    (SELECT CASE WHEN m.status = 'left' THEN 'left' WHEN m.public_id = b.actor THEN 'own' WHEN t.verdict = 'admin' THEN 'admin'
      WHEN b.action = 'suspend' THEN iif(m.status = 'active', 'change', 'already')
      WHEN m.status = 'banned' THEN 'banned' WHEN m.status = 'active' THEN 'already' ELSE 'change' END
    FROM members m WHERE m.owner_id = t.target_id)
  ELSE (SELECT CASE WHEN k.ended_at IS NOT NULL OR k.status <> 'active' THEN 'ended' WHEN k.member = b.actor THEN 'own'
      WHEN k.live_state IN ('reserved', 'minting', 'verifying') THEN 'being_made'
      WHEN b.action = 'revoke' THEN 'change'
      WHEN k.live_state IN ('revoking', 'stuck') THEN 'being_removed'
      WHEN b.action = 'disable' THEN iif(k.held, 'already', 'change')
      WHEN NOT k.held THEN 'already'
      WHEN EXISTS (SELECT 1 FROM holds h WHERE h.key_id = t.target_id AND h.reason IN ('offboarding', 'switch', 'upstream')) THEN 'held'
      ELSE 'change' END
    FROM (SELECT l.ended_at, m.status, m.public_id AS member,
        EXISTS (SELECT 1 FROM holds h WHERE h.key_id = l.id AND h.reason = 'admin') AS held,
        (SELECT g.state FROM generations g WHERE g.key_id = l.id AND g.live = 1
          ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state
      FROM keys l JOIN members m ON m.owner_id = l.owner_id WHERE l.id = t.target_id
        AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = l.id AND g.state <> 'void')) k) END, 'ended') AS now
FROM bulk_targets t JOIN bulk_changes b ON b.id = t.bulk_id;
