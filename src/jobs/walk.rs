//! Walks the keys of one workspace at OpenRouter, newest first, in pages that overlap. A key that is deleted during the
//! walk cannot hide another one, because each page must share a key with the page before it. Only a walk that reached
//! an empty page shows that a key is absent; every other walk only acts on what it saw.

use std::collections::HashSet;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::sha256_hex;
use crate::domain::time::Timestamp;
use crate::jobs::halt::renew;
use crate::ports::DbError;
use crate::store::keys::due::Place;
use crate::store::ops::cursors::Position;
use crate::store::ops::workspaces;
use crate::upstream::openrouter::{self, Listed, UpstreamRefusal, UpstreamReply};

/// A sweep looks this many seconds further back than the beginning of the last run without errors.
const LOOK_BACK_SECS: i64 = 3_600;
/// The number of keys that two neighbouring pages share if the list does not change.
const OVERLAP: usize = 10;
/// A walk whose pages do not overlap begins again, at most this many times.
const RESTARTS: u32 = 3;

/// What a walk found, and how far it came.
pub struct Walked {
    /// The keys whose name begins with the marker, each of them once.
    pub ours: Vec<Listed>,
    pub pages: usize,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The walk reached an empty page, so a key that was not seen does not exist.
    Empty,
    /// The walk went back in time as far as its purpose needs.
    FarEnough,
    /// The budget is used up, and the next run continues from here.
    Paused(Position),
    /// The same page came twice in a row, so OpenRouter ignores the offset and shows only its first page.
    Repeats,
    /// The pages did not overlap, or OpenRouter did not answer at all.
    Broken,
    /// The workspace does not exist.
    Missing,
    /// OpenRouter refused to list the keys.
    Refused(UpstreamRefusal),
}

/// How far a walk goes.
pub struct Bounds<'a> {
    pub marker: &'a str,
    /// Keys older than this need not be read. If it is `None`, the walk goes on to an empty page.
    pub back_to: Option<Timestamp>,
    /// The number of pages that this walk may ask for.
    pub budget: usize,
}

/// How far back in time a sweep walks.
pub fn look_back(run: &Run) -> Timestamp {
    let last_clean = run.begun.last_clean_at.unwrap_or(Timestamp::from_secs(0));
    last_clean.min(run.now).plus(-LOOK_BACK_SECS)
}

/// Walks from `position`.
pub async fn walk(
    app: &App,
    run: &Run,
    plan: &Bounds<'_>,
    mut position: Position,
) -> (Position, Walked) {
    let mut walked = Walked {
        ours: Vec::new(),
        pages: 0,
        end: End::Broken,
    };
    let mut seen = HashSet::new();
    let mut restarts = 0_u32;
    while walked.pages < plan.budget && run.has_room(app) && renew(app, run).await.is_ok() {
        let page = openrouter::list_keys(
            &app.upstream(),
            position.workspace_id.as_deref(),
            position.offset,
        )
        .await;
        walked.pages = walked.pages.saturating_add(1);
        let page = match page {
            UpstreamReply::Is(page) => page,
            // One bad page does not lose the pages before it: the next run continues from here.
            _ if walked.pages > 1 || position.offset > 0 => break,
            UpstreamReply::Refused(refused) => {
                walked.end = End::Refused(refused);
                return (position, walked);
            }
            UpstreamReply::Missing => {
                walked.end = End::Missing;
                return (position, walked);
            }
            UpstreamReply::Unknown => return (position, walked),
        };
        if !meets(&position, &page) {
            restarts = restarts.saturating_add(1);
            if restarts > RESTARTS {
                return (position, walked);
            }
            position.again(run.now);
            continue;
        }
        if page.is_empty() {
            walked.end = End::Empty;
            return (position, walked);
        }
        let digest = digest(&page);
        if position.page.as_ref() == Some(&digest) {
            app.note("warn", "list_repeats", json!({ "list": "keys" }));
            walked.end = End::Repeats;
            return (position, walked);
        }
        let far_enough = is_before(&page, plan.back_to);
        advance(&mut position, &page);
        position.page = Some(digest);
        let ours = page
            .into_iter()
            .filter(|key| key.name().starts_with(plan.marker));
        walked
            .ours
            .extend(ours.filter(|key| seen.insert(key.hash.clone())));
        if far_enough {
            walked.end = End::FarEnough;
            return (position, walked);
        }
    }
    walked.end = End::Paused(position.clone());
    (position, walked)
}

/// Answers whether a page shares a key with the page before it. An empty page does not, so the list has become shorter.
/// If the page before it was no longer than the overlap, there is no key to share.
fn meets(position: &Position, page: &[Listed]) -> bool {
    position.tail.is_empty() || page.iter().any(|key| position.tail.contains(&key.hash))
}

/// Identifies a page.
fn digest(page: &[Listed]) -> String {
    let hashes: Vec<&str> = page.iter().map(|key| key.hash.as_str()).collect();
    sha256_hex(hashes.join(" ").as_bytes())
}

/// Moves on by one page less the overlap, however long OpenRouter's pages are.
fn advance(position: &mut Position, page: &[Listed]) {
    let step = match page.len().saturating_sub(OVERLAP) {
        0 => page.len(),
        step => step,
    };
    position.offset = position.offset.saturating_add(step);
    let tail = page.iter().skip(step).map(|key| key.hash.clone());
    position.tail = tail.collect();
}

/// Answers whether all keys of a page are older than the bound. A key whose time cannot be read is never old.
fn is_before(page: &[Listed], bound: Option<Timestamp>) -> bool {
    bound.is_some_and(|bound| {
        page.iter()
            .all(|key| key.created().is_some_and(|created| created < bound))
    })
}

/// Stores whether the keys of a workspace could be read, so that a page can say which of its figures are old.
pub async fn note_reading(
    app: &App,
    run: &Run,
    workspace: Option<&str>,
    was_read: Option<bool>,
) -> Result<(), DbError> {
    let home = run.begun.home_workspace_id.as_deref();
    let workspace = workspace.or(home).unwrap_or_default();
    if was_read == Some(false) {
        app.note(
            "warn",
            "workspace_unread",
            json!({ "job": run.job, "workspace": workspace }),
        );
        return workspaces::failed(&*app.db, workspace, run.now).await;
    }
    if was_read == Some(true) && run.begun.any_unread {
        workspaces::read(&*app.db, workspace).await?;
    }
    Ok(())
}

impl Walked {
    /// Whether the walk saw nothing new because the one page that it asked for did not come. `began_at` is where it began.
    pub fn is_stalled(&self, began_at: &Position) -> bool {
        self.pages > 0 && matches!(&self.end, End::Paused(at) if at == began_at)
    }

    /// Whether the keys of the workspace could be read. It is `None` if this walk does not say so.
    pub fn was_read(&self, began_at: &Position) -> Option<bool> {
        match &self.end {
            End::Empty | End::FarEnough | End::Repeats => Some(true),
            End::Broken | End::Missing | End::Refused(UpstreamRefusal::Rejected) => Some(false),
            End::Paused(_) if self.is_stalled(began_at) => Some(false),
            End::Paused(_)
            | End::Refused(UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)) => None,
        }
    }
}

/// Merges the two names of the account's default workspace, which are `None` and its own id, so that it is walked only
/// once.
pub fn merged(places: Vec<Place>, run: &Run) -> Vec<Place> {
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
