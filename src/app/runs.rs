//! A run of a job: its lease, its clock and its report, and how an admin begins one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::app::budget::{CountedDatabase, CountedHttp};
use crate::app::chunk::CHUNK;
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::run::{QueuedWork, Run};
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::session::Session;
use crate::domain::run::{Job, RunBudget, WorkersPlan};
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::ops::cursors::{Cursor, OffboardCursor, UsageCursor};
use crate::store::ops::runs::{self, Ending, Renewed};

/// A run that is silent for this many seconds counts as dead. A run renews its lease while it works, at the latest when
/// a third of it has passed. Even a run that dies at its very end therefore does not cost the next trigger its run.
const LEASE_SECS: i64 = 150;
/// How often a run stores what it has counted, in seconds. On the free plan that would use up its statements, so it does
/// so only when it must renew its lease.
const PROGRESS_SECS: i64 = 5;
/// A run begins no new work after this many seconds. Together with a last lease, it ends before the next trigger, ten
/// minutes later.
const WORK_SECS: i64 = 420;
/// What of that is kept for the walk of OpenRouter's list, in seconds. A short run keeps half of its time.
const WALK_SECS: i64 = 90;
/// The lease of a run that works for a few seconds after the answer to a request.
const SHORT_LEASE_SECS: i64 = 60;

/// A request may work on for thirty seconds after its answer, so a run that it began stops earlier than that.
const AFTER_ANSWER_SECS: i64 = 20;

/// The most that one chunk of rows or one page of a list usually takes.
const A_CHUNK: RunBudget = RunBudget {
    statements: 16,
    calls: 3,
};

impl Run {
    /// Takes the lease. It returns `None` while another run has it, or if the database does not answer.
    pub async fn begin(app: &App, job: &'static str, scheduled: Timestamp) -> Option<Self> {
        Self::lease(app, job, scheduled, WORK_SECS, LEASE_SECS).await
    }

    /// Does the same with this many seconds to work.
    pub async fn begin_short(app: &App, job: &'static str, work_secs: i64) -> Option<Self> {
        Self::lease(app, job, app.now(), work_secs, SHORT_LEASE_SECS).await
    }

    async fn lease(
        app: &App,
        job: &'static str,
        scheduled: Timestamp,
        work_secs: i64,
        lease_secs: i64,
    ) -> Option<Self> {
        let clock = app.now();
        let now = scheduled.min(clock);
        let id = random::public_id(&*app.random, IdKind::Run).ok()?;
        match runs::begin(&*app.db, job, &id, scheduled, clock, lease_secs).await {
            Ok(Some(begun)) => Some(Self {
                job,
                id,
                now,
                begun,
                rows_until: clock.plus(work_secs.saturating_sub(WALK_SECS.min(work_secs / 2))),
                works_until: clock.plus(work_secs),
                lease_secs,
                leased_at: Cell::new(clock),
                workers_plan: app.config.workers_plan,
                spent: Rc::default(),
                progress: RefCell::new(String::from("{}")),
            }),
            Ok(None) => {
                app.note("info", "run_skipped", json!({ "job": job }));
                None
            }
            Err(error) => {
                let cause = format!("{error:?}");
                app.note("error", "run_failed", json!({ "job": job, "cause": cause }));
                None
            }
        }
    }

    /// Notes what the run has counted so far. It is stored when the lease is renewed.
    pub fn report(&self, counts: &impl serde::Serialize) {
        *self.progress.borrow_mut() = self.with_budget(counts).to_string();
    }

    /// The counts of the run with what it has used of its budget.
    fn with_budget(&self, counts: &impl serde::Serialize) -> Value {
        let mut counts = serde_json::to_value(counts).unwrap_or_else(|_| json!({}));
        if let Some(counts) = counts.as_object_mut() {
            counts.insert(String::from("statements"), json!(self.spent.statements()));
            counts.insert(String::from("calls"), json!(self.spent.calls()));
        }
        counts
    }

    /// Renews the lease if it has not been renewed for a while, and stores what the run has counted.
    pub async fn renew(&self, app: &App) -> Result<Renewed, DbError> {
        let now = app.now();
        let every = match self.workers_plan {
            WorkersPlan::Paid => PROGRESS_SECS.min(self.lease_secs / 3),
            WorkersPlan::Free => self.lease_secs / 3,
        };
        if now < self.leased_at.get().plus(every) {
            return Ok(Renewed::Leased);
        }
        let (until, counts) = (now.plus(self.lease_secs), self.progress.borrow().clone());
        let renewed = runs::renew(&*app.db, &self.id, until, &counts).await?;
        if renewed == Renewed::Leased {
            self.leased_at.set(now);
        }
        Ok(renewed)
    }

