//! Limits at OpenRouter: which caps are due, what a cap is computed from, and the limit that is sent. It is marked as
//! in flight before it is sent, and OpenRouter's answer settles it.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{Grants, Sibling};
use crate::domain::money::spend::Spend;
use crate::domain::time::period::LimitReset;
use crate::domain::time::{Timestamp, earliest};
use crate::ports::{Database, DbError, Stmt};
use crate::store::budget::over_quota;
use crate::store::budget_sql::{GrantsRow, SiblingRow, SpendRow, siblings_since};
use crate::store::figures;
use crate::store::keys::due::Due;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// One run takes up at most this many rows.
const BATCH: i64 = 200;
/// A cap that was taken up and not settled is due again after this many seconds: just under the period of the sweep.
pub const AGAIN_SECS: i64 = 540;

/// A summary of what the caps of an owner were computed from: a limit is sent only while the summary is the same.
macro_rules! stamp {
    ($owner:literal) => {
        concat!(
            "(SELECT MAX(v.id) || '/' || SUM(MAX(v.limit_nano, COALESCE(v.limit_sent_nano, 0))) || '/' || COUNT(*)
              FROM generations v WHERE v.owner_id = ", $owner, " AND v.live = 1)"
        )
    };
}

statements_at! {
    DUE = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.cap_due_at <= ?1 AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
        ORDER BY n.cap_due_at LIMIT ?2");

    // The due caps of one owner.
    DUE_BESIDE = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.owner_id = ?1 AND n.live = 1 AND n.cap_due_at <= ?2 AND n.state IN ('active', 'disabled')
          AND n.missing_since IS NULL
        ORDER BY n.id LIMIT ?3");

    // If ?2 is 1, keys that may be spending come first; then the keys that were read the longest ago.
    TO_READ = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.owner_id = ?1 AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
        ORDER BY (?2 = 1 AND (n.state = 'active' OR n.switch_doubted_at IS NOT NULL)) DESC,
          COALESCE(n.usage_read_at, 0), n.id LIMIT ?3");

    // A later request to compute the cap is noticed, because it writes another time than this one.
    TAKE = "UPDATE generations SET cap_due_at = ?1
        WHERE public_id = ?2 AND state IN ('active', 'disabled')";

    // The share that a successor gets of its key's limit is settled with its mint: until then, no other cap is
    // computed.
    BASIS = concat!("SELECT json_object('limit_nano', n.limit_nano, 'limit_reset', n.limit_reset,
          'sent', n.limit_sent_at IS NOT NULL, 'before_nano', n.lifetime_at_switch_nano,
          'spend', json_object('daily_nano', n.usage_daily_nano, 'weekly_nano', n.usage_weekly_nano,
            'monthly_nano', n.usage_monthly_nano, 'lifetime_nano', n.usage_lifetime_nano, 'usage_read_at', n.usage_read_at),
          'put_off', EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'plan'),
          'held', EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'budget'),
          'guardrail_id', n.guardrail_id, 'guardrail_wanted', p.guardrail_id, 'guardrail_sent', n.guardrail_sent_at IS NOT NULL,
          'guardrail_list_offset', n.guardrail_list_offset,
          'paired', EXISTS (SELECT 1 FROM generations e WHERE e.key_id = n.key_id AND e.id <> n.id AND e.live = 1
            AND e.recorded_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.target = e.public_id AND a.action = 'superseded')),
          'grants', ", grants!("n.owner_id", "n.key_id", "?2"), ",
          'siblings', ", siblings!("n.owner_id", "n.key_id", "n.public_id", "NULL", "?3"), ",
          'stamp', ", stamp!("n.owner_id"), ")
        FROM generations n JOIN owners o ON o.id = n.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE n.public_id = ?1 AND n.state IN ('active', 'disabled')
          AND NOT EXISTS (SELECT 1 FROM generations s WHERE s.owner_id = n.owner_id AND s.live = 1
            AND s.replaces IS NOT NULL AND s.state IN ('reserved', 'minting'))");

    // The limit that was sent before, and may still take effect.
    SENT = concat!("SELECT json_object(
          'wanted', n.state IN ('active', 'disabled') AND (?1 IS NULL OR ", stamp!("n.owner_id"), " = ?1),
          'limit_reset', n.limit_reset, 'sent_nano', n.limit_sent_nano, 'sent_at', n.limit_sent_at)
        FROM generations n WHERE n.public_id = ?2");

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO = concat!("UPDATE generations SET limit_sent_nano = MAX(?1, CASE WHEN limit_sent_at > ?2 THEN limit_sent_nano ELSE 0 END),
            limit_sent_at = ?3, op_nonce = ?4
        WHERE public_id = ?5 AND state IN ('active', 'disabled')
          AND (?6 IS NULL OR ", stamp!("generations.owner_id"), " = ?6)");

    CONFIRMED_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'cap_changed', ?2, n.state, n.state, ?3
        FROM generations n WHERE n.public_id = ?4 AND n.state IN ('active', 'disabled') AND n.op_nonce = ?5
        ON CONFLICT DO NOTHING";

    CONFIRMED = "UPDATE generations SET limit_nano = ?1, limit_reset = ?2, limit_sent_nano = ?3, limit_sent_at = ?4, change_id = ?5
        WHERE public_id = ?6 AND op_nonce = ?7 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?5 AND target = ?6)";

    // Less than a cent cannot be sent: the key is disabled until there is more. A late statement changes nothing.
    EXHAUSTED = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'budget', 'caps', ?1, ?2 FROM generations n
        WHERE n.public_id = ?3 AND n.change_id = ?2
        ON CONFLICT DO NOTHING";

    HAS_BUDGET = "DELETE FROM holds WHERE reason = 'budget' AND key_id = (SELECT n.key_id FROM generations n WHERE n.public_id = ?1 AND n.change_id = ?2)";

    // If this key gives something up, the others that wait for it may have it (?4 is 0). If it has spent more than its
    // limit, or has another window, all others are computed again (?4 is 1): it may have been counted as less.
    OTHERS = "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, ?1), ?1)
        WHERE (cap_due_at IS NOT NULL OR ?4 = 1) AND live = 1 AND public_id <> ?2
          AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?2)";

    // Not if something has made the cap due again in the meantime, or if the limit that was sent is not settled.
    NEXT = "UPDATE generations SET cap_due_at = ?1 WHERE public_id = ?2 AND cap_due_at = ?3
        AND (?4 IS NULL OR EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?2))";

    // The figures that came with an answer.
    TOLD = concat!("UPDATE generations SET ", figures!(), "
        WHERE public_id = ?10 AND state IN ('active', 'disabled') AND ", is_news!());
}

