//! Blocks: who may not claim, by provider and account number, also before the person ever signs in. A block refuses
//! claims and everything that needs the gates of a claim. An existing key continues to work; a ban (`offboard`) is what
//! ends keys.

use serde::Serialize;
use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::json_rows;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::rows_of;

/// The number of blocks on one page.
pub const PAGE_ROWS: usize = 50;

statements_at! {
    PUT_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, json_extract(j.value, '$.id'), 'blocked', a.public_id, m.public_id, ?2
        FROM json_each(?3) j JOIN members a ON a.public_id = ?4 JOIN settings s
        LEFT JOIN members m ON m.provider = ?6 AND m.subject = json_extract(j.value, '$.subject')
        WHERE a.epoch + s.session_epoch = ?5 AND a.status = 'active'
          AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.provider = ?6 AND b.subject = json_extract(j.value, '$.subject'))
        ON CONFLICT DO NOTHING";

    // Only while this change is the newest of the block: a late statement does not restore a lifted block.
    PUT = "INSERT INTO blocks (provider, subject, since, public_id, change_id)
        SELECT ?1, json_extract(j.value, '$.subject'), ?2, json_extract(j.value, '$.id'), ?3 FROM json_each(?4) j
        WHERE ?3 = (SELECT u.change_id FROM audit u WHERE u.target = json_extract(j.value, '$.id') ORDER BY u.id DESC LIMIT 1)
        ON CONFLICT DO NOTHING";

    ADDED = "SELECT json_object('added', COUNT(*)) FROM audit WHERE change_id = ?1";

    LIFT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, b.public_id, 'unblocked', a.public_id, m.public_id, ?2
        FROM blocks b JOIN members a ON a.public_id = ?3 JOIN settings s
        LEFT JOIN members m ON m.provider = b.provider AND m.subject = b.subject
        WHERE b.provider = ?5 AND b.subject = ?6 AND a.epoch + s.session_epoch = ?4 AND a.status = 'active'
        ON CONFLICT DO NOTHING";

    LIFT = "DELETE FROM blocks WHERE provider = ?1 AND subject = ?2
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = blocks.public_id)";

    PAGE = "SELECT json_object('id', b.public_id, 'provider', b.provider, 'subject', b.subject, 'put_at', b.since,
          'member', m.public_id, 'login', m.login, 'login_passed_on_at', m.login_passed_on_at)
        FROM blocks b LEFT JOIN members m ON m.provider = b.provider AND m.subject = b.subject
        WHERE (b.provider, b.subject) > (CASE WHEN ?1 IS NULL THEN '' ELSE (SELECT c.provider FROM blocks c WHERE c.public_id = ?1) END,
            CASE WHEN ?1 IS NULL THEN '' ELSE (SELECT c.subject FROM blocks c WHERE c.public_id = ?1) END)
        ORDER BY b.provider, b.subject LIMIT ?2";
}

/// The statement that reads a page of blocks, behind the one with the id `after`, and one more if there is one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt_at!(PAGE, after, i64::try_from(more).unwrap_or(i64::MAX))
}

/// Returns the blocks, each with the member that it is about, if they have signed in.
pub fn read_page(rows: &Rows) -> Result<Vec<Value>, DbError> {
    json_rows::rows(rows)
}

/// A person to block, and the id that the block would get.
#[derive(Serialize)]
pub struct NewBlock {
    pub id: String,
    /// The account number at the provider.
    pub subject: String,
}

/// The administrator who sets or lifts blocks, and the change.
pub struct AdminActor<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub now: Timestamp,
}

/// Blocks the people who are not blocked yet. Returns how many those were.
pub async fn put(
    db: &dyn Database,
    by: &AdminActor<'_>,
    provider: &str,
    people: &[NewBlock],
) -> Result<i64, StoreError> {
    let list = serde_json::to_string(people).map_err(|_| StoreError::Unwritable)?;
    let (change, session) = (&by.change, by.session);
    let stmts = vec![
        stmt_at!(
            PUT_GUARD,
            change,
            by.now,
            list.as_str(),
            &session.member,
            session.epoch,
            provider
        ),
        stmt_at!(PUT, provider, by.now, change, list),
        members::session_check(session),
        stmt_at!(ADDED, change),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    let row: Option<Added> = last_row(&rows)?;
    Ok(row.ok_or(DbError::Broken)?.added)
}

from_json! {
    struct Added {
        added: i64,
    }
}

/// Lifts a block, if there is one.
pub async fn lift(
    db: &dyn Database,
    by: &AdminActor<'_>,
    provider: &str,
    subject: &str,
) -> Result<(), StoreError> {
    let (change, session) = (&by.change, by.session);
    let stmts = vec![
        stmt_at!(
            LIFT_GUARD,
            change,
            by.now,
            &session.member,
            session.epoch,
            provider,
            subject
        ),
        stmt_at!(LIFT, provider, subject, change),
        members::session_check(session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(())
}
