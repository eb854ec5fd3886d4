//! Scheduled jobs, and which Cron Trigger starts which. A job's clock is the earlier of its event's time and now:
//! a run can be replayed for a past moment, and never acts early.

mod due;
mod erase;
mod holds;
mod lease;
mod strays;
pub mod sweep;
mod walk;

use crate::app::App;
use crate::domain::time::Timestamp;

/// Every ten minutes (wrangler.toml).
pub const EVERY_TEN_MINUTES: &str = "*/10 * * * *";

/// Runs the jobs of a Cron Trigger, one after the other. A trigger that nothing is registered for does nothing yet.
pub async fn run(app: &App, cron: &str, scheduled: Timestamp) {
    if cron == EVERY_TEN_MINUTES {
        sweep::run(app, scheduled).await;
    }
}
