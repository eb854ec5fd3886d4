-- What a member's page shows of a key's spend, and the asking for it: one at a time for a key, and few for the house.

-- When somebody last asked upstream for it. The asking is taken by writing this, so two pages do not ask twice.
ALTER TABLE generations ADD COLUMN usage_asked_at INTEGER;
-- How many asked within the last minute, without looking at the many.
CREATE INDEX generations_by_usage_asked ON generations (usage_asked_at) WHERE usage_asked_at IS NOT NULL;

DROP VIEW key_cards;
-- Each key as its owner sees it: with its live generation, or else the last one that ever was.
CREATE VIEW key_cards AS
SELECT k.owner_id, k.ordinal, k.ended_at, k.public_id, k.name, k.created_at,
  g.state, g.label, g.limit_nano, g.limit_reset, g.expires_at,
  g.usage_daily_nano, g.usage_weekly_nano, g.usage_monthly_nano, g.usage_lifetime_nano, g.usage_read_at
FROM keys k
JOIN generations g ON g.id =
  (SELECT own.id FROM generations own WHERE own.key_id = k.id
    ORDER BY own.live DESC, own.state = 'void', own.id DESC LIMIT 1);
