//! Reads days through analytics: one query for all keys, or lists of keys where that has too many rows.

use std::cell::RefCell;

use crate::app::context::App;
use crate::app::run::Run;
use crate::domain::usage::day::{DAY_SECS, UtcDay};
use crate::jobs::halt::{Halt, renew};
use crate::jobs::usage_sync::by_key;
use crate::jobs::usage_sync::pass::{Sync, is_ours, keep, merged, row_of, write};
use crate::store::ops::cursors::{UsageCursor, UsagePass};
use crate::store::usage::days::{self, DayRevision, Shown, UsedKey};
use crate::store::usage::figures::Written;
use crate::upstream::openrouter::analytics::{
    self, AnalyticsAnswer, AnalyticsQuery, MOST_ROWS, MetricNames, UsedRow,
};
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// OpenRouter answers 64 queries a minute. So many are sent in that time, since another run may ask too.
const A_MINUTE: usize = 60;
/// That time in milliseconds, and a second for clocks that differ.
const MINUTE_MS: i64 = 61_000;
/// The longest list of keys.
const MOST_KEYS: usize = 4_000;

/// Why a query has no answer.
enum Unanswered {
    Halt(Halt),
    /// Analytics cannot be used, or not with this query.
    Refused,
}

impl From<Halt> for Unanswered {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<crate::ports::DbError> for Unanswered {
    fn from(error: crate::ports::DbError) -> Self {
        Self::Halt(error.into())
    }
}

/// Reads all days that are left. If analytics cannot be used, each key is asked about.
pub(super) async fn read_left(app: &App, run: &Run, cursor: &mut UsageCursor) -> Result<(), Halt> {
    let mut sync = Sync {
        app,
        run,
        names: MetricNames::default(),
        account: Vec::new(),
        renamed: Vec::new(),
        asked_at_ms: RefCell::default(),
    };
    if cursor.pass.as_ref().is_some_and(|pass| pass.by_activity) {
        return by_key::read_all(&sync, cursor).await;
    }
    match read_by_query(&mut sync, cursor).await {
        Ok(()) => Ok(()),
        Err(Unanswered::Halt(halt)) => Err(halt),
        Err(Unanswered::Refused) => {
            app.note("error", "analytics_unusable", serde_json::json!({}));
            cursor.pass = None;
            by_key::read_all(&sync, cursor).await
        }
    }
}

async fn read_by_query(sync: &mut Sync<'_>, cursor: &mut UsageCursor) -> Result<(), Unanswered> {
    let left: Vec<UtcDay> = cursor
        .left
        .iter()
        .flatten()
        .map(|day| UtcDay::from_number(*day))
        .collect();
    let (Some(first), Some(last)) = (left.first(), left.last()) else {
        return Ok(());
    };
    // One query for all days, because an account has few models.
    let whole = ask_or_rename(sync, (*first, *last)).await?;
    sync.account = whole.rows;
    let knows_all = !whole.is_truncated;
    sync.renamed = by_key::renamed(sync.app).await?;
    for day in left {
        if !sync.run.has_room(sync.app) {
            return Err(Halt::Budget(None).into());
        }
        renew(sync.app, sync.run).await?;
        if !knows_all {
            sync.account = ask(sync, (day, day), false, None).await?.rows;
        }
        read_day(sync, day, cursor).await?;
        cursor.pass = None;
        cursor
            .left
            .iter_mut()
            .for_each(|left| left.retain(|other| *other != day.number()));
        cursor.counts.days = cursor.counts.days.saturating_add(1);
        if !cursor.counts.dry_run {
            keep(sync.app, sync.run, cursor).await?;
        }
    }
    Ok(())
}

/// Asks what the whole account used. If OpenRouter refuses the query, the metrics may have other names by now.
async fn ask_or_rename(
    sync: &mut Sync<'_>,
    days: (UtcDay, UtcDay),
) -> Result<AnalyticsAnswer, Unanswered> {
    match ask(sync, days, false, None).await {
        Err(Unanswered::Refused) => {}
        other => return other,
    }
    match analytics::metric_names(&sync.app.upstream()).await {
        UpstreamReply::Is(Some(names)) if names != sync.names => sync.names = names,
        UpstreamReply::Is(_)
        | UpstreamReply::Missing
        | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            return Err(Unanswered::Refused);
        }
        UpstreamReply::Refused(refused) => return Err(Halt::from(refused).into()),
        UpstreamReply::Unknown => return Err(Halt::Upstream.into()),
    }
    sync.app
        .note("warn", "metrics_renamed", serde_json::json!({}));
    ask(sync, days, false, None).await
}

