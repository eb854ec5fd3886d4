//! A run of a job: its lease, its report, its clock.

use serde_json::json;

use crate::app::App;
use crate::crypto::random;
use crate::domain::id::{Kind, PublicId};
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::runs::{self, Begun, Ending};

/// Shorter than the ten minutes between two runs: one that died does not cost the next one its turn.
const LEASE_SECS: i64 = 540;
/// A run stops taking up new work after this, well within its lease.
const WORK_SECS: i64 = 420;

/// A run that holds its job's lease.
pub struct Run {
    pub job: &'static str,
    pub id: PublicId,
    /// The job's clock: the earlier of the event's time and now.
    pub now: Timestamp,
    pub begun: Begun,
    rows_until: Timestamp,
    works_until: Timestamp,
}

impl Run {
    /// Takes the lease; `None` while another run has it, or when the database does not answer.
    pub async fn begin(app: &App, job: &'static str, scheduled: Timestamp) -> Option<Self> {
        let clock = app.now();
        let now = scheduled.min(clock);
        let id = random::public_id(&*app.random, Kind::Run).ok()?;
        match runs::begin(&*app.db, job, &id, scheduled, clock, LEASE_SECS).await {
            Ok(Some(begun)) => Some(Self {
                job,
                id,
                now,
                begun,
                rows_until: clock.plus(WORK_SECS / 2),
                works_until: clock.plus(WORK_SECS),
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

    /// The same run, with no more than so many seconds to work.
    pub fn within(self, app: &App, secs: i64) -> Self {
        Self {
            rows_until: app.now().plus(secs / 2),
            works_until: app.now().plus(secs),
            ..self
        }
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
    random::public_id(&*app.random, Kind::Change).map_err(|_| DbError::Broken)
}
