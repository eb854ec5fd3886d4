//! The sweep: every ten minutes it finishes what a crash, a pause or a lost answer left, on evidence only.
//!
//! 1. Fence mints that nobody waits for any more, and list what is due.
//! 2. Put off upstream what has a hold, and on again what has none any more.
//! 3. Delete what is `revoking`; confirm it, or try again later; after six failures it is `stuck` and tried daily.
//! 4. Close what has expired, with what it spent.
//! 5. Walk the upstream's keys, newest first; delete strays of ours, quarantine markers without a row.
//! 6. Free doubtful mints that a clean walk, begun late enough, has not seen.
//! 7. Tidy, and write the run down.
//!
//! A row that cannot be settled is put off and counted; it never holds up the others.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;

use super::holds;
use super::lease::{Run, change};
use super::walk::{self, End, Plan, Position, Walked};
use crate::app::App;
use crate::domain::id::marker;
use crate::domain::money::NanoUsd;
use crate::domain::stray::{QUARANTINE_BRAKE, Row, Verdict, judge};
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::generations::{self, Due, FinalUsage, Place};
use crate::store::runs::Ending;
use crate::store::strays;
use crate::upstream::openrouter::{self, Listed, Refused, Reply};

const JOB: &str = "sweep";
/// A sweep looks this much further back than the last clean one began, in seconds (X1).
const LOOK_BACK_SECS: i64 = 3_600;
/// Pages of 100 keys that one run asks for: at 100,000 keys a whole walk takes three runs.
const PAGE_BUDGET: usize = 400;
/// Names looked up in one statement.
const NAMES: usize = 500;
/// A revoke that failed this often is `stuck`.
const GIVE_UP_AFTER: i64 = 6;
/// The wait after the first failed try, doubling each time, in seconds: just under the sweep's own period.
const FIRST_WAIT_SECS: i64 = 540;
const DAY_SECS: i64 = 86_400;
/// Failed reads of an expired key's spend before it is closed without.
const READS_OF_SPEND: i64 = 3;

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    fenced: i64,
    pub disabled: u32,
    pub enabled: u32,
    revoked: u32,
    put_off: u32,
    stuck: u32,
    expired: u32,
    pages: usize,
    listed: usize,
    deleted: u32,
    cleared: i64,
    quarantined: u32,
    errors: u32,
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
    /// Too many markers without a row at once.
    Brake,
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
        Ok(()) => (Ending::Done, None, None),
        Err(Halt::Budget(position)) => {
            let cursor = position.and_then(|p| serde_json::to_string(&p).ok());
            (Ending::Partial, None, cursor)
        }
        Err(Halt::Credential) => (Ending::Failed, Some("credential_refused"), None),
        Err(Halt::Busy) => (Ending::Failed, Some("openrouter_busy"), None),
        Err(Halt::Upstream) => (Ending::Failed, Some("openrouter_unavailable"), None),
        Err(Halt::Storage) => (Ending::Failed, Some("storage_unavailable"), None),
        Err(Halt::Brake) => (Ending::Stopped, Some("brake"), None),
    };
    run.end(app, ending, code, &counts, cursor).await;
}

async fn sweep(app: &App, run: &Run, counts: &mut Counts) -> Result<(), Halt> {
    let nonce = crate::crypto::random::nonce(&*app.random).map_err(|_| Halt::Storage)?;
    let recent = look_back(run);
    let work = generations::take_up(&*app.db, &change(app)?, &nonce, recent, run.now).await?;
    counts.fenced = work.fenced;
    holds::drive(app, run, counts).await?;
    let mut account = Account::default();
    for due in work.revokes {
        if !run.has_time(app) {
            return Err(Halt::Budget(None));
        }
        revoke(app, run, &due, &mut account, counts).await?;
    }
    for due in work.expiries {
        if !run.has_time(app) {
            return Err(Halt::Budget(None));
        }
        expire(app, run, &due, counts).await?;
    }
    walk_all(app, run, work.places, counts).await?;
    strays::tidy(&*app.db, run.now).await?;
    Ok(())
}

fn look_back(run: &Run) -> Timestamp {
    let last_clean = run.begun.last_clean_at.unwrap_or(Timestamp::from_secs(0));
    last_clean.min(run.now).plus(-LOOK_BACK_SECS)
}

/// Which workspaces the credential's account has, asked once each: a 404 counts as "gone" only in a known one (X6).
#[derive(Default)]
struct Account(HashMap<String, bool>);

impl Account {
    async fn has(&mut self, app: &App, workspace_id: Option<&str>) -> bool {
        let Some(workspace_id) = workspace_id else {
            return false;
        };
        if let Some(known) = self.0.get(workspace_id) {
            return *known;
        }
        let has = openrouter::has_workspace(app, workspace_id).await;
        self.0.insert(workspace_id.to_owned(), has);
        has
    }
}