/// Waits until another query may be sent.
async fn pace(sync: &Sync<'_>) {
    let now = sync.app.clock.now_ms();
    let wait = {
        let mut asked = sync.asked_at_ms.borrow_mut();
        asked.retain(|at| *at > now.saturating_sub(MINUTE_MS));
        let oldest = asked.first().filter(|_| asked.len() >= A_MINUTE);
        oldest.map_or(0, |at| at.saturating_add(MINUTE_MS).saturating_sub(now))
    };
    if let Ok(wait @ 1..) = u32::try_from(wait) {
        sync.app.clock.pause(wait).await;
    }
    let now = sync.app.clock.now_ms();
    sync.asked_at_ms.borrow_mut().push(now);
}

async fn ask(
    sync: &Sync<'_>,
    (from, to): (UtcDay, UtcDay),
    by_key: bool,
    hashes: Option<&[String]>,
) -> Result<AnalyticsAnswer, Unanswered> {
    pace(sync).await;
    let query = AnalyticsQuery {
        from,
        to,
        by_key,
        hashes,
        names: &sync.names,
    };
    match analytics::usage(&sync.app.upstream(), &query).await {
        UpstreamReply::Is(answer) => Ok(answer),
        UpstreamReply::Missing | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            Err(Unanswered::Refused)
        }
        UpstreamReply::Refused(refused) => Err(Halt::from(refused).into()),
        UpstreamReply::Unknown => Err(Halt::Upstream.into()),
    }
}

/// Reads one day, and shows it.
async fn read_day(
    sync: &Sync<'_>,
    day: UtcDay,
    cursor: &mut UsageCursor,
) -> Result<(), Unanswered> {
    let as_of = sync.app.now();
    if cursor.pass.is_none() {
        begin_day(sync, day, cursor).await?;
    }
    let Some(mut pass) = cursor.pass.take() else {
        return Ok(());
    };
    let Some(at) = pass.days.first().copied() else {
        return Ok(());
    };
    if !pass.in_lists {
        let answer = ask(sync, (day, day), true, None).await?;
        pass.in_lists = answer.is_truncated;
        cursor.counts.truncated = cursor
            .counts
            .truncated
            .saturating_add(u32::from(answer.is_truncated));
        if !answer.is_truncated {
            write_answer(sync, at, answer, &mut pass, cursor).await?;
        }
    }
    if pass.in_lists {
        read_lists(sync, at, &mut pass, cursor).await?;
    }
    write_renamed(sync, at, &mut pass, cursor).await?;
    if cursor.counts.dry_run {
        return Ok(());
    }
    let of_day = sync.account.iter().filter(|row| row.day == day);
    let account = merged(of_day.map(|row| row_of(at, "", row)).collect());
    let shown = Shown {
        at,
        source: "analytics",
        run: sync.run.id.as_str(),
        as_of,
        kept: &[pass.failed.as_slice(), pass.vanished.as_slice()].concat(),
        failed_keys: pass.failed.len(),
        account: &account,
    };
    days::show(&*sync.app.db, &shown).await?;
    Ok(())
}

/// Takes a revision for the day. A day that had more rows than one answer the last time is asked for by lists at once.
async fn begin_day(
    sync: &Sync<'_>,
    day: UtcDay,
    cursor: &mut UsageCursor,
) -> Result<(), Unanswered> {
    let before = days::known(&*sync.app.db, day.plus(-1), day).await?;
    let rows = before
        .days
        .iter()
        .map(|day| day.row_count)
        .max()
        .unwrap_or(0);
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let days = if cursor.counts.dry_run {
        vec![DayRevision {
            day: day.number(),
            revision: 0,
        }]
    } else {
        days::begin(&*sync.app.db, &[day]).await?
    };
    cursor.pass = Some(UsagePass {
        days,
        by_activity: false,
        in_lists: rows >= most,
        after: 0,
        failed: Vec::new(),
        vanished: Vec::new(),
    });
    if !cursor.counts.dry_run {
        keep(sync.app, sync.run, cursor).await?;
    }
    Ok(())
}

