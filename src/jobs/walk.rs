//! A walk over the upstream's keys of one workspace, newest first, in pages that overlap: a delete during the walk
//! cannot hide a row, because each page must share one with the page before. A walk that reached an empty page
//! may be concluded from; any other only acts on what it saw.

use std::collections::HashSet;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::sha256_hex;
use crate::domain::time::Timestamp;
use crate::jobs::halt::renew;
use crate::store::keys::due::Place;
use crate::store::ops::cursors::Position;
use crate::upstream::openrouter::{self, Listed, UpstreamRefusal, UpstreamReply};

/// A sweep looks this much further back than the last clean one began, in seconds.
const LOOK_BACK_SECS: i64 = 3_600;
/// Rows that two neighbouring pages share when nothing moves.
const OVERLAP: usize = 10;
/// A walk whose pages do not meet begins anew, this often.
const RESTARTS: u32 = 3;

/// What a walk found, and how far it came.
pub struct Walked {
    /// Keys whose name begins with the marker, each once.
    pub ours: Vec<Listed>,
    pub pages: usize,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// An empty page: what was not seen is not there.
    Empty,
    /// Far enough back in time for what this walk was for.
    FarEnough,
    /// No budget left; the next run goes on from here.
    Paused(Position),
    /// The same page twice in a row: an upstream that does not heed the offset shows no more than its first page.
    Repeats,
    /// Pages that do not meet, or an upstream that does not answer at all.
    Broken,
    /// There is no such workspace.
    Missing,
    /// An upstream that says no.
    Refused(UpstreamRefusal),
}

/// How far a walk goes.
pub struct Bounds<'a> {
    pub marker: &'a str,
    /// Rows older than this need not be looked at; `None` walks to an empty page.
    pub back_to: Option<Timestamp>,
    /// Pages this walk may ask for.
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
    while walked.pages < plan.budget && run.has_time(app) && renew(app, run).await.is_ok() {
        let page = openrouter::list_keys(
            &app.upstream(),
            position.workspace_id.as_deref(),
            position.offset,
        )
        .await;
        walked.pages = walked.pages.saturating_add(1);
        let page = match page {
            UpstreamReply::Is(page) => page,
            // One bad page does not cost the pages before it: the next run goes on from here.
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

/// Whether a page shares a row with the one before it, which an empty one does not: the list has become shorter.
/// After a page no longer than the overlap there is none to share.
fn meets(position: &Position, page: &[Listed]) -> bool {
    position.tail.is_empty() || page.iter().any(|key| position.tail.contains(&key.hash))
}

/// Tells one page from another.
fn digest(page: &[Listed]) -> String {
    let hashes: Vec<&str> = page.iter().map(|key| key.hash.as_str()).collect();
    sha256_hex(hashes.join(" ").as_bytes())
}

/// On by a page less its overlap, however long upstream's pages are.
fn advance(position: &mut Position, page: &[Listed]) {
    let step = match page.len().saturating_sub(OVERLAP) {
        0 => page.len(),
        step => step,
    };
    position.offset = position.offset.saturating_add(step);
    let tail = page.iter().skip(step).map(|key| key.hash.clone());
    position.tail = tail.collect();
}

/// Whether a whole page lies before the bound. A row whose time cannot be read is never old.
fn is_before(page: &[Listed], bound: Option<Timestamp>) -> bool {
    bound.is_some_and(|bound| {
        page.iter()
            .all(|key| key.created().is_some_and(|created| created < bound))
    })
}

/// The account's default workspace goes by two names, none and its own id: one walk of it is enough.
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
