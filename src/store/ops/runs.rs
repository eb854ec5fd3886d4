//! Runs of jobs: the lease, the report, and the cursor the next one goes on from. A run that died keeps its lease only
//! until it ends; then the next one writes it off.

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::keys::mints::RECORD_WITHIN_SECS;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;

/// Runs that an admin is shown.
const SHOWN: i64 = 50;

statements! {
    WRITE_OFF = "UPDATE runs SET ended_at = ?1, outcome = 'abandoned'
        WHERE job = ?2 AND ended_at IS NULL AND lease_until <= ?1";

    BEGIN = "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, outcome)
        SELECT ?1, ?2, ?3, ?4, ?5, 'running'
        WHERE NOT EXISTS (SELECT 1 FROM runs WHERE job = ?2 AND ended_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM runs WHERE public_id = ?1)";

    BEGUN = "SELECT json_object(
          'begun', EXISTS (SELECT 1 FROM runs WHERE public_id = ?1 AND ended_at IS NULL),
          'instance', i.name, 'public_origin', i.public_origin, 'home_workspace_id', s.home_workspace_id,
          'known_workspace_id', COALESCE(s.home_workspace_id, (SELECT n.workspace_id FROM generations n
            WHERE n.recorded_at > s.account_since AND n.created_at > s.account_since - ?3 ORDER BY n.created_at DESC LIMIT 1)),
          'restored', s.restore <> 'none', 'account_since', s.account_since,
          'last_clean_at', (SELECT started_at FROM runs WHERE job = ?2 AND outcome = 'done' ORDER BY started_at DESC LIMIT 1),
          -- Of the latest run of this day that tried any.
          'writes_failed', COALESCE((SELECT json_extract(tried.counts, '$.writes') = 0 FROM
            (SELECT r.counts FROM runs r WHERE r.job = ?2 AND r.public_id <> ?1 ORDER BY r.id DESC LIMIT 150) tried
            WHERE json_extract(tried.counts, '$.writes') > 0 OR json_extract(tried.counts, '$.writes_failed') > 0 LIMIT 1), 0),
          'back_off_left', COALESCE((SELECT json_extract(r.counts, '$.back_off_left') FROM runs r
            WHERE r.job = ?2 AND r.public_id <> ?1 AND json_extract(r.counts, '$.back_off_left') IS NOT NULL ORDER BY r.id DESC LIMIT 1), 0),
          'cursor', (SELECT r.cursor FROM runs r WHERE r.job = ?2 AND r.public_id <> ?1 ORDER BY r.id DESC LIMIT 1))
        FROM instance i JOIN settings s";

    // Whether upstream answered, as the last run that needed it found out.
    LAST_ENDED = "SELECT json_object('code', r.code, 'at', r.ended_at) FROM runs r
        WHERE r.job = ?1 AND r.ended_at IS NOT NULL AND r.outcome <> 'abandoned' ORDER BY r.id DESC LIMIT 1";

    // Written before the run's end, for whoever goes on should it die.
    KEEP = "UPDATE runs SET cursor = ?1 WHERE public_id = ?2 AND ended_at IS NULL";

    RENEW = "UPDATE runs SET lease_until = ?1 WHERE public_id = ?2 AND ended_at IS NULL
        RETURNING json_object('leased', 1)";

    UNFINISHED = "SELECT json_object('unfinished', r.cursor IS NOT NULL AND (r.ended_at IS NOT NULL OR r.lease_until <= ?1))
        FROM runs r WHERE r.job = ?2 ORDER BY r.id DESC LIMIT 1";

    LATEST = "SELECT json_object('id', r.public_id, 'job', r.job, 'scheduled_at', r.scheduled_at, 'started_at', r.started_at,
            'ended_at', r.ended_at, 'outcome', r.outcome, 'code', r.code,
            'unfinished', json(iif(r.cursor IS NULL, 'false', 'true')), 'counts', json(r.counts))
        FROM runs r ORDER BY r.id DESC LIMIT ?1";

    ASK_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, ?2, 'job_asked', m.public_id, ?3, ?4 FROM members m JOIN settings s
        WHERE m.public_id = ?5 AND m.epoch + s.session_epoch = ?6 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    END = "UPDATE runs SET ended_at = ?1, outcome = ?2, code = ?3, counts = ?4, cursor = ?5
        WHERE public_id = ?6 AND ended_at IS NULL";
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that there was to do.
    Done,
    /// More is left; the next run goes on from the cursor.
    Partial,
    /// Something it needs did not answer.
    Failed,
    /// It refused to go on, and says why.
    Stopped,
}