async fn write_answer(
    sync: &Sync<'_>,
    at: DayRevision,
    answer: AnalyticsAnswer,
    pass: &mut UsagePass,
    cursor: &mut UsageCursor,
) -> Result<(), Halt> {
    let is_renamed = |name: &str| sync.renamed.iter().any(|(renamed, _)| renamed == name);
    let ours = answer
        .rows
        .iter()
        .filter(|row| is_ours(sync.run, &row.key) && !is_renamed(&row.key));
    let rows: Vec<Written> = merged(
        ours.map(|row: &UsedRow| row_of(at, &row.key, row))
            .collect(),
    );
    cursor.counts.rows = cursor.counts.rows.saturating_add(answer.rows.len());
    for name in answer
        .unreadable
        .into_iter()
        .filter(|name| is_ours(sync.run, name))
    {
        failed(name, pass, cursor);
    }
    if cursor.counts.dry_run {
        return Ok(());
    }
    write(sync.app, sync.run, &rows).await
}

fn failed(name: String, pass: &mut UsagePass, cursor: &mut UsageCursor) {
    if !pass.failed.contains(&name) {
        pass.failed.push(name);
        cursor.counts.failed_keys = cursor.counts.failed_keys.saturating_add(1);
    }
}

/// Asks by lists of keys, in the order of their rows. What is done is kept, so that another run continues after it.
async fn read_lists(
    sync: &Sync<'_>,
    at: DayRevision,
    pass: &mut UsagePass,
    cursor: &mut UsageCursor,
) -> Result<(), Unanswered> {
    let day = UtcDay::from_number(at.day);
    loop {
        if !sync.run.has_room(sync.app) {
            cursor.pass = Some(pass.clone());
            return Err(Halt::Budget(None).into());
        }
        renew(sync.app, sync.run).await?;
        // A request that was running when its key ended is counted later.
        let from = day.start().plus(-DAY_SECS);
        let most = i64::try_from(cursor.list_keys).unwrap_or(i64::MAX);
        let keys = days::usable(&*sync.app.db, pass.after, from, day.end(), most).await?;
        let Some(last) = keys.last().map(|key| key.id) else {
            return Ok(());
        };
        let hashes: Vec<String> = keys.iter().map(|key| key.hash.clone()).collect();
        cursor.counts.lists = cursor.counts.lists.saturating_add(1);
        match ask(sync, (day, day), true, Some(&hashes)).await {
            Ok(answer) if answer.is_truncated && keys.len() > 1 => {
                cursor.list_keys = (keys.len() / 2).max(1);
                continue;
            }
            Ok(answer) => {
                fit_list(cursor, keys.len(), answer.rows.len());
                write_answer(sync, at, answer, pass, cursor).await?;
            }
            // The list is too long, or OpenRouter refuses this one key.
            Err(Unanswered::Refused) if keys.len() > 1 => {
                cursor.list_keys = (keys.len() / 2).max(1);
                continue;
            }
            Err(Unanswered::Refused) => {
                for UsedKey { name, .. } in keys {
                    failed(name, pass, cursor);
                }
            }
            Err(halt) => {
                cursor.pass = Some(pass.clone());
                return Err(halt);
            }
        }
        pass.after = last;
        cursor.pass = Some(pass.clone());
        if !cursor.counts.dry_run {
            keep(sync.app, sync.run, cursor).await?;
        }
    }
}

/// The next list has so many keys that its answer fills three quarters of what an answer can have, if they are used like
/// these. It is at most twice as long as this one, because a longer one may have been refused.
fn fit_list(cursor: &mut UsageCursor, keys: usize, rows: usize) {
    let wanted = MOST_ROWS.saturating_mul(3) / 4;
    let fitting = wanted
        .saturating_mul(keys)
        .checked_div(rows)
        .unwrap_or(MOST_KEYS);
    cursor.list_keys = fitting
        .min(cursor.list_keys.saturating_mul(2))
        .clamp(1, MOST_KEYS);
}

/// Writes what was read of keys that have another name at OpenRouter.
async fn write_renamed(
    sync: &Sync<'_>,
    at: DayRevision,
    pass: &mut UsagePass,
    cursor: &mut UsageCursor,
) -> Result<(), Halt> {
    let mut rows = Vec::new();
    for (name, read) in &sync.renamed {
        match read {
            Some(read) => {
                let of_day = read.iter().filter(|row| row.day.number() == at.day);
                rows.extend(of_day.map(|row| row_of(at, name, row)));
            }
            None => failed(name.clone(), pass, cursor),
        }
    }
    cursor.counts.rows = cursor.counts.rows.saturating_add(rows.len());
    if cursor.counts.dry_run {
        return Ok(());
    }
    write(sync.app, sync.run, &rows).await
}
