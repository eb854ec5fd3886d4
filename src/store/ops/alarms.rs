//! Two alarms that stop minting and every step that cannot be undone: the database is older than it was before, and the
//! management key belongs to another OpenRouter account. Jobs raise both alarms. An administrator ends them; the second
//! one also ends when a job sees the known account again.

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::ops::settings::{SettingsOutcome, switch};
use crate::store::query::last_row;

statements! {
    HEAD { then: Option<i64> } = "SELECT json_object('since', s.restore_since, 'id', COALESCE(a.id, 0), 'change_id', a.change_id,
            'then', (SELECT o.change_id FROM audit o WHERE o.id = :then))
        FROM settings s LEFT JOIN audit a ON a.id = (SELECT MAX(id) FROM audit)";

    // The condition on `restore_since` refuses the write if an administrator has accepted the database in the meantime.
    SUSPECT_GUARD { change: PublicId, actor: String, now: Timestamp, since: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'restore_suspected', :actor, s.restore, 'suspected', :now FROM settings s
        WHERE s.restore = 'none' AND s.restore_since = :since
        ON CONFLICT DO NOTHING";

    SUSPECT { change: PublicId } = "UPDATE settings SET restore = 'suspected', change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    LOST_GUARD { change: PublicId, actor: String, now: Timestamp, since: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'account_lost', :actor, s.account, 'foreign', :now FROM settings s
        WHERE s.account = 'known' AND s.account_since = :since
        ON CONFLICT DO NOTHING";

    FOUND_GUARD { change: PublicId, actor: String, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'account_found', :actor, s.account, 'known', :now FROM settings s
        WHERE s.account = 'foreign'
        ON CONFLICT DO NOTHING";

    ACCOUNT { account: String, change: PublicId } = "UPDATE settings SET account = :account, change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    ACCEPT_GUARD { change: PublicId, action: String, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, 'settings', :action, a.member,
          CASE :action WHEN 'restore_accepted' THEN s.restore ELSE s.account END, :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    ACCEPT_RESTORE { now: Timestamp, change: PublicId } =
        "UPDATE settings SET restore = 'none', restore_since = MAX(restore_since + 1, :now), change_id = :change
        WHERE change_id IS NOT :change AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    // The next key that is recorded in the account's default workspace sets `home_workspace_id` again.
    ACCEPT_ACCOUNT { now: Timestamp, change: PublicId } =
        "UPDATE settings SET account = 'known', account_since = :now, home_workspace_id = NULL, change_id = :change
        WHERE change_id IS NOT :change AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    HEALTH_FLAGS = "SELECT json_object('upstream_terms_confirmed', s.upstream_terms = 'confirmed',
            'restored', s.restore <> 'none', 'foreign_account', s.account <> 'known',
            'minting_stopped', s.minting <> 'open' OR s.keys <> 'on') FROM settings s";
}

from_json! {
    /// The newest row of the audit, and the row that the caller asked about.
    #[derive(Clone, Debug)]
    pub struct Head {
        /// `settings.restore_since`, which a suspicion is based on.
        pub since: i64,
        /// The id of the newest row; 0 if the audit is empty.
        pub id: i64,
        pub change_id: Option<String>,
        /// The change id of the row that the caller asked about; `None` if there is no such row.
        pub then: Option<String>,
    }
}

/// Reads the newest row of the audit, and the row with the id `then`.
pub async fn head(db: &dyn Database, then: Option<i64>) -> Result<Head, DbError> {
    last_row(&db.batch(vec![stmt!(HEAD { then })]).await?)?.ok_or(DbError::Broken)
}

/// Raises the alarm that the database is older than it was before. `since` is the `restore_since` that the suspicion is
/// based on. Answers false if the alarm is raised already, or if an administrator has accepted the database since.
pub fn suspect(
    db: &dyn Database,
    job: &str,
    since: i64,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(SUSPECT_GUARD {
            change,
            actor: job,
            now,
            since
        }),
        stmt!(SUSPECT { change }),
    ];
    audit::run(db, batch, change, "settings")
}

/// Raises the alarm that the management key belongs to another account. Answers false if the alarm is raised already,
/// or if an administrator has accepted another account since `since`.
pub fn account_lost(
    db: &dyn Database,
    job: &str,
    since: i64,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(LOST_GUARD {
            change,
            actor: job,
            now,
            since
        }),
        stmt!(ACCOUNT {
            account: "foreign",
            change
        }),
    ];
    audit::run(db, batch, change, "settings")
}

/// Ends that alarm, because the job has seen the known account. Answers false if there was no alarm.
pub fn account_found(
    db: &dyn Database,
    job: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(FOUND_GUARD {
            change,
            actor: job,
            now
        }),
        stmt!(ACCOUNT {
            account: "known",
            change
        }),
    ];
    audit::run(db, batch, change, "settings")
}

/// Ends the alarm of a restored database, as an administrator.
pub async fn accept_restore(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(ACCEPT_GUARD {
            change,
            action: "restore_accepted",
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(ACCEPT_RESTORE { now, change }),
    ];
    switch(db, change, stmts).await
}

/// Accepts the present account and ends its alarm, as an administrator. The next mint records which account it is.
pub async fn accept_account(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(ACCEPT_GUARD {
            change,
            action: "account_accepted",
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(ACCEPT_ACCOUNT { now, change }),
    ];
    switch(db, change, stmts).await
}

from_json! {
    /// The states in the database that close claims, for the health route and the pages. No guard depends on them: each
    /// guard asks the database itself.
    #[derive(Clone, Copy, Debug)]
    pub struct HealthFlags {
        pub upstream_terms_confirmed: bool,
        pub restored: bool,
        pub foreign_account: bool,
        /// An administrator's switch allows no new keys, or no keys at all.
        pub minting_stopped: bool,
    }
}

/// Reads the flags.
pub async fn health_flags(db: &dyn Database) -> Result<HealthFlags, DbError> {
    last_row(&db.batch(vec![stmt!(HEALTH_FLAGS)]).await?)?.ok_or(DbError::Broken)
}
