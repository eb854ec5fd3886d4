//! Members as admins see them: a list by pages, and one with their keys.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::identity::Status;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::json_rows;

/// Members of a page.
pub const PAGE_ROWS: usize = 50;
/// Keys of a member that are shown, the newest.
const KEYS: i64 = 100;
/// Behind every login that begins like the one before it, in the order of an index.
const BEHIND: &str = "\u{10FFFF}";

/// A member as an admin sees them; of who left, nothing that would say who they were.
macro_rules! card {
    () => {
        "'id', m.public_id, 'provider', m.provider, 'subject', CASE m.status WHEN 'left' THEN NULL ELSE m.subject END,
          'login', NULLIF(m.login, ''), 'login_passed_on_at', m.login_passed_on_at, 'status', m.status, 'plan', p.name,
          'blocked', json(CASE WHEN EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject)
            THEN 'true' ELSE 'false' END),
          'keys_live', (SELECT COUNT(DISTINCT n.key_id) FROM generations n WHERE n.owner_id = m.owner_id AND n.live = 1),
          'created_at', m.created_at, 'signed_in_at', m.signed_in_at"
    };
}

macro_rules! members {
    () => {
        " FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id "
    };
}

/// Behind the member ?1, newest first: without one, from the newest.
macro_rules! older {
    () => {
        "m.owner_id < CASE WHEN ?1 IS NULL THEN 9e15 ELSE (SELECT c.owner_id FROM members c WHERE c.public_id = ?1) END
        ORDER BY m.owner_id DESC LIMIT ?2"
    };
}

statements! {
    ALL = concat!("SELECT json_object(", card!(), ")", members!(), "WHERE ", older!());

    OF_STATUS = concat!("SELECT json_object(", card!(), ")", members!(), "WHERE m.status = ?3 AND ", older!());

    // From ?3 on, before ?4: no pattern, so nothing in it is a wildcard.
    BY_LOGIN = concat!("SELECT json_object(", card!(), ")", members!(), "
        WHERE lower(m.login) >= ?3 AND lower(m.login) < ?4 AND (?5 IS NULL OR m.status = ?5)
          AND (?1 IS NULL OR (lower(m.login), m.owner_id)
            > (SELECT lower(c.login), c.owner_id FROM members c WHERE c.public_id = ?1))
        ORDER BY lower(m.login), m.owner_id LIMIT ?2");

    BY_ID = concat!("SELECT json_object(", card!(), ")", members!(), "
        WHERE (m.public_id = ?1 OR (m.provider IN ('github', 'google') AND m.subject = ?1))
          AND (?2 IS NULL OR m.status = ?2)");

    ONE = concat!("SELECT json_object(", card!(), ",
          'keys', json((SELECT json_group_array(json_object('id', c.public_id, 'state', c.state, 'holds', json(c.holds),
              'created_at', c.created_at, 'expires_at', c.expires_at, 'ended_at', c.ended_at))
            FROM (SELECT * FROM key_cards k WHERE k.owner_id = m.owner_id AND k.state <> 'void'
              ORDER BY k.created_at DESC LIMIT ?2) c)))", members!(), "WHERE m.public_id = ?1");
}

/// A page of members behind the one of that id, and one more, if there is: by the beginning of their login, or newest first.
pub fn page(login: Option<&str>, status: Option<Status>, after: Option<&PublicId>) -> Stmt {
    let more = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    let status = status.map(Status::name);
    match (login, status) {
        (Some(login), _) => {
            let from = login.to_ascii_lowercase();
            let until = [from.as_str(), BEHIND].concat();
            stmt!(BY_LOGIN, after, more, from, until, status)
        }
        (None, Some(status)) => stmt!(OF_STATUS, after, more, status),
        (None, None) => stmt!(ALL, after, more),
    }
}

/// Whoever has exactly this id: ours, or their account number.
pub fn by_id(id: &str, status: Option<Status>) -> Stmt {
    stmt!(BY_ID, id, status.map(Status::name))
}

pub fn one(member: &PublicId) -> Stmt {
    stmt!(ONE, member, KEYS)
}

pub fn read_page(rows: &Rows) -> Result<Vec<Value>, DbError> {
    json_rows::rows(rows)
}

pub fn read_one(rows: &Rows) -> Result<Option<Value>, DbError> {
    Ok(json_rows::rows(rows)?.pop())
}

/// How the member of a row stands.
pub fn status_of(member: &Value) -> Option<Status> {
    Status::parse(member.get("status")?.as_str()?)
}
