//! The sweep: every ten minutes it finishes what a crash, a pause or a lost answer left, on evidence only.
//!
//! 1. Fence mints that nobody waits for any more (`generations::take_up`), and list what is due. Stop if the credential
//!    is another account's.
//! 2. Switch off upstream what has a hold, and on again what has none any more.
//! 3. Remove what is `revoking`; confirm it, or try again later; after six failures it is `stuck` and tried daily.
//! 4. Look again at what is off for good, and delete it when its figures are settled.
//! 5. Close what has expired, with what it spent.
//! 6. Walk the upstream's keys, newest first; delete strays of ours, quarantine markers without a row.
//! 7. Free doubtful mints that a clean walk, begun late enough, has not seen.
//! 8. Tidy, and write the run down.
//!
//! A row that cannot be settled is postponed and counted; it never holds up the others.

use serde::Serialize;

use super::due::{self, Account};
use super::erase::erase;
use super::lease::{Run, change};
use super::walk::{self, Bounds, End, Position, Walked};
use super::{holds, strays};
use crate::app::App;
use crate::domain::id::marker;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::generations::{self, Place};
use crate::store::runs::Ending;
use crate::store::tidy::tidy;
use crate::upstream::openrouter::{self, Refused, Reply};

pub const JOB: &str = "sweep";
/// Codes of a run that OpenRouter gave no answer to work with.
pub const CREDENTIAL_REFUSED: &str = "credential_refused";
pub const UNAVAILABLE: &str = "openrouter_unavailable";
/// A sweep looks this much further back than the last clean one began, in seconds (X1).
const LOOK_BACK_SECS: i64 = 3_600;
/// Pages of 100 keys that one run asks for: at 100,000 keys a whole walk takes three runs.
const PAGE_BUDGET: usize = 400;

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    pub fenced: i64,
    pub disabled: u32,
    pub enabled: u32,
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
    pub errors: u32,
    #[serde(skip)]
    refused_in_a_row: u32,
}

/// Why a run ends before its work does.
pub enum Halt {
    /// The management key is refused: nothing more can be done with it.
    Credential,
    Busy,
    Upstream,
    Storage,
    /// More is left than one run takes.
    Budget(Option<Position>),
    /// Too much at once that should hardly ever be.
    Brake,
    /// The credential is another account's (X6).
    ForeignAccount,
}

/// One row that is refused may be that row's own trouble; this many in a row are the credential's or everybody's.
const REFUSALS: u32 = 3;

impl Counts {
    /// Counts a refusal of one row; halts when there were too many without a success between.
    pub fn refusal(&mut self, refused: Refused) -> Result<(), Halt> {
        self.errors = self.errors.saturating_add(1);
        self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
        match refused {
            _ if self.refused_in_a_row < REFUSALS => Ok(()),
            Refused::Credential => Err(Halt::Credential),
            Refused::Busy(_) => Err(Halt::Busy),
            Refused::Rejected => Ok(()),
        }
    }

    pub fn success(&mut self) {
        self.refused_in_a_row = 0;
    }
}

impl From<DbError> for Halt {
    fn from(_: DbError) -> Self {
        Self::Storage
    }
}

/// Runs one sweep, unless another one has the lease.
pub async fn run(app: &App, scheduled: Timestamp) {
    let Some(run) = Run::begin(app, JOB, scheduled).await else {
        return;
    };
    let mut counts = Counts::default();
    if run.begun.public_origin.as_deref() != Some(app.config.public_origin.as_str()) {
        let code = match run.begun.public_origin {
            // Nobody has signed in yet: there is nothing of ours anywhere.
            None => return run.end(app, Ending::Done, None, &counts, None).await,
            Some(_) => "foreign_instance",
        };
        return run
            .end(app, Ending::Stopped, Some(code), &counts, None)
            .await;
    }
    let (ending, code, cursor) = match sweep(app, &run, &mut counts).await {
        // A stray that could not be deleted must be seen again: only a run without errors moves the look-back on.
        Ok(()) if counts.errors > 0 => (Ending::Partial, Some("errors"), None),
        Ok(()) => (Ending::Done, None, None),
        Err(Halt::Budget(position)) => {
            let cursor = position.and_then(|p| serde_json::to_string(&p).ok());
            (Ending::Partial, None, cursor)
        }
        Err(Halt::Credential) => (Ending::Failed, Some(CREDENTIAL_REFUSED), None),
        Err(Halt::Busy) => (Ending::Failed, Some("openrouter_busy"), None),
        Err(Halt::Upstream) => (Ending::Failed, Some(UNAVAILABLE), None),
        Err(Halt::Storage) => (Ending::Failed, Some("storage_unavailable"), None),
        Err(Halt::Brake) => (Ending::Stopped, Some("brake"), None),
        Err(Halt::ForeignAccount) => (Ending::Stopped, Some("foreign_account"), None),
    };
    run.end(app, ending, code, &counts, cursor).await;
}

