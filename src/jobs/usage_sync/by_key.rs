//! Reads usage key by key through `/activity`: for keys that analytics cannot tell by their names, and for all keys if
//! analytics cannot be used. One call has all days of a key.

use crate::app::context::App;
use crate::domain::usage::day::{DAY_SECS, UtcDay};
use crate::jobs::halt::{Halt, renew};
use crate::jobs::usage_sync::pass::{Sync, keep, merged, row_of, write};
use crate::ports::DbError;
use crate::store::ops::cursors::{UsageCursor, UsagePass};
use crate::store::usage::days::{self, Shown, UsedKey};
use crate::store::usage::figures::Written;
use crate::upstream::openrouter::activity;
use crate::upstream::openrouter::analytics::UsedRow;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// So many keys are asked about before the position is written down.
const KEYS: i64 = 100;

/// Reads the usage of the keys that have another name at OpenRouter than in their row. Where OpenRouter does not answer,
/// the days of the key are read again another time.
pub(super) async fn renamed(app: &App) -> Result<Vec<(String, Option<Vec<UsedRow>>)>, DbError> {
    let mut read = Vec::new();
    for UsedKey { name, hash, .. } in days::renamed(&*app.db).await? {
        let rows = match activity::usage(&app.upstream(), Some(&hash)).await {
            UpstreamReply::Is(rows) => Some(rows),
            UpstreamReply::Missing => Some(Vec::new()),
            UpstreamReply::Refused(_) | UpstreamReply::Unknown => None,
        };
        read.push((name, rows));
    }
    Ok(read)
}

/// Reads all days that are left, key by key, and shows them together.
pub(super) async fn read_all(sync: &Sync<'_>, cursor: &mut UsageCursor) -> Result<(), Halt> {
    let (app, run) = (sync.app, sync.run);
    let as_of = app.now();
    if cursor.counts.dry_run {
        return Ok(());
    }
    let left: Vec<UtcDay> = cursor
        .left
        .iter()
        .flatten()
        .map(|day| UtcDay::from_number(*day))
        .collect();
    let (Some(first), Some(last)) = (left.first().copied(), left.last().copied()) else {
        return Ok(());
    };
    let account = match activity::usage(&app.upstream(), None).await {
        UpstreamReply::Is(rows) => rows,
        UpstreamReply::Refused(refused) => return Err(refused.into()),
        UpstreamReply::Missing | UpstreamReply::Unknown => return Err(Halt::Upstream),
    };
    if cursor.pass.is_none() {
        cursor.pass = Some(UsagePass {
            days: days::begin(&*app.db, &left).await?,
            by_activity: true,
            in_lists: false,
            after: 0,
            failed: Vec::new(),
            vanished: Vec::new(),
        });
        keep(app, run, cursor).await?;
    }
    let Some(mut pass) = cursor.pass.clone() else {
        return Ok(());
    };
    loop {
        let from = first.start().plus(-DAY_SECS);
        let keys = days::usable(&*app.db, pass.after, from, last.end(), KEYS).await?;
        if keys.is_empty() {
            break;
        }
        read_keys(sync, keys, &mut pass, cursor).await?;
    }
    for at in &pass.days {
        renew(app, run).await?;
        let of_day = account.iter().filter(|row| row.day.number() == at.day);
        let account = merged(of_day.map(|row| row_of(*at, "", row)).collect());
        let shown = Shown {
            at: *at,
            source: "activity",
            run: run.id.as_str(),
            as_of,
            kept: &[pass.failed.as_slice(), pass.vanished.as_slice()].concat(),
            failed_keys: pass.failed.len(),
            account: &account,
        };
        days::show(&*app.db, &shown).await?;
        cursor.counts.days = cursor.counts.days.saturating_add(1);
    }
    cursor.left = Some(Vec::new());
    cursor.pass = None;
    keep(app, run, cursor).await
}

/// Asks about some keys, and writes their rows. One that OpenRouter does not answer for does not hold up the others.
async fn read_keys(
    sync: &Sync<'_>,
    keys: Vec<UsedKey>,
    pass: &mut UsagePass,
    cursor: &mut UsageCursor,
) -> Result<(), Halt> {
    let (app, run) = (sync.app, sync.run);
    let mut rows: Vec<Written> = Vec::new();
    let mut halt = None;
    for UsedKey { id, name, hash } in keys {
        if !run.has_room(app) {
            halt = Some(Halt::Budget(None));
            break;
        }
        renew(app, run).await?;
        match activity::usage(&app.upstream(), Some(&hash)).await {
            UpstreamReply::Is(read) => rows.extend(rows_of(pass, &name, &read)),
            UpstreamReply::Missing => {
                pass.vanished.push(name);
                cursor.counts.vanished_keys = cursor.counts.vanished_keys.saturating_add(1);
            }
            UpstreamReply::Refused(
                refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
            ) => {
                halt = Some(refused.into());
                break;
            }
            UpstreamReply::Refused(UpstreamRefusal::Rejected) | UpstreamReply::Unknown => {
                pass.failed.push(name);
                cursor.counts.failed_keys = cursor.counts.failed_keys.saturating_add(1);
            }
        }
        cursor.counts.keys = cursor.counts.keys.saturating_add(1);
        pass.after = id;
    }
    cursor.counts.rows = cursor.counts.rows.saturating_add(rows.len());
    write(app, run, &rows).await?;
    cursor.pass = Some(pass.clone());
    keep(app, run, cursor).await?;
    halt.map_or(Ok(()), Err)
}

/// The rows of a key in the days of the pass.
fn rows_of(pass: &UsagePass, name: &str, read: &[UsedRow]) -> Vec<Written> {
    let day_of = |row: &UsedRow| pass.days.iter().find(|at| at.day == row.day.number());
    read.iter()
        .filter_map(|row| Some(row_of(*day_of(row)?, name, row)))
        .collect()
}
