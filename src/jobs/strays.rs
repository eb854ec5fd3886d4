//! Listed keys that should not be there: strays of ours are deleted, markers without a row are quarantined.

use std::collections::HashMap;

use serde_json::json;

use super::lease::{Run, change};
use super::sweep::{Counts, Halt, JOB};
use crate::app::App;
use crate::domain::stray::{QUARANTINE_BRAKE, Row, Verdict, judge};
use crate::store::generations::{self, Place};
use crate::store::strays;
use crate::upstream::openrouter::{self, Listed, Refused, Reply};

/// Names looked up in one statement.
const NAMES: usize = 500;

/// Looks each listed name up, after the listing (X2), and acts on what should not be there.
pub async fn settle(
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
