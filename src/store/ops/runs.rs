//! Runs of jobs: the lease, the report, and the cursor from which the next run continues. A run that died has its lease
//! only until the lease ends; then the next run records it as abandoned.

use serde::Serialize;
use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::key::generation::RECORD_WITHIN_SECS;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;

/// An administrator is shown at most this many runs.
const SHOWN: i64 = 50;

statements! {
    WRITE_OFF { now: Timestamp, job: String } = "UPDATE runs SET ended_at = :now, outcome = 'abandoned'
        WHERE job = :job AND ended_at IS NULL AND lease_until <= :now";

    BEGIN { run: PublicId, job: String, scheduled_at: Timestamp, now: Timestamp, lease_until: Timestamp } =
        "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, outcome)
        SELECT :run, :job, :scheduled_at, :now, :lease_until, 'running'
        WHERE NOT EXISTS (SELECT 1 FROM runs WHERE job = :job AND ended_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM runs WHERE public_id = :run)";

    // The bound on `created_at` excludes no generation, because each is recorded within that time or never. With it, the
    // search reads only the newest rows of an index.
    BEGUN { run: PublicId, job: String, recorded_within_secs: i64 } = "SELECT json_object(
          'begun', EXISTS (SELECT 1 FROM runs WHERE public_id = :run AND ended_at IS NULL),
          'instance', i.name, 'public_origin', i.public_origin, 'home_workspace_id', s.home_workspace_id,
          'known_workspace_id', COALESCE(s.home_workspace_id, (SELECT n.workspace_id FROM generations n
            WHERE n.recorded_at > s.account_since AND n.created_at > s.account_since - :recorded_within_secs
            ORDER BY n.created_at DESC LIMIT 1)),
          'restored', s.restore <> 'none', 'account_since', s.account_since,
          'any_unread', EXISTS (SELECT 1 FROM unread_workspaces),
          'last_clean_at', (SELECT started_at FROM runs WHERE job = :job AND outcome = 'done' ORDER BY started_at DESC LIMIT 1),
          -- The latest run that tried any write, among the last 150 runs of the job: about a day of sweeps.
          'writes_failed', COALESCE((SELECT json_extract(tried.counts, '$.writes') = 0 FROM
            (SELECT r.counts FROM runs r WHERE r.job = :job AND r.public_id <> :run ORDER BY r.id DESC LIMIT 150) tried
            WHERE json_extract(tried.counts, '$.writes') > 0 OR json_extract(tried.counts, '$.writes_failed') > 0 LIMIT 1), 0),
          'back_off_left', COALESCE((SELECT json_extract(r.counts, '$.back_off_left') FROM runs r
            WHERE r.job = :job AND r.public_id <> :run AND json_extract(r.counts, '$.back_off_left') IS NOT NULL
            ORDER BY r.id DESC LIMIT 1), 0),
          'cursor', (SELECT r.cursor FROM runs r WHERE r.job = :job AND r.public_id <> :run ORDER BY r.id DESC LIMIT 1))
        FROM instance i JOIN settings s";

    // The code says whether OpenRouter answered the latest run that needed it.
    LAST_ENDED { job: String } = "SELECT json_object('code', r.code, 'at', r.ended_at) FROM runs r
        WHERE r.job = :job AND r.ended_at IS NOT NULL AND r.outcome <> 'abandoned' ORDER BY r.id DESC LIMIT 1";

    // The cursor is written before the run ends, so that the next run can continue if this one dies.
    KEEP { cursor: String, run: PublicId } = "UPDATE runs SET cursor = :cursor WHERE public_id = :run AND ended_at IS NULL";

    RENEW { lease_until: Timestamp, counts: String, run: PublicId } =
        "UPDATE runs SET lease_until = :lease_until, counts = :counts WHERE public_id = :run AND ended_at IS NULL
        RETURNING json_object('stop_asked', stop_asked_at IS NOT NULL)";

    STOP_GUARD { change: PublicId, run: PublicId, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, r.public_id, 'stop_asked', a.member, r.job, :now
        FROM runs r JOIN current_sessions a
        WHERE r.public_id = :run AND r.ended_at IS NULL AND r.stop_asked_at IS NULL
          AND a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    STOP { now: Timestamp, run: PublicId, change: PublicId } =
        "UPDATE runs SET stop_asked_at = :now WHERE public_id = :run AND ended_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :run)";

    REPORT { run: String } = "SELECT json_object('id', r.public_id, 'job', r.job, 'scheduled_at', r.scheduled_at,
            'started_at', r.started_at, 'ended_at', r.ended_at, 'outcome', r.outcome, 'code', r.code,
            'stop_asked_at', r.stop_asked_at, 'unfinished', json(iif(r.cursor IS NULL, 'false', 'true')),
            'counts', json(r.counts))
        FROM runs r WHERE r.public_id = :run";

    UNFINISHED { now: Timestamp, job: String } = "SELECT json_object(
          'unfinished', r.cursor IS NOT NULL AND (r.ended_at IS NOT NULL OR r.lease_until <= :now))
        FROM runs r WHERE r.job = :job ORDER BY r.id DESC LIMIT 1";

    // A run that died before it wrote a cursor, and a trigger that did not come, are noticed by the time of the latest run.
    LATE { now: Timestamp, job: String, due_before: Timestamp } = "SELECT json_object(
          'unfinished', r.cursor IS NOT NULL AND (r.ended_at IS NOT NULL OR r.lease_until <= :now),
          'late', r.scheduled_at < :due_before AND (r.ended_at IS NOT NULL OR r.lease_until <= :now))
        FROM runs r WHERE r.job = :job ORDER BY r.id DESC LIMIT 1";

    LATEST { most: i64 } = "SELECT json_object('id', r.public_id, 'job', r.job, 'scheduled_at', r.scheduled_at,
            'started_at', r.started_at, 'ended_at', r.ended_at, 'outcome', r.outcome, 'code', r.code,
            'stop_asked_at', r.stop_asked_at, 'unfinished', json(iif(r.cursor IS NULL, 'false', 'true')), 'counts', json(r.counts))
        FROM runs r ORDER BY r.id DESC LIMIT :most";

    ASK_GUARD { change: PublicId, run: PublicId, job: String, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :run, 'job_asked', a.member, :job, :now FROM current_sessions a
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    END {
        now: Timestamp, outcome: String, code: Option<String>, counts: String, cursor: Option<String>, run: PublicId,
    } = "UPDATE runs SET ended_at = :now, outcome = :outcome, code = :code, counts = :counts, cursor = :cursor
        WHERE public_id = :run AND ended_at IS NULL";
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was done.
    Done,
    /// Work is left; the next run continues from the cursor.
    Partial,
    /// A service that the run needs did not answer.
    Failed,
    /// The run refused to continue; its code says why.
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
    /// A run of a job.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct RunReport {
        pub id: String,
        pub job: String,
        pub scheduled_at: Timestamp,
        pub started_at: Timestamp,
        pub ended_at: Option<Timestamp>,
        /// `running`, `done`, `partial` (the next run continues), `failed` (a service did not answer), `stopped` (the
        /// run refused to continue) or `abandoned` (it died).
        pub outcome: String,
        /// Why it failed or stopped.
        pub code: Option<String>,
        /// When an administrator asked the run to stop.
        pub stop_asked_at: Option<Timestamp>,
        /// Whether the next run continues where this one ended.
        pub unfinished: bool,
        /// What the run has counted, by name. While it works, this is at most some seconds old.
        pub counts: Value,
    }
}

