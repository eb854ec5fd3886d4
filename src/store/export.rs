//! Everything that is kept about a member, for themselves: no hash, no secret, and of others only what they are here.

use serde_json::Value;

use super::told;
use crate::crypto::session::Session;
use crate::ports::{DbError, Rows, Stmt};

/// Rows of each kind, the newest: more than a member makes.
const ROWS: i64 = 2_000;

statements! {
    OWN = "SELECT json_object(
        'member', json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
          'account_created_at', m.account_created_at, 'status', m.status, 'created_at', m.created_at,
          'signed_in_at', m.signed_in_at, 'terms_revision', m.terms_rev, 'terms_accepted_at', m.terms_at,
          'plan', (SELECT p.name FROM owners o JOIN plans p ON p.id = o.plan_id WHERE o.id = m.owner_id),
          'blocked_at', (SELECT b.since FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject),
          'allotted', json((SELECT json_group_array(t.kind) FROM allotments t
            WHERE t.provider = m.provider AND t.subject = m.subject))),
        'keys', json((SELECT json_group_array(json_object('id', kept.public_id, 'name', kept.name, 'origin', kept.origin,
            'created_at', kept.created_at, 'ended_at', kept.ended_at,
            'own_limit_usd', kept.own_limit_nano, 'preferred_at', kept.preferred_at,
            'raises', json((SELECT json_group_array(json_object('id', raised.public_id, 'amount_usd', raised.amount_nano,
                'begins_at', raised.since, 'ends_at', raised.until))
              FROM (SELECT * FROM raises r WHERE r.key_id = kept.id ORDER BY r.id DESC LIMIT ?2) raised)),
            'holds', json((SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = kept.id)),
            'generations', json((SELECT json_group_array(json_object('id', made.public_id, 'state', made.state, 'mask', made.label,
                'limit_usd', made.limit_nano, 'limit_reset', made.limit_reset, 'created_at', made.created_at,
                'expires_at', made.expires_at, 'ended_at', made.ended_at, 'spent_usd', made.usage_lifetime_nano,
                'spend_read_at', made.usage_read_at))
              FROM (SELECT * FROM generations g WHERE g.key_id = kept.id ORDER BY g.id DESC LIMIT ?2) made))))
          FROM (SELECT * FROM keys c WHERE c.owner_id = m.owner_id ORDER BY c.id DESC LIMIT ?2) kept)),
        'payments', json((SELECT json_group_array(json_object('id', paid.payment_id, 'amount_usd', paid.paid_nano,
            'credit_usd', paid.credit_nano, 'booked_at', paid.at))
          FROM (SELECT * FROM payments y WHERE y.owner_id = m.owner_id ORDER BY y.at DESC LIMIT ?2) paid)),
        'requests', json((SELECT json_group_array(json_object('id', q.public_id, 'kind', q.kind, 'state', q.state,
            'note', q.note, 'answer', q.answer, 'created_at', q.created_at, 'decided_at', q.decided_at))
          FROM (SELECT * FROM requests r WHERE r.owner_id = m.owner_id ORDER BY r.id DESC LIMIT ?2) q)),
        'changes', json((SELECT json_group_array(json_object('target', change.target, 'action', change.action,
            'by', CASE WHEN change.actor = m.public_id THEN 'member' WHEN change.actor GLOB 'mem_*' THEN 'administrator' ELSE change.actor END,
            'before', change.before, 'after', change.after, 'happened_at', change.at))
          FROM (SELECT u.* FROM audit u WHERE u.target IN (
              SELECT m.public_id
              UNION ALL SELECT c.public_id FROM keys c WHERE c.owner_id = m.owner_id
              UNION ALL SELECT g.public_id FROM generations g WHERE g.owner_id = m.owner_id
              UNION ALL SELECT r.public_id FROM requests r WHERE r.owner_id = m.owner_id)
            ORDER BY u.id DESC LIMIT ?2) change)))
        FROM members m WHERE m.public_id = ?1";
}

pub fn own(session: &Session) -> Stmt {
    stmt!(OWN, &session.member, ROWS)
}

/// Newest first, each.
pub fn read_own(rows: &Rows) -> Result<Value, DbError> {
    told::rows(rows)?.pop().ok_or(DbError::Broken)
}
