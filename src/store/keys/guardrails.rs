//! The guardrail of a key: it is marked as in flight before another is sent, and OpenRouter's answer settles it.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

statements! {
    // Whether it is still the plan's guardrail, and when another was sent that may still take effect.
    WANTED { guardrail: Option<String>, generation: String } for each = "SELECT json_object('row', chunk.key,
          'wanted', n.state IN ('active', 'disabled') AND p.guardrail_id IS :guardrail, 'sent_at', n.guardrail_sent_at)
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
          JOIN owners o ON o.id = n.owner_id JOIN plans p ON p.id = o.plan_id";

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO { now: Timestamp, nonce: String, generation: String, guardrail: Option<String> } for each =
        "UPDATE generations SET guardrail_sent_at = :now, op_nonce = :nonce FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('active', 'disabled')
          AND (SELECT p.guardrail_id FROM owners o JOIN plans p ON p.id = o.plan_id
            WHERE o.id = generations.owner_id) IS :guardrail";

    LIST_GOES_ON { offset: i64, generation: String, nonce: String } for each =
        "UPDATE generations SET guardrail_list_offset = :offset FROM json_each(:rows) chunk
        WHERE public_id = :generation AND op_nonce = :nonce AND state IN ('active', 'disabled')";

    CONFIRMED_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String, nonce: String } for each =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'guardrail_changed', :actor, n.state, n.state, :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('active', 'disabled') AND n.op_nonce = :nonce
        ON CONFLICT DO NOTHING";

    CONFIRMED {
        guardrail: Option<String>, earlier_sent_at: Option<Timestamp>, change: PublicId, generation: String, nonce: String,
    } for each = "UPDATE generations SET guardrail_id = :guardrail, guardrail_sent_at = :earlier_sent_at, guardrail_list_offset = 0,
            change_id = :change
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND op_nonce = :nonce
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";
}

/// One guardrail that is to be sent.
pub struct PendingGuardrail<'a> {
    pub generation: &'a str,
    /// `None` removes the guardrail that the key has.
    pub guardrail: Option<&'a str>,
    /// Only this sending knows the nonce.
    pub nonce: &'a str,
}

from_json! {
    /// What was known before the guardrail was sent.
    pub struct GuardrailInFlight {
        wanted: bool,
        sent_at: Option<Timestamp>,
    }
}

impl GuardrailInFlight {
    /// When another guardrail was sent that may still take effect.
    fn earlier(&self, now: Timestamp) -> Option<Timestamp> {
        let lands = |at: &Timestamp| *at > now.plus(-LANDS_WITHIN_SECS);
        self.sent_at.filter(lands)
    }

    /// When the guardrail is to be sent again on account of that.
    pub fn again(&self, now: Timestamp) -> Option<Timestamp> {
        self.earlier(now).map(|at| at.plus(LANDS_WITHIN_SECS))
    }
}

/// Marks the guardrail as in flight before it is sent. Returns `None` if the plan names another by now, or the key has
/// ended: then nothing may be sent.
pub async fn mark_in_flight(
    db: &dyn Database,
    pending: &PendingGuardrail<'_>,
    now: Timestamp,
) -> Result<Option<GuardrailInFlight>, DbError> {
    let PendingGuardrail {
        generation,
        guardrail,
        nonce,
    } = *pending;
    let batch = vec![
        stmt!(WANTED {
            guardrail,
            generation,
        }),
        stmt!(ABOUT_TO {
            now,
            nonce,
            generation,
            guardrail,
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row = rows_of(&rows, 0)?.first();
    let in_flight = row.map(|row| read::<GuardrailInFlight>(row)).transpose()?;
    Ok(in_flight.filter(|in_flight| in_flight.wanted))
}

/// Stores how far the account's list was read, for the next turn.
pub async fn list_goes_on(
    db: &dyn Database,
    pending: &PendingGuardrail<'_>,
    offset: usize,
) -> Result<(), DbError> {
    let goes_on = stmt!(LIST_GOES_ON {
        offset: i64::try_from(offset).unwrap_or(0),
        generation: pending.generation,
        nonce: pending.nonce,
    });
    batch_retrying_unknown(db, vec![goes_on]).await.map(|_| ())
}

/// Settles a guardrail after OpenRouter's answer agreed: it is in force, if nothing else was sent meanwhile, and the
/// answer is true. An earlier guardrail that may still take effect stays in flight.
pub fn settle<'a>(
    db: &'a dyn Database,
    pending: &PendingGuardrail<'a>,
    in_flight: &GuardrailInFlight,
    actor: &str,
    change: &'a PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> + use<'a> {
    let PendingGuardrail {
        generation,
        guardrail,
        nonce,
    } = *pending;
    let batch = vec![
        stmt!(CONFIRMED_GUARD {
            change,
            actor,
            now,
            generation,
            nonce,
        }),
        stmt!(CONFIRMED {
            guardrail,
            earlier_sent_at: in_flight.earlier(now),
            change,
            generation,
            nonce,
        }),
    ];
    crate::store::audit::run_for_each(db, batch, change, generation)
}
