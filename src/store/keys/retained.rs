//! Retained keys: they are disabled for good, or expired, and OpenRouter keeps them until their last spend is read.

use crate::domain::id::PublicId;
use crate::domain::key::purge::Known;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::FromJson;
use crate::ports::json::stored::StoredJson;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::due::{BATCH, Due};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::rows_of;

/// How many other keys of an owner are asked for evidence each time.
const EVIDENCE_KEYS: i64 = 3;

/// Selects retained keys, one JSON object for each. A [`RetainedKey`] is read from it.
macro_rules! retained {
    () => {
        concat!(
            "SELECT json_object(",
            due!(),
            ", 'daily_nano', COALESCE(n.usage_daily_nano, 0), 'weekly_nano', COALESCE(n.usage_weekly_nano, 0),
            'monthly_nano', COALESCE(n.usage_monthly_nano, 0), 'lifetime_nano', COALESCE(n.usage_lifetime_nano, 0),
            'read_at', COALESCE(n.usage_read_at, n.ended_at), 'unread', COALESCE(n.usage_read_at < n.ended_at, 1),
            'readings', n.readings_since_off, 'erase_at', n.erase_at,
            'ending', json_object('expired', n.state = 'expired',
              'booked', (SELECT s.usage_through IS NULL OR s.usage_through >= n.ended_at / 86400 FROM settings s)))
        FROM generations n WHERE n.erase_at IS NOT NULL AND n.erased_at IS NULL"
        )
    };
}

statements! {
    DUE { now: Timestamp, most: i64 } = concat!(retained!(), " AND n.next_attempt_at <= :now
        ORDER BY n.next_attempt_at LIMIT :most");

    ONE { generation: String } = concat!(retained!(), " AND n.public_id = :generation");

    // The other retained keys of the generation's owner that ended before `:ended_before` and, as far as is known, had
    // spent something in the window `:reset`.
    BESIDE { generation: String, reset: String, ended_before: Timestamp, most: i64 } = concat!(retained!(), "
          AND n.owner_id = (SELECT o.owner_id FROM generations o WHERE o.public_id = :generation)
          AND n.upstream_hash IS NOT NULL AND n.ended_at < :ended_before
          AND COALESCE(CASE :reset WHEN 'daily' THEN n.usage_daily_nano WHEN 'weekly' THEN n.usage_weekly_nano
            WHEN 'monthly' THEN n.usage_monthly_nano END, 1) > 0
        ORDER BY n.ended_at DESC LIMIT :most");

    // A reading is stored only if the known reading is still the one that it was compared with.
    BOOK {
        daily: NanoUsd, weekly: NanoUsd, monthly: NanoUsd, lifetime: NanoUsd, read_at: Timestamp, readings: i64,
        next_look: Timestamp, generation: String, compared_with: Timestamp,
    } for each = "UPDATE generations SET usage_daily_nano = :daily, usage_weekly_nano = :weekly, usage_monthly_nano = :monthly,
            usage_lifetime_nano = :lifetime, usage_read_at = :read_at, readings_since_off = :readings, attempts = 0,
            next_attempt_at = :next_look
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND erase_at IS NOT NULL AND erased_at IS NULL
          AND COALESCE(usage_read_at, ended_at) = :compared_with";

    // The limits of the owner's other keys were computed from less spend, or from the whole limit while the spend was not
    // known.
    CAPS_DUE { now: Timestamp, generation: String } for each =
        "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, :now), :now)
        FROM json_each(:rows) chunk
        WHERE live = 1 AND state IN ('minting', 'active', 'disabled')
          AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = :generation)";

    ERASED_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String } for each =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'erased', :actor, n.state, n.state, :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.erase_at IS NOT NULL AND n.erased_at IS NULL
        ON CONFLICT DO NOTHING";

    ERASED { now: Timestamp, change: PublicId, generation: String } for each =
        "UPDATE generations SET erased_at = :now, change_id = :change FROM json_each(:rows) chunk
        WHERE public_id = :generation AND erased_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";
}

/// A key that is disabled for good, or expired, and not deleted at OpenRouter yet.
#[derive(Clone, Debug)]
pub struct RetainedKey {
    pub due: Due,
    pub known: Known,
    /// No reading shows what it had spent when it ended.
    pub unread: bool,
    /// It has expired, so it does not work even if OpenRouter shows it enabled.
    pub expired: bool,
}

from_json! {
    struct RetainedEndingRow {
        expired: bool,
        /// The usage of its last day is there, or no usage is read at all.
        booked: bool,
    }
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
        ending: RetainedEndingRow;
        due: Due,
    }
}

impl FromJson for RetainedKey {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        let row = RetainedKeyRow::from_json(value)?;
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
                booked: row.ending.booked,
            },
            unread: row.unread,
            expired: row.ending.expired,
        })
    }
}

/// The statement that selects the retained keys a run has to look at first. Each row is a [`RetainedKey`].
pub(crate) fn first_due(now: Timestamp) -> Stmt {
    stmt!(DUE { now, most: BATCH })
}

/// Returns at most `most` retained keys that a run has to look at.
pub async fn due(
    db: &dyn Database,
    now: Timestamp,
    most: i64,
) -> Result<Vec<RetainedKey>, DbError> {
    crate::store::query::read_all(rows_of(
        &db.batch(vec![stmt!(DUE { now, most })]).await?,
        0,
    )?)
}

/// Returns one retained key, as it is at this moment.
pub async fn one(db: &dyn Database, generation: &str) -> Result<Option<RetainedKey>, DbError> {
    last_row(&db.batch(vec![stmt!(ONE { generation })]).await?)
}

/// Returns other retained keys of the generation's owner that ended before the present window and show spend of the window
/// before it. Once OpenRouter shows no spend for them, its present window has begun.
pub async fn beside(
    db: &dyn Database,
    generation: &str,
    reset: LimitReset,
    now: Timestamp,
) -> Result<Vec<RetainedKey>, DbError> {
    let beside = stmt!(BESIDE {
        generation,
        reset: reset.name(),
        ended_before: reset.starts(now),
        most: EVIDENCE_KEYS,
    });
    crate::store::query::read_all(rows_of(&db.batch(vec![beside]).await?, 0)?)
}

/// Stores what is `known` of a key now. If that is more than was known before, the limits of its owner's keys are due.
pub async fn book(
    db: &dyn Database,
    retained: &RetainedKey,
    known: &Known,
    now: Timestamp,
) -> Result<(), DbError> {
    let generation = retained.due.public_id.as_str();
    let mut batch = vec![stmt!(BOOK {
        daily: known.spend.daily,
        weekly: known.spend.weekly,
        monthly: known.spend.monthly,
        lifetime: known.spend.lifetime,
        read_at: known.spend.read_at,
        readings: known.readings,
        next_look: known.next_look(),
        generation,
        compared_with: retained.known.spend.read_at,
    })];
    if retained.unread || known.spend.says_more_than(retained.known.spend) {
        batch.push(stmt!(CAPS_DUE { now, generation }));
    }
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Records that OpenRouter has confirmed the deletion of the key.
pub fn erased(
    db: &dyn Database,
    generation: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(ERASED_GUARD {
            change,
            actor,
            now,
            generation
        }),
        stmt!(ERASED {
            now,
            change,
            generation
        }),
    ];
    audit::run_for_each(db, batch, change, generation)
}
