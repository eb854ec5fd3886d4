//! Caps: which of them are due, and what a cap is computed from, as one transaction saw it.

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{Grants, Sibling};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Stmt};
use crate::store::budget::over_quota;
use crate::store::budget_sql::{GrantsRow, SiblingRow, SpendRow, siblings_since};
use crate::store::keys::due::Due;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// A request looks at no more than this many due caps of its owner.
const OF_OWNER: i64 = 200;
/// A cap that was taken up and not settled is due again after this many seconds: just under the period of the sweep.
pub const AGAIN_SECS: i64 = 540;

statements! {
    DUE { now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.cap_due_at <= :now AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
        ORDER BY n.cap_due_at, n.id DESC LIMIT :most");

    // This reads the due caps of one owner.
    DUE_BESIDE { owner: i64, now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.owner_id = :owner AND n.live = 1 AND n.cap_due_at <= :now AND n.state IN ('active', 'disabled')
          AND n.missing_since IS NULL
        ORDER BY n.id LIMIT :most");

    // With `:spending_first`, the keys that may be spending come first. Then come the keys that were read the longest ago.
    TO_READ { owner: i64, spending_first: bool, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.owner_id = :owner AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
        ORDER BY (:spending_first = 1 AND (n.state = 'active' OR n.switch_doubted_at IS NOT NULL)) DESC,
          COALESCE(n.usage_read_at, 0), n.id LIMIT :most");

    // A later request to compute the cap is noticed, because it writes another time than this statement.
    TAKE { again_at: Timestamp, generation: String } for each = "UPDATE generations SET cap_due_at = :again_at
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('active', 'disabled')";

    // The mint of a successor settles which share of the key's limit the successor gets. Until then, no other cap of the
    // owner is computed.
    BASIS { now: Timestamp, ended_since: Timestamp, generation: String } for each =
        concat!("SELECT json_object('row', chunk.key, 'limit_nano', n.limit_nano, 'limit_reset', n.limit_reset,
          'sent', n.limit_sent_at IS NOT NULL, 'before_nano', n.lifetime_at_switch_nano,
          'spend', json_object('daily_nano', n.usage_daily_nano, 'weekly_nano', n.usage_weekly_nano,
            'monthly_nano', n.usage_monthly_nano, 'lifetime_nano', n.usage_lifetime_nano, 'usage_read_at', n.usage_read_at),
          'over_quota', EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'plan'),
          'held', EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'budget'),
          'guardrail_id', n.guardrail_id, 'guardrail_wanted', p.guardrail_id,
          'guardrail_sent', n.guardrail_sent_at IS NOT NULL, 'guardrail_list_offset', n.guardrail_list_offset,
          'paired', EXISTS (SELECT 1 FROM generations e WHERE e.key_id = n.key_id AND e.id <> n.id AND e.live = 1
            AND e.recorded_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.target = e.public_id AND a.action = 'superseded')),
          'grants', ", grants!("n.owner_id", "n.key_id", ":now"), ",
          'siblings', ", siblings!("n.owner_id", "n.key_id", "n.public_id", "NULL", ":ended_since"), ",
          'stamp', ", stamp!("n.owner_id"), ")
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
          JOIN owners o ON o.id = n.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE n.state IN ('active', 'disabled')
          AND NOT EXISTS (SELECT 1 FROM generations s WHERE s.owner_id = n.owner_id AND s.live = 1
            AND s.replaces IS NOT NULL AND s.state IN ('reserved', 'minting'))");

    // The time stays as it is if something has made the cap due again in the meantime, or if `:change` has not settled the
    // limit that was sent.
    NEXT { next: Option<Timestamp>, generation: String, taken: Timestamp, change: Option<PublicId> } for each =
        "UPDATE generations SET cap_due_at = :next FROM json_each(:rows) chunk
        WHERE public_id = :generation AND cap_due_at = :taken
        AND (:change IS NULL OR EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation))";
}

/// Lifts the hold `plan` from keys that are within their quota again, with `change`, and returns at most `most` due caps.
pub async fn first_due(
    db: &dyn Database,
    change: &PublicId,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Due>, DbError> {
    let mut batch = over_quota::lift_within_quota(change, now);
    batch.push(stmt!(DUE { now, most }));
    let rows = batch_retrying_unknown(db, batch).await?;
    let due = rows.last().ok_or(DbError::Broken)?;
    due.iter().map(|row| read(row)).collect()
}

/// Returns at most `most` due caps.
pub async fn due(db: &dyn Database, now: Timestamp, most: i64) -> Result<Vec<Due>, DbError> {
    read_all(db, stmt!(DUE { now, most })).await
}

/// Returns the due caps of one owner.
pub async fn due_beside(
    db: &dyn Database,
    owner: i64,
    now: Timestamp,
) -> Result<Vec<Due>, DbError> {
    read_all(
        db,
        stmt!(DUE_BESIDE {
            owner,
            now,
            most: OF_OWNER,
        }),
    )
    .await
}

/// Returns at most `most` live generations of an owner to be read. With `spending_first`, those that may be spending come
/// first. Then come those with the oldest figures.
pub async fn to_read(
    db: &dyn Database,
    owner: i64,
    spending_first: bool,
    most: usize,
) -> Result<Vec<Due>, DbError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    read_all(
        db,
        stmt!(TO_READ {
            owner,
            spending_first,
            most,
        }),
    )
    .await
}

