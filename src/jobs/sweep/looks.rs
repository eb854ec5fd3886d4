//! What OpenRouter's list shows of keys before a run changes them. Somebody may have disabled a key, or lowered its limit,
//! and that must not be undone. A page of the list shows a hundred keys with one call.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::upstream_changes::{self, Glance, Look};
use crate::jobs::halt::{Halt, renew};
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::store::keys::due::Due;
use crate::upstream::openrouter::{self, UpstreamReply};

/// The number of list pages that are read for a chunk of keys, and the number of keys for which one more page is read.
const PAGES: usize = 3;
const KEYS_FOR_A_PAGE: usize = 20;
/// The number of keys not found on those pages that are read one by one.
const READS: usize = 10;

/// The lists as far as a run has read them. The keys of one chunk follow those of the chunk before, as in the list.
pub struct Looks {
    places: BTreeMap<Option<String>, ListSoFar>,
    reads: Cell<usize>,
    unread: Cell<usize>,
    /// A list did not answer, so nothing more is waited for.
    broken: bool,
}

#[derive(Default)]
struct ListSoFar {
    offset: usize,
    ended: bool,
    seen: HashMap<String, Glance>,
}

impl Looks {
    pub fn new() -> Self {
        Self {
            places: BTreeMap::new(),
            reads: Cell::new(READS),
            unread: Cell::default(),
            broken: false,
        }
    }

    /// Reads as many pages as show most of these keys.
    pub async fn read_for(&mut self, app: &App, run: &Run, keys: &[&Due]) -> Result<(), Halt> {
        let mut wanted: BTreeMap<Option<String>, Vec<&str>> = BTreeMap::new();
        for due in keys {
            let place = wanted.entry(due.workspace_id.clone()).or_default();
            place.extend(due.upstream_hash.as_deref());
        }
        let mut pages = PAGES.saturating_add(keys.len() / KEYS_FOR_A_PAGE);
        for (workspace_id, mut unseen) in wanted {
            let list = self.places.entry(workspace_id.clone()).or_default();
            unseen.retain(|hash| !list.seen.contains_key(*hash));
            while pages > 0
                && !self.broken
                && !list.ended
                && !unseen.is_empty()
                && run.has_room_for_rows(app)
            {
                renew(app, run).await?;
                pages = pages.saturating_sub(1);
                let page =
                    openrouter::list_keys(&app.upstream(), workspace_id.as_deref(), list.offset)
                        .await;
                let UpstreamReply::Is(page) = page else {
                    self.broken = true;
                    self.reads.set(0);
                    break;
                };
                list.ended = page.is_empty();
                list.offset = list.offset.saturating_add(page.len());
                for key in page {
                    let glance = Glance {
                        disabled: key.disabled,
                        limit: key.limit(),
                    };
                    list.seen.insert(key.hash, glance);
                }
                unseen.retain(|hash| !list.seen.contains_key(*hash));
            }
        }
        Ok(())
    }

    /// What the list has shown of a key.
    pub fn glance(&self, due: &Due) -> Option<Glance> {
        let list = self.places.get(&due.workspace_id)?;
        list.seen.get(due.upstream_hash.as_deref()?).copied()
    }

    /// Looks at a key before it is disabled. If someone outside keycap has already disabled it, it gets the hold
    /// `upstream`, so that the end of the present holds does not enable it. A key that could not be read is disabled all
    /// the same.
    pub async fn before_disabling(&self, app: &App, due: &Due, counts: &Tally) {
        // A key with a switch in flight is not known to be enabled.
        let (None, Some(hash)) = (due.in_flight_since, due.upstream_hash.as_deref()) else {
            return;
        };
        let look = match self.glance(due) {
            Some(glance) if glance.disabled != Some(true) => return,
            Some(glance) => Look::Listed(glance),
            None if self.reads.get() > 0 => {
                self.reads.set(self.reads.get().saturating_sub(1));
                Look::Brief
            }
            None => return self.unread.set(self.unread.get().saturating_add(1)),
        };
        let held = upstream_changes::is_held_already(app, hash, JOB, look).await;
        counts.add(usize::from(held), |counts| &mut counts.kept);
    }

    /// Says in the log how many keys were disabled without a look.
    pub fn report(&self, app: &App) {
        let unread = self.unread.replace(0);
        if unread > 0 {
            app.note("warn", "not_looked_at", json!({ "count": unread }));
        }
    }
}
