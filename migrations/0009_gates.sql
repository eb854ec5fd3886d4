-- Views: what the guards of a claim and of a rotation need to know, and keys as their owners see them. The guard, the
-- statement that records, and the answer that names a refusal all read the same view, so a gate cannot be in one of
-- them and missing in another.

-- Generations that have ended and may have spent something in the window in which they ended, with the end of that
-- window. A figure that was read before the generation ended proves nothing. A prepaid generation is never listed: it
-- has one window, which never ends, and its owner's payments bound what is spent, however many keys spend it.
CREATE VIEW spent_generations AS
SELECT e.key_id, e.owner_id,
  CASE e.limit_reset
    WHEN 'daily' THEN (e.ended_at / 86400 + 1) * 86400
    -- A week begins on Monday, and day 0 was a Thursday.
    WHEN 'weekly' THEN ((e.ended_at / 86400 + 3) / 7 + 1) * 7 * 86400 - 3 * 86400
    ELSE unixepoch(e.ended_at, 'unixepoch', 'start of month', '+1 month') END AS until
FROM generations e
WHERE e.live = 0 AND e.recorded_at IS NOT NULL AND e.ended_at IS NOT NULL AND e.limit_reset <> 'none'
  AND (COALESCE(e.usage_read_at, 0) < e.ended_at OR 0 <> COALESCE(
    CASE e.limit_reset WHEN 'daily' THEN e.usage_daily_nano WHEN 'weekly' THEN e.usage_weekly_nano ELSE e.usage_monthly_nano END, 1));

-- The retained seats that are not in use, each with the number of seats that its owner has in all and the number of
-- keys that the owner's plan allows.
CREATE VIEW reusable_seats AS
SELECT r.id, r.key_id, r.owner_id, r.until, p.max_active_keys AS keys_allowed,
  (SELECT COUNT(DISTINCT l.key_id) FROM generations l WHERE l.owner_id = r.owner_id AND l.live = 1)
    + (SELECT COUNT(*) FROM retained_seats o WHERE o.owner_id = r.owner_id AND o.in_use = 0) AS owner_seats
FROM retained_seats r JOIN owners w ON w.id = r.owner_id JOIN plans p ON p.id = w.plan_id
WHERE r.in_use = 0;

