//! What `GET /api/v1/usage` answers, and how it is put together from the sums of the database.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::progress::{Certainty, ReadDay};
use crate::domain::usage::range::{Bucket, months};
use crate::domain::usage::source::UsageSource;
use crate::ports::{DbError, Rows};
use crate::store::handoffs::linked::ProviderKey;
use crate::store::usage::counters::Reconciliation;
use crate::store::usage::days::DayRow;
use crate::store::usage::panel::{PanelRow, UsageGroup, UsageLabel, panel_rows};

/// Amounts of usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageAmounts {
    /// What was spent: `cost_usd` and `not_broken_down_usd` together.
    pub(super) spend_usd: NanoUsd,
    /// The credits that OpenRouter reports by model.
    pub(super) cost_usd: NanoUsd,
    /// What the counters of keys show and no model explains yet.
    pub(super) not_broken_down_usd: NanoUsd,
    /// What went through own provider keys. It is in no other amount.
    pub(super) byok_usd: NanoUsd,
    pub(super) requests: i64,
    pub(super) prompt_tokens: i64,
    /// Reasoning tokens included.
    pub(super) completion_tokens: i64,
    pub(super) reasoning_tokens: i64,
    pub(super) cached_tokens: i64,
}

impl UsageAmounts {
    const NOTHING: Self = Self {
        spend_usd: NanoUsd::ZERO,
        cost_usd: NanoUsd::ZERO,
        not_broken_down_usd: NanoUsd::ZERO,
        byok_usd: NanoUsd::ZERO,
        requests: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        reasoning_tokens: 0,
        cached_tokens: 0,
    };

    fn of(row: &PanelRow) -> Self {
        Self {
            spend_usd: row.cost_nano.plus(row.unexplained_nano),
            cost_usd: row.cost_nano,
            not_broken_down_usd: row.unexplained_nano,
            byok_usd: row.byok_nano,
            requests: row.requests,
            prompt_tokens: row.prompt,
            completion_tokens: row.completion,
            reasoning_tokens: row.reasoning,
            cached_tokens: row.cached,
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            spend_usd: self.spend_usd.plus(other.spend_usd),
            cost_usd: self.cost_usd.plus(other.cost_usd),
            not_broken_down_usd: self.not_broken_down_usd.plus(other.not_broken_down_usd),
            byok_usd: self.byok_usd.plus(other.byok_usd),
            requests: self.requests.saturating_add(other.requests),
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self
                .completion_tokens
                .saturating_add(other.completion_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
        }
    }
}

/// One day or month of the answer, both ends included.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageBucketBody {
    pub(super) from: UtcDay,
    pub(super) to: UtcDay,
    /// How certain its figures are. What is `unknown` is not known to be zero.
    pub(super) certainty: Certainty,
    /// When its figures were read from OpenRouter, the oldest of its days.
    pub(super) as_of: Option<Timestamp>,
    /// Where they were read: `analytics`, or `activity` key by key.
    pub(super) source: Option<String>,
    /// Keys that OpenRouter did not answer for in these days; only administrators see them.
    pub(super) failed_keys: Option<i64>,
    /// All usage of the bucket; `null` if nothing is known of it.
    pub(super) totals: Option<UsageAmounts>,
}

/// One group in all buckets.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageSeriesBody {
    /// `group`; `other`, all groups that do not stand by themselves; `unattributed`, keys of the account that are not
    /// keycap's; or `not_broken_down`, spend that has no model yet.
    pub(super) kind: String,
    /// What it is in the first group, and in the second one.
    pub(super) one: Option<UsageLabel>,
    pub(super) two: Option<UsageLabel>,
    pub(super) totals: UsageAmounts,
    /// Its usage in each bucket, in their order; `null` if nothing is known of the bucket.
    pub(super) values: Vec<Option<UsageAmounts>>,
}

/// The completed days of the range, and as many of the period before it.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageComparisonBody {
    pub(super) from: UtcDay,
    pub(super) to: UtcDay,
    pub(super) totals: UsageAmounts,
    pub(super) previous_from: UtcDay,
    pub(super) previous_to: UtcDay,
    /// `null` if some of these days are not known.
    pub(super) previous_totals: Option<UsageAmounts>,
}

/// A limit of a key, something that raised it, or a new secret.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageStepBody {
    /// `limit`: the limit in force from then on; `raise`: an amount beyond the plan's limit; `secret`: a new secret.
    pub(super) kind: String,
    pub(super) at: Timestamp,
    /// When a raise ends, or a secret stopped working.
    pub(super) until: Option<Timestamp>,
    pub(super) amount_usd: Option<NanoUsd>,
    pub(super) limit_reset: Option<LimitReset>,
}

/// How far usage is there.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageProgressBody {
    /// The last day up to which everything is there; `null` before the first run.
    pub(super) through: Option<UtcDay>,
    /// The completed days after it.
    pub(super) days_behind: Option<i64>,
}

/// Usage in a range of UTC days. All parts add up: the buckets, the series and `totals`.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageBody {
    /// `own` or `all`.
    pub(super) scope: &'static str,
    pub(super) from: UtcDay,
    pub(super) to: UtcDay,
    /// `day` or `month`.
    pub(super) bucket: &'static str,
    pub(super) groups: Vec<UsageGroup>,
    /// The tools that usage comes from.
    pub(super) sources: &'static [UsageSource],
    pub(super) progress: UsageProgressBody,
    pub(super) totals: UsageAmounts,
    pub(super) buckets: Vec<UsageBucketBody>,
    pub(super) series: Vec<UsageSeriesBody>,
    /// How many groups there are; `series` has those after the first `skip` ones.
    pub(super) group_count: i64,
    pub(super) skip: i64,
    /// `null` if no day of the range is over.
    pub(super) compared: Option<UsageComparisonBody>,
    /// Of one key, its limits, raises and secrets, oldest first.
    pub(super) steps: Option<Vec<UsageStepBody>>,
    /// The member's keys at billing providers, or those in the project. What they spend is known only there: it is in none of
    /// the figures. The list is empty for administrators, who see everybody's usage.
    pub(super) provider_keys: Vec<ProviderKey>,
    /// Our sums beside OpenRouter's counters, for administrators.
    pub(super) reconciliation: Option<Reconciliation>,
}