impl Ending {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

from_json! {
    /// What a run starts from.
    #[derive(Clone, Debug)]
    pub struct StartedRun {
        begun: bool,
        pub instance: String,
        pub public_origin: Option<String>,
        /// The account's default workspace, once a key was recorded in it.
        pub home_workspace_id: Option<String>,
        /// A workspace that our account has, if any key was ever recorded.
        pub known_workspace_id: Option<String>,
        /// The database may have forgotten something, and no admin has accepted that yet.
        pub restored: bool,
        /// When an admin last accepted another account.
        pub account_since: i64,
        /// When the last run that finished everything began.
        pub last_clean_at: Option<Timestamp>,
        /// The last run that tried to change anything at OpenRouter had no answer to any of it.
        pub writes_failed: bool,
        /// And what waits on account of that could not be given its turn again.
        pub back_off_left: bool,
        /// Where the run before this one stopped, if it did not finish.
        pub cursor: Option<String>,
    }
}

from_json! {
    /// The latest run that came to an end.
    #[derive(Clone, Debug)]
    pub struct Ended {
        pub code: Option<String>,
        pub at: Timestamp,
    }
}

/// To be read with [`read_ended`].
pub fn last_ended(job: &'static str) -> Stmt {
    stmt!(LAST_ENDED, job)
}

/// `None` before the first run.
pub fn read_ended(rows: &Rows) -> Result<Option<Ended>, DbError> {
    rows.first().map(|row| read(row)).transpose()
}

/// Takes the job's lease. `None` while another run has it.
pub async fn begin(
    db: &dyn Database,
    job: &'static str,
    run: &PublicId,
    scheduled: Timestamp,
    now: Timestamp,
    lease_secs: i64,
) -> Result<Option<StartedRun>, DbError> {
    let batch = vec![
        stmt!(WRITE_OFF, now, job),
        stmt!(BEGIN, run, job, scheduled, now, now.plus(lease_secs)),
        stmt!(BEGUN, run, job, 2 * RECORD_WITHIN_SECS),
    ];
    let begun: StartedRun =
        last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)?;
    Ok(begun.begun.then_some(begun))
}

/// Keeps where an unfinished run stands.
pub async fn keep(db: &dyn Database, run: &PublicId, cursor: &str) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(KEEP, cursor, run)])
        .await
        .map(|_| ())
}

/// Keeps the lease for longer. False where the run was written off.
pub async fn renew(db: &dyn Database, run: &PublicId, until: Timestamp) -> Result<bool, DbError> {
    let rows = batch_retrying_unknown(db, vec![stmt!(RENEW, until, run)]).await?;
    Ok(!rows.first().ok_or(DbError::Broken)?.is_empty())
}

/// Whether the job's latest run left something, and runs no more.
pub async fn is_unfinished(
    db: &dyn Database,
    job: &'static str,
    now: Timestamp,
) -> Result<bool, DbError> {
    from_json! {
        struct UnfinishedRow {
            unfinished: bool,
        }
    }
    let row: Option<UnfinishedRow> = last_row(&db.batch(vec![stmt!(UNFINISHED, now, job)]).await?)?;
    Ok(row.is_some_and(|row| row.unfinished))
}

/// Writes down who asked for a run. False when their session is none any more.
pub fn asked(
    db: &dyn Database,
    session: &Session,
    run: &PublicId,
    job: &'static str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let (member, epoch) = (&session.member, session.epoch);
    let batch = vec![stmt!(ASK_GUARD, change, run, job, now, member, epoch)];
    audit::run(db, batch, change, run.as_str())
}

/// The newest runs of all jobs, to be passed on.
pub fn latest() -> Stmt {
    stmt!(LATEST, SHOWN)
}

/// Writes the run's report and gives the lease back.
pub async fn end(
    db: &dyn Database,
    run: &PublicId,
    ending: Ending,
    code: Option<&str>,
    counts: &str,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let batch = vec![stmt!(END, now, ending.name(), code, counts, cursor, run)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}
