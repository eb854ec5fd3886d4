//! The guardrail of a key: it is marked as in flight before another is sent, and OpenRouter's answer settles it.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

statements_at! {
    // Whether it is still the plan's guardrail, and when another was sent that may still take effect.
    WANTED = "SELECT json_object('wanted', n.state IN ('active', 'disabled') AND p.guardrail_id IS ?1, 'sent_at', n.guardrail_sent_at)
        FROM generations n JOIN owners o ON o.id = n.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE n.public_id = ?2";

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO = "UPDATE generations SET guardrail_sent_at = ?1, op_nonce = ?2
        WHERE public_id = ?3 AND state IN ('active', 'disabled')
          AND (SELECT p.guardrail_id FROM owners o JOIN plans p ON p.id = o.plan_id WHERE o.id = generations.owner_id) IS ?4";

    LIST_GOES_ON = "UPDATE generations SET guardrail_list_offset = ?1
        WHERE public_id = ?2 AND op_nonce = ?3 AND state IN ('active', 'disabled')";

    CONFIRMED_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'guardrail_changed', ?2, n.state, n.state, ?3
        FROM generations n WHERE n.public_id = ?4 AND n.state IN ('active', 'disabled') AND n.op_nonce = ?5
        ON CONFLICT DO NOTHING";

    CONFIRMED = "UPDATE generations SET guardrail_id = ?1, guardrail_sent_at = ?2, guardrail_list_offset = 0, change_id = ?3
        WHERE public_id = ?4 AND op_nonce = ?5 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?4)";
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
    turn: &PendingGuardrail<'_>,
    now: Timestamp,
) -> Result<Option<GuardrailInFlight>, DbError> {
    let batch = vec![
        stmt_at!(WANTED, turn.guardrail, turn.generation),
        stmt_at!(ABOUT_TO, now, turn.nonce, turn.generation, turn.guardrail),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row = rows_of(&rows, 0)?.first();
    let doubt = row.map(|row| read::<GuardrailInFlight>(row)).transpose()?;
    Ok(doubt.filter(|doubt| doubt.wanted))
}

/// Stores how far the account's list was read, for the next turn.
pub async fn list_goes_on(
    db: &dyn Database,
    turn: &PendingGuardrail<'_>,
    offset: usize,
) -> Result<(), DbError> {
    let offset = i64::try_from(offset).unwrap_or(0);
    let goes_on = stmt_at!(LIST_GOES_ON, offset, turn.generation, turn.nonce);
    batch_retrying_unknown(db, vec![goes_on]).await.map(|_| ())
}

/// Settles a guardrail after OpenRouter's answer agreed: it is in force, if nothing else was sent meanwhile, and the
/// answer is true. An earlier guardrail that may still take effect stays in flight.
pub fn settle<'a>(
    db: &'a dyn Database,
    turn: &PendingGuardrail<'a>,
    doubt: &GuardrailInFlight,
    actor: &str,
    change: &'a PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> + use<'a> {
    let (generation, nonce) = (turn.generation, turn.nonce);
    let batch = vec![
        stmt_at!(CONFIRMED_GUARD, change, actor, now, generation, nonce),
        stmt_at!(
            CONFIRMED,
            turn.guardrail,
            doubt.earlier(now),
            change,
            generation,
            nonce
        ),
    ];
    crate::store::audit::run(db, batch, change, generation)
}
