//! The counters of keys beside the rows of usage: the readings of a rolling walk, and the keys whose counter and rows
//! differ.

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::domain::usage::day::UtcDay;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::{batch_retrying_unknown, read_all, rows_of};

/// An unchanged reading is stored again once the stored one is this old, so that its age says how old the figures are: six
/// hours, the time of a whole walk.
const READ_AGAIN_SECS: i64 = 6 * 3_600;

/// What a generation's counter says beyond the rows of completed days, and beyond what it says of today. The statement
/// declares the parameter `day_began`.
macro_rules! difference {
    () => {
        "(n.usage_lifetime_nano - n.explained_nano - IIF(n.usage_read_at >= :day_began, n.usage_daily_nano, 0))"
    };
}

/// Whether an administrator asks, in a current session. The statement declares `viewer`, `epoch` and `admins`.
macro_rules! admin_asks {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM current_sessions c WHERE c.member = :viewer AND c.epoch = :epoch AND ",
            is_admins!("c"),
            ")"
        )
    };
}

statements! {
    // Only what has changed is written: most keys of a page have not been used since the last walk.
    RECORD { hash: String, stale_before: Timestamp, ..Spend } for each = concat!("UPDATE generations SET ", join_reading!(), "
        FROM json_each(:rows) chunk
        WHERE upstream_hash = :hash AND state IN ('active', 'disabled') AND ", is_newer_reading!(), "
          AND (usage_read_at IS NULL OR usage_read_at < :day_began OR usage_read_at <= :stale_before
            OR usage_lifetime_nano <> :lifetime OR usage_daily_nano <> :daily
            OR usage_weekly_nano <> :weekly OR usage_monthly_nano <> :monthly)");

    // The keys that have spent more today than their last reading says.
    BEHIND { name: String, amount: NanoUsd, day_began: Timestamp } for each =
        "SELECT json_object('row', chunk.key, 'hash', n.upstream_hash)
        FROM json_each(:rows) chunk CROSS JOIN generations n ON n.upstream_name = :name
        WHERE n.state IN ('active', 'disabled') AND n.upstream_hash IS NOT NULL
          AND :amount > IIF(n.usage_read_at >= :day_began, n.usage_daily_nano, 0)
        ORDER BY chunk.key";

    DIFFERENCES { day_began: Timestamp, viewer: String, epoch: i64, admins: String } = concat!("SELECT json_object('keys', COUNT(*),
          'above_nano', COALESCE(SUM(MAX(", difference!(), ", 0)), 0), 'below_nano', COALESCE(SUM(MAX(-", difference!(), ", 0)), 0),
          'oldest_reading', MIN(n.usage_read_at))
        FROM generations n WHERE n.usage_lifetime_nano <> n.explained_nano AND ", difference!(), " <> 0 AND ", admin_asks!());

    DIFFERING { day_began: Timestamp, viewer: String, epoch: i64, admins: String, top: i64 } = concat!("SELECT json_object('key', k.public_id, 'generation', n.public_id,
          'ours_nano', n.explained_nano, 'above_nano', MAX(", difference!(), ", 0), 'below_nano', MAX(-", difference!(), ", 0),
          'read_at', n.usage_read_at)
        FROM generations n CROSS JOIN keys k ON k.id = n.key_id
        WHERE n.usage_lifetime_nano <> n.explained_nano AND ", difference!(), " <> 0 AND ", admin_asks!(), "
        ORDER BY ABS(", difference!(), ") DESC, n.id LIMIT :top");

    // All days that were read, whatever they are rolled up to: a few hundred rows.
    BOOKED { today: i64 } = "SELECT json_object('ours_nano', COALESCE(SUM(d.ours_nano), 0), 'unattributed_nano', COALESCE(SUM(d.unattributed_nano), 0),
          'as_of', MAX(d.as_of)) FROM usage_days_read d WHERE d.day < :today";
}

/// A key's counters as OpenRouter's list showed them.
pub struct CounterReading {
    pub hash: String,
    pub spend: Spend,
}

/// Stores the readings that differ from what is known. The known spend of a window never falls.
pub async fn record(
    db: &dyn Database,
    readings: &[CounterReading],
    now: Timestamp,
) -> Result<(), DbError> {
    let stale_before = now.plus(-READ_AGAIN_SECS);
    let each = readings.iter().map(|reading| {
        let spend = &reading.spend;
        stmt!(RECORD {
            hash: reading.hash.as_str(),
            stale_before: stale_before,
            ..spend
        })
    });
    let Some(all) = each.reduce(|mut all, one| {
        all.merge(&one);
        all
    }) else {
        return Ok(());
    };
    batch_retrying_unknown(db, vec![all]).await.map(|_| ())
}

