//! Reads the counters of keys between two nights, so that pages show what was spent today without asking OpenRouter
//! themselves: first of the keys that spent most today, then, page by page, of all keys. A whole walk takes at most six
//! hours at 100,000 keys, and a few seconds where there are few.

use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::id::marker;
use crate::domain::run::Job;
use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;
use crate::jobs::halt::{Halt, renew};
use crate::jobs::walk::{self, Bounds, End};
use crate::jobs::watch;
use crate::ports::trace::scoped;
use crate::store::ops::cursors::{Position, SnapshotCounts, SnapshotCursor};
use crate::store::ops::runs::Ending;
use crate::store::ops::{drift, figures};
use crate::store::usage::counters::{self, CounterReading};
use crate::upstream::openrouter::{self, UpstreamReply, activity, analytics};

const JOB: &str = Job::SpendSnapshot.name();
/// The number of pages, of 100 keys each, that one run asks for: 100,000 keys take 28 runs.
const PAGES: usize = 40;
/// So many of the keys that spent most today are read in one run.
const SPENDERS: usize = 20;
/// The number of workspaces that are walked.
const WORKSPACES: i64 = 1_000;
/// So many readings are stored in one statement.
const ROWS: usize = 1_000;

/// Runs one snapshot, unless another run has the lease.
pub async fn run(app: &App, scheduled: Timestamp) {
    if let Some(run) = Run::begin(app, JOB, scheduled).await {
        work(app, run).await;
    }
}

/// Does one snapshot, as far as it gets.
pub async fn work(app: &App, run: Run) {
    let app = run.counted(app);
    scoped(run.scope(), taken(&app, run)).await;
}

async fn taken(app: &App, run: Run) {
    let mut counts = SnapshotCounts::default();
    let resume = run.begun.cursor.as_deref();
    let mut cursor: Option<SnapshotCursor> =
        resume.and_then(|text| crate::ports::json::read(text.as_bytes()));
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => take(app, &run, &mut cursor, &mut counts).await,
        Err(halt) => Err(halt),
    };
    let (ending, code) = match &result {
        Ok(()) if counts.errors > 0 => (Ending::Partial, Some("errors")),
        Ok(()) => (Ending::Done, None),
        Err(halt) => halt.ends(),
    };
    // The next run continues the walk here.
    let text = cursor.and_then(|cursor| serde_json::to_string(&cursor).ok());
    run.end(app, ending, code, &counts, text).await;
}

async fn take(
    app: &App,
    run: &Run,
    cursor: &mut Option<SnapshotCursor>,
    counts: &mut SnapshotCounts,
) -> Result<(), Halt> {
    if run.begun.restored {
        return Err(Halt::Restored);
    }
    watch::our_account(app, run).await?;
    let has_spent = read_spenders(app, run, counts).await?;
    read_deployment(app, run, has_spent).await?;
    walk_on(app, run, cursor, counts).await
}

/// Reads what describes the deployment as a whole: the credit of the account, and the size of the database. Credit that
/// OpenRouter does not tell keeps the age of its last reading.
async fn read_deployment(app: &App, run: &Run, has_spent: bool) -> Result<(), Halt> {
    renew(app, run).await?;
    if let UpstreamReply::Is(credit) = activity::credit(&app.upstream()).await {
        figures::record_credit(&*app.db, credit, has_spent, app.now()).await?;
    }
    if let Some(bytes) = app.db.size_bytes() {
        figures::record_size(&*app.db, bytes, app.now()).await?;
    }
    Ok(())
}

