//! The scheduled jobs, and which Cron Trigger starts which. The clock of a job is the earlier of its event's time and
//! the current time. A run can therefore be replayed for a past moment, and it never acts early.

mod halt;
pub mod offboard;
pub mod reconcile;
pub mod snapshot;
pub mod sweep;
pub mod usage_sync;
mod walk;
mod watch;

use crate::app::bulk;
use crate::app::closure;
use crate::app::context::App;
use crate::app::rotate;
use crate::app::run::QueuedWork;
use crate::domain::run::Job;
use crate::domain::time::Timestamp;

/// The trigger that fires every ten minutes, as in wrangler.toml.
pub const EVERY_TEN_MINUTES: &str = "*/10 * * * *";
/// The trigger that fires every night.
pub const EVERY_NIGHT: &str = "0 3 * * *";
/// The trigger that fires when the UTC day before is completed, and OpenRouter has counted it.
pub const AFTER_MIDNIGHT: &str = "30 0 * * *";

/// Runs the jobs of a Cron Trigger, one after the other. A trigger that no job belongs to does nothing, and the log says
/// so.
pub async fn run(app: &App, cron: &str, scheduled: Timestamp) {
    if app.config.management_key.is_none() {
        // Without a management key, no job can read or change anything.
        let why = serde_json::json!({ "cron": cron, "why": "no_management_key" });
        return app.note("warn", "run_skipped", why);
    }
    match cron {
        EVERY_TEN_MINUTES => {
            // Before the sweep, so that it finds the keys of those who are put out.
            offboard::go_on(app, scheduled).await;
            bulk::carry_on(app).await;
            // Otherwise another trigger is at work, and reads usage too.
            if sweep_and_go_on(app, scheduled).await {
                usage_sync::go_on(app, scheduled).await;
                snapshot::run(app, scheduled).await;
            }
        }
        AFTER_MIDNIGHT => usage_sync::run(app, scheduled).await,
        EVERY_NIGHT => {
            offboard::run(app, scheduled).await;
            reconcile::run(app, scheduled).await;
        }
        _ => app.note(
            "warn",
            "trigger_unknown",
            serde_json::json!({ "cron": cron }),
        ),
    }
}

/// Does what the ten-minute trigger starts about keys: the sweep, and what is left of a nightly comparison. Answers whether
/// the sweep ran.
pub async fn sweep_and_go_on(app: &App, scheduled: Timestamp) -> bool {
    let swept = sweep::run(app, scheduled).await;
    reconcile::go_on(app, scheduled).await;
    swept
}

/// Does what requests of this isolate have left for the time after their answers.
pub async fn run_queued(app: &App) {
    loop {
        let queued = app.queued_work.borrow_mut().pop();
        match queued {
            None => return,
            Some(QueuedWork::Run {
                job,
                run,
                dry_run,
                days,
            }) => match job {
                Job::Sweep => sweep::work(app, *run).await,
                Job::Reconcile => reconcile::begin(app, *run, dry_run).await,
                Job::UsageSync => usage_sync::begin(app, *run, dry_run, days).await,
                Job::SpendSnapshot => snapshot::work(app, *run).await,
                Job::Offboard => offboard::begin(app, *run, dry_run).await,
            },
            Some(QueuedWork::LeakedSecret(reported)) => {
                rotate::disable_reported(app, &reported).await;
            }
            Some(QueuedWork::Departures) => offboard::put_out(app).await,
            Some(QueuedWork::BulkChanges) => bulk::carry_on(app).await,
            Some(QueuedWork::Closure { actor }) => {
                if let Err(error) = closure::follow(app, actor.as_str()).await {
                    closure::left_to_sweep(app, error);
                }
            }
        }
    }
}