async fn revoke(
    app: &App,
    run: &Run,
    due: &Due,
    account: &mut Account,
    counts: &mut Counts,
) -> Result<(), Halt> {
    let gone = match due.upstream_hash.as_deref() {
        None => false,
        Some(hash) => match openrouter::delete_key(app, hash).await {
            Reply::Is(()) => true,
            Reply::Missing => account.has(app, due.workspace_id.as_deref()).await,
            Reply::Refused(Refused::Credential) => return Err(Halt::Credential),
            Reply::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            Reply::Refused(Refused::Rejected) | Reply::Unknown => false,
        },
    };
    if gone {
        let change = change(app)?;
        generations::confirm_off(&*app.db, &due.public_id, JOB, &change, run.now).await?;
        counts.revoked = counts.revoked.saturating_add(1);
        return Ok(());
    }
    put_off(app, run, due, counts).await
}

/// Not now: tried again later, and given up as `stuck` if it was a revoke and this was the sixth time.
pub async fn put_off(app: &App, run: &Run, due: &Due, counts: &mut Counts) -> Result<(), Halt> {
    let attempts = due.attempts.saturating_add(1);
    let gives_up = attempts == GIVE_UP_AFTER;
    let wait = if attempts >= GIVE_UP_AFTER {
        DAY_SECS
    } else {
        let doubled = u32::try_from(due.attempts).unwrap_or(0).min(8);
        FIRST_WAIT_SECS.saturating_mul(2_i64.saturating_pow(doubled))
    };
    let give_up = if gives_up { Some(change(app)?) } else { None };
    let next = run.now.plus(wait.min(DAY_SECS));
    generations::put_off(
        &*app.db,
        &due.public_id,
        attempts,
        next,
        give_up.as_ref(),
        run.now,
    )
    .await?;
    counts.put_off = counts.put_off.saturating_add(1);
    if gives_up {
        counts.stuck = counts.stuck.saturating_add(1);
        app.note(
            "error",
            "revoke_stuck",
            json!({ "generation": due.public_id }),
        );
    }
    Ok(())
}

/// Five minutes past its expiry a key is closed. Its spend is asked for a few times; if it cannot be read, all of its
/// cap counts (B1).
async fn expire(app: &App, run: &Run, due: &Due, counts: &mut Counts) -> Result<(), Halt> {
    let usage = match due.upstream_hash.as_deref() {
        None => None,
        Some(hash) => match openrouter::read_key(app, hash).await {
            Reply::Is(key) => final_usage(&key, run.now),
            Reply::Refused(Refused::Credential) => return Err(Halt::Credential),
            Reply::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            Reply::Unknown if due.attempts < READS_OF_SPEND => {
                return put_off(app, run, due, counts).await;
            }
            Reply::Unknown | Reply::Missing | Reply::Refused(Refused::Rejected) => None,
        },
    };
    let change = change(app)?;
    if generations::expire(&*app.db, &due.public_id, usage, &change, run.now).await? {
        counts.expired = counts.expired.saturating_add(1);
    }
    Ok(())
}

fn final_usage(key: &Listed, read_at: Timestamp) -> Option<FinalUsage> {
    let sum = |credits: f64, byok: f64| NanoUsd::from_upstream(credits + byok);
    Some(FinalUsage {
        daily: sum(key.usage_daily, key.byok_usage_daily)?,
        weekly: sum(key.usage_weekly, key.byok_usage_weekly)?,
        monthly: sum(key.usage_monthly, key.byok_usage_monthly)?,
        lifetime: sum(key.usage, key.byok_usage)?,
        read_at,
    })
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
    for place in places {
        let left = PAGE_BUDGET.saturating_sub(counts.pages);
        if left == 0 || !run.has_time(app) {
            return Err(Halt::Budget(None));
        }
        let position = resume
            .take_if(|p| p.workspace_id == place.workspace_id)
            .unwrap_or_else(|| Position::start(place.workspace_id.clone(), run.now));
        match walk_place(app, run, &place, position, left, counts).await? {
            End::Empty | End::FarEnough => {}
            End::Paused(position) => return Err(Halt::Budget(Some(position))),
            End::Refused(Refused::Credential) => return Err(Halt::Credential),
            End::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            End::Broken | End::Refused(Refused::Rejected) => broken = true,
        }
    }
    if broken { Err(Halt::Upstream) } else { Ok(()) }
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
    let plan = Plan {
        marker: &marker,
        // Concluding that something is absent takes the whole list.
        back_to: (!place.unsettled).then(|| look_back(run)),
        budget,
    };
    let (position, Walked { ours, pages, end }) = walk::walk(app, &plan, position, run.now).await;
    counts.pages = counts.pages.saturating_add(pages);
    counts.listed = counts.listed.saturating_add(ours.len());
    settle(app, run, place, &ours, counts).await?;
    if end == End::Empty {
        let began = Timestamp::from_secs(position.began);
        let workspace = place.workspace_id.as_deref();
        let cleared =
            generations::clear_absent(&*app.db, workspace, began, &change(app)?, run.now).await?;
        counts.cleared = counts.cleared.saturating_add(cleared);
    }
    Ok(end)
}

