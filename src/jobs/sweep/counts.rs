//! What a sweep counts, and when it counts too many refusals.

use std::cell::RefCell;

use serde::Serialize;

use crate::domain::run::Job;
use crate::jobs::halt::Halt;
use crate::upstream::openrouter::UpstreamRefusal;

pub const JOB: &str = Job::Sweep.name();

/// The work that a run did.
#[derive(Debug, Default, Serialize)]
pub struct SweepCounts {
    pub seats_freed: usize,
    pub fenced: i64,
    pub rotations_undone: i64,
    pub graces_ended: i64,
    pub disabled: u32,
    pub enabled: u32,
    pub capped: u32,
    pub revoked: u32,
    pub erased: u32,
    pub postponed: u32,
    pub stuck: u32,
    pub expired: u32,
    pub pages: usize,
    pub listed: usize,
    pub deleted: u32,
    pub cleared: i64,
    pub quarantined: u32,
    /// Keys that someone outside keycap disabled or lowered, and that stay so.
    pub kept: usize,
    pub errors: u32,
    /// The changes that OpenRouter confirmed, and those that it did not confirm.
    pub writes: u32,
    pub writes_failed: u32,
    /// Rows that wait because changes went unanswered still have to be made due.
    pub back_off_left: bool,
    #[serde(skip)]
    pub(super) refused_in_a_row: u32,
}

/// A single refusal may concern only that row. This many in a row concern the credential, or all requests.
const REFUSALS: u32 = 3;

/// The counts of a run. The rows of a chunk share them.
#[derive(Debug, Default)]
pub struct Tally(RefCell<SweepCounts>);

impl Tally {
    pub fn new(counts: SweepCounts) -> Self {
        Self(RefCell::new(counts))
    }

    /// Counts with `count`, which gets all counts.
    pub fn note<T>(&self, count: impl FnOnce(&mut SweepCounts) -> T) -> T {
        count(&mut self.0.borrow_mut())
    }

    /// Adds one to the count that `count` names.
    pub fn one(&self, count: impl FnOnce(&mut SweepCounts) -> &mut u32) {
        self.note(|counts| {
            let count = count(counts);
            *count = count.saturating_add(1);
        });
    }

    /// Adds `more` to the count that `count` names.
    pub fn add(&self, more: usize, count: impl FnOnce(&mut SweepCounts) -> &mut usize) {
        self.note(|counts| {
            let count = count(counts);
            *count = count.saturating_add(more);
        });
    }

    /// Counts a refusal of one row. The run halts after too many refusals without a success in between.
    pub fn refusal(&self, refused: UpstreamRefusal) -> Result<(), Halt> {
        self.one(|counts| &mut counts.errors);
        self.one(|counts| &mut counts.refused_in_a_row);
        match refused {
            _ if self.note(|counts| counts.refused_in_a_row) < REFUSALS => Ok(()),
            UpstreamRefusal::Credential => Err(Halt::Credential),
            UpstreamRefusal::Busy(_) => Err(Halt::Busy),
            UpstreamRefusal::Rejected => Ok(()),
        }
    }

    pub fn success(&self) {
        self.note(|counts| counts.refused_in_a_row = 0);
    }

    pub fn into_counts(self) -> SweepCounts {
        self.0.into_inner()
    }
}
