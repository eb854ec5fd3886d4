//! The sweep. Every ten minutes it finishes what a crash, a pause or a lost answer left unfinished, and it acts only on
//! evidence.
//!
//! 1. Stop if the database was restored; then only keys that have a hold, or are `revoking`, are disabled. Free the
//!    seats of ended keys whose window is over. Fence mints that nobody waits for, release the locks of rotations that
//!    died, end grace periods that are over, and list what is due (see `generations::take_up`). Stop if the credential
//!    belongs to another account.
//! 2. Close the workspace of our keys if every key must be disabled, or open it again (see `app::closure`). Disable, at OpenRouter, every key that has a hold. A key that someone outside keycap disabled before that also
//!    gets the hold `upstream`.
//! 3. Remove every key that is `revoking`, and confirm it or try again later. After six failures it is `stuck`. While
//!    its secret may still work it is tried in every run, otherwise daily.
//! 4. Close the keys that have expired, with what they spent.
//! 5. Enable every key that has no hold any more.
//! 6. Read again the keys that are disabled for good or expired, and delete each one when its figures are settled. Then
//!    send the limits that have to be computed again, and the switches that follow from them.
//! 7. Walk OpenRouter's list of keys, newest first. Delete strays of ours, and disable keys that carry our marker and
//!    have no row.
//! 8. Close mints of unknown outcome whose key a complete walk, begun late enough, has not seen.
//! 9. Delete old rows, and write the run down.
//!
//! A row that cannot be settled is postponed and counted. It never holds up the other rows.

pub(crate) mod counts;
pub(crate) mod due;
pub(crate) mod limits;
pub(crate) mod looks;
pub(crate) mod purge;
pub(crate) mod rows;
pub(crate) mod strays;
pub(crate) mod switches;

use crate::app::closure;
use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::id::marker;
use crate::domain::time::Timestamp;
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::sweep::counts::{JOB, SweepCounts, Tally};
use crate::jobs::sweep::rows::{ORDER, Step, work_through};
use crate::jobs::walk::{self, Bounds, End, Walked};
use crate::jobs::watch;
use crate::ports::DbError;
use crate::ports::trace::scoped;
use crate::store::keys::due::{BATCH, Due, Place};
use crate::store::keys::generations::{self, Work};
use crate::store::keys::holds::Switch;
use crate::store::ops::cursors::Position;
use crate::store::ops::runs::Ending;
use crate::store::ops::tidy::tidy;
use crate::upstream::openrouter::UpstreamRefusal;

/// The number of pages, of 100 keys each, that one run asks for. At 100,000 keys, a whole walk takes three runs.
const PAGE_BUDGET: usize = 400;

/// Runs one sweep, unless another run has the lease. Answers whether it ran.
pub async fn run(app: &App, scheduled: Timestamp) -> bool {
    let Some(run) = Run::begin(app, JOB, scheduled).await else {
        return false;
    };
    work(app, run).await;
    true
}

/// Does one sweep, as far as it gets.
pub async fn work(app: &App, run: Run) {
    let app = run.counted(app);
    scoped(run.scope(), swept(&app, run)).await;
}

async fn swept(app: &App, run: Run) {
    let counts = Tally::new(SweepCounts {
        back_off_left: run.begun.back_off_left,
        ..SweepCounts::default()
    });
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => watched(app, &run, &counts).await,
        Err(halt) => Err(halt),
    };
    let counts = counts.into_counts();
    let (ending, code) = match &result {
        // A stray that could not be deleted must be seen again, so only a run without errors moves the look-back
        // forward.
        Ok(()) if counts.errors > 0 => (Ending::Partial, Some("errors")),
        Ok(()) => (Ending::Done, None),
        Err(halt) => halt.ends(),
    };
    let cursor = match result {
        Err(Halt::Budget(position)) => position.and_then(|p| serde_json::to_string(&p).ok()),
        _ => None,
    };
    run.end(app, ending, code, &counts, cursor).await;
}

/// Sweeps if the database was not restored, and remembers its state afterwards.
async fn watched(app: &App, run: &Run, counts: &Tally) -> Result<(), Halt> {
    let watch = match watch::begin(app, run).await {
        Err(Halt::Restored) => {
            watch::our_account(app, run).await?;
            let revokes = generations::revokes_due(&*app.db, run.now, BATCH).await?;
            disable_only(app, run, revokes, counts).await?;
            return Err(Halt::Restored);
        }
        other => other?,
    };
    let result = sweep(app, run, counts).await;
    if let Some(watch) = watch {
        watch::end(app, &watch).await?;
    }
    result
}

/// Disables keys that have a hold and keys that are to be removed, and does nothing else.
async fn disable_only(app: &App, run: &Run, revokes: Vec<Due>, counts: &Tally) -> Result<(), Halt> {
    let work = Work {
        revokes,
        ..Work::default()
    };
    let order = [Step::Switch(Switch::Off), Step::DisableOnly];
    work_through(app, run, &order, work, false, counts)
        .await
        .map(|_| ())
}

