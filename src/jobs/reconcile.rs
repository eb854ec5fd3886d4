//! Compares, every night, all keys of the account with all rows, by name and by hash. Disabled and expired keys are
//! included.
//!
//! 1. Check the database and the account, as the sweep does.
//! 2. Walk every workspace: those of the account, and those named in rows. Each key is looked up by its hash and judged
//!    by its name.
//! 3. Ask OpenRouter, one by one, about recorded keys that no walk has seen. A key counts as missing only if OpenRouter
//!    says that it does not exist.
//! 4. Delete recorded differences that no longer exist, and audit rows that are older than their retention.
//!
//! If someone outside keycap enabled a key or raised its limit, the wanted state is sent again by the code that sends
//! switches and limits. If they disabled the key or lowered its limit, it stays so (see `upstream_changes`). A run that
//! does not finish is continued by the next ten-minute trigger.

pub(crate) mod compare;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::absence;
use crate::app::workspaces as names;
use crate::domain::run::{Job, LIST_REPEATS, UNAVAILABLE};
use crate::domain::time::Timestamp;
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::walk::{self, Bounds, End};
use crate::jobs::watch;
use crate::ports::DbError;
use crate::ports::trace::scoped;
use crate::store::ops::cursors::{Cursor, Position, ReconcileCounts};
use crate::store::ops::drift as rows;
use crate::store::ops::drift::Unseen;
use crate::store::ops::retention;
use crate::store::ops::runs::{self, Ending};
use crate::store::ops::workspaces;
use crate::upstream::openrouter::workspaces::Listing;
use crate::upstream::openrouter::{self, Listed, UpstreamRefusal, UpstreamReply};

const JOB: &str = Job::Reconcile.name();
/// The number of pages, of 100 keys each, that one run asks for.
const PAGE_BUDGET: usize = 400;
/// The number of pages that are read before their keys are looked up and the position is written down.
const SLICE: usize = 10;
/// The number of rows that are read at a time in order to ask about their keys.
const ROWS: i64 = 500;
/// The number of workspaces that one run walks.
const WORKSPACES: i64 = 1_000;
/// A walk that began this many seconds ago is too old to be continued, because the account has changed since.
const STALE_SECS: i64 = 86_400;

/// Does the nightly run: it continues an unfinished run, or begins a new one.
pub async fn run(app: &App, scheduled: Timestamp) {
    if let Some(run) = Run::begin(app, JOB, scheduled).await {
        let cursor = unfinished(&run).unwrap_or_else(|| Cursor::new(false, run.now));
        work(app, run, cursor).await;
    }
}

/// Does an admin's run, from its beginning.
pub async fn begin(app: &App, run: Run, dry_run: bool) {
    let cursor = Cursor::new(dry_run, run.now);
    work(app, run, cursor).await;
}

/// Continues a run that did not finish, if there is one.
pub async fn go_on(app: &App, scheduled: Timestamp) {
    match runs::is_unfinished(&*app.db, JOB, app.now()).await {
        Ok(false) => {}
        Ok(true) => run(app, scheduled).await,
        Err(error) => app.note(
            "error",
            "run_failed",
            json!({ "job": JOB, "cause": format!("{error:?}") }),
        ),
    }
}

/// The position to continue from. If it cannot be read, it may have been that of a dry run, so this run is a dry run
/// too.
fn unfinished(run: &Run) -> Option<Cursor> {
    let cursor = crate::ports::json::read(run.begun.cursor.as_deref()?.as_bytes());
    let cursor = cursor.unwrap_or_else(|| Cursor::new(true, run.now));
    (cursor.began() > run.now.plus(-STALE_SECS)).then_some(cursor)
}

/// Does one run, as far as it gets.
async fn work(app: &App, run: Run, cursor: Cursor) {
    let app = run.counted(app);
    scoped(run.scope(), reconciled(&app, run, cursor)).await;
}

