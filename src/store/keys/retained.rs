//! Keys that are off for good, or expired, and kept upstream for the sake of their figures.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::key::purge::Known;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::FromJson;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::due::{BATCH, Due};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::rows_of;

/// Keys of one owner that are asked for evidence in one turn.
const AT_ONCE: i64 = 3;

/// What a row says.
macro_rules! kept {
    () => {
        concat!(
            "SELECT json_object(",
            due!(),
            ", 'daily_nano', COALESCE(n.usage_daily_nano, 0), 'weekly_nano', COALESCE(n.usage_weekly_nano, 0),
            'monthly_nano', COALESCE(n.usage_monthly_nano, 0), 'lifetime_nano', COALESCE(n.usage_lifetime_nano, 0),
            'read_at', COALESCE(n.usage_read_at, n.ended_at), 'unread', COALESCE(n.usage_read_at < n.ended_at, 1),
            'readings', n.readings_since_off, 'erase_at', n.erase_at, 'expired', n.state = 'expired')
        FROM generations n WHERE n.erase_at IS NOT NULL AND n.erased_at IS NULL"
        )
    };
}

statements_at! {
    DUE = concat!(kept!(), " AND n.next_attempt_at <= ?1 ORDER BY n.next_attempt_at LIMIT ?2");

    ONE = concat!(kept!(), " AND n.public_id = ?1");

    // Of the owner of a generation: those that ended before ?3, and had spent something of the window ?2 as far as is known.
    BESIDE = concat!(kept!(), " AND n.owner_id = (SELECT o.owner_id FROM generations o WHERE o.public_id = ?1)
          AND n.upstream_hash IS NOT NULL AND n.ended_at < ?3
          AND COALESCE(CASE ?2 WHEN 'daily' THEN n.usage_daily_nano WHEN 'weekly' THEN n.usage_weekly_nano
            WHEN 'monthly' THEN n.usage_monthly_nano END, 1) > 0
        ORDER BY n.ended_at DESC LIMIT ?4");

    // Only on the reading that it was compared with.
    BOOK = "UPDATE generations SET usage_daily_nano = ?1, usage_weekly_nano = ?2, usage_monthly_nano = ?3,
            usage_lifetime_nano = ?4, usage_read_at = ?5, readings_since_off = ?6, attempts = 0, next_attempt_at = ?7
        WHERE public_id = ?8 AND erase_at IS NOT NULL AND erased_at IS NULL AND COALESCE(usage_read_at, ended_at) = ?9";

    // Their caps were computed from less, or from all of it while it was not known.
    CAPS_DUE = "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, ?1), ?1)
        WHERE live = 1 AND state IN ('minting', 'active', 'disabled')
          AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = ?2)";

    ERASED_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'erased', ?2, n.state, n.state, ?3
        FROM generations n WHERE n.public_id = ?4 AND n.erase_at IS NOT NULL AND n.erased_at IS NULL
        ON CONFLICT DO NOTHING";

    ERASED = "UPDATE generations SET erased_at = ?1, change_id = ?2
        WHERE public_id = ?3 AND erased_at IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";
}

/// A key that is off for good, or expired, and not deleted yet.
#[derive(Clone, Debug)]
pub struct RetainedKey {
    pub due: Due,
    pub known: Known,
    /// What it had spent when it expired could not be read.
    pub unread: bool,
    /// It works no more, whatever it is switched to.
    pub expired: bool,
}

from_json! {
    struct RetainedKeyRow {
        daily_nano: NanoUsd,
        weekly_nano: NanoUsd,
        monthly_nano: NanoUsd,
        lifetime_nano: NanoUsd,
        read_at: Timestamp,
        readings: i64,
        erase_at: Timestamp,
        unread: bool,
        expired: bool;
        due: Due,
    }
}

impl FromJson for RetainedKey {
    fn of(row: &Value) -> Option<Self> {
        let row = RetainedKeyRow::of(row)?;
        let spend = Spend {
            daily: row.daily_nano,
            weekly: row.weekly_nano,
            monthly: row.monthly_nano,
            lifetime: row.lifetime_nano,
            read_at: row.read_at,
        };
        Some(Self {
            due: row.due,
            known: Known {
                spend,
                readings: row.readings,
                erase_at: row.erase_at,
            },
            unread: row.unread,
            expired: row.expired,
        })
    }
}

/// Those to look at in a run, as [`RetainedKey`].
pub(crate) fn due(now: Timestamp) -> Stmt {
    stmt_at!(DUE, now, BATCH)
}

/// One of them, as it is this moment.
pub async fn one(db: &dyn Database, generation: &str) -> Result<Option<RetainedKey>, DbError> {
    last_row(&db.batch(vec![stmt_at!(ONE, generation)]).await?)
}

/// Keys of the same owner that ended before the window of `now`, and show spend of the window before it: once they show
/// none, nothing of theirs is of the window that upstream has now.
pub async fn beside(
    db: &dyn Database,
    generation: &str,
    reset: LimitReset,
    now: Timestamp,
) -> Result<Vec<RetainedKey>, DbError> {
    let beside = stmt_at!(BESIDE, generation, reset.name(), reset.starts(now), AT_ONCE);
    crate::store::query::read_all(rows_of(&db.batch(vec![beside]).await?, 0)?)
}

/// Books what is `known` now of a key. Where that is more than was known, the caps of its owner's keys are due.
pub async fn book(
    db: &dyn Database,
    kept: &RetainedKey,
    known: &Known,
    now: Timestamp,
) -> Result<(), DbError> {
    let generation = kept.due.public_id.as_str();
    let mut batch = vec![stmt_at!(
        BOOK,
        known.spend.daily,
        known.spend.weekly,
        known.spend.monthly,
        known.spend.lifetime,
        known.spend.read_at,
        known.readings,
        known.next_look(),
        generation,
        kept.known.spend.read_at
    )];
    if kept.unread || known.spend.says_more_than(kept.known.spend) {
        batch.push(stmt_at!(CAPS_DUE, now, generation));
    }
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Its DELETE upstream is confirmed.
pub fn erased(
    db: &dyn Database,
    generation: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt_at!(ERASED_GUARD, change, actor, now, generation),
        stmt_at!(ERASED, now, change, generation),
    ];
    audit::run(db, batch, change, generation)
}