from_json! {
    /// What a run knows when it begins.
    #[derive(Clone, Debug)]
    pub struct StartedRun {
        begun: bool,
        pub instance: String,
        pub public_origin: Option<String>,
        /// The account's default workspace; known once a key was recorded in it.
        pub home_workspace_id: Option<String>,
        /// A workspace of the known account; `None` if no key was recorded in it.
        pub known_workspace_id: Option<String>,
        /// The database may have lost something, and no administrator has accepted that yet.
        pub restored: bool,
        /// There is a workspace whose keys a run before could not read.
        pub any_unread: bool,
        /// When an administrator last accepted another account, in seconds of UTC.
        pub account_since: i64,
        /// When the latest run that did everything began.
        pub last_clean_at: Option<Timestamp>,
        /// The latest run that tried to change anything at OpenRouter got no answer to any of its changes.
        pub writes_failed: bool,
        /// The rows that were postponed because of that could not be made due again.
        pub back_off_left: bool,
        /// Where the previous run stopped, if it did not finish.
        pub cursor: Option<String>,
    }
}

from_json! {
    /// The latest run that has ended.
    #[derive(Clone, Debug)]
    pub struct Ended {
        pub code: Option<String>,
        pub at: Timestamp,
    }
}

/// The statement that reads the latest run of a job that has ended; [`read_ended`] reads its row.
pub fn last_ended(job: &'static str) -> Stmt {
    stmt!(LAST_ENDED { job })
}

