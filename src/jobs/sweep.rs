//! The sweep: every ten minutes it finishes what a crash, a pause or a lost answer left, on evidence only.
//!
//! 1. Stop if the database is behind what it was: then only what has a hold, or is `revoking`, is switched off. Free seats
//!    of ended keys whose window is over. Fence
//!    mints that nobody waits for any more, let go of keys whose rotation died, end graces that are over, and list what
//!    is due (`generations::take_up`). Stop if the credential is another account's.
//! 2. Switch off upstream what has a hold; what somebody else has disabled before that is held on account of it.
//! 3. Remove what is `revoking`; confirm it, or try again later; after six failures it is `stuck`. While
//!    its secret may still work it is tried in every run, else daily.
//! 4. Close what has expired, with what it spent.
//! 5. Switch on again what has no hold any more.
//! 6. Look again at what is off for good or expired, and delete it when its figures are settled. Then bring the limits
//!    upstream that are to be computed anew, and once more what holds make of that.
//! 7. Walk the upstream's keys, newest first; delete strays of ours, quarantine markers without a row.
//! 8. Free doubtful mints that a clean walk, begun late enough, has not seen.
//! 9. Tidy, and write the run down.
//!
//! A row that cannot be settled is postponed and counted; it never holds up the others.

pub(crate) mod counts;
pub(crate) mod due;
pub(crate) mod limits;
pub(crate) mod purge;
pub(crate) mod strays;
pub(crate) mod switches;

use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::id::marker;
use crate::domain::time::Timestamp;
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::sweep::counts::{JOB, SweepCounts};
use crate::jobs::sweep::purge::erase;
use crate::jobs::walk::{self, Bounds, End, Walked};
use crate::jobs::watch;
use crate::ports::DbError;
use crate::store::keys::due::{Due, Place};
use crate::store::keys::generations::{self, Work};
use crate::store::keys::holds::Switch;
use crate::store::ops::cursors::Position;
use crate::store::ops::runs::Ending;
use crate::store::ops::tidy::tidy;
use crate::upstream::openrouter::UpstreamRefusal;

/// Pages of 100 keys that one run asks for: at 100,000 keys a whole walk takes three runs.
const PAGE_BUDGET: usize = 400;

/// Runs one sweep, unless another one has the lease.
pub async fn run(app: &App, scheduled: Timestamp) {
    if let Some(run) = Run::begin(app, JOB, scheduled).await {
        work(app, run).await;
    }
}