/// Lifts the hold `plan` from keys that are within their quota again, and returns the due caps.
pub async fn due(
    db: &dyn Database,
    change: &PublicId,
    now: Timestamp,
) -> Result<Vec<Due>, DbError> {
    let mut batch = over_quota::lift_within_quota(change, now);
    batch.push(stmt_at!(DUE, now, BATCH));
    let rows = batch_retrying_unknown(db, batch).await?;
    let due = rows.last().ok_or(DbError::Broken)?;
    due.iter().map(|row| read(row)).collect()
}

/// Returns the due caps of one owner.
pub async fn due_beside(
    db: &dyn Database,
    owner: i64,
    now: Timestamp,
) -> Result<Vec<Due>, DbError> {
    read_all(db, stmt_at!(DUE_BESIDE, owner, now, BATCH)).await
}

/// Returns at most `most` live generations of an owner to be read: with `spending_first` those that may be spending
/// come first, and then those with the oldest figures.
pub async fn to_read(
    db: &dyn Database,
    owner: i64,
    spending_first: bool,
    most: usize,
) -> Result<Vec<Due>, DbError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    read_all(db, stmt_at!(TO_READ, owner, spending_first, most)).await
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
    /// Another limit was sent since, whose outcome is unknown.
    pub sent: bool,
    /// What the key had spent before its owner began to prepay.
    pub before_prepaid: NanoUsd,
    pub spend: Option<Spend>,
    /// The key has the hold `plan`: the plan allows fewer keys.
    pub put_off: bool,
    /// The key has the hold `budget`: it is disabled because nothing was left.
    pub held: bool,
    /// The key has two secrets that work: no limit is raised meanwhile.
    pub paired: bool,
    pub grants: Grants,
    pub siblings: Vec<Sibling>,
    /// The guardrail that OpenRouter has confirmed, and the one that the plan names.
    pub guardrail_id: Option<String>,
    pub guardrail_wanted: Option<String>,
    /// Another guardrail was sent since, whose outcome is unknown.
    pub guardrail_sent: bool,
    /// The offset up to which the account's list was read in search of the key's guardrail.
    pub guardrail_list_offset: usize,
    stamp: String,
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
        put_off: bool,
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

/// Takes a cap up. Returns `None` if the generation is not live any more, or a successor of the owner is being made.
/// `now` is the job's clock, `clock` is the present time.
pub async fn take_up(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
    clock: Timestamp,
) -> Result<Option<Basis>, DbError> {
    let taken = clock.plus(AGAIN_SECS);
    let batch = vec![
        stmt_at!(TAKE, taken, generation),
        stmt_at!(BASIS, generation, now, siblings_since(now)),
    ];
    let row: Option<BasisRow> = last_row(&batch_retrying_unknown(db, batch).await?)?;
    Ok(row.map(|row| Basis {
        limit: row.limit_nano,
        limit_reset: row.limit_reset,
        sent: row.sent,
        before_prepaid: row.before_nano,
        spend: row.spend.spend(),
        put_off: row.put_off,
        held: row.held,
        paired: row.paired,
        grants: row.grants.into(),
        siblings: row.siblings.into_iter().map(Sibling::from).collect(),
        guardrail_id: row.guardrail_id,
        guardrail_wanted: row.guardrail_wanted,
        guardrail_sent: row.guardrail_sent,
        guardrail_list_offset: usize::try_from(row.guardrail_list_offset).unwrap_or(0),
        stamp: row.stamp,
        taken,
    }))
}