/// Of keys by their names, and what analytics says each has spent today, returns the hashes of those whose last reading
/// says less, in the same order.
pub async fn behind(
    db: &dyn Database,
    spenders: &[(String, NanoUsd)],
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    from_json! {
        struct BehindRow {
            hash: String,
        }
    }
    let day_began = LimitReset::Daily.starts(now);
    let each = spenders.iter().map(|(name, amount)| {
        stmt!(BEHIND {
            name: name.as_str(),
            amount: *amount,
            day_began,
        })
    });
    let Some(all) = each.reduce(|mut all, one| {
        all.merge(&one);
        all
    }) else {
        return Ok(Vec::new());
    };
    let found: Vec<BehindRow> = read_all(rows_of(&db.batch(vec![all]).await?, 0)?)?;
    Ok(found.into_iter().map(|row| row.hash).collect())
}

from_json! {
    struct DifferencesRow {
        keys: i64,
        above_nano: NanoUsd,
        below_nano: NanoUsd,
        oldest_reading: Option<Timestamp>,
    }
}

from_json! {
    struct BookedRow {
        ours_nano: NanoUsd,
        unattributed_nano: NanoUsd,
        as_of: Option<Timestamp>,
    }
}

from_json! {
    struct DifferingRow {
        key: String,
        generation: String,
        ours_nano: NanoUsd,
        above_nano: NanoUsd,
        below_nano: NanoUsd,
        read_at: Timestamp,
    }
}

/// All that was booked, beside OpenRouter's counters of the same keys. What the counters say of today is left out.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Reconciliation {
    /// The spend of our keys in all days that were read, in credits.
    ours_usd: NanoUsd,
    /// The spend of other keys of the account in these days.
    unattributed_usd: NanoUsd,
    /// When the newest of these days was read.
    as_of: Option<Timestamp>,
    /// What the counters of our keys say more than the rows, BYOK included.
    counters_above_usd: NanoUsd,
    /// What they say less, mostly because a counter was read before the last rows came.
    counters_below_usd: NanoUsd,
    /// In how many keys they differ.
    keys_differing: i64,
    /// The oldest reading of a key that differs.
    oldest_reading: Option<Timestamp>,
    /// The keys that differ most, at most twenty.
    differing: Vec<DifferingKey>,
}

/// A key whose counter and rows differ.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DifferingKey {
    key: String,
    generation: String,
    ours_usd: NanoUsd,
    counter_above_usd: NanoUsd,
    counter_below_usd: NanoUsd,
    read_at: Timestamp,
}

/// At most this many keys that differ are named.
const MOST_DIFFERING: i64 = 20;

/// The statements that read a [`Reconciliation`], for an administrator. `admins` is their account numbers as a JSON array.
pub fn reconciliation(session: &Session, admins: &str, now: Timestamp) -> [Stmt; 3] {
    let day_began = LimitReset::Daily.starts(now);
    [
        stmt!(BOOKED {
            today: UtcDay::of(now).number()
        }),
        stmt!(DIFFERENCES {
            day_began,
            viewer: session.member.as_str(),
            epoch: session.epoch,
            admins,
        }),
        stmt!(DIFFERING {
            day_began,
            viewer: session.member.as_str(),
            epoch: session.epoch,
            admins,
            top: MOST_DIFFERING
        }),
    ]
}

/// Reads the rows of [`reconciliation`].
pub fn reconciled(
    booked: &Rows,
    differences: &Rows,
    differing: &Rows,
) -> Result<Reconciliation, DbError> {
    let booked: BookedRow = read_all(booked)?.pop().ok_or(DbError::Broken)?;
    let differences: DifferencesRow = read_all(differences)?.pop().ok_or(DbError::Broken)?;
    let differing: Vec<DifferingRow> = read_all(differing)?;
    Ok(Reconciliation {
        ours_usd: booked.ours_nano,
        unattributed_usd: booked.unattributed_nano,
        as_of: booked.as_of,
        counters_above_usd: differences.above_nano,
        counters_below_usd: differences.below_nano,
        keys_differing: differences.keys,
        oldest_reading: differences.oldest_reading,
        differing: differing
            .into_iter()
            .map(|row| DifferingKey {
                key: row.key,
                generation: row.generation,
                ours_usd: row.ours_nano,
                counter_above_usd: row.above_nano,
                counter_below_usd: row.below_nano,
                read_at: row.read_at,
            })
            .collect(),
    })
}