async fn reconciled(app: &App, run: Run, mut cursor: Cursor) {
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => reconcile(app, &run, &mut cursor).await,
        Err(halt) => Err(halt),
    };
    let (ending, code) = match &result {
        Ok(()) if cursor.broken => (Ending::Failed, Some(UNAVAILABLE)),
        Ok(()) if cursor.counts.lists_cut_short > 0 => (Ending::Done, Some(LIST_REPEATS)),
        Ok(()) => (Ending::Done, None),
        Err(halt) => halt.ends(),
    };
    let goes_on = result.is_err() && ending != Ending::Stopped;
    let text = goes_on
        .then(|| serde_json::to_string(&cursor).ok())
        .flatten();
    run.end(app, ending, code, &cursor.counts, text).await;
}

async fn reconcile(app: &App, run: &Run, cursor: &mut Cursor) -> Result<(), Halt> {
    watch::begin(app, run).await?;
    watch::our_account(app, run).await?;
    let mut pages = 0_usize;
    let mut put_last = Vec::new();
    loop {
        let Some(place) = next_place(app, cursor).await? else {
            break;
        };
        if pages >= PAGE_BUDGET || !run.has_room(app) {
            return Err(Halt::Budget(None));
        }
        run.report(&cursor.counts);
        renew(app, run).await?;
        pages = pages.saturating_add(walk_slice(app, run, place, cursor, &mut put_last).await?);
        keep(app, run, cursor).await?;
    }
    if cursor.broken {
        return Ok(());
    }
    ask_for_unseen(app, run, cursor).await?;
    // If anything was left out, a difference that was not seen may still exist.
    let ReconcileCounts {
        unchecked,
        errors,
        lists_cut_short,
        ..
    } = cursor.counts;
    if unchecked == 0 && errors == 0 && lists_cut_short == 0 {
        rows::close(&*app.db, cursor.began()).await?;
    }
    if !cursor.counts.dry_run {
        let days = i64::from(app.config.audit_retention_days);
        let since = run.now.plus(days.saturating_mul(-86_400));
        if run.begun.any_unread {
            workspaces::forget(&*app.db, run.now).await?;
        }
        let pruned = retention::prune(&*app.db, &change(app)?, JOB, since, run.now).await?;
        cursor.counts.audit_pruned = cursor.counts.audit_pruned.saturating_add(pruned);
    }
    Ok(())
}

async fn keep(app: &App, run: &Run, cursor: &Cursor) -> Result<(), Halt> {
    let text = serde_json::to_string(cursor).map_err(|_| DbError::Broken)?;
    Ok(runs::keep(&*app.db, &run.id, &text).await?)
}

/// The workspace to continue with, or `None` if all were walked.
async fn next_place(app: &App, cursor: &mut Cursor) -> Result<Option<String>, Halt> {
    if cursor.places.is_none() {
        let Listing {
            workspaces: listed,
            is_whole,
        } = match openrouter::workspaces::list(&app.upstream()).await {
            UpstreamReply::Is(listing) => listing,
            UpstreamReply::Refused(refused) => return Err(refused.into()),
            UpstreamReply::Missing | UpstreamReply::Unknown => return Err(Halt::Upstream),
        };
        if !is_whole {
            cursor.counts.lists_cut_short = cursor.counts.lists_cut_short.saturating_add(1);
        }
        names::refresh(app, &listed).await?;
        let mut places: Vec<String> = listed.into_iter().map(|one| one.id).collect();
        places.extend(rows::workspaces(&*app.db, WORKSPACES).await?);
        places.sort();
        places.dedup();
        cursor.counts.workspaces = u32::try_from(places.len()).unwrap_or(u32::MAX);
        cursor.places = Some(places);
    }
    Ok(cursor
        .places
        .as_ref()
        .and_then(|places| places.last().cloned()))
}