    /// The application whose statements and calls count towards this run's budget.
    pub fn counted(&self, app: &App) -> App {
        let spent = || Rc::clone(&self.spent);
        App {
            db: Rc::new(CountedDatabase {
                inner: Rc::clone(&app.db),
                spent: spent(),
            }),
            http: Rc::new(CountedHttp {
                inner: Rc::clone(&app.http),
                spent: spent(),
            }),
            ..app.clone()
        }
    }

    /// Answers whether there is time, and budget, to begin more work.
    pub fn has_room(&self, app: &App) -> bool {
        let budget = self.workers_plan.budget();
        app.now() < self.works_until && self.spent.leaves_room(budget, A_CHUNK)
    }

    /// Answers whether there is time, and budget, for single rows. They leave some of the run's time,
    /// and of its budget, for its end.
    pub fn has_room_for_rows(&self, app: &App) -> bool {
        let (budget, reserve) = (self.workers_plan.budget(), self.workers_plan.reserve());
        let for_rows = RunBudget {
            statements: budget.statements.saturating_sub(reserve.statements),
            calls: budget.calls.saturating_sub(reserve.calls),
        };
        app.now() < self.rows_until && self.spent.leaves_room(for_rows, A_CHUNK)
    }

    /// Returns how many rows may be worked on at once, if each takes as many calls as one that is sent three times.
    pub fn rows_at_once(&self) -> usize {
        let calls = self.workers_plan.budget().calls;
        let left = calls.saturating_sub(self.workers_plan.reserve().calls);
        (left.saturating_sub(self.spent.calls()) / 3).min(CHUNK)
    }

    /// Writes the report.
    pub async fn end(
        self,
        app: &App,
        ending: Ending,
        code: Option<&str>,
        counts: &impl serde::Serialize,
        cursor: Option<String>,
    ) {
        let counts = self.with_budget(counts);
        let level = match ending {
            Ending::Done | Ending::Partial => "info",
            Ending::Failed | Ending::Stopped => "error",
        };
        app.note(
            level,
            "run_ended",
            json!({ "job": self.job, "ending": format!("{ending:?}"), "code": code, "counts": counts }),
        );
        let written = runs::end(
            &*app.db,
            &self.id,
            ending,
            code,
            &counts.to_string(),
            cursor.as_deref(),
            app.now(),
        )
        .await;
        if let Err(error) = written {
            let cause = format!("{error:?}");
            app.note(
                "error",
                "run_unwritten",
                json!({ "job": self.job, "cause": cause }),
            );
        }
    }
}

/// Begins a run for an admin: takes the lease and writes down who asked. The jobs do the work after the answer. `days` is
/// for the usage sync alone.
pub async fn request(
    app: &App,
    session: &Session,
    job: Job,
    dry_run: bool,
    days: i64,
) -> Result<PublicId, Error> {
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
    if let Err(error) = keep_cursor(app, &run, job, dry_run, days).await {
        // The run did not begin, so its lease is given up at once.
        let (failed, nothing) = (Some("storage_unavailable"), serde_json::json!({}));
        run.end(app, Ending::Failed, failed, &nothing, None).await;
        return Err(error.into());
    }
    let run = Box::new(run);
    let queued = QueuedWork::Run {
        job,
        run,
        dry_run,
        days,
    };
    app.queued_work.borrow_mut().push(queued);
    Ok(id)
}

/// Writes down what an admin's run should do. If that run dies, the next trigger does it.
async fn keep_cursor(
    app: &App,
    run: &Run,
    job: Job,
    dry_run: bool,
    days: i64,
) -> Result<(), DbError> {
    let text = match job {
        Job::Sweep | Job::SpendSnapshot => return Ok(()),
        Job::Offboard => serde_json::to_string(&OffboardCursor::new(dry_run, run.now)),
        Job::Reconcile => serde_json::to_string(&Cursor::new(dry_run, run.now)),
        Job::UsageSync => serde_json::to_string(&UsageCursor::new(dry_run, days, run.now)),
    };
    runs::keep(&*app.db, &run.id, &text.map_err(|_| DbError::Broken)?).await
}