/// Returns `None` if no run of the job has ended yet.
pub fn read_ended(rows: &Rows) -> Result<Option<Ended>, DbError> {
    rows.first().map(|row| read(row)).transpose()
}

/// Takes the job's lease for `lease_secs` seconds. Returns `None` while another run has it.
pub async fn begin(
    db: &dyn Database,
    job: &'static str,
    run: &PublicId,
    scheduled: Timestamp,
    now: Timestamp,
    lease_secs: i64,
) -> Result<Option<StartedRun>, DbError> {
    let batch = vec![
        stmt!(WRITE_OFF { now, job }),
        stmt!(BEGIN {
            run,
            job,
            scheduled_at: scheduled,
            now,
            lease_until: now.plus(lease_secs)
        }),
        stmt!(BEGUN {
            run,
            job,
            recorded_within_secs: 2 * RECORD_WITHIN_SECS
        }),
    ];
    let begun: StartedRun =
        last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)?;
    Ok(begun.begun.then_some(begun))
}

/// Stores the cursor of an unfinished run.
pub async fn keep(db: &dyn Database, run: &PublicId, cursor: &str) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(KEEP { cursor, run })])
        .await
        .map(|_| ())
}

/// What a run learns when it renews its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    Leased,
    /// An administrator has asked the run to stop.
    StopAsked,
    /// The run was recorded as abandoned.
    Lost,
}

/// Extends the lease to `until`, and stores what the run has counted so far, a JSON object.
pub async fn renew(
    db: &dyn Database,
    run: &PublicId,
    until: Timestamp,
    counts: &str,
) -> Result<Renewed, DbError> {
    from_json! {
        struct RenewedRow {
            stop_asked: bool,
        }
    }
    let renew = stmt!(RENEW {
        lease_until: until,
        counts,
        run
    });
    let row: Option<RenewedRow> = last_row(&batch_retrying_unknown(db, vec![renew]).await?)?;
    Ok(match row {
        None => Renewed::Lost,
        Some(row) if row.stop_asked => Renewed::StopAsked,
        Some(_) => Renewed::Leased,
    })
}

/// Asks a run to stop. Answers false if it has ended, if it was asked before, or if there is no such run or session.
pub fn stop(
    db: &dyn Database,
    session: &Session,
    run: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(STOP_GUARD {
            change,
            run,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(STOP { now, run, change }),
    ];
    audit::run(db, batch, change, run.as_str())
}

/// The statement that reads one run as [`RunReport`].
pub fn report(run: &str) -> Stmt {
    stmt!(REPORT { run })
}

/// Answers whether the job's latest run left work and is no longer running.
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
    let row: Option<UnfinishedRow> =
        last_row(&db.batch(vec![stmt!(UNFINISHED { now, job })]).await?)?;
    Ok(row.is_some_and(|row| row.unfinished))
}

from_json! {
    /// Whether a job has to run before its next trigger.
    #[derive(Clone, Copy, Debug)]
    pub struct Lateness {
        /// The latest run left work.
        pub unfinished: bool,
        /// No run has begun since it was due.
        pub late: bool,
    }
}

/// Answers whether the job's latest run left work, and whether it is older than `due_before`. `None` if there was no run.
pub async fn lateness(
    db: &dyn Database,
    job: &'static str,
    now: Timestamp,
    due_before: Timestamp,
) -> Result<Option<Lateness>, DbError> {
    last_row(
        &db.batch(vec![stmt!(LATE {
            now,
            job,
            due_before
        })])
        .await?,
    )
}

/// Records who asked for a run. Answers false if that session has ended.
pub fn asked(
    db: &dyn Database,
    session: &Session,
    run: &PublicId,
    job: &'static str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![stmt!(ASK_GUARD {
        change,
        run,
        job,
        now,
        actor: &session.member,
        epoch: session.epoch
    })];
    audit::run(db, batch, change, run.as_str())
}

/// The statement that reads the newest runs of all jobs as [`RunReport`].
pub fn latest() -> Stmt {
    stmt!(LATEST { most: SHOWN })
}

/// Stores the run's report and releases the lease. `counts` is a JSON object.
pub async fn end(
    db: &dyn Database,
    run: &PublicId,
    ending: Ending,
    code: Option<&str>,
    counts: &str,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let batch = vec![stmt!(END {
        now,
        outcome: ending.name(),
        code,
        counts,
        cursor,
        run
    })];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}
