//! Offboarding: compares members, every night before the comparison with OpenRouter, with the directories that say who has
//! left, and puts out those who have.
//!
//! 1. Walk each directory that is configured. A walk that is doubtful in any way gives nobody a strike.
//! 2. Members who were found gone on two UTC days are listed. A list that is implausibly long waits for an administrator.
//! 3. Put out the people of released lists: their sessions and keys end in one batch, and the sweep has their keys disabled
//!    and deleted at OpenRouter.
//! 4. Erase what is stored about people who were put out some time ago.
//!
//! The first walk through a directory only looks, and so does the first one after its settings have changed.

mod source;
mod walk;

use serde_json::json;

use crate::app::context::App;
use crate::app::departures::{carry_out, erase_departed};
use crate::app::run::Run;
use crate::domain::people::departure::{DirectoryKind, Doubt, UNKNOWN_SECS};
use crate::domain::run::{DIRECTORY_MALFORMED, Job};
use crate::domain::time::Timestamp;
use crate::jobs::halt::{Halt, renew};
use crate::jobs::offboard::source::DirectorySource;
use crate::jobs::offboard::walk::{Broken, keep, walk};
use crate::jobs::watch;
use crate::ports::DbError;
use crate::ports::trace::scoped;
use crate::store::members::{departures, presences};
use crate::store::ops::cursors::OffboardCursor;
use crate::store::ops::runs::{self, Ending};

const JOB: &str = Job::Offboard.name();
/// A run that began this many seconds ago is not continued, since people come and go.
const STALE_SECS: i64 = 6 * 3_600;

/// Does the nightly run: it continues an unfinished run, or begins a new one. Without any directory there is none.
pub async fn run(app: &App, scheduled: Timestamp) {
    if !is_configured(app) {
        let why = json!({ "job": JOB, "why": "not_configured" });
        return app.note("info", "run_skipped", why);
    }
    if let Some(run) = Run::begin(app, JOB, scheduled).await {
        let cursor = unfinished(&run).unwrap_or_else(|| OffboardCursor::new(false, run.now));
        work(app, run, cursor).await;
    }
}

/// Does an admin's run, from its beginning.
pub async fn begin(app: &App, run: Run, dry_run: bool) {
    let cursor = OffboardCursor::new(dry_run, run.now);
    work(app, run, cursor).await;
}

/// Continues a run that did not finish, and puts out those of a released list who were not yet.
pub async fn go_on(app: &App, scheduled: Timestamp) {
    if !is_configured(app) {
        return;
    }
    let left = match runs::is_unfinished(&*app.db, JOB, app.now()).await {
        Ok(true) => return run(app, scheduled).await,
        Ok(false) => departures::is_left(&*app.db).await,
        Err(error) => Err(error),
    };
    let left = match left {
        Ok(left) => left,
        Err(error) => return failed(app, error),
    };
    if left {
        put_out(app).await;
    }
}

/// Puts out the people of released lists. What is left is done by the next ten-minute trigger.
pub async fn put_out(app: &App) {
    if let Err(error) = carry_out(app, || true).await {
        failed(app, error);
    }
}

fn failed(app: &App, error: DbError) {
    let cause = format!("{error:?}");
    app.note("error", "run_failed", json!({ "job": JOB, "cause": cause }));
}

fn is_configured(app: &App) -> bool {
    app.config.directory.is_set() || app.config.organization.is_set()
}

/// The position to continue from, unless it is too old. A dry run is continued as one.
fn unfinished(run: &Run) -> Option<OffboardCursor> {
    let cursor: OffboardCursor = crate::ports::json::read(run.begun.cursor.as_deref()?.as_bytes())?;
    (cursor.began() > run.now.plus(-STALE_SECS)).then_some(cursor)
}

async fn work(app: &App, run: Run, cursor: OffboardCursor) {
    let app = run.counted(app);
    scoped(run.scope(), offboarded(&app, run, cursor)).await;
}

