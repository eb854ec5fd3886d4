//! Holds, carried out upstream: a key is off if there is any, and on again when there is none.
//!
//! Each switch is written down as doubtful before it is sent, and the doubt ends with upstream's own answer. Where the
//! answer is lost, or something changed in between, what is wanted is said again in every run until nothing that was
//! sent earlier can land any more.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes;
use crate::jobs::halt::{Halt, renew};
use crate::jobs::sweep::counts::{JOB, SweepCounts};
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::jobs::sweep::strays::keep_what_others_did;
use crate::store::keys::due::Due;
use crate::store::keys::holds::{self, Switch};
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply};

/// Pages of the list that are read before keys are disabled, and how many keys have one page more.
const PAGES: usize = 3;
const KEYS_FOR_A_PAGE: usize = 20;
/// Keys beyond those pages that are read one by one.
const READS: usize = 10;

/// One switch.
pub async fn turn(
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
        // It cannot be enabled any more, and its owner is told so.
        UpstreamReply::Missing => counts.success(),
        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            counts.writes_failed = counts.writes_failed.saturating_add(1);
            return retry_next_run(app, run, due, counts).await;
        }
    }
    Ok(())
}

/// What holds ask to be switched so now; what is to be disabled is looked at before, if wanted.
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

/// Looks at keys before they are disabled: what somebody else has disabled is held, so that nothing enables it again when
/// the present holds end. Pages of the list say most of it, newest keys first. What could not be looked at is disabled all
/// the same.
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
    // In doubt it is not known to be enabled.
    let known_on = due.iter().filter(|due| due.doubted_at.is_none());
    let mut places: BTreeMap<Option<&str>, HashSet<&str>> = BTreeMap::new();
    for due in known_on {
        let place = places.entry(due.workspace_id.as_deref()).or_default();
        place.extend(due.upstream_hash.as_deref());
    }
    let wanted: usize = places.values().map(HashSet::len).sum();
    let mut pages = PAGES.saturating_add(wanted / KEYS_FOR_A_PAGE);
    // Where a list has no answer, nothing is waited for any longer.
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
    keep_what_others_did(app, run, &disabled, counts).await?;
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
