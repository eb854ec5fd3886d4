-- Which notices a member has read, on whatever device. The notices themselves are not stored: they follow from the audit
-- and from when keys expire. A mark is no change of state, so it needs no audit row; it is deleted once its notice is old.

CREATE TABLE notice_reads (
  owner_id INTEGER NOT NULL REFERENCES members (owner_id),
  -- The notice's id, as the API names it.
  notice TEXT NOT NULL,
  read_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, notice)
) STRICT, WITHOUT ROWID;
