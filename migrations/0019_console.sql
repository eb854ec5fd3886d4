-- What administrators search by in the console, each found without reading the other rows.

-- A key by the beginning of its name, and by the end of its mask.
CREATE INDEX keys_by_name ON keys (lower(name), id) WHERE name IS NOT NULL;
CREATE INDEX generations_by_mask ON generations (substr(label, -3)) WHERE label IS NOT NULL;
-- The lists of keys in one state and with one hold, page by page. The state is an expression here, so that no statement
-- of the sweep, which compares states too, takes this index instead of its own of few rows.
CREATE INDEX generations_by_state ON generations (lower(state), key_id);
CREATE INDEX holds_by_key ON holds (reason, key_id);
-- What one administrator has done. The rows of jobs are most of the audit, and nobody asks for those of a job.
CREATE INDEX audit_by_actor ON audit (actor, id) WHERE actor > 'mem_' AND actor < 'mem_g';
