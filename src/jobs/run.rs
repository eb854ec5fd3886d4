//! A run of a job: its lease, its report, its clock.

use std::cell::Cell;

use serde_json::json;

use crate::app::context::App;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::time::Timestamp;
use crate::jobs::sweep::Halt;
use crate::ports::DbError;
use crate::store::ops::runs::{self, Ending, StartedRun};

/// How long a run may be silent before it counts as dead. It renews its lease as it works, at the latest when a third of
/// it has passed: one that dies, even at its very end, does not cost the next trigger its turn.
const LEASE_SECS: i64 = 150;
/// A run stops taking up new work after this: with a last lease it ends before the next trigger, ten minutes on.
const WORK_SECS: i64 = 420;
/// The lease of a run that works for seconds only, after the answer to a request.
const SHORT_LEASE_SECS: i64 = 60;

/// A run that holds its job's lease.
pub struct Run {
    pub job: &'static str,
    pub id: PublicId,
    /// The job's clock: the earlier of the event's time and now.
    pub now: Timestamp,
    pub begun: StartedRun,
    rows_until: Timestamp,
    works_until: Timestamp,
    lease_secs: i64,
    leased_at: Cell<Timestamp>,
}

impl Run {
    /// Takes the lease; `None` while another run has it, or when the database does not answer.
    pub async fn begin(app: &App, job: &'static str, scheduled: Timestamp) -> Option<Self> {
        Self::lease(app, job, scheduled, WORK_SECS, LEASE_SECS).await
    }

    /// The same, with no more than so many seconds to work.
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
                rows_until: clock.plus(work_secs / 2),
                works_until: clock.plus(work_secs),
                lease_secs,
                leased_at: Cell::new(clock),
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

    /// Says that this run is at work, where it has not for a while. It halts where another has taken its place.
    pub async fn renew(&self, app: &App) -> Result<(), Halt> {
        let now = app.now();
        if now < self.leased_at.get().plus(self.lease_secs / 3) {
            return Ok(());
        }
        if !runs::renew(&*app.db, &self.id, now.plus(self.lease_secs)).await? {
            return Err(Halt::LeaseLost);
        }
        self.leased_at.set(now);
        Ok(())
    }

    /// Whether there is time to take up more.
    pub fn has_time(&self, app: &App) -> bool {
        app.now() < self.works_until
    }

    /// Whether single rows may still take some: half of the run is theirs.
    pub fn has_time_for_rows(&self, app: &App) -> bool {
        app.now() < self.rows_until
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
        let counts = serde_json::to_value(counts).unwrap_or_else(|_| json!({}));
        let level = match ending {
            Ending::Done | Ending::Partial => "info",
            Ending::Failed | Ending::Stopped => "error",
        };
        app.note(
            level,
            "run_ended",
            json!({ "job": self.job, "run": self.id.as_str(), "ending": format!("{ending:?}"), "code": code, "counts": counts }),
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

/// A fresh change id, or the run's failure.
pub fn change(app: &App) -> Result<PublicId, DbError> {
    random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)
}
