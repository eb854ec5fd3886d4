//! Handles listed keys that should not exist. Strays of ours are deleted, and keys with our marker but without a row
//! are disabled.

use std::collections::HashMap;

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::upstream_changes;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::drift::allows_less;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::purge::Removed;
use crate::domain::key::stray::{BRAKE, MarkedRow, StrayVerdict, judge};
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::jobs::sweep::purge::purge;
use crate::ports::DbError;
use crate::store::keys::due::Place;
use crate::store::keys::generations;
use crate::store::keys::retained;
use crate::store::keys::strays;
use crate::upstream::openrouter::{self, Listed, UpstreamReply};

/// The number of names that one statement looks up.
const NAMES: usize = 500;
/// The number of keys of one walk that are read again because they allow less than their rows say.
const LOOKS: usize = 50;

/// Listed keys that should not exist, by what has to be done with them.
pub struct Judged<'a> {
    wrong: Vec<&'a Listed>,
    twins: usize,
    unknown: Vec<&'a Listed>,
    /// Keys that may exist but allow less than their rows say.
    less: Vec<&'a Listed>,
}

impl Judged<'_> {
    /// The hashes of listed keys that someone outside keycap may have disabled or lowered.
    pub fn less(&self) -> Vec<String> {
        let less = self.less.iter().take(LOOKS);
        less.map(|key| key.hash.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.wrong.len().saturating_add(self.unknown.len())
    }
}

/// Looks up each listed name, after the listing, and judges all keys. If `marks` is true, rows of unknown outcome whose
/// key was seen are marked.
pub async fn judged<'a>(
    app: &App,
    run: &Run,
    ours: &'a [Listed],
    marks: bool,
) -> Result<Judged<'a>, Halt> {
    let (mut wrong, mut twins, mut unknown) = (Vec::new(), 0_usize, Vec::new());
    let mut less = Vec::new();
    for chunk in ours.chunks(NAMES) {
        let names: Vec<&str> = chunk.iter().map(Listed::name).collect();
        let rows = strays::by_names(&*app.db, &names, marks.then_some(run.now)).await?;
        let rows: HashMap<&str, &MarkedRow> = rows
            .iter()
            .map(|row| (row.upstream_name.as_str(), row))
            .collect();
        for key in chunk {
            let row = rows.get(key.name()).copied();
            match judge(row, &key.hash, is_off(key)) {
                StrayVerdict::Leave => {
                    let fewer = |row: &&MarkedRow| allows_less(row.state, row.limit(), &key.seen());
                    let lives = |row: &&MarkedRow| {
                        matches!(
                            row.state,
                            GenerationState::Active | GenerationState::Disabled
                        )
                    };
                    less.extend(row.filter(lives).filter(fewer).map(|_| key));
                }
                StrayVerdict::Quarantine => unknown.push(key),
                StrayVerdict::DeleteTwin => {
                    twins = twins.saturating_add(1);
                    wrong.push(key);
                }
                StrayVerdict::Delete
                | StrayVerdict::DeleteAndClear
                | StrayVerdict::DeleteAndRevoke
                | StrayVerdict::Look => wrong.push(key),
            }
        }
    }
    Ok(Judged {
        wrong,
        twins,
        unknown,
        less,
    })
}

/// Acts on the judged keys, unless there are too many at once.
pub async fn act(
    app: &App,
    run: &Run,
    place: &Place,
    judged: Judged<'_>,
    counts: &Tally,
) -> Result<(), Halt> {
    let Judged {
        wrong,
        twins,
        unknown,
        less: _,
    } = judged;
    list(app, run, place, &unknown).await?;
    let enabled = unknown.iter().filter(|key| !is_off(key));
    if twins.max(enabled.clone().count()) > BRAKE {
        return Err(Halt::Brake);
    }
    for key in wrong {
        remove(app, run, key, counts).await?;
    }
    for key in enabled {
        quarantine(app, run, key, counts).await?;
    }
    Ok(())
}

fn is_off(key: &Listed) -> bool {
    key.disabled == Some(true)
}

