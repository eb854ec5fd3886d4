//! Blocks: who may not claim, by provider and account number, also before the person ever signs in. A block refuses
//! claims and everything that needs the gates of a claim. An existing key continues to work; only a ban ends keys
//! (`offboard`).

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read_all;
use crate::store::query::rows_of;

/// The number of blocks on one page.
pub const PAGE_ROWS: usize = 50;

statements! {
    PUT_GUARD { change: PublicId, now: Timestamp, people: String, actor: PublicId, provider: String, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, json_extract(j.value, '$.id'), 'blocked', a.member, m.public_id, :now
        FROM json_each(:people) j JOIN current_sessions a ON a.member = :actor
        LEFT JOIN members m ON m.provider = :provider AND m.subject = json_extract(j.value, '$.subject')
        WHERE a.epoch = :epoch
          AND NOT EXISTS (SELECT 1 FROM blocks b
            WHERE b.provider = :provider AND b.subject = json_extract(j.value, '$.subject'))
        ON CONFLICT DO NOTHING";

    // The block is written only while this change is the newest of the block: a late statement does not restore a block
    // that was lifted.
    PUT { provider: String, now: Timestamp, change: PublicId, people: String } =
        concat!("INSERT INTO blocks (provider, subject, since, public_id, change_id)
        SELECT :provider, json_extract(j.value, '$.subject'), :now, json_extract(j.value, '$.id'), :change
        FROM json_each(:people) j
        WHERE ", newest_change!("json_extract(j.value, '$.id')"), "
        ON CONFLICT DO NOTHING");

    ADDED { change: PublicId } = "SELECT json_object('added', COUNT(*)) FROM audit WHERE change_id = :change";

    LIFT_GUARD { change: PublicId, now: Timestamp, actor: PublicId, provider: String, subject: String, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, b.public_id, 'unblocked', a.member, m.public_id, :now
        FROM blocks b JOIN current_sessions a ON a.member = :actor
        LEFT JOIN members m ON m.provider = b.provider AND m.subject = b.subject
        WHERE b.provider = :provider AND b.subject = :subject AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    LIFT { provider: String, subject: String, change: PublicId } =
        "DELETE FROM blocks WHERE provider = :provider AND subject = :subject
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = blocks.public_id)";

    PAGE { after: Option<PublicId>, most: i64 } =
        "SELECT json_object('id', b.public_id, 'provider', b.provider, 'subject', b.subject, 'put_at', b.since,
          'member', m.public_id, 'login', m.login, 'login_passed_on_at', m.login_passed_on_at)
        FROM blocks b LEFT JOIN members m ON m.provider = b.provider AND m.subject = b.subject
        WHERE (b.provider, b.subject) > (
            CASE WHEN :after IS NULL THEN '' ELSE (SELECT c.provider FROM blocks c WHERE c.public_id = :after) END,
            CASE WHEN :after IS NULL THEN '' ELSE (SELECT c.subject FROM blocks c WHERE c.public_id = :after) END)
        ORDER BY b.provider, b.subject LIMIT :most";
}

/// The statement that reads a page of blocks, behind the one with the id `after`, and one more if there is one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt!(PAGE {
        after,
        most: i64::try_from(more).unwrap_or(i64::MAX),
    })
}

from_json! {
    /// A person who may not claim.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Block {
        pub id: String,
        pub provider: String,
        /// The account's number at the provider.
        pub subject: String,
        pub put_at: Timestamp,
        /// The member that the person is, if they have signed in.
        pub member: Option<String>,
        pub login: Option<String>,
        /// Since when the login is a former one.
        pub login_passed_on_at: Option<Timestamp>,
    }
}

/// Reads the rows of [`page`].
pub fn read_page(rows: &Rows) -> Result<Vec<Block>, DbError> {
    read_all(rows)
}

/// A person to block, and the id that the block would get.
#[derive(Serialize)]
pub struct NewBlock {
    pub id: String,
    /// The account number at the provider.
    pub subject: String,
}

/// The administrator who sets or lifts blocks, and the id of the change.
pub struct AdminActor<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub now: Timestamp,
}

/// Blocks those of the people who are not blocked yet. Returns how many those were.
pub async fn put(
    db: &dyn Database,
    by: &AdminActor<'_>,
    provider: &str,
    people: &[NewBlock],
) -> Result<i64, StoreError> {
    let list = serde_json::to_string(people).map_err(|_| StoreError::Unwritable)?;
    let (change, session) = (&by.change, by.session);
    let stmts = vec![
        stmt!(PUT_GUARD {
            change,
            now: by.now,
            people: list.as_str(),
            actor: &session.member,
            provider,
            epoch: session.epoch,
        }),
        stmt!(PUT {
            provider,
            now: by.now,
            change,
            people: list,
        }),
        members::session_check(session),
        stmt!(ADDED { change }),
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
        stmt!(LIFT_GUARD {
            change,
            now: by.now,
            actor: &session.member,
            provider,
            subject,
            epoch: session.epoch,
        }),
        stmt!(LIFT {
            provider,
            subject,
            change,
        }),
        members::session_check(session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(())
}
