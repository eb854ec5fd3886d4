//! Everything that is kept about a member, for themselves: no hash, no secret, and of others only what they are here.

use serde::{Deserialize, Serialize};

use super::{last_row, sql::wire};
use crate::crypto::session::Session;
use crate::domain::generation::State;
use crate::domain::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::period::LimitReset;
use crate::domain::request;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};

/// Rows of each kind, the newest: more than a member makes.
const ROWS: i64 = 2_000;

statements! {
    OWN = "SELECT json_object(
        'member', json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
          'account_created_at', m.account_created_at, 'status', m.status, 'created_at', m.created_at,
          'signed_in_at', m.signed_in_at, 'terms_revision', m.terms_rev, 'terms_accepted_at', m.terms_at,
          'plan', (SELECT p.name FROM owners o JOIN plans p ON p.id = o.plan_id WHERE o.id = m.owner_id),
          'blocked_since', (SELECT b.since FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject),
          'allotted', json((SELECT json_group_array(t.kind) FROM allotments t
            WHERE t.provider = m.provider AND t.subject = m.subject))),
        'keys', json((SELECT json_group_array(json_object('id', kept.public_id, 'name', kept.name, 'origin', kept.origin,
            'created_at', kept.created_at, 'ended_at', kept.ended_at,
            'holds', json((SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = kept.id)),
            'generations', json((SELECT json_group_array(json_object('id', made.public_id, 'state', made.state, 'mask', made.label,
                'limit_usd', made.limit_nano, 'limit_reset', made.limit_reset, 'created_at', made.created_at,
                'expires_at', made.expires_at, 'ended_at', made.ended_at, 'spent_usd', made.usage_lifetime_nano,
                'spend_read_at', made.usage_read_at))
              FROM (SELECT * FROM generations g WHERE g.key_id = kept.id ORDER BY g.id DESC LIMIT ?2) made))))
          FROM (SELECT * FROM keys c WHERE c.owner_id = m.owner_id ORDER BY c.id DESC LIMIT ?2) kept)),
        'requests', json((SELECT json_group_array(json_object('id', q.public_id, 'kind', q.kind, 'state', q.state,
            'note', q.note, 'answer', q.answer, 'created_at', q.created_at, 'decided_at', q.decided_at))
          FROM (SELECT * FROM requests r WHERE r.owner_id = m.owner_id ORDER BY r.id DESC LIMIT ?2) q)),
        'changes', json((SELECT json_group_array(json_object('target', told.target, 'action', told.action,
            'by', CASE WHEN told.actor = m.public_id THEN 'member' WHEN told.actor GLOB 'mem_*' THEN 'administrator' ELSE told.actor END,
            'before', told.before, 'after', told.after, 'at', told.at))
          FROM (SELECT u.* FROM audit u WHERE u.target IN (
              SELECT m.public_id
              UNION ALL SELECT c.public_id FROM keys c WHERE c.owner_id = m.owner_id
              UNION ALL SELECT g.public_id FROM generations g WHERE g.owner_id = m.owner_id
              UNION ALL SELECT r.public_id FROM requests r WHERE r.owner_id = m.owner_id)
            ORDER BY u.id DESC LIMIT ?2) told)))
        FROM members m WHERE m.public_id = ?1";
}

/// Newest first, each.
#[derive(Serialize, Deserialize)]
pub struct Own {
    member: Person,
    keys: Vec<Key>,
    requests: Vec<super::requests::Request>,
    changes: Vec<Change>,
}

#[derive(Serialize, Deserialize)]
struct Person {
    id: String,
    provider: String,
    subject: String,
    login: String,
    #[serde(deserialize_with = "wire::at")]
    account_created_at: Timestamp,
    status: String,
    #[serde(deserialize_with = "wire::at")]
    created_at: Timestamp,
    #[serde(deserialize_with = "wire::at")]
    signed_in_at: Timestamp,
    terms_revision: i64,
    #[serde(deserialize_with = "wire::maybe_at")]
    terms_accepted_at: Option<Timestamp>,
    plan: String,
    #[serde(deserialize_with = "wire::maybe_at")]
    blocked_since: Option<Timestamp>,
    allotted: Vec<request::Kind>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    id: String,
    name: Option<String>,
    origin: String,
    #[serde(deserialize_with = "wire::at")]
    created_at: Timestamp,
    #[serde(deserialize_with = "wire::maybe_at")]
    ended_at: Option<Timestamp>,
    holds: Vec<Reason>,
    /// The upstream keys that it was, one after another.
    generations: Vec<Generation>,
}

#[derive(Serialize, Deserialize)]
struct Generation {
    id: String,
    state: State,
    mask: Option<String>,
    #[serde(deserialize_with = "wire::nano")]
    limit_usd: NanoUsd,
    limit_reset: LimitReset,
    #[serde(deserialize_with = "wire::at")]
    created_at: Timestamp,
    #[serde(deserialize_with = "wire::at")]
    expires_at: Timestamp,
    #[serde(deserialize_with = "wire::maybe_at")]
    ended_at: Option<Timestamp>,
    #[serde(deserialize_with = "wire::maybe_nano")]
    spent_usd: Option<NanoUsd>,
    #[serde(deserialize_with = "wire::maybe_at")]
    spend_read_at: Option<Timestamp>,
}

/// A row of the audit about the member, their keys or requests.
#[derive(Serialize, Deserialize)]
struct Change {
    target: String,
    action: String,
    /// The member, an administrator, or the job that acted.
    by: String,
    before: Option<String>,
    after: Option<String>,
    #[serde(deserialize_with = "wire::at")]
    at: Timestamp,
}

pub fn own(session: &Session) -> Stmt {
    stmt!(OWN, &session.member, ROWS)
}

pub fn read_own(rows: &[Rows]) -> Result<Own, DbError> {
    last_row(rows)?.ok_or(DbError::Broken)
}