-- Everything that the gates of a claim need about a member, read in the one transaction that decides.
CREATE VIEW claim_gates AS
SELECT m.owner_id, m.public_id, m.status, m.epoch + s.session_epoch AS epoch, m.account_created_at,
  m.terms_rev, m.terms_at, s.upstream_terms, s.claims,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject) AS allotted,
  EXISTS (SELECT 1 FROM allotments t WHERE t.provider = m.provider AND t.subject = m.subject AND t.kind = 'appeal') AS age_waived,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'claim' ORDER BY q.id DESC LIMIT 1) AS claim_request,
  (SELECT q.state FROM requests q WHERE q.owner_id = m.owner_id AND q.kind = 'appeal' ORDER BY q.id DESC LIMIT 1) AS appeal,
  -- No key is made while every key must be disabled, while the database may have been restored to an earlier state, or
  -- while the management key belongs to another account.
  CASE WHEN s.keys = 'on' AND s.restore = 'none' AND s.account = 'known' THEN s.minting ELSE 'stopped' END AS minting,
  s.home_workspace_id, s.pause_until, i.public_origin, i.name AS instance,
  seats.live + seats.retained AS seats_taken, seats.live AS seats_live,
  -- Whether the claimed key can take over its own retained seat, and whether any next key of the owner can take over
  -- one.
  EXISTS (SELECT 1 FROM reusable_seats r WHERE r.key_id = k.id) AS own_seat,
  EXISTS (SELECT 1 FROM reusable_seats r WHERE r.owner_id = m.owner_id AND r.owner_seats >= r.keys_allowed) AS owner_seat,
  o.plan_id, o.plan_rev + (SELECT p.rev FROM plans p WHERE p.id = o.plan_id) AS plan_rev,
  (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS keys_allowed,
  (SELECT COUNT(DISTINCT l.key_id) FROM generations l WHERE l.owner_id = m.owner_id AND l.live = 1) AS keys_live,
  (SELECT MIN(c.n) FROM (SELECT 0 AS n UNION ALL SELECT lk.ordinal + 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1) c
    WHERE NOT EXISTS (SELECT 1 FROM generations l JOIN keys lk ON lk.id = l.key_id
      WHERE l.owner_id = m.owner_id AND l.live = 1 AND lk.ordinal = c.n)) AS free_ordinal,
  -- Whether the owner has more ended keys with unsettled spend than the plan allows keys, however those keys ended.
  (SELECT COUNT(*) FROM generations e WHERE e.owner_id = m.owner_id AND e.erase_at IS NOT NULL AND e.erased_at IS NULL
    AND e.readings_since_off < 2) > (SELECT p.max_active_keys FROM plans p WHERE p.id = o.plan_id) AS unsettled,
  -- The highest limit that a mint under way may come to have.
  (SELECT CASE p.limit_reset
      WHEN 'none' THEN MAX(10000000, (SELECT COALESCE(SUM(y.credit_nano), 0) FROM payments y
        WHERE y.owner_id = m.owner_id)
        - (SELECT COALESCE(SUM(b.prepaid_spent_nano + COALESCE(b.prepaid_reserved_nano, 0)), 0) FROM generations b
          WHERE b.owner_id = m.owner_id AND b.prepaid_spent_nano IS NOT NULL))
      ELSE MIN(9000000000000000, p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0) FROM raises r WHERE r.key_id = k.id)) END
    FROM plans p WHERE p.id = o.plan_id) AS most_nano,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  k.id AS key_id,
  (SELECT g.state FROM generations g JOIN keys gk ON gk.id = g.key_id
    WHERE g.owner_id = m.owner_id AND g.live = 1 AND gk.ordinal = 0
    ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state,
  -- A hold that the owner did not set outlives its key, so nobody escapes it by deleting the key and claiming again. A
  -- leak holds only until its key has ended.
  EXISTS (SELECT 1 FROM holds h JOIN keys hk ON hk.id = h.key_id WHERE hk.owner_id = m.owner_id
    AND (h.reason IN ('admin', 'offboarding', 'switch', 'upstream') OR (h.reason = 'leak' AND hk.ended_at IS NULL))) AS held
FROM members m
JOIN owners o ON o.id = m.owner_id
JOIN settings s JOIN instance i JOIN seats
LEFT JOIN keys k ON k.owner_id = m.owner_id AND k.ordinal = 0 AND k.ended_at IS NULL;

-- The keys that may be rotated, each with what permits its rotation and what prevents it.
CREATE VIEW rotation_gates AS
SELECT k.id AS key_id, k.public_id AS key, k.owner_id, m.public_id AS member, m.epoch + s.session_epoch AS epoch,
  -- As in `claim_gates`: no key is made while every key must be disabled, while the database may have been restored to
  -- an earlier state, or while the management key belongs to another account.
  CASE WHEN s.keys = 'on' AND s.restore = 'none' AND s.account = 'known' THEN s.minting ELSE 'stopped' END AS minting,
  s.pause_until, i.public_origin, i.name AS instance, o.plan_id, o.plan_rev + p.rev AS plan_rev,
  EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject) AS blocked,
  g.id AS old_id, g.public_id AS old, g.slot AS old_slot, g.state AS old_state, g.expires_at, g.limit_nano,
  g.switch_doubted_at IS NOT NULL AS switch_in_doubt, g.limit_sent_nano IS NOT NULL AS limit_in_doubt,
  -- A renewal is allowed in the last two weeks of a key's life, or in the last third of a shorter life.
  g.expires_at - MIN(14 * 86400, p.expiry_days * 86400 / 3) AS renewable_at,
  (SELECT MIN(e.grace_until) FROM generations e WHERE e.key_id = k.id AND e.live = 1 AND e.id <> g.id) AS grace_until,
  EXISTS (SELECT 1 FROM generations e WHERE e.key_id = k.id AND e.live = 1
    AND e.state IN ('reserved', 'minting', 'verifying')) AS being_made,
  -- Whether another generation of the key still works, or is being removed, or has last spend that is not settled.
  EXISTS (SELECT 1 FROM generations e WHERE e.key_id = k.id AND e.id <> g.id
    AND (e.state IN ('active', 'disabled', 'revoking', 'stuck')
      OR (e.state = 'revoked' AND e.recorded_at IS NOT NULL AND e.erased_at IS NULL AND e.readings_since_off < 2))) AS unsettled,
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason IN ('admin', 'offboarding', 'switch', 'upstream')) AS held,
  -- If OpenRouter no longer has the key, the hold 'budget' prevents nothing here: the successor waits for a budget
  -- instead.
  EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id
    AND (h.reason IN ('owner', 'idle', 'plan') OR (h.reason = 'budget' AND g.missing_since IS NULL))) AS is_off,
  (SELECT h.change_id FROM holds h WHERE h.key_id = k.id AND h.reason = 'leak') AS leaked,
  -- The change that has locked the key: a leak outranks a rotation that is under way.
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

