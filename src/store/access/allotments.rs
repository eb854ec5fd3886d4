//! Permissions to claim, by provider and account number, also for people who have never signed in. No key is made until
//! they claim. A block, the ceiling and every other gate outrank a permission.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::json_rows;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::rows_of;

/// The number of allotments on one page.
pub const PAGE_ROWS: usize = 50;

/// An allotment as a JSON object, with the member that it is about, if they have signed in.
macro_rules! allotment {
    () => {
        "SELECT json_object('id', t.public_id, 'provider', t.provider, 'subject', t.subject, 'kind', t.kind, 'name', t.name,
          'put_at', t.since, 'member', m.public_id, 'login', m.login)
        FROM allotments t LEFT JOIN members m ON m.provider = t.provider AND m.subject = t.subject"
    };
}

statements_at! {
    PUT_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, ?2, 'allotted', a.public_id, m.public_id, ?3
        FROM members a JOIN settings s LEFT JOIN members m ON m.provider = ?6 AND m.subject = ?7
        WHERE a.public_id = ?4 AND a.epoch + s.session_epoch = ?5 AND a.status = 'active'
          AND NOT EXISTS (SELECT 1 FROM allotments t WHERE t.provider = ?6 AND t.subject = ?7 AND t.kind = ?8)
        ON CONFLICT DO NOTHING";

    // Only while this change is the newest of the allotment: a late statement does not restore a withdrawn allotment.
    PUT = "INSERT INTO allotments (public_id, provider, subject, kind, name, since, change_id)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
        WHERE ?7 = (SELECT u.change_id FROM audit u WHERE u.target = ?1 ORDER BY u.id DESC LIMIT 1)
        ON CONFLICT DO NOTHING";

    OF_PERSON = concat!(allotment!(), " WHERE t.provider = ?1 AND t.subject = ?2 AND t.kind = ?3");

    WITHDRAW_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, t.public_id, 'allotment_withdrawn', a.public_id, m.public_id, ?2
        FROM allotments t JOIN members a ON a.public_id = ?3 JOIN settings s
        LEFT JOIN members m ON m.provider = t.provider AND m.subject = t.subject
        WHERE t.public_id = ?5 AND a.epoch + s.session_epoch = ?4 AND a.status = 'active'
        ON CONFLICT DO NOTHING";

    WITHDRAW = "DELETE FROM allotments WHERE public_id = ?1
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)";

    PAGE = concat!(allotment!(), "
        WHERE (t.provider, t.subject, t.kind) > (
            CASE WHEN ?1 IS NULL THEN '' ELSE (SELECT c.provider FROM allotments c WHERE c.public_id = ?1) END,
            CASE WHEN ?1 IS NULL THEN '' ELSE (SELECT c.subject FROM allotments c WHERE c.public_id = ?1) END,
            CASE WHEN ?1 IS NULL THEN '' ELSE (SELECT c.kind FROM allotments c WHERE c.public_id = ?1) END)
        ORDER BY t.provider, t.subject, t.kind LIMIT ?2");
}

/// The statement that reads a page of allotments, behind the one with the id `after`, and one more if there is one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt_at!(PAGE, after, i64::try_from(more).unwrap_or(i64::MAX))
}

/// Returns the rows of [`page`] as they go into the answer.
pub fn read_page(rows: &Rows) -> Result<Vec<Value>, DbError> {
    json_rows::rows(rows)
}

/// The administrator who permits or withdraws, and the change.
pub struct By<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub now: Timestamp,
}

/// The person whom an administrator permits to claim.
pub struct Person<'a> {
    pub provider: &'static str,
    /// The account number at the provider.
    pub subject: &'a str,
    /// `claim`, or `appeal` if the age of the account is waived too.
    pub kind: &'static str,
    /// The name that their key gets.
    pub name: Option<&'a str>,
}

/// Permits a person to claim. Returns the allotment that exists now, and whether it is this one; `None` if this one was
/// made before and has been withdrawn.
pub async fn put(
    db: &dyn Database,
    by: &By<'_>,
    allotment: &PublicId,
    person: &Person<'_>,
) -> Result<Option<(Value, bool)>, StoreError> {
    let (change, session, now) = (&by.change, by.session, by.now);
    let Person {
        provider,
        subject,
        kind,
        name,
    } = *person;
    let (member, epoch) = (&session.member, session.epoch);
    let stmts = vec![
        stmt_at!(
            PUT_GUARD, change, allotment, now, member, epoch, provider, subject, kind
        ),
        stmt_at!(PUT, allotment, provider, subject, kind, name, now, change),
        members::session_check(session),
        stmt_at!(OF_PERSON, provider, subject, kind),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    let there = json_rows::rows(rows_of(&rows, 3)?)?.pop();
    Ok(there.map(|there| {
        let is_new = there.get("id").and_then(Value::as_str) == Some(allotment.as_str());
        (there, is_new)
    }))
}

/// Withdraws a permission. An existing key continues to work; a key that is being made is not recorded.
pub async fn withdraw(
    db: &dyn Database,
    by: &By<'_>,
    allotment: &PublicId,
) -> Result<(), StoreError> {
    let (change, session) = (&by.change, by.session);
    let stmts = vec![
        stmt_at!(
            WITHDRAW_GUARD,
            change,
            by.now,
            &session.member,
            session.epoch,
            allotment
        ),
        stmt_at!(WITHDRAW, allotment, change),
        members::session_check(session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(())
}