/// One sweep, as far as it gets.
pub async fn work(app: &App, run: Run) {
    let mut counts = SweepCounts {
        back_off_left: run.begun.back_off_left,
        ..SweepCounts::default()
    };
    let result = match watch::is_ours(app, &run) {
        Ok(false) => Ok(()),
        Ok(true) => watched(app, &run, &mut counts).await,
        Err(halt) => Err(halt),
    };
    let (ending, code) = match &result {
        // A stray that could not be deleted must be seen again: only a run without errors moves the look-back on.
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

/// Sweeps, if the database is the one it was, and remembers how it is afterwards.
async fn watched(app: &App, run: &Run, counts: &mut SweepCounts) -> Result<(), Halt> {
    let watch = match watch::begin(app, run).await {
        Err(Halt::Restored) => {
            watch::our_account(app, run).await?;
            let revokes = generations::revokes_due(&*app.db, run.now).await?;
            disable_only(app, run, revokes, counts).await?;
            return Err(Halt::Restored);
        }
        other => other?,
    };
    let swept = sweep(app, run, counts).await;
    if let Some(watch) = watch {
        watch::end(app, &watch).await?;
    }
    swept
}

/// Switches off what has a hold and what is to be removed, and nothing else.
async fn disable_only(
    app: &App,
    run: &Run,
    revokes: Vec<Due>,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    let work = Work {
        revokes,
        ..Work::default()
    };
    let order = [Step::Switch(Switch::Off), Step::Silence];
    rows(app, run, &order, work, false, counts)
        .await
        .map(|_| ())
}

async fn sweep(app: &App, run: &Run, counts: &mut SweepCounts) -> Result<(), Halt> {
    let nonce = crate::crypto::random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let recent = walk::look_back(run);
    let changes = [change(app)?, change(app)?, change(app)?];
    if counts.back_off_left {
        due::end_back_off(app, run, counts).await;
    }
    let mut work = generations::take_up(&*app.db, &changes, &nonce, recent, run.now).await?;
    counts.seats_freed = work.seats_freed;
    counts.fenced = work.fenced;
    counts.rotations_undone = work.rotations_undone;
    counts.graces_ended = work.graces_ended;
    if let Err(halt) = watch::our_account(app, run).await {
        if matches!(halt, Halt::Upstream) {
            // Nothing may be concluded, but what must be off is told to be in every run.
            disable_only(app, run, std::mem::take(&mut work.revokes), counts).await?;
        }
        return Err(halt);
    }
    // Rows have their half of the time, so that a walk always has the other.
    let places = std::mem::take(&mut work.places);
    let all = rows(app, run, ORDER, work, true, counts).await?;
    walk_all(app, run, places, counts).await?;
    tidy(&*app.db, run.now).await?;
    if all { Ok(()) } else { Err(Halt::Budget(None)) }
}

/// A kind of turn that a row may have.
#[derive(Clone, Copy)]
enum Step {
    Switch(Switch),
    Revoke,
    /// Off, and nothing concluded from it.
    Silence,
    Expire,
    Erase,
    Cap,
}

/// What is to be off comes first; caps are computed from what expired, or was kept for its figures; and what a cap
/// has held, or let go, is the last.
const ORDER: &[Step] = &[
    Step::Switch(Switch::Off),
    Step::Revoke,
    Step::Expire,
    Step::Switch(Switch::On),
    Step::Erase,
    Step::Cap,
    Step::Switch(Switch::Off),
    Step::Switch(Switch::On),
];
const FIRST: usize = 6;

/// What is due of each kind; nothing is concluded from a look unless `looks`. False when not everything had its turn; the next run goes on.
async fn rows(
    app: &App,
    run: &Run,
    order: &[Step],
    work: Work,
    looks: bool,
    counts: &mut SweepCounts,
) -> Result<bool, Halt> {
    let (mut revokes, mut expiries) = (work.revokes, work.expiries);
    for (n, turn) in order.iter().enumerate() {
        if n >= FIRST && counts.capped == 0 {
            break;
        }
        let due = match turn {
            Step::Switch(switch) => switches::due(app, run, *switch, looks, counts).await?,
            Step::Revoke | Step::Silence => std::mem::take(&mut revokes),
            Step::Expire => std::mem::take(&mut expiries),
            Step::Erase => Vec::new(),
            Step::Cap => {
                crate::store::budget::limits::due(&*app.db, &change(app)?, run.now).await?
            }
        };
        let is_erase = matches!(turn, Step::Erase);
        let mut kept = work.kept.iter().filter(|_| is_erase);
        let kept_due = kept.clone().map(|kept| &kept.due);
        for due in due.iter().chain(kept_due) {
            if !run.has_time_for_rows(app) {
                return Ok(false);
            }
            renew(app, run).await?;
            let turned = match (turn, kept.next()) {
                (Step::Switch(switch), _) => switches::turn(app, run, *switch, due, counts).await,
                (Step::Revoke, _) => due::revoke(app, run, due, counts).await,
                (Step::Silence, _) => due::disable_only(app, run, due, counts).await,
                (Step::Expire, _) => due::expire(app, run, due, counts).await,
                (Step::Erase, Some(kept)) => erase(app, run, kept, counts).await,
                (Step::Erase, None) => Ok(()),
                (Step::Cap, _) => limits::turn(app, run, due, counts).await,
            };
            due::contain_row_failure(app, run, due, turned, counts).await?;
        }
    }
    Ok(true)
}

/// Walks every place where keys of ours may be, in turn: from where the last run stopped.
async fn walk_all(
    app: &App,
    run: &Run,
    places: Vec<Place>,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    let resume = run.begun.cursor.as_deref();
    let mut resume: Option<Position> =
        resume.and_then(|cursor| crate::ports::json::read(cursor.as_bytes()));
    let mut places = walk::merged(places, run);
    let is_next =
        |place: &Place| (resume.as_ref()).is_some_and(|p| p.workspace_id == place.workspace_id);
    let next = places.iter().position(is_next).unwrap_or(0);
    let first = places.split_off(next);
    let (mut broken, mut repeats) = (false, false);
    for place in first.into_iter().chain(places) {
        let position = resume
            .take_if(|p| p.workspace_id == place.workspace_id)
            .unwrap_or_else(|| Position::start(place.workspace_id.clone(), run.now));
        let left = PAGE_BUDGET.saturating_sub(counts.pages);
        if left == 0 || !run.has_time(app) {
            return Err(Halt::Budget(Some(position)));
        }
        match walk_place(app, run, &place, position, left, counts).await? {
            End::Empty | End::FarEnough => {}
            // Our account, but no such workspace: a plan's setting is mistyped, and there are no keys to look for.
            End::Missing if !place.unsettled => {
                app.note("warn", "no_such_workspace", serde_json::json!({}));
            }
            End::Paused(position) => return Err(Halt::Budget(Some(position))),
            End::Refused(refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_))) => {
                return Err(refused.into());
            }
            End::Repeats => repeats = true,
            End::Missing | End::Broken | End::Refused(UpstreamRefusal::Rejected) => broken = true,
        }
    }
    match (broken, repeats) {
        (true, _) => Err(Halt::Upstream),
        (false, true) => Err(Halt::ListRepeats),
        (false, false) => Ok(()),
    }
}

async fn walk_place(
    app: &App,
    run: &Run,
    place: &Place,
    position: Position,
    budget: usize,
    counts: &mut SweepCounts,
) -> Result<End, Halt> {
    let marker = marker(&run.begun.instance);
    let bounds = Bounds {
        marker: &marker,
        // Concluding that something is absent takes the whole list.
        back_to: (!place.unsettled).then(|| walk::look_back(run)),
        budget,
    };
    let (position, Walked { ours, pages, end }) = walk::walk(app, run, &bounds, position).await;
    counts.pages = counts.pages.saturating_add(pages);
    counts.listed = counts.listed.saturating_add(ours.len());
    let judged = strays::judged(app, run, &ours, true).await?;
    let less = judged.less();
    strays::act(app, run, place, judged, counts).await?;
    strays::keep_what_others_did(app, run, &less, counts).await?;
    if end == End::Empty {
        let began = Timestamp::from_secs(position.began).min(run.now);
        let own = place.workspace_id.as_deref();
        let home = run.begun.home_workspace_id.as_deref();
        for workspace in std::iter::once(own).chain(home.filter(|_| own.is_none()).map(Some)) {
            let change = change(app)?;
            let cleared =
                generations::clear_absent(&*app.db, workspace, began, &change, run.now).await?;
            counts.cleared = counts.cleared.saturating_add(cleared);
        }
    }
    Ok(end)
}
