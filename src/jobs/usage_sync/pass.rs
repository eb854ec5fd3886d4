//! What both ways of reading usage share: what a run has at hand, and how rows and the position are written.

use std::cell::RefCell;

use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::id::marker;
use crate::jobs::halt::{Halt, renew};
use crate::ports::DbError;
use crate::store::ops::cursors::UsageCursor;
use crate::store::ops::runs;
use crate::store::usage::days;
use crate::store::usage::figures::{Written, stored_slug};
use crate::upstream::openrouter::analytics::{MetricNames, UsedRow};

/// So many rows are written in one statement. They have about 300 KB, and D1 takes 2 MB.
const ROWS: usize = 2_000;

/// What a run has at hand while it reads days.
pub(super) struct Sync<'a> {
    pub(super) app: &'a App,
    pub(super) run: &'a Run,
    pub(super) names: MetricNames,
    /// What the whole account used in the days of the run, as far as analytics told.
    pub(super) account: Vec<UsedRow>,
    /// What was read of each key that has another name at OpenRouter; `None` if OpenRouter did not answer.
    pub(super) renamed: Vec<(String, Option<Vec<UsedRow>>)>,
    /// When analytics was asked within the last minute, in milliseconds.
    pub(super) asked_at_ms: RefCell<Vec<i64>>,
}

pub(super) async fn keep(app: &App, run: &Run, cursor: &UsageCursor) -> Result<(), Halt> {
    run.report(&cursor.counts);
    let text = serde_json::to_string(cursor).map_err(|_| DbError::Broken)?;
    Ok(runs::keep(&*app.db, &run.id, &text).await?)
}

/// Writes rows of the days of a pass, as many at a time as one statement takes.
pub(super) async fn write(app: &App, run: &Run, rows: &[Written]) -> Result<(), Halt> {
    for rows in rows.chunks(ROWS) {
        renew(app, run).await?;
        days::write(&*app.db, rows).await?;
    }
    Ok(())
}

/// A row as it is written for the key of this name.
pub(super) fn row_of(revision: days::DayRevision, key: &str, row: &UsedRow) -> Written {
    Written {
        day: revision.day,
        revision: revision.revision,
        key: key.to_owned(),
        slug: stored_slug(&row.model),
        used: row.used,
    }
}

/// Adds up rows of the same day, key and model, which an answer can have twice.
pub(super) fn merged(rows: Vec<Written>) -> Vec<Written> {
    let mut sorted = rows;
    sorted.sort_by(|one, other| {
        (one.day, &one.key, &one.slug).cmp(&(other.day, &other.key, &other.slug))
    });
    let mut merged: Vec<Written> = Vec::with_capacity(sorted.len());
    for row in sorted {
        match merged.last_mut() {
            Some(last) if (last.day, &last.key, &last.slug) == (row.day, &row.key, &row.slug) => {
                last.used = last.used.plus(row.used);
            }
            _ => merged.push(row),
        }
    }
    merged
}

/// Whether a key of this name can be one of ours.
pub(super) fn is_ours(run: &Run, name: &str) -> bool {
    name.starts_with(&marker(&run.begun.instance))
}
