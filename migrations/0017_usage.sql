-- Usage: what each key spent, by UTC day and model, as OpenRouter reported it. Days are counted from 1970-01-01.

-- The models that usage was reported for. `slug` is what the source calls a model, and `name` what people are shown: it is
-- computed from the slug, and computed again when the rules have changed, without asking the source once more.
CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL CONSTRAINT models_source_valid CHECK (length(source) BETWEEN 1 AND 32),
  slug TEXT NOT NULL CONSTRAINT models_slug_valid CHECK (length(slug) BETWEEN 1 AND 200),
  name TEXT NOT NULL CONSTRAINT models_name_valid CHECK (length(name) BETWEEN 1 AND 200),
  CONSTRAINT models_once UNIQUE (source, slug)
) STRICT;

-- The workspaces that usage was reported for. 0 in a row of usage is the account's default workspace while its id is
-- unknown.
CREATE TABLE usage_workspaces (
  id INTEGER PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  CONSTRAINT usage_workspaces_once UNIQUE (workspace_id)
) STRICT;

-- How far each day has come. A run writes the rows of a day under a new revision, `writing`, and shows them at once when
-- all are there: `shown` becomes that revision. A reader reads only the rows of the shown revision, so a day is never half
-- replaced. A run whose revision is not `writing` any more can write nothing, however late its statements arrive.
CREATE TABLE usage_days_read (
  day INTEGER PRIMARY KEY,
  writing INTEGER NOT NULL CONSTRAINT usage_days_read_writing_valid CHECK (writing >= shown),
  -- 0 until the first run is done with the day.
  shown INTEGER NOT NULL DEFAULT 0,
  source TEXT CONSTRAINT usage_days_read_source_valid CHECK (source IN ('analytics', 'activity')),
  -- The run that wrote the shown revision, and when it asked OpenRouter.
  run TEXT,
  as_of INTEGER,
  row_count INTEGER NOT NULL DEFAULT 0,
  -- What was spent with keys of ours, and with others of the same account. Credits only.
  ours_nano INTEGER NOT NULL DEFAULT 0,
  unattributed_nano INTEGER NOT NULL DEFAULT 0,
  -- Keys that OpenRouter did not answer for. Their last known rows were kept, and the day is read again.
  failed_keys INTEGER NOT NULL DEFAULT 0,
  -- The day's rows were added up by month and are gone.
  is_rolled INTEGER NOT NULL DEFAULT 0 CONSTRAINT usage_days_read_is_rolled_valid CHECK (is_rolled IN (0, 1))
) STRICT;

-- One row for each day, generation and model. Whose key it was, and under which plan, in which project and
-- in which workspace, is stored as it was that day. Generation 0 is unattributed: keys of the same account that are not ours. Completion tokens contain the
-- reasoning tokens. Costs are nano-USD: credits, and apart from them what went through an own provider key (BYOK).
CREATE TABLE usage_days (
  day INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  generation_id INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  plan_id INTEGER NOT NULL,
  -- 0 for a key in no project.
  project INTEGER NOT NULL,
  workspace INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL CONSTRAINT usage_days_cost_valid CHECK (cost_nano >= 0),
  byok_nano INTEGER NOT NULL CONSTRAINT usage_days_byok_valid CHECK (byok_nano >= 0),
  requests INTEGER NOT NULL,
  prompt INTEGER NOT NULL,
  completion INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  PRIMARY KEY (day, revision, generation_id, model_id)
) STRICT, WITHOUT ROWID;

-- The same by month, for whole months. `month` is the first day of the month.
CREATE TABLE usage_months (
  month INTEGER NOT NULL,
  generation_id INTEGER NOT NULL,
  model_id INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  plan_id INTEGER NOT NULL,
  project INTEGER NOT NULL,
  workspace INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  byok_nano INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  prompt INTEGER NOT NULL,
  completion INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  PRIMARY KEY (month, generation_id, model_id, plan_id, project)
) STRICT, WITHOUT ROWID;

-- The months whose sums are up to date. A month loses its row here as soon as one of its days is shown anew.
CREATE TABLE usage_months_summed (
  month INTEGER PRIMARY KEY,
  summed_at INTEGER NOT NULL
) STRICT;

-- The limits that a generation had: from when, and which. The triggers below write it, whichever statement changes a limit,
-- so that a chart of the past shows the limit of the past.
CREATE TABLE limit_steps (
  generation_id INTEGER NOT NULL REFERENCES generations (id),
  at INTEGER NOT NULL,
  limit_nano INTEGER NOT NULL,
  limit_reset TEXT NOT NULL,
  PRIMARY KEY (generation_id, at)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER limit_steps_begin AFTER UPDATE OF recorded_at ON generations WHEN NEW.recorded_at IS NOT NULL AND OLD.recorded_at IS NULL BEGIN INSERT INTO limit_steps (generation_id, at, limit_nano, limit_reset) VALUES (NEW.id, NEW.recorded_at, NEW.limit_nano, NEW.limit_reset) ON CONFLICT DO NOTHING; END;

-- A limit is changed together with an audit row, which knows the time.
CREATE TRIGGER limit_steps_follow AFTER UPDATE OF limit_nano, limit_reset ON generations WHEN NEW.recorded_at IS NOT NULL AND OLD.recorded_at IS NOT NULL AND (NEW.limit_nano <> OLD.limit_nano OR NEW.limit_reset <> OLD.limit_reset) BEGIN INSERT INTO limit_steps (generation_id, at, limit_nano, limit_reset) SELECT NEW.id, a.at, NEW.limit_nano, NEW.limit_reset FROM audit a WHERE a.target = NEW.public_id ORDER BY a.id DESC LIMIT 1 ON CONFLICT (generation_id, at) DO UPDATE SET limit_nano = excluded.limit_nano, limit_reset = excluded.limit_reset; END;

-- What the shown rows explain of a generation's own counter: its credits and BYOK of all days. The rest is spend that no
-- row breaks down yet.
ALTER TABLE generations ADD COLUMN explained_nano INTEGER NOT NULL DEFAULT 0;

-- The generations whose counter and rows differ.
CREATE INDEX generations_unexplained ON generations (usage_read_at) WHERE usage_lifetime_nano <> explained_nano;

-- The last day up to which all usage is there. It moves only forward, and never beyond the last completed day.
ALTER TABLE settings ADD COLUMN usage_through INTEGER;
