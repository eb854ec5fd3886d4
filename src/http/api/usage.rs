//! `GET /api/v1/usage`: what keys were used for, by UTC day or month and by one or two groups. A member sees their own
//! usage; an administrator sees everybody's with `scope=all`. `GET /api/v1/usage.csv` is the same as a file.

mod body;
mod file;
mod query;

use crate::app::auth::is_admin;
use crate::app::error::Error;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::range::months;
use crate::domain::usage::source::SOURCES;
pub use crate::http::api::usage::body::UsageBody;
use crate::http::api::usage::body::{UsageProgressBody, UsageStepBody, added, comparison, parts};
pub use crate::http::api::usage::file::CSV;
use crate::http::api::usage::query::{groups, number, range, scope};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::handoffs::linked;
use crate::store::members;
use crate::store::usage::counters;
use crate::store::usage::days;
use crate::store::usage::panel::{Panel, StepRow, UsageScope, panel_rows, step_rows};

/// So many groups stand by themselves, and the rest is added up.
const TOP: i64 = 8;

/// Answers 200 with the usage that the query asks for.
pub async fn show_usage(context: Context) -> Result<Reply, Error> {
    let (body, _) = read_usage(&context).await?;
    Reply::json(200, &body)
}

/// Answers 200 with the same usage as a file. While a completed day of the range is not read completely and OpenRouter
/// still reports it, the answer is `usage_unread`: a file outlives the page that would say so.
pub async fn save_usage(context: Context) -> Result<Reply, Error> {
    match read_usage(&context).await? {
        (_, Some(day)) => Err(Error::UsageUnread { day }),
        (body, None) => file::reply(&body),
    }
}

/// Reads what the query asks for, and the first day of it that is not read completely although it could be.
async fn read_usage(context: &Context) -> Result<(UsageBody, Option<UtcDay>), Error> {
    let session = context.member()?;
    let app = &*context.app;
    let now = app.now();
    let today = UtcDay::of(now);
    let range = range(context, today)?;
    let (one, two) = groups(context)?;
    let admins = app.config.admins_json();
    let scope = scope(context)?;
    let is_all = !matches!(scope, UsageScope::Own);
    let panel = Panel {
        session: &session,
        admins: &admins,
        scope,
        today,
        one,
        two,
        key: context.query("key"),
        model: context.query("model"),
        plan: context.query("plan"),
        project: context.query("project"),
        workspace: context.query("workspace"),
        top: number(context, "top", TOP, 1)?,
        skip: number(context, "skip", 0, 0)?,
    };
    let buckets = range.buckets();
    let compared = range.compared(today);
    let mut read = vec![
        panel.sums(&buckets),
        days::read_days(range.from, range.to),
        days::read_through(),
    ];
    let summary = Panel {
        one: None,
        two: None,
        ..panel.clone()
    };
    if let Some((during, before)) = compared {
        read.extend([
            summary.sums(&months(before)),
            days::read_days(before.first, before.last),
        ]);
        // A range that is over is compared as a whole, and its sums are read already.
        if during.last < range.to {
            read.push(summary.sums(&months(during)));
        }
    }
    let provider_keys_at = read.len();
    if !is_all {
        read.push(linked::of_project(&session, panel.project.as_deref()));
    }
    let steps_at = read.len();
    read.extend(panel.key.as_deref().map(|key| panel.steps(key)));
    let reconciled_at = read.len();
    if is_all {
        read.extend(counters::reconciliation(&session, &admins, now));
    }
    let (member, rows) = members::signed_in(&*app.db, &session, read).await?;
    if is_all && !is_admin(app, &member) {
        return Err(Error::NotFound);
    }
    let none = Rows::new();
    let rows_of = |n: usize| rows.get(n).unwrap_or(&none);
    let steps = match &panel.key {
        None => None,
        Some(_) => Some(steps(rows_of(steps_at))?),
    };
    let provider_keys = if is_all {
        Vec::new()
    } else {
        linked::read_list(rows_of(provider_keys_at))?
    };
    let sums = panel_rows(rows_of(0))?;
    let known = days::days_of(rows_of(1))?;
    let reconciliation = if is_all {
        let at = |n: usize| rows_of(reconciled_at.saturating_add(n));
        Some(counters::reconciled(at(0), at(1), at(2))?)
    } else {
        None
    };
    let comparison = match compared {
        Some((during, before)) => {
            let days_before = days::days_of(rows_of(4))?;
            let of_during = if during.last < range.to { 5 } else { 0 };
            let sums = [rows_of(of_during), rows_of(3)];
            Some(comparison((during, before), sums, &days_before, today)?)
        }
        None => None,
    };
    let through = days::through_of(rows_of(2))?;
    let (bucket_bodies, series) = parts(&buckets, &sums, &known, today, is_all);
    let body = UsageBody {
        scope: if is_all { "all" } else { "own" },
        from: range.from,
        to: range.to,
        bucket: if range.is_by_month() { "month" } else { "day" },
        groups: one.into_iter().chain(two).collect(),
        sources: SOURCES,
        progress: UsageProgressBody {
            through,
            days_behind: through.map(|through| today.since(through).saturating_sub(1)),
        },
        totals: added(sums.iter()),
        buckets: bucket_bodies,
        series,
        group_count: sums.first().map_or(0, |row| row.groups),
        skip: panel.skip,
        compared: comparison,
        steps,
        provider_keys,
        reconciliation,
    };
    Ok((body, file::unread(&buckets, &known, today)))
}

fn steps(rows: &Rows) -> Result<Vec<UsageStepBody>, Error> {
    let rows = step_rows(rows)?;
    // A key that the caller may not see has none, and neither has one that does not exist.
    if rows.is_empty() {
        return Err(Error::NotFound);
    }
    let body = |row: StepRow| UsageStepBody {
        kind: row.kind,
        at: row.at,
        until: row.until,
        amount_usd: row.amount_nano,
        limit_reset: row.limit_reset,
    };
    Ok(rows.into_iter().map(body).collect())
}