/// Deletes a stray if it still is one: it is judged again by its current row.
async fn remove(app: &App, run: &Run, key: &Listed, counts: &Tally) -> Result<(), Halt> {
    let Some(row) = strays::by_name(&*app.db, key.name()).await? else {
        return Ok(());
    };
    let verdict = judge(Some(&row), &key.hash, is_off(key));
    let may = match verdict {
        StrayVerdict::Leave | StrayVerdict::Quarantine => return Ok(()),
        StrayVerdict::Look => return look(app, run, &row, counts).await,
        StrayVerdict::DeleteTwin => has_its_own(app, &row).await,
        StrayVerdict::Delete | StrayVerdict::DeleteAndClear | StrayVerdict::DeleteAndRevoke => true,
    };
    let generation = row.public_id.as_str();
    if !may {
        app.note("error", "twin_left", json!({ "generation": generation }));
        counts.one(|counts| &mut counts.errors);
        return Ok(());
    }
    match openrouter::delete_key(&app.upstream(), &key.hash).await {
        // The same credential listed this key, so a 404 means that it is gone.
        UpstreamReply::Is(()) | UpstreamReply::Missing => {}
        UpstreamReply::Refused(refused) => return counts.refusal(refused),
        UpstreamReply::Unknown => {
            counts.one(|counts| &mut counts.errors);
            return Ok(());
        }
    }
    counts.success();
    counts.one(|counts| &mut counts.deleted);
    app.note(
        "warn",
        "stray_deleted",
        json!({ "generation": generation, "state": row.state.name() }),
    );
    let change = change(app)?;
    match verdict {
        StrayVerdict::DeleteAndClear => {
            if generations::clear(&*app.db, generation, &change, run.now).await? {
                counts.note(|counts| counts.cleared = counts.cleared.saturating_add(1));
            }
        }
        StrayVerdict::DeleteAndRevoke => {
            let deleted = Removed::Deleted;
            if generations::confirm_off(&*app.db, generation, deleted, JOB, &change, run.now)
                .await?
            {
                counts.one(|counts| &mut counts.revoked);
            }
        }
        StrayVerdict::Delete
        | StrayVerdict::DeleteTwin
        | StrayVerdict::Look
        | StrayVerdict::Leave
        | StrayVerdict::Quarantine => {}
    }
    Ok(())
}

/// Reads the key again. It was enabled when it was listed, and its current state decides.
async fn look(app: &App, run: &Run, row: &MarkedRow, counts: &Tally) -> Result<(), Halt> {
    match retained::one(&*app.db, &row.public_id).await? {
        Some(key) => purge(app, run, &key, counts).await,
        None => Ok(()),
    }
}

/// Answers whether the key that the row recorded exists under its own hash. If it does not, the listed key might be
/// that very key.
async fn has_its_own(app: &App, row: &MarkedRow) -> bool {
    let Some(recorded) = row.upstream_hash.as_deref() else {
        return false;
    };
    matches!(openrouter::read_key(&app.upstream(), recorded).await, UpstreamReply::Is(key) if key.name == row.upstream_name)
}

/// Writes down which marked keys have no row, and logs an error about those that nobody has acknowledged.
async fn list(app: &App, run: &Run, place: &Place, unknown: &[&Listed]) -> Result<(), Halt> {
    let workspace = place.workspace_id.as_deref();
    let mut news = 0_usize;
    for chunk in unknown.chunks(50) {
        let mut listed = Vec::new();
        for key in chunk {
            let id =
                random::public_id(&*app.random, IdKind::Finding).map_err(|_| DbError::Broken)?;
            let (name, enabled) = (key.name(), !is_off(key));
            listed.push(strays::found(
                &id, &key.hash, name, workspace, enabled, run.now,
            ));
        }
        for rows in app.db.batch(listed).await? {
            news = news.saturating_add(usize::from(strays::read_news(&rows)?));
        }
    }
    // A finding that an admin has acknowledged is not reported again.
    if news > 0 {
        app.note("error", "marker_without_row", json!({ "count": news }));
    }
    Ok(())
}

/// Disables a marked key that has no row. Such a key is never deleted.
async fn quarantine(app: &App, run: &Run, key: &Listed, counts: &Tally) -> Result<(), Halt> {
    // The row is looked up again just before the switch, because it may exist by now.
    if strays::by_name(&*app.db, key.name()).await?.is_some() {
        return Ok(());
    }
    match openrouter::switch_key(&app.upstream(), &key.hash, true).await {
        UpstreamReply::Is(_) => {
            counts.success();
            let noted = strays::disabled(&key.hash, run.now);
            app.db.batch(vec![noted]).await?;
            counts.one(|counts| &mut counts.quarantined);
        }
        UpstreamReply::Refused(refused) => return counts.refusal(refused),
        UpstreamReply::Missing | UpstreamReply::Unknown => counts.one(|counts| &mut counts.errors),
    }
    Ok(())
}

/// Reads listed keys that allow less than their rows say, and records what someone outside keycap did.
pub async fn record_outside_changes(
    app: &App,
    run: &Run,
    hashes: &[String],
    counts: &Tally,
) -> Result<(), Halt> {
    for hash in hashes {
        renew(app, run).await?;
        if let UpstreamReply::Is(differences) = upstream_changes::look(app, hash, JOB, true).await?
        {
            let kept = differences.iter().filter(|one| one.is_kept()).count();
            counts.add(kept, |counts| &mut counts.kept);
        }
    }
    Ok(())
}
