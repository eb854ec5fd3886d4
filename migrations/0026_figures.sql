-- What describes the deployment as a whole: the credit of its account at OpenRouter, what its keys may spend, and how large
-- its database is. There is one row. A figure without a value is not known; each has the moment when it was read.

CREATE TABLE deployment_figures (
  id INTEGER PRIMARY KEY CONSTRAINT deployment_figures_id_valid CHECK (id = 1),
  -- What was bought, less what was used. Nano-USD.
  credit_nano INTEGER CONSTRAINT deployment_figures_credit_nano_valid CHECK (credit_nano >= 0),
  credit_read_at INTEGER,
  -- The limits of all live keys together: what they may spend in one window each.
  limits_nano INTEGER CONSTRAINT deployment_figures_limits_nano_valid CHECK (limits_nano >= 0),
  limits_read_at INTEGER,
  database_bytes INTEGER CONSTRAINT deployment_figures_database_bytes_valid CHECK (database_bytes >= 0),
  database_read_at INTEGER
) STRICT;
INSERT INTO deployment_figures (id) VALUES (1) ON CONFLICT DO NOTHING;
