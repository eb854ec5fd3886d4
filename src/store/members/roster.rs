//! Members as administrators see them: a list in pages, and one member with their keys.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::identity::Status;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::json_rows;

/// The number of members on one page.
pub const PAGE_ROWS: usize = 50;
/// At most this many keys of a member are shown, the newest.
const KEYS: i64 = 100;
/// Appended to the beginning of a login, it sorts behind every login that begins so, in the order of an index.
const BEHIND: &str = "\u{10FFFF}";

/// A member as an administrator sees them. For a member who has left, nothing says who they were.
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

/// Behind the member ?1, newest first; without one, from the newest member on.
macro_rules! older {
    () => {
        "m.owner_id < CASE WHEN ?1 IS NULL THEN 9e15 ELSE (SELECT c.owner_id FROM members c WHERE c.public_id = ?1) END
        ORDER BY m.owner_id DESC LIMIT ?2"
    };
}

statements_at! {
    ALL = concat!("SELECT json_object(", card!(), ")", members!(), "WHERE ", older!());

    OF_STATUS = concat!("SELECT json_object(", card!(), ")", members!(), "WHERE m.status = ?3 AND ", older!());

    // A range from ?3 to before ?4, not a pattern: no character in it is a wildcard.
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

/// The statement that reads a page of members, behind the one with the id `after`, and one more if there is one. With
/// `login` it lists those whose login begins so, in its order; otherwise newest first.
pub fn page(login: Option<&str>, status: Option<Status>, after: Option<&PublicId>) -> Stmt {
    let more = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    let status = status.map(Status::name);
    match (login, status) {
        (Some(login), _) => {
            let from = login.to_ascii_lowercase();
            let until = [from.as_str(), BEHIND].concat();
            stmt_at!(BY_LOGIN, after, more, from, until, status)
        }
        (None, Some(status)) => stmt_at!(OF_STATUS, after, more, status),
        (None, None) => stmt_at!(ALL, after, more),
    }
}

/// The statement that reads the member with exactly this id: our own id, or their account number.
pub fn by_id(id: &str, status: Option<Status>) -> Stmt {
    stmt_at!(BY_ID, id, status.map(Status::name))
}

/// The statement that reads a member with their keys.
pub fn one(member: &PublicId) -> Stmt {
    stmt_at!(ONE, member, KEYS)
}

/// Returns the rows of [`page`] or [`by_id`] as they go into the answer.
pub fn read_page(rows: &Rows) -> Result<Vec<Value>, DbError> {
    json_rows::rows(rows)
}

/// Returns the row of [`one`]; `None` if there is no such member.
pub fn read_one(rows: &Rows) -> Result<Option<Value>, DbError> {
    Ok(json_rows::rows(rows)?.pop())
}

/// Returns the status of the member in a row.
pub fn status_of(member: &Value) -> Option<Status> {
    Status::parse(member.get("status")?.as_str()?)
}