pub(super) fn added<'a>(rows: impl Iterator<Item = &'a PanelRow>) -> UsageAmounts {
    rows.map(UsageAmounts::of)
        .fold(UsageAmounts::NOTHING, UsageAmounts::plus)
}

/// The days of a bucket, those of which nothing was read included.
pub(super) fn days_of(bucket: Bucket, known: &BTreeMap<i64, &DayRow>) -> Vec<ReadDay> {
    let days = bucket.first.number()..=bucket.last.number();
    days.map(|day| match known.get(&day) {
        Some(row) => row.read_day(),
        None => ReadDay::unread(UtcDay::from_number(day)),
    })
    .collect()
}

/// The certainty of several days is that of the least certain one.
pub(super) fn certainty(days: &[ReadDay], today: UtcDay) -> Certainty {
    let mut all = days.iter().map(|day| day.certainty(today));
    let has = |wanted: Certainty| all.clone().any(|is| is == wanted);
    if has(Certainty::Unknown) {
        Certainty::Unknown
    } else if has(Certainty::Open) {
        Certainty::Open
    } else {
        all.next().unwrap_or(Certainty::Unknown)
    }
}

/// The buckets and the series of an answer.
pub(super) fn parts(
    buckets: &[Bucket],
    sums: &[PanelRow],
    known: &[DayRow],
    today: UtcDay,
    is_admins: bool,
) -> (Vec<UsageBucketBody>, Vec<UsageSeriesBody>) {
    let known: BTreeMap<i64, &DayRow> = known.iter().map(|row| (row.day, row)).collect();
    let mut bodies = Vec::new();
    let mut is_known = Vec::new();
    for (n, bucket) in buckets.iter().enumerate() {
        let days = days_of(*bucket, &known);
        let certainty = certainty(&days, today);
        let rows: Vec<&PanelRow> = sums.iter().filter(|row| row.bucket == n).collect();
        let within = bucket.first.number()..=bucket.last.number();
        let read: Vec<&&DayRow> = known.range(within).map(|(_, row)| row).collect();
        let has_figures = certainty != Certainty::Unknown || !rows.is_empty();
        is_known.push(has_figures);
        bodies.push(UsageBucketBody {
            from: bucket.first,
            to: bucket.last,
            certainty,
            as_of: read.iter().filter_map(|row| row.as_of).min(),
            source: read.last().and_then(|row| row.source.clone()),
            failed_keys: is_admins.then(|| read.iter().map(|row| row.failed_keys).sum()),
            totals: has_figures.then(|| added(rows.into_iter())),
        });
    }
    (bodies, series(sums, &is_known))
}

pub(super) fn series(sums: &[PanelRow], is_known: &[bool]) -> Vec<UsageSeriesBody> {
    let order = |row: &PanelRow| {
        let kind = match row.kind.as_str() {
            "group" => 0,
            "other" => 1,
            "not_broken_down" => 2,
            _ => 3,
        };
        (kind, row.place)
    };
    let mut of: BTreeMap<(u8, Option<usize>), Vec<&PanelRow>> = BTreeMap::new();
    for row in sums {
        of.entry(order(row)).or_default().push(row);
    }
    of.into_values()
        .map(|rows| {
            let first = rows.first();
            UsageSeriesBody {
                kind: first.map(|row| row.kind.clone()).unwrap_or_default(),
                one: first.and_then(|row| row.one.clone()),
                two: first.and_then(|row| row.two.clone()),
                totals: added(rows.iter().copied()),
                values: values(&rows, is_known),
            }
        })
        .collect()
}

pub(super) fn values(rows: &[&PanelRow], is_known: &[bool]) -> Vec<Option<UsageAmounts>> {
    let buckets = is_known.iter().enumerate();
    buckets
        .map(|(n, is_known)| {
            let of_it = rows.iter().copied().filter(|row| row.bucket == n);
            is_known.then(|| added(of_it))
        })
        .collect()
}

pub(super) fn comparison(
    (during, before): (Bucket, Bucket),
    [sums, sums_before]: [&Rows; 2],
    days_before: &[DayRow],
    today: UtcDay,
) -> Result<UsageComparisonBody, DbError> {
    let known: BTreeMap<i64, &DayRow> = days_before.iter().map(|row| (row.day, row)).collect();
    let is_known = months(before).into_iter().all(|bucket| {
        let days = days_of(bucket, &known);
        let mut certainties = days.iter().map(|day| day.certainty(today));
        certainties.all(|is| match is {
            Certainty::Unknown => false,
            // The days of a part of a month are gone.
            Certainty::ByMonth => bucket.is_whole_month(),
            Certainty::Settled | Certainty::Open => true,
        })
    });
    Ok(UsageComparisonBody {
        from: during.first,
        to: during.last,
        totals: added(panel_rows(sums)?.iter()),
        previous_from: before.first,
        previous_to: before.last,
        previous_totals: if is_known {
            Some(added(panel_rows(sums_before)?.iter()))
        } else {
            None
        },
    })
}