/// One limit that is to be sent.
pub struct PendingLimit<'a> {
    pub generation: &'a str,
    /// Only this sending knows the nonce.
    pub nonce: &'a str,
    pub limit: NanoUsd,
    /// What the limit was computed from; `None` for a limit that is lower whatever the siblings do.
    pub basis: Option<&'a Basis>,
}

/// The window of the key, and the limit that was in flight before, with its time.
pub struct LimitInFlight {
    pub limit_reset: LimitReset,
    earlier: Option<(NanoUsd, Timestamp)>,
}

impl LimitInFlight {
    /// Whether another limit was sent before, and may be in force.
    pub const fn is_of_another(&self) -> bool {
        self.earlier.is_some()
    }
}

from_json! {
    struct SentRow {
        wanted: bool,
        limit_reset: LimitReset,
        sent_nano: Option<NanoUsd>,
        sent_at: Option<Timestamp>,
    }
}

/// Marks the limit as in flight before it is sent. Returns `None` if what it was computed from has changed or the
/// generation has ended: then nothing may be sent.
pub async fn mark_in_flight(
    db: &dyn Database,
    turn: &PendingLimit<'_>,
    now: Timestamp,
) -> Result<Option<LimitInFlight>, DbError> {
    let stamp = turn.basis.map(|basis| basis.stamp.as_str());
    let sent = stmt_at!(SENT, stamp, turn.generation);
    let about_to = stmt_at!(
        ABOUT_TO,
        turn.limit,
        now.plus(-LANDS_WITHIN_SECS),
        now,
        turn.nonce,
        turn.generation,
        stamp
    );
    // The batch is not retried: the first one's own mark would change the summary that the second is compared with.
    let rows = db.batch(vec![sent, about_to]).await?;
    let row = rows_of(&rows, 0)?.first();
    let row = row.map(|row| read::<SentRow>(row)).transpose()?;
    Ok(row.filter(|row| row.wanted).map(|row| LimitInFlight {
        limit_reset: row.limit_reset,
        earlier: row.sent_nano.zip(row.sent_at),
    }))
}

/// What OpenRouter's answer says is in force now, and when the cap is due again.
pub struct Agreed<'a> {
    pub limit_reset: LimitReset,
    pub spend: &'a Spend,
    pub exhausted: bool,
    pub next: Option<Timestamp>,
}

/// Settles a limit after OpenRouter's answer agreed: it is in force, if nothing else was sent meanwhile, and the answer
/// is true. An earlier limit that may still take effect stays in flight, and the cap is due again once it cannot.
pub fn settle(
    db: &dyn Database,
    turn: &PendingLimit<'_>,
    doubt: &LimitInFlight,
    agreed: &Agreed<'_>,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let lands = |at: Timestamp| at > now.plus(-LANDS_WITHIN_SECS);
    let earlier = doubt.earlier.filter(|(_, at)| lands(*at));
    let (generation, nonce) = (turn.generation, turn.nonce);
    let mut batch = vec![
        stmt_at!(CONFIRMED_GUARD, change, actor, now, generation, nonce),
        // Before the window changes: what was spent by then belongs to the window before.
        spend_stmt(generation, agreed.spend),
        stmt_at!(
            CONFIRMED,
            turn.limit,
            agreed.limit_reset.name(),
            earlier.map(|(limit, _)| limit),
            earlier.map(|(_, at)| at),
            change,
            generation,
            nonce
        ),
    ];
    if let Some(basis) = turn.basis {
        let again = earlier.map(|(_, at)| at.plus(LANDS_WITHIN_SECS));
        let next = earliest(again, agreed.next);
        batch.push(if agreed.exhausted {
            stmt_at!(EXHAUSTED, now, change, generation)
        } else {
            stmt_at!(HAS_BUDGET, generation, change)
        });
        batch.push(stmt_at!(NEXT, next, generation, basis.taken, change));
        let is_other_window = agreed.limit_reset != basis.limit_reset;
        let counts_more = is_other_window || agreed.spend.of(agreed.limit_reset) > turn.limit;
        if counts_more || turn.limit < basis.limit {
            batch.push(stmt_at!(OTHERS, now, generation, change, counts_more));
        }
    }
    crate::store::audit::run(db, batch, change, generation)
}

/// Records when the cap is due again, if nothing has to be sent.
pub async fn keep(
    db: &dyn Database,
    generation: &str,
    basis: &Basis,
    next: Option<Timestamp>,
) -> Result<(), DbError> {
    let batch = vec![stmt_at!(NEXT, next, generation, basis.taken, None::<&str>)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Stores a reading of a key's spend.
pub async fn record_spend(
    db: &dyn Database,
    generation: &str,
    spend: &Spend,
) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![spend_stmt(generation, spend)])
        .await
        .map(|_| ())
}

fn spend_stmt(generation: &str, spend: &Spend) -> Stmt {
    Stmt {
        sql: &TOLD,
        values: figures::values(spend, [generation.into()]),
    }
}