async fn sweep(app: &App, run: &Run, counts: &Tally) -> Result<(), Halt> {
    let nonce = crate::crypto::random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let recent = walk::look_back(run);
    let changes = [change(app)?, change(app)?, change(app)?];
    if counts.note(|counts| counts.back_off_left) {
        due::end_back_off(app, run, counts).await;
    }
    let mut work = generations::take_up(&*app.db, &changes, &nonce, recent, run.now).await?;
    counts.note(|counts| {
        counts.seats_freed = work.seats_freed;
        counts.fenced = work.fenced;
        counts.rotations_undone = work.rotations_undone;
        counts.graces_ended = work.graces_ended;
    });
    if let Err(halt) = watch::our_account(app, run).await {
        if matches!(halt, Halt::Upstream) {
            // Nothing may be concluded, but keys that must be disabled are disabled in every run.
            disable_only(app, run, std::mem::take(&mut work.revokes), counts).await?;
        }
        return Err(halt);
    }
    if let Err(error) = closure::follow(app, JOB).await {
        // The keys are switched all the same.
        closure::left_to_sweep(app, error);
        counts.one(|counts| &mut counts.errors);
    }
    // The rows leave some of the time to the walk.
    let places = std::mem::take(&mut work.places);
    let all = work_through(app, run, ORDER, work, true, counts).await?;
    walk_all(app, run, places, counts).await?;
    tidy(&*app.db, &change(app)?, run.now).await?;
    if all { Ok(()) } else { Err(Halt::Budget(None)) }
}

/// Walks every workspace where keys of ours may be, beginning where the last run stopped.
async fn walk_all(app: &App, run: &Run, places: Vec<Place>, counts: &Tally) -> Result<(), Halt> {
    let resume = run.begun.cursor.as_deref();
    let mut resume: Option<Position> =
        resume.and_then(|cursor| crate::ports::json::read(cursor.as_bytes()));
    let mut places = walk::merged(places, run);
    let is_next =
        |place: &Place| (resume.as_ref()).is_some_and(|p| p.workspace_id == place.workspace_id);
    let next = places.iter().position(is_next).unwrap_or(0);
    let first = places.split_off(next);
    let (mut broken, mut repeats) = (false, false);
    // Where a walk stands still because a page does not come. The other workspaces are walked before the run ends.
    let mut stalled = None;
    for place in first.into_iter().chain(places) {
        let position = resume
            .take_if(|p| p.workspace_id == place.workspace_id)
            .unwrap_or_else(|| Position::start(place.workspace_id.clone(), run.now));
        let left = PAGE_BUDGET.saturating_sub(counts.note(|counts| counts.pages));
        if left == 0 || !run.has_room(app) {
            return Err(Halt::Budget(Some(position)));
        }
        let (end, is_stalled) = walk_place(app, run, &place, position, left, counts).await?;
        match end {
            End::Paused(position) if is_stalled => stalled = stalled.or(Some(position)),
            End::Empty | End::FarEnough => {}
            // The account is ours but has no such workspace: a plan's setting is mistyped, and there are no keys to
            // look for.
            End::Missing if !place.unsettled => {
                app.note("warn", "no_such_workspace", serde_json::json!({}));
            }
            End::Paused(position) => {
                renew(app, run).await?;
                return Err(Halt::Budget(Some(position)));
            }
            End::Refused(refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_))) => {
                return Err(refused.into());
            }
            End::Repeats => repeats = true,
            End::Missing | End::Broken | End::Refused(UpstreamRefusal::Rejected) => broken = true,
        }
    }
    match (stalled, broken, repeats) {
        (Some(position), ..) => {
            renew(app, run).await?;
            Err(Halt::Budget(Some(position)))
        }
        (None, true, _) => Err(Halt::Upstream),
        (None, false, true) => Err(Halt::ListRepeats),
        (None, false, false) => Ok(()),
    }
}

/// Walks some pages of one workspace, and answers whether it stands still because a page did not come.
async fn walk_place(
    app: &App,
    run: &Run,
    place: &Place,
    position: Position,
    budget: usize,
    counts: &Tally,
) -> Result<(End, bool), Halt> {
    let marker = marker(&run.begun.instance);
    let bounds = Bounds {
        marker: &marker,
        // Only the whole list can show that a key is absent.
        back_to: (!place.unsettled).then(|| walk::look_back(run)),
        budget,
    };
    let began_at = position.clone();
    let (position, walked) = walk::walk(app, run, &bounds, position).await;
    let is_stalled = walked.is_stalled(&began_at);
    let was_read = walked.was_read(&began_at);
    walk::note_reading(app, run, place.workspace_id.as_deref(), was_read).await?;
    let Walked { ours, pages, end } = walked;
    counts.add(pages, |counts| &mut counts.pages);
    counts.add(ours.len(), |counts| &mut counts.listed);
    let judged = strays::judged(app, run, &ours, true).await?;
    let less = judged.less();
    strays::act(app, run, place, judged, counts).await?;
    strays::record_outside_changes(app, run, &less, counts).await?;
    if end == End::Empty {
        let began = Timestamp::from_secs(position.began).min(run.now);
        let own = place.workspace_id.as_deref();
        let home = run.begun.home_workspace_id.as_deref();
        for workspace in std::iter::once(own).chain(home.filter(|_| own.is_none()).map(Some)) {
            let change = change(app)?;
            let cleared =
                generations::clear_absent(&*app.db, workspace, began, &change, run.now).await?;
            counts.note(|counts| counts.cleared = counts.cleared.saturating_add(cleared));
        }
    }
    Ok((end, is_stalled))
}
