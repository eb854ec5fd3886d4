//! `/api/v1/admin/jobs` and `/api/v1/admin/runs`: what the jobs did, what they found, and one more run on request. The run
//! begins at once and works on after the answer. The next trigger continues what it does not finish, unless an
//! administrator has stopped it.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::runs::request;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::session::Session;
use crate::domain::run::Job;
use crate::domain::usage::progress::REACHES_BACK_DAYS;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::keys::upstream_holds::{self, OutsideChange};
use crate::store::members;
use crate::store::ops::drift::DriftEntry;
use crate::store::ops::findings::Finding;
use crate::store::ops::runs::RunReport;
use crate::store::ops::{drift, findings, runs};
use crate::store::query::read_all;

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct JobsBody {
    /// The newest fifty runs.
    runs: Vec<RunReport>,
    /// The points in which keys differ from their rows, the newest hundred.
    drift: Vec<DriftEntry>,
    /// Keys that someone outside keycap disabled or lowered at OpenRouter, and that stay so, the newest hundred.
    held_upstream: Vec<OutsideChange>,
    /// Keys with our marker and without a row, the newest ones. `/api/v1/admin/findings` has all of them.
    without_row: Vec<Finding>,
}

pub async fn list_jobs(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![
        runs::latest(),
        drift::open(),
        upstream_holds::outside_changes(),
        findings::page(None),
    ];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let none = Rows::new();
    let rows_of = |n: usize| rows.get(n).unwrap_or(&none);
    let body = JobsBody {
        runs: read_all(rows_of(0))?,
        drift: read_all(rows_of(1))?,
        held_upstream: read_all(rows_of(2))?,
        without_row: read_all(rows_of(3))?,
    };
    Reply::json(200, &body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RunRequest {
    dry_run: bool,
    /// Of `usage_sync`: so many completed days, at most 30, are read again whatever is known of them.
    days: Option<i64>,
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BegunBody<'a> {
    run: &'a str,
}

/// Answers 202 with the run's id, under which `GET` later has its report.
pub async fn start_job(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let RunRequest { dry_run, days } = context.json()?;
    let job = Job::parse(context.last_segment()).ok_or(Error::NotFound)?;
    if matches!(job, Job::Sweep | Job::SpendSnapshot) && dry_run {
        return Err(Error::bad_member(
            "/dry_run",
            "must be false: this job has no dry run",
        ));
    }
    let days = days_again(job, days)?;
    let run = request(&context.app, &session, job, dry_run, days).await?;
    Reply::json(202, &BegunBody { run: run.as_str() })
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RunBody {
    run: RunReport,
}

/// Answers 200 with the report of one run. While the run works, its counts grow.
pub async fn show_run(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let run = PublicId::parse(IdKind::Run, context.last_segment()).ok_or(Error::NotFound)?;
    let body = read_run(&context, &session, &run).await?;
    Reply::json(200, &body)
}

/// Asks a run to stop. Answers 202 while it has not stopped yet, and 200 if it has ended.
pub async fn stop_run(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let id = context.segment_before_last();
    let run = PublicId::parse(IdKind::Run, id).ok_or(Error::NotFound)?;
    let app = &*context.app;
    let change = random::public_id(&*app.random, IdKind::Change)?;
    runs::stop(&*app.db, &session, &run, &change, app.now()).await?;
    let body = read_run(&context, &session, &run).await?;
    let status = if body.run.ended_at.is_some() {
        200
    } else {
        202
    };
    Reply::json(status, &body)
}

async fn read_run(context: &Context, session: &Session, run: &PublicId) -> Result<RunBody, Error> {
    let read = vec![runs::report(run.as_str())];
    let (_, rows) = members::signed_in(&*context.app.db, session, read).await?;
    let mut found = read_all(rows.first().unwrap_or(&Rows::new()))?;
    let run = found.pop().ok_or(Error::NotFound)?;
    Ok(RunBody { run })
}

fn days_again(job: Job, days: Option<i64>) -> Result<i64, Error> {
    match days {
        None => Ok(0),
        Some(_) if job != Job::UsageSync => {
            Err(Error::bad_member("/days", "only usage_sync reads days"))
        }
        Some(days) if (1..=REACHES_BACK_DAYS).contains(&days) => Ok(days),
        Some(_) => Err(Error::bad_member(
            "/days",
            "must be 1 to 30: OpenRouter reports no older days",
        )),
    }
}
