//! Limits at OpenRouter: the limit that is sent is marked as in flight before it is sent, and OpenRouter's answer settles
//! it.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::period::LimitReset;
use crate::domain::time::{Timestamp, earliest};
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::budget::caps::{self, Basis};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

statements! {
    // This reads the limit that was sent before and may still take effect.
    SENT { stamp: Option<String>, generation: String } for each = concat!("SELECT json_object('row', chunk.key,
          'wanted', n.state IN ('active', 'disabled') AND (:stamp IS NULL OR ", stamp!("n.owner_id"), " = :stamp),
          'limit_reset', n.limit_reset, 'sent_nano', n.limit_sent_nano, 'sent_at', n.limit_sent_at)
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation");

    // After the nonce has changed, an earlier sending can no longer settle its limit, so that limit stays in flight.
    ABOUT_TO {
        limit: NanoUsd, sent_after: Timestamp, now: Timestamp, nonce: String, generation: String, stamp: Option<String>,
    } for each = concat!("UPDATE generations SET
            limit_sent_nano = MAX(:limit, CASE WHEN limit_sent_at > :sent_after THEN limit_sent_nano ELSE 0 END),
            limit_sent_at = :now, op_nonce = :nonce
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('active', 'disabled')
          AND (:stamp IS NULL OR ", stamp!("generations.owner_id"), " = :stamp)");

    CONFIRMED_GUARD {
        change: PublicId, actor: String, limit: NanoUsd, now: Timestamp, generation: String, nonce: String,
    } for each = "INSERT INTO audit (change_id, target, action, actor, before, after, before_nano, after_nano, at)
        SELECT :change, n.public_id, 'cap_changed', :actor, n.state, n.state, n.limit_nano, :limit, :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('active', 'disabled') AND n.op_nonce = :nonce
        ON CONFLICT DO NOTHING";

    CONFIRMED {
        limit: NanoUsd, limit_reset: String, earlier_limit: Option<NanoUsd>, earlier_sent_at: Option<Timestamp>,
        change: PublicId, generation: String, nonce: String,
    } for each = "UPDATE generations SET limit_nano = :limit, limit_reset = :limit_reset, limit_sent_nano = :earlier_limit,
            limit_sent_at = :earlier_sent_at, change_id = :change
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND op_nonce = :nonce
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // A limit of less than a cent cannot be sent, so the key is disabled until more is left. A late statement changes
    // nothing.
    EXHAUSTED { now: Timestamp, change: PublicId, generation: String } for each =
        "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'budget', 'caps', :now, :change
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.change_id = :change
        ON CONFLICT DO NOTHING";

    HAS_BUDGET { generation: String, change: PublicId } for each =
        "DELETE FROM holds WHERE reason = 'budget' AND key_id IN (SELECT n.key_id
          FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation WHERE n.change_id = :change)";

    // If this key gives something up, the others that wait for it may have it. If this key has spent more than its limit,
    // or has another window (`:counts_more`), all others are computed again, because it may have been counted as less.
    OTHERS { now: Timestamp, counts_more: bool, generation: String, change: PublicId } for each =
        "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, :now), :now)
        FROM json_each(:rows) chunk
        WHERE (cap_due_at IS NOT NULL OR :counts_more = 1) AND live = 1 AND public_id <> :generation
          AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = :generation)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // This stores the spend that OpenRouter's answer shows.
    RECORD_SPEND { generation: String, ..Spend } for each = concat!("UPDATE generations SET ", join_reading!(), "
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('active', 'disabled') AND ", is_newer_reading!());
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

/// Marks the limit as in flight before it is sent. Returns `None` if what it was computed from has changed, or if the
/// generation has ended. Then nothing may be sent.
pub async fn mark_in_flight(
    db: &dyn Database,
    pending: &PendingLimit<'_>,
    now: Timestamp,
) -> Result<Option<LimitInFlight>, DbError> {
    let stamp = pending.basis.map(|basis| basis.stamp.as_str());
    let sent = stmt!(SENT {
        stamp,
        generation: pending.generation,
    });
    let about_to = stmt!(ABOUT_TO {
        limit: pending.limit,
        sent_after: now.plus(-LANDS_WITHIN_SECS),
        now,
        nonce: pending.nonce,
        generation: pending.generation,
        stamp,
    });
    // The batch is not retried, because the mark of the first one would change the summary that the second one compares.
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

/// Settles a limit after OpenRouter's answer agreed. If nothing else was sent in the meantime, the limit is in force, and
/// the function answers true. An earlier limit that may still take effect stays in flight, and the cap is due again once
/// it cannot.
pub fn settle(
    db: &dyn Database,
    pending: &PendingLimit<'_>,
    in_flight: &LimitInFlight,
    agreed: &Agreed<'_>,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let lands = |at: Timestamp| at > now.plus(-LANDS_WITHIN_SECS);
    let earlier = in_flight.earlier.filter(|(_, at)| lands(*at));
    let (generation, nonce) = (pending.generation, pending.nonce);
    let mut batch = vec![
        stmt!(CONFIRMED_GUARD {
            change,
            actor,
            limit: pending.limit,
            now,
            generation,
            nonce,
        }),
        // This comes before the window changes, because what was spent by then belongs to the window before.
        spend_stmt(generation, agreed.spend),
        stmt!(CONFIRMED {
            limit: pending.limit,
            limit_reset: agreed.limit_reset.name(),
            earlier_limit: earlier.map(|(limit, _)| limit),
            earlier_sent_at: earlier.map(|(_, at)| at),
            change,
            generation,
            nonce,
        }),
    ];
    if let Some(basis) = pending.basis {
        let again = earlier.map(|(_, at)| at.plus(LANDS_WITHIN_SECS));
        let next = earliest(again, agreed.next);
        batch.push(if agreed.exhausted {
            stmt!(EXHAUSTED {
                now,
                change,
                generation,
            })
        } else {
            stmt!(HAS_BUDGET { generation, change })
        });
        batch.push(caps::due_again(generation, basis, next, Some(change)));
        let is_other_window = agreed.limit_reset != basis.limit_reset;
        let counts_more = is_other_window || agreed.spend.of(agreed.limit_reset) > pending.limit;
        if counts_more || pending.limit < basis.limit {
            batch.push(stmt!(OTHERS {
                now,
                counts_more,
                generation,
                change,
            }));
        }
    }
    audit::run_for_each(db, batch, change, generation)
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
    stmt!(RECORD_SPEND {
        generation,
        ..spend
    })
}
