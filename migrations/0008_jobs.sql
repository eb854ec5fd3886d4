-- Jobs: their runs, and what they find when they compare the database with OpenRouter.

-- One row for each run: the lease that keeps two runs of a job apart, what the run did, and where the next run
-- continues.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  job TEXT NOT NULL,
  -- The time of the cron event itself: a run may be replayed for a past moment.
  scheduled_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT NOT NULL CONSTRAINT runs_outcome_valid CHECK (outcome IN ('running', 'done', 'partial', 'failed', 'stopped', 'abandoned')),
  -- Why the run failed or stopped, as a stable code.
  code TEXT,
  counts TEXT NOT NULL DEFAULT '{}' CONSTRAINT runs_counts_valid CHECK (json_valid(counts)),
  cursor TEXT CONSTRAINT runs_cursor_valid CHECK (cursor IS NULL OR json_valid(cursor)),
  CONSTRAINT runs_public_id_once UNIQUE (public_id)
) STRICT;
-- The lease: a job has one unfinished run.
CREATE UNIQUE INDEX runs_one_at_a_time ON runs (job) WHERE ended_at IS NULL;
CREATE INDEX runs_by_job ON runs (job, id);
-- The runs that are old enough to be deleted.
CREATE INDEX runs_ended ON runs (started_at) WHERE ended_at IS NOT NULL;
-- The last clean run, found without reading the others.
CREATE INDEX runs_clean ON runs (job, started_at) WHERE outcome = 'done';

-- Upstream keys that carry our marker and have no row. A job disables them and lists them here, and never deletes them.
CREATE TABLE findings (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL,
  upstream_hash TEXT NOT NULL,
  upstream_name TEXT NOT NULL,
  workspace_id TEXT,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  disabled_at INTEGER,
  -- When an administrator acknowledged the finding. It is reported no more, unless the key is found enabled again.
  acknowledged_at INTEGER,
  change_id TEXT,
  CONSTRAINT findings_public_id_once UNIQUE (public_id),
  CONSTRAINT findings_hash_once UNIQUE (upstream_hash)
) STRICT;
CREATE INDEX findings_by_age ON findings (last_seen_at);

CREATE TRIGGER findings_acknowledged_audited BEFORE UPDATE OF acknowledged_at ON findings WHEN NEW.acknowledged_at IS NOT NULL AND NEW.acknowledged_at IS NOT OLD.acknowledged_at AND NOT EXISTS (SELECT 1 FROM audit WHERE change_id = NEW.change_id AND target = NEW.public_id AND action = 'finding_acknowledged') BEGIN SELECT RAISE(ABORT, 'unaudited change'); END;

-- When a walk last saw the upstream key of a row. This is apart from the row itself, which does not change because
-- somebody looked at its key.
CREATE TABLE sightings (
  generation_id INTEGER PRIMARY KEY REFERENCES generations (id),
  seen_at INTEGER NOT NULL
) STRICT;

-- The points in which an upstream key differs from its row, for as long as it does.
CREATE TABLE drift (
  generation_id INTEGER NOT NULL REFERENCES generations (id),
  kind TEXT NOT NULL CONSTRAINT drift_kind_valid CHECK (kind IN
    ('name', 'disabled', 'limit', 'limit_reset', 'byok', 'expires_at', 'on_after_end', 'missing')),
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  PRIMARY KEY (generation_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX drift_by_age ON drift (first_seen_at);