-- The keys that their owners may change, with what the guards need to know. A key that was never made is not among
-- them.
CREATE VIEW own_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.name, k.owner_id, m.public_id AS member, m.epoch + s.session_epoch AS epoch,
  (SELECT g.state FROM generations g WHERE g.key_id = k.id AND g.live = 1
    ORDER BY g.state IN ('active', 'disabled') DESC, g.id DESC LIMIT 1) AS live_state
FROM keys k JOIN members m ON m.owner_id = k.owner_id JOIN settings s
WHERE k.ended_at IS NULL AND m.status = 'active'
  AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.state <> 'void');

-- The keys that take one of the plan's places, ranked by which stay when the plan allows fewer: first the key that the
-- owner preferred last, then the lowest ordinal. A key that has ended takes no place.
CREATE VIEW ranked_keys AS
SELECT k.id AS key_id, k.public_id AS key, k.owner_id, o.plan_id, p.max_active_keys,
  -- The rank is counted for each key. A window function would read everybody's keys to rank those of one owner.
  (SELECT COUNT(*) FROM keys c WHERE c.owner_id = k.owner_id AND c.ended_at IS NULL
    AND (COALESCE(c.preferred_at, 0), -c.ordinal) >= (COALESCE(k.preferred_at, 0), -k.ordinal)
    AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = c.id AND g.live = 1)) AS rank
FROM owners o JOIN plans p ON p.id = o.plan_id JOIN keys k ON k.owner_id = o.id
WHERE k.ended_at IS NULL AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.live = 1);

-- Each key as its owner sees it, with the generation that represents it: the newest that is active or disabled, else
-- the newest that lives, else the last that ended.
CREATE VIEW key_cards AS
SELECT k.owner_id, k.ordinal, k.ended_at, k.public_id, k.name, k.created_at, k.own_limit_nano, k.upstream_limit_nano,
  g.id AS generation_id, g.state, g.live, g.label, g.limit_nano, g.limit_reset, g.expires_at,
  g.usage_daily_nano, g.usage_weekly_nano, g.usage_monthly_nano, g.usage_lifetime_nano, g.usage_read_at,
  (SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = k.id) AS holds,
  (SELECT MIN(o.grace_until) FROM generations o WHERE o.key_id = k.id AND o.live = 1 AND o.id <> g.id) AS grace_until,
  -- Which of the key's generations this is, counted from 1, and when it was made.
  (SELECT COUNT(*) FROM generations o WHERE o.key_id = k.id AND o.id <= g.id AND o.state <> 'void') AS number, g.created_at AS issued_at
FROM keys k
JOIN generations g ON g.id =
  (SELECT own.id FROM generations own WHERE own.key_id = k.id
    ORDER BY own.state IN ('active', 'disabled') DESC, own.live DESC, own.state = 'void', own.id DESC LIMIT 1);
