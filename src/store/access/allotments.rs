//! Permissions to claim, by provider and account number, also for people who have never signed in. No key is made until
//! they claim. A block, the ceiling and every other gate outrank a permission.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::request::RequestKind;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read_all;
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

statements! {
    PUT_GUARD {
        change: PublicId, allotment: PublicId, now: Timestamp, provider: String, subject: String, actor: PublicId,
        epoch: i64, kind: String,
    } = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :allotment, 'allotted', a.member, m.public_id, :now
        FROM current_sessions a LEFT JOIN members m ON m.provider = :provider AND m.subject = :subject
        WHERE a.member = :actor AND a.epoch = :epoch
          AND NOT EXISTS (SELECT 1 FROM allotments t
            WHERE t.provider = :provider AND t.subject = :subject AND t.kind = :kind)
        ON CONFLICT DO NOTHING";

    // The allotment is written only while this change is its newest one: a late statement does not restore an allotment
    // that was withdrawn.
    PUT {
        allotment: PublicId, provider: String, subject: String, kind: String, name: Option<String>, now: Timestamp,
        change: PublicId,
    } = concat!("INSERT INTO allotments (public_id, provider, subject, kind, name, since, change_id)
        SELECT :allotment, :provider, :subject, :kind, :name, :now, :change WHERE ", newest_change!(":allotment"), "
        ON CONFLICT DO NOTHING");

    OF_PERSON { provider: String, subject: String, kind: String } =
        concat!(allotment!(), " WHERE t.provider = :provider AND t.subject = :subject AND t.kind = :kind");

    WITHDRAW_GUARD { change: PublicId, now: Timestamp, actor: PublicId, allotment: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, t.public_id, 'allotment_withdrawn', a.member, m.public_id, :now
        FROM allotments t JOIN current_sessions a ON a.member = :actor
        LEFT JOIN members m ON m.provider = t.provider AND m.subject = t.subject
        WHERE t.public_id = :allotment AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    WITHDRAW { allotment: PublicId, change: PublicId } = "DELETE FROM allotments WHERE public_id = :allotment
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :allotment)";

    PAGE { after: Option<PublicId>, most: i64 } = concat!(allotment!(), "
        WHERE (t.provider, t.subject, t.kind) > (
            CASE WHEN :after IS NULL THEN '' ELSE (SELECT c.provider FROM allotments c WHERE c.public_id = :after) END,
            CASE WHEN :after IS NULL THEN '' ELSE (SELECT c.subject FROM allotments c WHERE c.public_id = :after) END,
            CASE WHEN :after IS NULL THEN '' ELSE (SELECT c.kind FROM allotments c WHERE c.public_id = :after) END)
        ORDER BY t.provider, t.subject, t.kind LIMIT :most");
}

/// The statement that reads a page of allotments, behind the one with the id `after`, and one more if there is one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt!(PAGE {
        after,
        most: i64::try_from(more).unwrap_or(i64::MAX),
    })
}

from_json! {
    /// A person whom an administrator lets claim.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Allotment {
        pub id: String,
        pub provider: String,
        /// The account's number at the provider.
        pub subject: String,
        /// `appeal` if the person may claim however new their account is.
        pub kind: RequestKind,
        /// The name that their key gets.
        pub name: Option<String>,
        pub put_at: Timestamp,
        /// The member that the person is, once they have signed in.
        pub member: Option<String>,
        pub login: Option<String>,
    }
}

/// Reads the rows of [`page`].
pub fn read_page(rows: &Rows) -> Result<Vec<Allotment>, DbError> {
    read_all(rows)
}

/// The administrator who permits or withdraws, and the id of the change.
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
) -> Result<Option<(Allotment, bool)>, StoreError> {
    let (change, session, now) = (&by.change, by.session, by.now);
    let Person {
        provider,
        subject,
        kind,
        name,
    } = *person;
    let stmts = vec![
        stmt!(PUT_GUARD {
            change,
            allotment,
            now,
            provider,
            subject,
            actor: &session.member,
            epoch: session.epoch,
            kind,
        }),
        stmt!(PUT {
            allotment,
            provider,
            subject,
            kind,
            name,
            now,
            change,
        }),
        members::session_check(session),
        stmt!(OF_PERSON {
            provider,
            subject,
            kind,
        }),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    let there = read_all::<Allotment>(rows_of(&rows, 3)?)?.pop();
    Ok(there.map(|there| {
        let is_new = there.id == allotment.as_str();
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
        stmt!(WITHDRAW_GUARD {
            change,
            now: by.now,
            actor: &session.member,
            allotment,
            epoch: session.epoch,
        }),
        stmt!(WITHDRAW { allotment, change }),
        members::session_check(session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(())
}
