//! Scheduled jobs, and which Cron Trigger starts which. A job's clock is the earlier of its event's time and now:
//! a run can be replayed for a past moment, and never acts early.

pub mod reconcile;
mod run;
pub mod sweep;
mod walk;
mod watch;

use crate::domain::people::session::Session;
use crate::jobs::run::Run;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::time::Timestamp;
use crate::store::ops::runs::{self, Ending};

/// Every ten minutes (wrangler.toml).
pub const EVERY_TEN_MINUTES: &str = "*/10 * * * *";
/// Every night.
pub const EVERY_NIGHT: &str = "0 3 * * *";
/// A request may work on for thirty seconds after its answer; a run that it began stops well within.
const AFTER_ANSWER_SECS: i64 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Sweep,
    Reconcile,
}

impl Job {
    pub fn parse(name: &str) -> Option<Self> {
        let known = [Self::Sweep, Self::Reconcile];
        known.into_iter().find(|job| job.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sweep => sweep::JOB,
            Self::Reconcile => reconcile::JOB,
        }
    }
}

/// A run that was begun for a request, and works on after its answer.
pub struct QueuedRun {
    job: Job,
    run: Run,
    dry_run: bool,
}

/// Runs the jobs of a Cron Trigger, one after the other. A trigger that nothing is registered for does nothing yet.
pub async fn run(app: &App, cron: &str, scheduled: Timestamp) {
    if app.config.management_key.is_none() {
        // There is nothing that any of them could ask for or see to.
        let why = serde_json::json!({ "cron": cron, "why": "no_management_key" });
        return app.note("warn", "run_skipped", why);
    }
    match cron {
        EVERY_TEN_MINUTES => {
            sweep::run(app, scheduled).await;
            reconcile::go_on(app, scheduled).await;
        }
        EVERY_NIGHT => reconcile::run(app, scheduled).await,
        _ => {}
    }
}

/// Begins a run for an admin; [`run_asked`] works on it.
pub async fn ask(app: &App, session: &Session, job: Job, dry_run: bool) -> Result<PublicId, Error> {
    if app.config.management_key.is_none() {
        return Err(Error::NotConfigured);
    }
    let begun = Run::begin_short(app, job.name(), AFTER_ANSWER_SECS).await;
    let run = begun.ok_or(Error::JobUnderWay)?;
    let (id, change) = (
        run.id.clone(),
        random::public_id(&*app.random, IdKind::Change)?,
    );
    let (name, now) = (job.name(), app.now());
    let asked = runs::asked(&*app.db, session, &id, name, &change, now).await;
    if asked != Ok(true) {
        let nothing = serde_json::json!({});
        run.end(app, Ending::Stopped, Some("not_asked"), &nothing, None)
            .await;
        return Err(asked.map_or_else(Error::from, |_| Error::SignInRequired));
    }
    if job == Job::Reconcile
        && let Err(error) = reconcile::prepare(app, &run, dry_run).await
    {
        // Not begun: nobody is to wait for its lease.
        let (failed, nothing) = (Some("storage_unavailable"), serde_json::json!({}));
        run.end(app, Ending::Failed, failed, &nothing, None).await;
        return Err(error.into());
    }
    let asked = QueuedRun { job, run, dry_run };
    app.asked.borrow_mut().push(asked);
    Ok(id)
}

/// Works on the runs that requests of this isolate have begun.
pub async fn run_asked(app: &App) {
    loop {
        let asked = app.asked.borrow_mut().pop();
        let Some(QueuedRun { job, run, dry_run }) = asked else {
            return;
        };
        match job {
            Job::Sweep => sweep::work(app, run).await,
            Job::Reconcile => reconcile::begin(app, run, dry_run).await,
        }
    }
}
