-- How many leaks were reported by anyone, in each UTC day since 1970-01-01. Every report is counted, whether it names a
-- secret of ours or not, so that both do the same work in the database.

CREATE TABLE leak_reports (
  day INTEGER PRIMARY KEY,
  reports INTEGER NOT NULL CONSTRAINT leak_reports_reports_valid CHECK (reports > 0)
) STRICT;
