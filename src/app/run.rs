//! A run of a job, as one function hands it to another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::budget::Spent;
use crate::domain::id::PublicId;
use crate::domain::run::{Job, WorkersPlan};
use crate::domain::time::Timestamp;
use crate::ports::trace::Scope;
use crate::store::keys::leaks::ReportedGeneration;
use crate::store::ops::runs::StartedRun;

/// A run that holds its job's lease.
pub struct Run {
    pub job: &'static str,
    pub id: PublicId,
    /// The job's clock: the earlier of the event's time and the current time.
    pub now: Timestamp,
    pub begun: StartedRun,
    pub(crate) rows_until: Timestamp,
    pub(crate) works_until: Timestamp,
    pub(crate) lease_secs: i64,
    pub(crate) leased_at: Cell<Timestamp>,
    pub(crate) workers_plan: WorkersPlan,
    pub(crate) spent: Rc<Spent>,
    /// What the run has counted so far, as a JSON object. It is stored whenever the lease is renewed.
    pub(crate) progress: RefCell<String>,
}

impl Run {
    /// What the run's lines of the log belong to.
    pub fn scope(&self) -> Scope {
        Scope::Run(self.id.as_str().into())
    }
}

/// What a request leaves for the time after its answer.
pub enum QueuedWork {
    /// A run that the request has begun.
    Run {
        job: Job,
        run: Box<Run>,
        dry_run: bool,
        /// Of the usage sync, so many completed days are read whatever is known of them.
        days: i64,
    },
    /// Anyone has reported this secret: it is disabled at OpenRouter.
    LeakedSecret(ReportedGeneration),
    /// An administrator has released a list of people who are gone: they are put out.
    Departures,
    /// An administrator has started a change of many keys or members.
    BulkChanges,
    /// The workspace of our keys is closed, or opened again, because of this administrator.
    Closure { actor: PublicId },
}
