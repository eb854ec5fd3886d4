-- What the sweep has to do, found without reading the rows that have nothing due, at any number of keys.

-- Whether the generation's key has a hold. The triggers below keep it so, and nothing else writes it.
ALTER TABLE generations ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CONSTRAINT generations_held_valid CHECK (held IN (0, 1));

CREATE TRIGGER generations_held_by_a_hold AFTER INSERT ON holds BEGIN UPDATE generations SET held = 1 WHERE key_id = NEW.key_id AND held = 0; END;

CREATE TRIGGER generations_free_of_holds AFTER DELETE ON holds WHEN NOT EXISTS (SELECT 1 FROM holds WHERE key_id = OLD.key_id) BEGIN UPDATE generations SET held = 0 WHERE key_id = OLD.key_id AND held = 1; END;

CREATE TRIGGER generations_held_from_the_start AFTER INSERT ON generations WHEN EXISTS (SELECT 1 FROM holds WHERE key_id = NEW.key_id) BEGIN UPDATE generations SET held = 1 WHERE id = NEW.id; END;

UPDATE generations SET held = 1 WHERE key_id IN (SELECT key_id FROM holds);

CREATE INDEX generations_to_disable ON generations (next_attempt_at, id DESC) WHERE held = 1 AND state IN ('active', 'disabled') AND (state = 'active' OR switch_doubted_at IS NOT NULL);
CREATE INDEX generations_to_enable ON generations (next_attempt_at, id DESC) WHERE held = 0 AND state IN ('active', 'disabled') AND (state = 'disabled' OR switch_doubted_at IS NOT NULL);
-- The newest keys come first, as in OpenRouter's list.
DROP INDEX generations_by_cap_due;
CREATE INDEX generations_by_cap_due ON generations (cap_due_at, id DESC) WHERE cap_due_at IS NOT NULL;