async fn offboarded(app: &App, run: Run, mut cursor: OffboardCursor) {
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => offboard(app, &run, &mut cursor).await,
        Err(halt) => Err(halt),
    };
    let (ending, code) = match &result {
        Ok(()) => ending(&cursor),
        Err(halt) => {
            let (ending, code) = halt.ends();
            (ending, code.map(str::to_owned))
        }
    };
    let goes_on = result.is_err() && ending != Ending::Stopped;
    let text = goes_on
        .then(|| serde_json::to_string(&cursor).ok())
        .flatten();
    run.end(app, ending, code.as_deref(), &cursor.counts, text)
        .await;
}

/// How a run ends that has done what it could: the most serious of what it met is its code.
fn ending(cursor: &OffboardCursor) -> (Ending, Option<String>) {
    let counts = &cursor.counts;
    if let Some(code) = &cursor.code {
        let is_skipped = code.ends_with("configured");
        let ending = if is_skipped {
            Ending::Done
        } else {
            Ending::Failed
        };
        return (ending, Some(code.clone()));
    }
    let code = |code: &str| Some(code.to_owned());
    match counts {
        counts if counts.errors > 0 => (Ending::Partial, code("errors")),
        counts if counts.held > 0 => (Ending::Done, code("departures_held")),
        counts if counts.first_look => (Ending::Done, code("first_look")),
        _ => (Ending::Done, None),
    }
}

async fn offboard(app: &App, run: &Run, cursor: &mut OffboardCursor) -> Result<(), Halt> {
    watch::begin(app, run).await?;
    if !is_configured(app) {
        cursor.code = Some(String::from("not_configured"));
    }
    while let Some(provider) = cursor.left.last().cloned() {
        let kind = DirectoryKind::parse(&provider);
        match kind.map_or(Ok(None), |kind| DirectorySource::of(&app.config, kind)) {
            Ok(None) => {}
            Err(code) => {
                app.note(
                    if code == DIRECTORY_MALFORMED {
                        "error"
                    } else {
                        "warn"
                    },
                    "directory_skipped",
                    json!({ "directory": provider, "code": code }),
                );
                cursor.met(&provider, code);
            }
            Ok(Some(source)) => match walk(app, run, &source, &provider, cursor).await {
                Ok(()) => {}
                Err(Broken::Doubt(doubt)) => doubted(app, run, &provider, doubt, cursor).await?,
                Err(Broken::Halt(halt)) => return Err(halt),
            },
        }
        cursor.walk = None;
        cursor.left.pop();
        keep(app, run, cursor).await?;
    }
    if cursor.counts.dry_run {
        return Ok(());
    }
    renew(app, run).await?;
    let gone = carry_out(app, || run.has_room(app)).await?;
    cursor.counts.blocked = cursor.counts.blocked.saturating_add(gone.people);
    cursor.counts.keys = cursor.counts.keys.saturating_add(gone.keys);
    for code in gone.failed {
        cursor.counts.problem(&code);
    }
    if !gone.all {
        return Err(Halt::Budget(None));
    }
    renew(app, run).await?;
    let erased = erase_departed(app, run.now, || run.has_room(app)).await?;
    cursor.counts.erased = cursor.counts.erased.saturating_add(erased.people);
    for code in erased.failed {
        cursor.counts.problem(&code);
    }
    if erased.all {
        Ok(())
    } else {
        Err(Halt::Budget(None))
    }
}

/// Writes down that a directory is doubtful. If it has been so for a day, nobody is being put out, and that is an alarm.
async fn doubted(
    app: &App,
    run: &Run,
    provider: &str,
    doubt: Doubt,
    cursor: &mut OffboardCursor,
) -> Result<(), Halt> {
    let code = doubt.code();
    cursor.met(provider, code);
    if cursor.counts.dry_run {
        return Ok(());
    }
    presences::doubt(&*app.db, provider, code, run.now).await?;
    let known = presences::directory(&*app.db, provider).await?;
    let since = known.and_then(|known| known.unknown_since);
    let is_alarm = since.is_some_and(|since| since <= run.now.plus(-UNKNOWN_SECS));
    let more =
        json!({ "directory": provider, "code": code, "since": since.map(Timestamp::rfc3339) });
    let (level, event) = if is_alarm {
        ("error", "directory_unknown")
    } else {
        ("warn", "directory_doubtful")
    };
    app.note(level, event, more);
    Ok(())
}