async fn sweep(app: &App, run: &Run, counts: &mut Counts) -> Result<(), Halt> {
    let nonce = crate::crypto::random::nonce(&*app.random).map_err(|_| Halt::Storage)?;
    let recent = look_back(run);
    let work = generations::take_up(&*app.db, &change(app)?, &nonce, recent, run.now).await?;
    counts.fenced = work.fenced;
    our_account(app, run).await?;
    // Rows have their half of the time, so that a walk always has the other.
    let mut all = holds::drive(app, run, counts).await?;
    let mut account = Account::new(&run.begun);
    for due in work.revokes {
        all &= run.has_time_for_rows(app);
        if all {
            due::revoke(app, run, &due, &mut account, counts).await?;
        }
    }
    for kept in work.kept {
        all &= run.has_time_for_rows(app);
        if all {
            erase(app, run, &kept, &mut account, counts).await?;
        }
    }
    for due in work.expiries {
        all &= run.has_time_for_rows(app);
        if all {
            due::expire(app, run, &due, counts).await?;
        }
    }
    walk_all(app, run, work.places, counts).await?;
    tidy(&*app.db, run.now).await?;
    if all { Ok(()) } else { Err(Halt::Budget(None)) }
}

/// Nothing is concluded from the answers of an account that lacks a workspace in which we have minted (X6).
async fn our_account(app: &App, run: &Run) -> Result<(), Halt> {
    let Some(known) = run.begun.known_workspace_id.as_deref() else {
        return Ok(());
    };
    match openrouter::read_workspace(app, known).await {
        Reply::Is(()) => Ok(()),
        Reply::Missing => Err(Halt::ForeignAccount),
        Reply::Refused(Refused::Credential) => Err(Halt::Credential),
        Reply::Refused(Refused::Busy(_)) => Err(Halt::Busy),
        Reply::Refused(Refused::Rejected) | Reply::Unknown => Err(Halt::Upstream),
    }
}

fn look_back(run: &Run) -> Timestamp {
    let last_clean = run.begun.last_clean_at.unwrap_or(Timestamp::from_secs(0));
    last_clean.min(run.now).plus(-LOOK_BACK_SECS)
}

/// Walks every place where keys of ours may be; first where the last run stopped.
async fn walk_all(
    app: &App,
    run: &Run,
    mut places: Vec<Place>,
    counts: &mut Counts,
) -> Result<(), Halt> {
    let resume = run.begun.cursor.as_deref();
    let mut resume: Option<Position> = resume.and_then(|c| serde_json::from_str(c).ok());
    places.sort_by_key(|place| {
        resume
            .as_ref()
            .is_none_or(|p| p.workspace_id != place.workspace_id)
    });
    let mut broken = false;
    for place in merged(places, run) {
        let left = PAGE_BUDGET.saturating_sub(counts.pages);
        if left == 0 || !run.has_time(app) {
            return Err(Halt::Budget(None));
        }
        let position = resume
            .take_if(|p| p.workspace_id == place.workspace_id)
            .unwrap_or_else(|| Position::start(place.workspace_id.clone(), run.now));
        match walk_place(app, run, &place, position, left, counts).await? {
            End::Empty | End::FarEnough => {}
            // Our account, but no such workspace: a plan's setting is mistyped, and there are no keys to look for.
            End::Missing if !place.unsettled => {
                app.note("warn", "no_such_workspace", serde_json::json!({}));
            }
            End::Paused(position) => return Err(Halt::Budget(Some(position))),
            End::Refused(Refused::Credential) => return Err(Halt::Credential),
            End::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            End::Missing | End::Broken | End::Refused(Refused::Rejected) => broken = true,
        }
    }
    if broken { Err(Halt::Upstream) } else { Ok(()) }
}

/// The account's default workspace goes by two names, none and its own id: one walk of it is enough.
fn merged(places: Vec<Place>, run: &Run) -> Vec<Place> {
    let home = &run.begun.home_workspace_id;
    let mut merged: Vec<Place> = Vec::new();
    for mut place in places {
        if home.is_some() && place.workspace_id == *home {
            place.workspace_id = None;
        }
        match merged
            .iter_mut()
            .find(|known| known.workspace_id == place.workspace_id)
        {
            Some(known) => known.unsettled |= place.unsettled,
            None => merged.push(place),
        }
    }
    merged
}

async fn walk_place(
    app: &App,
    run: &Run,
    place: &Place,
    position: Position,
    budget: usize,
    counts: &mut Counts,
) -> Result<End, Halt> {
    let marker = marker(&run.begun.instance);
    let bounds = Bounds {
        marker: &marker,
        // Concluding that something is absent takes the whole list.
        back_to: (!place.unsettled).then(|| look_back(run)),
        budget,
    };
    let (position, Walked { ours, pages, end }) = walk::walk(app, run, &bounds, position).await;
    counts.pages = counts.pages.saturating_add(pages);
    counts.listed = counts.listed.saturating_add(ours.len());
    strays::settle(app, run, place, &ours, counts).await?;
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
