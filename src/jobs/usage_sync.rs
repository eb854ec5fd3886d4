//! Reads usage: each completed UTC day, by key and model, for all keys at once.
//!
//! 1. Check the database and the account, as every job does.
//! 2. Decide which days to read: those that were never read, as far back as OpenRouter reports, and the last ones again, for
//!    what it counted late.
//! 3. Ask analytics what the whole account used in them, and then day by day what each key used. A day with more rows than
//!    one answer is asked for by lists of keys. If analytics cannot be used, every key is asked about by itself.
//! 4. Show each day once all of its rows are written. What no key of ours used is unattributed.
//! 5. Record the last day up to which everything is there, sum months, and delete days that are old.
//!
//! A run that does not finish is continued by the next ten-minute trigger, and so is one that did not come.

mod by_key;
mod by_query;
mod pass;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::run::Job;
use crate::domain::time::Timestamp;
use crate::domain::usage::day::{DAY_SECS, UtcDay};
use crate::domain::usage::progress::{REACHES_BACK_DAYS, ReadDay, days_to_read, through};
use crate::jobs::halt::{Halt, renew};
use crate::jobs::watch;
use crate::ports::DbError;
use crate::ports::trace::scoped;
use crate::store::ops::cursors::UsageCursor;
use crate::store::ops::runs::{self, Ending};
use crate::store::usage::{days, months};

const JOB: &str = Job::UsageSync.name();
/// If no run has begun for this many seconds, a trigger did not come: a day and an hour.
const LATE_SECS: i64 = DAY_SECS + 3_600;
/// A cursor that is older than this is not continued: other days are due by then.
const STALE_SECS: i64 = DAY_SECS;
/// Usage that is this many days behind is reported as an error.
const BEHIND_DAYS: i64 = 2;

/// Does the nightly run: it continues an unfinished run, or begins a new one.
pub async fn run(app: &App, scheduled: Timestamp) {
    if let Some(run) = Run::begin(app, JOB, scheduled).await {
        let cursor = unfinished(&run).unwrap_or_else(|| UsageCursor::new(false, 0, run.now));
        work(app, run, cursor).await;
    }
}

/// Does an admin's run, from its beginning. `again` completed days are read whatever is known of them.
pub async fn begin(app: &App, run: Run, dry_run: bool, again: i64) {
    let cursor = UsageCursor::new(dry_run, again, run.now);
    work(app, run, cursor).await;
}

/// Continues a run that did not finish, and does the one that did not come. Before the first nightly trigger there is
/// neither.
pub async fn go_on(app: &App, scheduled: Timestamp) {
    let now = app.now().min(scheduled);
    match runs::lateness(&*app.db, JOB, app.now(), now.plus(-LATE_SECS)).await {
        Ok(Some(lateness)) if lateness.unfinished || lateness.late => {
            if lateness.late {
                app.note("error", "run_late", json!({ "job": JOB }));
            }
            run(app, scheduled).await;
        }
        Ok(_) => {}
        Err(error) => {
            let cause = format!("{error:?}");
            app.note("error", "run_failed", json!({ "job": JOB, "cause": cause }));
        }
    }
}

/// The position to continue from, unless it is too old. A dry run is not continued, because it wrote nothing.
fn unfinished(run: &Run) -> Option<UsageCursor> {
    let cursor: UsageCursor = crate::ports::json::read(run.begun.cursor.as_deref()?.as_bytes())?;
    let is_fresh = cursor.began > run.now.plus(-STALE_SECS).secs();
    (is_fresh && !cursor.counts.dry_run).then_some(cursor)
}

async fn work(app: &App, run: Run, cursor: UsageCursor) {
    let app = run.counted(app);
    scoped(run.scope(), synced(&app, run, cursor)).await;
}

async fn synced(app: &App, run: Run, mut cursor: UsageCursor) {
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => sync(app, &run, &mut cursor).await,
        Err(halt) => Err(halt),
    };
    let (ending, code) = match &result {
        Ok(()) if cursor.counts.failed_keys > 0 => (Ending::Partial, Some("keys_failed")),
        Ok(()) => (Ending::Done, None),
        Err(halt) => halt.ends(),
    };
    let goes_on = result.is_err() && ending != Ending::Stopped && !cursor.counts.dry_run;
    let text = goes_on
        .then(|| serde_json::to_string(&cursor).ok())
        .flatten();
    run.end(app, ending, code, &cursor.counts, text).await;
}

async fn sync(app: &App, run: &Run, cursor: &mut UsageCursor) -> Result<(), Halt> {
    if run.begun.restored {
        return Err(Halt::Restored);
    }
    watch::our_account(app, run).await?;
    let today = UtcDay::of(Timestamp::from_secs(cursor.began).min(run.now));
    if cursor.left.is_none() {
        let known = read_days(app, today).await?.0;
        let left = days_to_read(&known, today, cursor.again);
        cursor.left = Some(left.iter().map(|day| day.number()).collect());
    }
    if cursor.left.as_ref().is_some_and(|left| !left.is_empty()) {
        if !cursor.counts.dry_run {
            days::name_models(&*app.db).await?;
        }
        by_query::read_left(app, run, cursor).await?;
    }
    if cursor.counts.dry_run {
        return Ok(());
    }
    finish(app, run, today, cursor).await
}

/// Records how far everything is there, sums months, and reports usage that is behind.
async fn finish(app: &App, run: &Run, today: UtcDay, cursor: &mut UsageCursor) -> Result<(), Halt> {
    renew(app, run).await?;
    let (known, before) = read_days(app, today).await?;
    let reached = through(&known, before, today);
    if let Some(reached) = reached {
        days::set_through(&*app.db, reached, UtcDay::of(app.now())).await?;
    }
    let (summed, rolled) = months::roll_up(&*app.db, today, app.now()).await?;
    cursor.counts.months_summed = cursor.counts.months_summed.saturating_add(summed);
    cursor.counts.months_rolled = cursor.counts.months_rolled.saturating_add(rolled);
    let behind = reached.map(|reached| today.since(reached).saturating_sub(1));
    if behind.is_none_or(|behind| behind >= BEHIND_DAYS) {
        app.note("error", "usage_behind", json!({ "days": behind }));
    }
    Ok(())
}

/// The days that OpenRouter reports, as they were left, and the last day up to which everything is there.
async fn read_days(app: &App, today: UtcDay) -> Result<(Vec<ReadDay>, Option<UtcDay>), DbError> {
    let from = today.plus(-REACHES_BACK_DAYS);
    let known = days::known(&*app.db, from, today.plus(-1)).await?;
    let read = known.days.iter().map(days::DayRow::read_day);
    Ok((read.collect(), known.through))
}
