-- One generation after another under one key: which one each replaces, and what the guards of a rotation have to know.

-- The generation whose place it takes, at once or when its grace is over.
ALTER TABLE generations ADD COLUMN replaces INTEGER;
CREATE INDEX generations_by_replaces ON generations (replaces) WHERE replaces IS NOT NULL;

-- Keys that may be replaced: what stands for each, and what speaks against it. Read by the guards and by the words alike.
CREATE VIEW rotation_gates AS
SELECT k.id AS key_id, k.public_id AS key, k.owner_id, m.public_id AS member, m.epoch + s.session_epoch AS epoch,
  -- As for claims: while every key is to be off, while the database may have forgotten something, and while the account is
  -- another one, none is made.
  CASE WHEN s.keys = 'on' AND s.restore = 'none' AND s.account = 'known' THEN s.minting ELSE 'stopped' END AS minting,
  s.pause_until, i.public_origin, i.name AS instance, o.plan_id, o.plan_rev + p.rev AS plan_rev,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  g.id AS old_id, g.public_id AS old, g.slot AS old_slot, g.state AS old_state, g.expires_at, g.limit_nano,
  g.switch_doubted_at IS NOT NULL AS switch_in_doubt, g.limit_sent_nano IS NOT NULL AS limit_in_doubt,
  -- A renewal is for the last two weeks, or the last third of a shorter life.
  g.expires_at - MIN(14 * 86400, p.expiry_days * 86400 / 3) AS renewable_at,
  (SELECT MIN(e.grace_until) FROM generations e WHERE e.key_id = k.id AND e.live = 1 AND e.id <> g.id) AS grace_until,
  EXISTS (SELECT 1 FROM generations e WHERE e.key_id = k.id AND e.live = 1
    AND e.state IN ('reserved', 'minting', 'verifying')) AS being_made,
  -- Two that work, or one whose last spend is not counted yet (X8).
  EXISTS (SELECT 1 FROM generations e WHERE e.key_id = k.id AND e.id <> g.id
    AND (e.state IN ('active', 'disabled', 'revoking', 'stuck')
      OR (e.state = 'revoked' AND e.recorded_at IS NOT NULL AND e.erased_at IS NULL AND e.readings_since_off < 2))) AS unsettled,
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason IN ('admin', 'offboarding', 'switch')) AS held,
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason IN ('owner', 'idle', 'budget', 'plan')) AS is_off,
  (SELECT h.change_id FROM holds h WHERE h.key_id = k.id AND h.reason = 'leak') AS leaked,
  -- The change that has taken the key in hand: a leak outranks a rotation that is under way.
  (SELECT h.change_id FROM holds h WHERE h.key_id = k.id AND h.reason IN ('leak', 'rotation')
    ORDER BY h.reason LIMIT 1) AS in_hand_of
FROM keys k
JOIN members m ON m.owner_id = k.owner_id
JOIN owners o ON o.id = k.owner_id
JOIN plans p ON p.id = o.plan_id
JOIN settings s JOIN instance i
JOIN generations g ON g.id = (SELECT e.id FROM generations e
  WHERE e.key_id = k.id AND e.live = 1 AND e.state IN ('active', 'disabled') ORDER BY e.id DESC LIMIT 1)
WHERE k.ended_at IS NULL AND m.status = 'active';
