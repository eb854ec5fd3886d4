//! Two alarms that stop minting and whatever could not be undone: the database is behind what it was, and the
//! management key is another account's. Jobs raise them; an admin, or the account itself, ends them.

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::ops::settings::{SettingsOutcome, switch};
use crate::store::query::last_row;

statements! {
    HEAD = "SELECT json_object('since', s.restore_since, 'id', COALESCE(a.id, 0), 'change_id', a.change_id,
            'then', (SELECT o.change_id FROM audit o WHERE o.id = ?1))
        FROM settings s LEFT JOIN audit a ON a.id = (SELECT MAX(id) FROM audit)";

    // Not where an admin has accepted it meanwhile.
    SUSPECT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'restore_suspected', ?2, s.restore, 'suspected', ?3 FROM settings s
        WHERE s.restore = 'none' AND s.restore_since = ?4
        ON CONFLICT DO NOTHING";

    SUSPECT = "UPDATE settings SET restore = 'suspected', change_id = ?1
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = 'settings')";

    LOST_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'account_lost', ?2, s.account, 'foreign', ?3 FROM settings s
        WHERE s.account = 'known' AND s.account_since = ?4
        ON CONFLICT DO NOTHING";

    FOUND_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'account_found', ?2, s.account, 'known', ?3 FROM settings s
        WHERE s.account = 'foreign'
        ON CONFLICT DO NOTHING";

    ACCOUNT = "UPDATE settings SET account = ?1, change_id = ?2
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'settings')";

    ACCEPT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, 'settings', ?2, m.public_id, CASE ?2 WHEN 'restore_accepted' THEN s.restore ELSE s.account END, ?3
        FROM members m JOIN settings s
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    ACCEPT_RESTORE = "UPDATE settings SET restore = 'none', restore_since = MAX(restore_since + 1, ?1), change_id = ?2
        WHERE change_id IS NOT ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'settings')";

    // The next key that is recorded at home tells which account it is.
    ACCEPT_ACCOUNT = "UPDATE settings SET account = 'known', account_since = ?1, home_workspace_id = NULL,
            change_id = ?2
        WHERE change_id IS NOT ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'settings')";

    STANDING = "SELECT json_object('upstream_terms_confirmed', s.upstream_terms = 'confirmed',
            'restored', s.restore <> 'none', 'foreign_account', s.account <> 'known',
            'minting_stopped', s.minting <> 'open' OR s.keys <> 'on') FROM settings s";
}

from_json! {
    /// Where the audit ends, and what stood at an earlier end of it.
    #[derive(Clone, Debug)]
    pub struct Head {
        pub since: i64,
        pub id: i64,
        pub change_id: Option<String>,
        /// The change of the row that was asked about; none where there is no such row.
        pub then: Option<String>,
    }
}

/// Reads the end of the audit, and the row with that id.
pub async fn head(db: &dyn Database, then: Option<i64>) -> Result<Head, DbError> {
    last_row(&db.batch(vec![stmt!(HEAD, then)]).await?)?.ok_or(DbError::Broken)
}

/// The database is behind what it was. `since` is what the suspicion rests on.
pub fn suspect(
    db: &dyn Database,
    job: &str,
    since: i64,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(SUSPECT_GUARD, change, job, now, since),
        stmt!(SUSPECT, change),
    ];
    audit::run(db, batch, change, "settings")
}

/// The account is not ours. False where that is known, or an admin has accepted another one meanwhile.
pub fn account_lost(
    db: &dyn Database,
    job: &str,
    since: i64,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(LOST_GUARD, change, job, now, since),
        stmt!(ACCOUNT, "foreign", change),
    ];
    audit::run(db, batch, change, "settings")
}

/// The account is ours. True where it was not before.
pub fn account_found(
    db: &dyn Database,
    job: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(FOUND_GUARD, change, job, now),
        stmt!(ACCOUNT, "known", change),
    ];
    audit::run(db, batch, change, "settings")
}

/// An admin ends the alarm of a restored database.
pub async fn accept_restore(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let (member, epoch) = (&session.member, session.epoch);
    let stmts = vec![
        stmt!(ACCEPT_GUARD, change, "restore_accepted", now, member, epoch),
        stmt!(ACCEPT_RESTORE, now, change),
    ];
    switch(db, change, stmts).await
}

/// An admin says that the account there is now is the one: the next mint learns which.
pub async fn accept_account(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let (member, epoch) = (&session.member, session.epoch);
    let stmts = vec![
        stmt!(ACCEPT_GUARD, change, "account_accepted", now, member, epoch),
        stmt!(ACCEPT_ACCOUNT, now, change),
    ];
    switch(db, change, stmts).await
}

from_json! {
    /// What in the database keeps claims closed, as the health route and documents tell it: the guards ask for themselves.
    #[derive(Clone, Copy, Debug)]
    pub struct HealthFlags {
        pub upstream_terms_confirmed: bool,
        pub restored: bool,
        pub foreign_account: bool,
        /// An admin's switch: no new keys, or no keys at all.
        pub minting_stopped: bool,
    }
}

pub async fn health_flags(db: &dyn Database) -> Result<HealthFlags, DbError> {
    last_row(&db.batch(vec![stmt!(STANDING)]).await?)?.ok_or(DbError::Broken)
}