/// Looks each listed name up, after the listing (X2), and acts on what should not be there.
async fn settle(
    app: &App,
    run: &Run,
    place: &Place,
    ours: &[Listed],
    counts: &mut Counts,
) -> Result<(), Halt> {
    let mut unknown = Vec::new();
    for chunk in ours.chunks(NAMES) {
        let names: Vec<&str> = chunk.iter().map(|key| key.name.as_str()).collect();
        let rows = strays::by_names(&*app.db, &names, run.now).await?;
        let rows: HashMap<&str, &Row> = rows
            .iter()
            .map(|row| (row.upstream_name.as_str(), row))
            .collect();
        for key in chunk {
            let row = rows.get(key.name.as_str()).copied();
            match judge(row, &key.hash) {
                Verdict::Leave => {}
                Verdict::Quarantine => unknown.push(key),
                Verdict::Delete | Verdict::DeleteAndClear | Verdict::DeleteAndRevoke => {
                    remove(app, run, key, counts).await?;
                }
            }
        }
    }
    quarantine(app, run, place, &unknown, counts).await
}

/// Deletes a stray, if it still is one: judged once more by its row as it is this moment (X2).
async fn remove(app: &App, run: &Run, key: &Listed, counts: &mut Counts) -> Result<(), Halt> {
    let row = strays::by_name(&*app.db, &key.name).await?;
    let verdict = judge(row.as_ref(), &key.hash);
    if matches!(verdict, Verdict::Leave | Verdict::Quarantine) {
        return Ok(());
    }
    match openrouter::delete_key(app, &key.hash).await {
        // It was listed by this very credential, so a 404 means that it is gone.
        Reply::Is(()) | Reply::Missing => {}
        Reply::Refused(Refused::Credential) => return Err(Halt::Credential),
        Reply::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
        Reply::Refused(Refused::Rejected) | Reply::Unknown => {
            counts.errors = counts.errors.saturating_add(1);
            return Ok(());
        }
    }
    counts.deleted = counts.deleted.saturating_add(1);
    let Some(row) = row else { return Ok(()) };
    let generation = row.public_id.as_str();
    app.note(
        "warn",
        "stray_deleted",
        json!({ "generation": generation, "state": row.state.name() }),
    );
    let change = change(app)?;
    match verdict {
        Verdict::DeleteAndClear => {
            if generations::clear(&*app.db, generation, &change, run.now).await? {
                counts.cleared = counts.cleared.saturating_add(1);
            }
        }
        Verdict::DeleteAndRevoke => {
            if generations::confirm_off(&*app.db, generation, JOB, &change, run.now).await? {
                counts.revoked = counts.revoked.saturating_add(1);
            }
        }
        Verdict::Delete | Verdict::Leave | Verdict::Quarantine => {}
    }
    Ok(())
}

/// Markers without a row: disabled, listed, alarmed, never deleted. Too many at once are left alone: that is no stray.
async fn quarantine(
    app: &App,
    run: &Run,
    place: &Place,
    unknown: &[&Listed],
    counts: &mut Counts,
) -> Result<(), Halt> {
    let workspace = place.workspace_id.as_deref();
    for chunk in unknown.chunks(50) {
        let listed = chunk
            .iter()
            .map(|key| strays::found(&key.hash, &key.name, workspace, run.now));
        app.db.batch(listed.collect()).await?;
    }
    if !unknown.is_empty() {
        app.note(
            "error",
            "marker_without_row",
            json!({ "count": unknown.len() }),
        );
    }
    if unknown.len() > QUARANTINE_BRAKE {
        return Err(Halt::Brake);
    }
    for key in unknown.iter().filter(|key| !key.disabled) {
        // Once more, just before: its row may be there by now.
        if strays::by_name(&*app.db, &key.name).await?.is_some() {
            continue;
        }
        if openrouter::switch_key(app, &key.hash, true).await == Reply::Is(()) {
            app.db
                .batch(vec![strays::disabled(&key.hash, run.now)])
                .await?;
            counts.quarantined = counts.quarantined.saturating_add(1);
        } else {
            counts.errors = counts.errors.saturating_add(1);
        }
    }
    Ok(())
}
