//! Carries out holds at OpenRouter: a key is disabled while it has any hold, and enabled again when it has none.
//!
//! Each switch is marked as in flight before it is sent, and is settled by OpenRouter's own answer. If the answer is
//! lost, or something changed in between, the wanted state is sent again in every run until no earlier request can take
//! effect any more.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes;
use crate::jobs::halt::{Halt, renew};
use crate::jobs::sweep::counts::{JOB, SweepCounts};
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::jobs::sweep::strays::record_outside_changes;
use crate::store::keys::due::Due;
use crate::store::keys::holds::{self, Switch};
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply};

/// The number of list pages that are read before keys are disabled, and the number of keys for which one more page is
/// read.
const PAGES: usize = 3;
const KEYS_FOR_A_PAGE: usize = 20;
/// The number of keys not found on those pages that are read one by one.
const READS: usize = 10;

/// Sends one switch.
pub async fn send(
    app: &App,
    run: &Run,
    switch: Switch,
    due: &Due,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    match switch::switch(app, switch, due, JOB).await? {
        UpstreamReply::Is(SwitchOutcome::AsItWas | SwitchOutcome::Overtaken) => {}
        UpstreamReply::Is(SwitchOutcome::Confirmed | SwitchOutcome::Gone) => {
            counts.success();
            wrote(app, run, counts).await;
            let count = match switch {
                Switch::Off => &mut counts.disabled,
                Switch::On => &mut counts.enabled,
            };
            *count = count.saturating_add(1);
        }
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return refuse(app, run, due, refused, counts).await;
        }
        // The key cannot be enabled any more, and its owner is shown that.
        UpstreamReply::Missing => counts.success(),
        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            counts.writes_failed = counts.writes_failed.saturating_add(1);
            return retry_next_run(app, run, due, counts).await;
        }
    }
    Ok(())
}

/// The keys that holds require to be switched now. If `looks` is true, keys to be disabled are read first.
pub async fn due(
    app: &App,
    run: &Run,
    switch: Switch,
    looks: bool,
    counts: &mut SweepCounts,
) -> Result<Vec<Due>, Halt> {
    let due = holds::due(&*app.db, switch, run.now).await?;
    if looks && switch == Switch::Off {
        look_before(app, run, &due, counts).await?;
    }
    Ok(due)
}

/// Reads keys before they are disabled. A key that someone outside keycap has already disabled gets the hold
/// `upstream`, so that the end of the present holds does not enable it. Most keys are found on pages of the list,
/// newest first. A key that could not be read is disabled all the same.
async fn look_before(
    app: &App,
    run: &Run,
    due: &[Due],
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    match look(app, run, due, counts).await {
        Err(Halt::Storage(error)) => {
            let cause = format!("{error:?}");
            app.note("warn", "not_looked_at", json!({ "cause": cause }));
            Ok(())
        }
        other => other,
    }
}

async fn look(app: &App, run: &Run, due: &[Due], counts: &mut SweepCounts) -> Result<(), Halt> {
    // A key with a switch in flight is not known to be enabled.
    let known_on = due.iter().filter(|due| due.in_flight_since.is_none());
    let mut places: BTreeMap<Option<&str>, HashSet<&str>> = BTreeMap::new();
    for due in known_on {
        let place = places.entry(due.workspace_id.as_deref()).or_default();
        place.extend(due.upstream_hash.as_deref());
    }
    let wanted: usize = places.values().map(HashSet::len).sum();
    let mut pages = PAGES.saturating_add(wanted / KEYS_FOR_A_PAGE);
    // If a list does not answer, nothing more is waited for.
    let mut reads = READS;
    let mut disabled = Vec::new();
    'pages: for (workspace_id, unseen) in &mut places {
        let mut offset = 0_usize;
        while pages > 0 && !unseen.is_empty() && run.has_time_for_rows(app) {
            renew(app, run).await?;
            pages = pages.saturating_sub(1);
            let UpstreamReply::Is(page) =
                openrouter::list_keys(&app.upstream(), *workspace_id, offset).await
            else {
                reads = 0;
                break 'pages;
            };
            if page.is_empty() {
                break;
            }
            offset = offset.saturating_add(page.len());
            let seen = page.iter().filter(|key| unseen.remove(key.hash.as_str()));
            let off = seen.filter(|key| key.disabled == Some(true));
            disabled.extend(off.map(|key| key.hash.clone()));
        }
    }
    record_outside_changes(app, run, &disabled, counts).await?;
    let unseen: Vec<&str> = places.into_values().flatten().collect();
    let unread = unseen.len().saturating_sub(reads);
    if unread > 0 {
        app.note("warn", "not_looked_at", json!({ "count": unread }));
    }
    for hash in unseen.into_iter().take(reads) {
        renew(app, run).await?;
        let held = upstream_changes::is_held_already(app, hash, JOB).await;
        counts.kept = counts.kept.saturating_add(usize::from(held));
    }
    Ok(())
}
