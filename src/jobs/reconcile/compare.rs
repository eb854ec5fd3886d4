//! Compares what the reconciliation sees: listed keys with the rows of their hashes, marked names with the rows that
//! they lead to, and rows with keys that may not exist.

use std::collections::HashMap;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::absence;
use crate::app::sync::upstream_changes::{self, Difference};
use crate::domain::id::marker;
use crate::domain::key::drift::{Drift, drift};
use crate::domain::run::Job;
use crate::jobs::halt::{Halt, renew};
use crate::jobs::sweep::counts::Tally;
use crate::jobs::sweep::strays;
use crate::store::keys::due::Place;
use crate::store::ops::cursors::Cursor;
use crate::store::ops::drift as rows;
use crate::store::ops::drift::ComparedRow;
use crate::upstream::openrouter::{Listed, UpstreamRefusal, UpstreamReply};

const JOB: &str = Job::Reconcile.name();
/// The number of hashes that one statement looks up.
const ROWS: usize = 500;
/// The number of differences in one slice that are read again. More of them at once are not a coincidence of timing.
const LOOKS: usize = 50;

/// Compares listed keys with the rows of their hashes. The rows are read after the list.
pub async fn compare(
    app: &App,
    run: &Run,
    keys: &[&Listed],
    cursor: &mut Cursor,
) -> Result<(), Halt> {
    let mut suspects = Vec::new();
    for chunk in keys.chunks(ROWS) {
        let hashes: Vec<&str> = chunk.iter().map(|key| key.hash.as_str()).collect();
        let known = rows::sighted(&*app.db, &hashes, run.now).await?;
        let known: HashMap<&str, &ComparedRow> = known
            .iter()
            .map(|row| (row.upstream_hash.as_str(), row))
            .collect();
        let own = marker(&run.begun.instance);
        for key in chunk {
            match known.get(key.hash.as_str()) {
                Some(row) => {
                    cursor.counts.ours = cursor.counts.ours.saturating_add(1);
                    if row.missing {
                        found(app, &row.public_id, cursor).await?;
                    }
                    if !drift(&row.wanted(), &key.seen(), run.now).is_empty() {
                        suspects.push(key.hash.clone());
                    }
                }
                None if key.name().starts_with(&own) => {}
                None => cursor.counts.others = cursor.counts.others.saturating_add(1),
            }
        }
    }
    let beyond = suspects.len().saturating_sub(LOOKS);
    cursor.counts.unchecked = cursor.counts.unchecked.saturating_add(beyond);
    for hash in suspects.iter().take(LOOKS) {
        renew(app, run).await?;
        look_again(app, run, hash, cursor).await?;
    }
    Ok(())
}

/// Reads key and row once more, because a change that was under way shows no difference any more.
async fn look_again(app: &App, run: &Run, hash: &str, cursor: &mut Cursor) -> Result<(), Halt> {
    let acts = !cursor.counts.dry_run;
    let differences = match upstream_changes::look(app, hash, run.job, acts).await? {
        UpstreamReply::Is(differences) => differences,
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return Err(refused.into());
        }
        UpstreamReply::Missing
        | UpstreamReply::Unknown
        | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            cursor.counts.errors = cursor.counts.errors.saturating_add(1);
            return Ok(());
        }
    };
    for difference in differences {
        differs(app, run, &difference, cursor).await?;
    }
    Ok(())
}

async fn differs(
    app: &App,
    run: &Run,
    difference: &Difference,
    cursor: &mut Cursor,
) -> Result<(), Halt> {
    let counts = &mut cursor.counts;
    let (generation, drift) = (difference.generation.as_str(), difference.drift);
    counts.drift = counts.drift.saturating_add(1);
    app.note(
        "warn",
        "drift",
        json!({ "generation": generation, "kind": drift.name() }),
    );
    if difference.is_kept() {
        counts.kept = counts.kept.saturating_add(1);
    } else if difference.applied {
        counts.mended = counts.mended.saturating_add(1);
    }
    Ok(rows::note(&*app.db, generation, drift, run.now).await?)
}

/// Judges keys with our marker by the row of their name, as the sweep does. The sweep reads only the newest keys.
pub async fn settle_strays(
    app: &App,
    run: &Run,
    place: &str,
    listed: &[Listed],
    cursor: &mut Cursor,
) -> Result<(), Halt> {
    let own = marker(&run.begun.instance);
    let ours: Vec<Listed> = listed
        .iter()
        .filter(|key| key.name().starts_with(&own))
        .cloned()
        .collect();
    let judged = strays::judged(app, run, &ours, !cursor.counts.dry_run).await?;
    cursor.counts.strays = cursor.counts.strays.saturating_add(judged.len());
    if cursor.counts.dry_run {
        return Ok(());
    }
    let place = Place {
        workspace_id: Some(place.to_owned()),
        unsettled: false,
    };
    let done = Tally::default();
    let settled = strays::act(app, run, &place, judged, &done).await;
    let done = done.into_counts();
    let counts = &mut cursor.counts;
    counts.deleted = counts.deleted.saturating_add(done.deleted);
    counts.quarantined = counts.quarantined.saturating_add(done.quarantined);
    counts.errors = counts.errors.saturating_add(done.errors);
    settled
}

/// Records that OpenRouter does not have the key. It is then shown as missing, and its owner can remove it.
pub async fn missing(app: &App, run: &Run, hash: &str, cursor: &mut Cursor) -> Result<(), Halt> {
    // The row is read at this moment, because a key that is being removed is not missing.
    let row = rows::by_hash(&*app.db, hash).await?;
    let Some(row) = row.filter(ComparedRow::is_to_be_there) else {
        return Ok(());
    };
    let generation = row.public_id.as_str();
    cursor.counts.missing = cursor.counts.missing.saturating_add(1);
    let dry_run = cursor.counts.dry_run;
    if !dry_run {
        absence::record(app, generation, JOB).await?;
    }
    Ok(rows::note(&*app.db, generation, Drift::Missing, run.now).await?)
}

/// Records that OpenRouter has the key after all.
async fn found(app: &App, generation: &str, cursor: &mut Cursor) -> Result<(), Halt> {
    cursor.counts.found = cursor.counts.found.saturating_add(1);
    if !cursor.counts.dry_run {
        absence::withdraw(app, generation, JOB).await?;
    }
    Ok(())
}