/// Walks some pages of one workspace and compares their keys. It returns the number of pages. `put_last` has the
/// workspaces of which this run has put the turn behind that of the others.
async fn walk_slice(
    app: &App,
    run: &Run,
    place: String,
    cursor: &mut Cursor,
    put_last: &mut Vec<String>,
) -> Result<usize, Halt> {
    let start = cursor
        .position
        .take()
        .filter(|at| at.workspace_id.as_ref() == Some(&place));
    let start = start.unwrap_or_else(|| Position::start(Some(place.clone()), run.now));
    let bounds = Bounds {
        // All keys are listed, because a key of ours may have another name by now.
        marker: "",
        back_to: None,
        budget: SLICE,
    };
    let (_, walked) = walk::walk(app, run, &bounds, start.clone()).await;
    let is_stalled = walked.is_stalled(&start);
    let was_read = walked.was_read(&start);
    walk::note_reading(app, run, Some(&place), was_read).await?;
    let fresh: Vec<&Listed> = walked
        .ours
        .iter()
        .filter(|key| !start.has(&key.hash))
        .collect();
    compare::compare(app, run, &fresh, cursor).await?;
    compare::settle_strays(app, run, &place, &walked.ours, cursor).await?;
    cursor.counts.pages = cursor.counts.pages.saturating_add(walked.pages);
    match walked.end {
        End::Paused(at) if is_stalled => {
            // This page did not answer; it may answer later. The other workspaces come first, so that this one does not
            // hide them.
            let waiting = cursor.places.as_mut().filter(|places| places.len() > 1);
            if let Some(places) = waiting
                && !put_last.contains(&place)
            {
                put_last.push(place);
                places.rotate_right(1);
                return Ok(walked.pages);
            }
            cursor.position = Some(at);
            return Err(Halt::Upstream);
        }
        End::Paused(at) => {
            cursor.position = Some(at);
            return Ok(walked.pages);
        }
        // The workspace does not exist, or no longer exists. The keys of its rows are asked about one by one.
        End::Empty | End::FarEnough | End::Missing => {}
        End::Refused(refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_))) => {
            return Err(refused.into());
        }
        End::Repeats => {
            cursor.counts.lists_cut_short = cursor.counts.lists_cut_short.saturating_add(1);
        }
        End::Broken | End::Refused(UpstreamRefusal::Rejected) => cursor.broken = true,
    }
    if let Some(places) = &mut cursor.places {
        places.pop();
    }
    Ok(walked.pages)
}

/// Asks about recorded keys that no walk has seen, because a listing alone does not prove that a key is missing.
async fn ask_for_unseen(app: &App, run: &Run, cursor: &mut Cursor) -> Result<(), Halt> {
    loop {
        let unseen = rows::unseen(&*app.db, cursor.asked, cursor.began(), run.now, ROWS).await?;
        if unseen.is_empty() {
            return Ok(());
        }
        for row in unseen {
            if !run.has_room(app) {
                return Err(Halt::Budget(None));
            }
            run.report(&cursor.counts);
            renew(app, run).await?;
            ask_for(app, run, &row, cursor).await?;
            cursor.asked = row.row;
        }
        keep(app, run, cursor).await?;
    }
}

async fn ask_for(app: &App, run: &Run, unseen: &Unseen, cursor: &mut Cursor) -> Result<(), Halt> {
    let due = &unseen.due;
    let hash = due.upstream_hash.as_deref().unwrap_or_default();
    match openrouter::read_listed(&app.upstream(), hash).await {
        // The list did not show this key, but it exists, so it is compared as well.
        UpstreamReply::Is(key) => compare::compare(app, run, &[&key], cursor).await,
        UpstreamReply::Missing if absence::is_gone(app, due.workspace_id.as_deref()).await? => {
            compare::missing(app, run, hash, cursor).await
        }
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => Err(refused.into()),
        UpstreamReply::Missing
        | UpstreamReply::Unknown
        | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            cursor.counts.errors = cursor.counts.errors.saturating_add(1);
            Ok(())
        }
    }
}