async fn read_all(db: &dyn Database, stmt: Stmt) -> Result<Vec<Due>, DbError> {
    let rows = db.batch(vec![stmt]).await?;
    rows_of(&rows, 0)?.iter().map(|row| read(row)).collect()
}

/// What a cap is computed from, as one transaction saw it.
pub struct Basis {
    /// The limit that OpenRouter has confirmed.
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    /// Whether another limit was sent since, whose outcome is unknown.
    pub sent: bool,
    /// What the key had spent before its owner began to prepay.
    pub before_prepaid: NanoUsd,
    pub spend: Option<Spend>,
    /// Whether the key has the hold `plan`, because the plan allows fewer keys.
    pub over_quota: bool,
    /// Whether the key has the hold `budget`, which disables it because nothing was left.
    pub held: bool,
    /// Whether the key has two secrets that work. In that time no limit is raised.
    pub paired: bool,
    pub grants: Grants,
    pub siblings: Vec<Sibling>,
    /// The guardrail that OpenRouter has confirmed, and the one that the plan names.
    pub guardrail_id: Option<String>,
    pub guardrail_wanted: Option<String>,
    /// Whether another guardrail was sent since, whose outcome is unknown.
    pub guardrail_sent: bool,
    /// The offset up to which the account's list was read in search of the key's guardrail.
    pub guardrail_list_offset: usize,
    pub(super) stamp: String,
    /// When the cap is due again, if it is not settled now.
    pub taken: Timestamp,
}

from_json! {
    struct BasisRow {
        limit_nano: NanoUsd,
        limit_reset: LimitReset,
        sent: bool,
        before_nano: NanoUsd,
        spend: SpendRow,
        over_quota: bool,
        held: bool,
        paired: bool,
        grants: GrantsRow,
        siblings: Vec<SiblingRow>,
        guardrail_id: Option<String>,
        guardrail_wanted: Option<String>,
        guardrail_sent: bool,
        guardrail_list_offset: i64,
        stamp: String,
    }
}

/// Takes a cap up. Returns `None` if the generation is not live any more, or if a successor of the owner is being made.
/// `now` is the job's clock, and `clock` is the present time.
pub async fn take_up(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
    clock: Timestamp,
) -> Result<Option<Basis>, DbError> {
    let again_at = clock.plus(AGAIN_SECS);
    let batch = vec![
        stmt!(TAKE {
            again_at,
            generation,
        }),
        stmt!(BASIS {
            now,
            ended_since: siblings_since(now),
            generation,
        }),
    ];
    let row: Option<BasisRow> = last_row(&batch_retrying_unknown(db, batch).await?)?;
    Ok(row.map(|row| Basis {
        limit: row.limit_nano,
        limit_reset: row.limit_reset,
        sent: row.sent,
        before_prepaid: row.before_nano,
        spend: row.spend.spend(),
        over_quota: row.over_quota,
        held: row.held,
        paired: row.paired,
        grants: row.grants.into(),
        siblings: row.siblings.into_iter().map(Sibling::from).collect(),
        guardrail_id: row.guardrail_id,
        guardrail_wanted: row.guardrail_wanted,
        guardrail_sent: row.guardrail_sent,
        guardrail_list_offset: usize::try_from(row.guardrail_list_offset).unwrap_or(0),
        stamp: row.stamp,
        taken: again_at,
    }))
}

/// Records when the cap is due again, if nothing has to be sent.
pub async fn keep(
    db: &dyn Database,
    generation: &str,
    basis: &Basis,
    next: Option<Timestamp>,
) -> Result<(), DbError> {
    let batch = vec![due_again(generation, basis, next, None)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// The statement that records when the cap is due again. With `settled`, it does so only if that change has settled a
/// limit.
pub(super) fn due_again(
    generation: &str,
    basis: &Basis,
    next: Option<Timestamp>,
    settled: Option<&PublicId>,
) -> Stmt {
    stmt!(NEXT {
        next,
        generation,
        taken: basis.taken,
        change: settled,
    })
}