/// Reads the keys that have spent most today beyond what is known. Analytics only says which: what counts is the counter of
/// the key itself. Answers whether a key of the account is known to have spent something today.
async fn read_spenders(app: &App, run: &Run, counts: &mut SnapshotCounts) -> Result<bool, Halt> {
    let spenders = match analytics::spenders(&app.upstream(), UtcDay::of(run.now)).await {
        UpstreamReply::Is(spenders) => spenders,
        UpstreamReply::Refused(refused) if refused != openrouter::UpstreamRefusal::Rejected => {
            return Err(refused.into());
        }
        UpstreamReply::Missing | UpstreamReply::Refused(_) | UpstreamReply::Unknown => {
            counts.errors = counts.errors.saturating_add(1);
            return Ok(false);
        }
    };
    let has_spent = !spenders.is_empty();
    let own = marker(&run.begun.instance);
    let ours: Vec<_> = spenders
        .into_iter()
        .filter(|(name, _)| name.starts_with(&own))
        .collect();
    let behind = counters::behind(&*app.db, &ours, run.now).await?;
    let mut readings = Vec::new();
    for hash in behind.into_iter().take(SPENDERS) {
        renew(app, run).await?;
        match openrouter::read_key_once(&app.upstream(), &hash).await {
            UpstreamReply::Is(body) => {
                readings.extend(
                    body.read_at(app.now())
                        .map(|spend| CounterReading { hash, spend }),
                );
            }
            UpstreamReply::Refused(refused) if refused != openrouter::UpstreamRefusal::Rejected => {
                return Err(refused.into());
            }
            UpstreamReply::Missing | UpstreamReply::Refused(_) | UpstreamReply::Unknown => {
                counts.errors = counts.errors.saturating_add(1);
            }
        }
    }
    counts.spenders = readings.len();
    counts.keys = counts.keys.saturating_add(readings.len());
    counters::record(&*app.db, &readings, app.now()).await?;
    Ok(has_spent)
}

/// Walks as many pages as one run may, from where the last run stopped.
async fn walk_on(
    app: &App,
    run: &Run,
    cursor: &mut Option<SnapshotCursor>,
    counts: &mut SnapshotCounts,
) -> Result<(), Halt> {
    let mut at = match cursor.take() {
        Some(at) => at,
        None => SnapshotCursor {
            places: drift::workspaces(&*app.db, WORKSPACES).await?,
            position: None,
        },
    };
    while let Some(place) = at.places.last().cloned() {
        let budget = PAGES.saturating_sub(counts.pages);
        if budget == 0 || !run.has_room(app) {
            *cursor = Some(at);
            return Ok(());
        }
        let start = at
            .position
            .take()
            .unwrap_or_else(|| Position::start(Some(place.clone()), run.now));
        let own = marker(&run.begun.instance);
        let bounds = Bounds {
            marker: &own,
            back_to: None,
            budget,
        };
        let (_, walked) = walk::walk(app, run, &bounds, start.clone()).await;
        counts.pages = counts.pages.saturating_add(walked.pages);
        let read_at = app.now();
        let readings = walked.ours.iter().filter_map(|key| {
            Some(CounterReading {
                hash: key.hash.clone(),
                spend: key.spend_at(read_at)?,
            })
        });
        let readings: Vec<CounterReading> = readings.collect();
        counts.keys = counts.keys.saturating_add(readings.len());
        for some in readings.chunks(ROWS) {
            renew(app, run).await?;
            counters::record(&*app.db, some, read_at).await?;
        }
        let is_stalled = walked.is_stalled(&start);
        let was_read = walked.was_read(&start);
        walk::note_reading(app, run, Some(&place), was_read).await?;
        match walked.end {
            // A page that does not come is asked for once more, by the next run, and not before the other workspaces are
            // walked: one that cannot be read hides none of them.
            End::Paused(_) if is_stalled && (at.places.len() > 1 || run.begun.any_unread) => {
                counts.errors = counts.errors.saturating_add(1);
            }
            End::Paused(position) => {
                at.position = Some(position);
                *cursor = Some(at);
                return Ok(());
            }
            End::Refused(refused) if refused != openrouter::UpstreamRefusal::Rejected => {
                *cursor = Some(at);
                return Err(refused.into());
            }
            End::Empty | End::FarEnough => {}
            End::Repeats | End::Broken | End::Missing | End::Refused(_) => {
                counts.errors = counts.errors.saturating_add(1);
            }
        }
        at.places.pop();
    }
    // A whole walk has ended.
    Ok(figures::record_limits(&*app.db, app.now()).await?)
}
