//! Holds as the sweep carries them out: which enabled keys must be disabled, and which disabled keys may be enabled.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::keys::due::Due;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::read_all;
use crate::store::query::rows_of;

statements! {
    // Keys that have a hold and are enabled, or may be. The newest come first, as in OpenRouter's list.
    OFF_DUE { now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.held = 1 AND n.state IN ('active', 'disabled') AND (n.state = 'active' OR n.switch_doubted_at IS NOT NULL)
          AND n.next_attempt_at <= :now
        ORDER BY n.next_attempt_at, n.id DESC LIMIT :most");

    // Keys that have no hold, are disabled or may be, and are not missing. A database that was restored may have lost a
    // hold.
    ON_DUE { now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.held = 0 AND n.state IN ('active', 'disabled') AND (n.state = 'disabled' OR n.switch_doubted_at IS NOT NULL)
          AND n.next_attempt_at <= :now AND n.missing_since IS NULL
          AND EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none')
        ORDER BY n.next_attempt_at, n.id DESC LIMIT :most");

    // Whether the switch is still wanted, and since when an earlier one is in flight. `held` says whether the key has to
    // have a hold: it has to if it is to be disabled, and it may not if it is to be enabled.
    WANTED { held: bool, generation: String } for each = "SELECT json_object('row', chunk.key,
          'wanted', n.state IN ('active', 'disabled')
            AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id) = :held
            AND (:held = 1 OR EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none')),
          'in_flight_since', n.switch_doubted_at)
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation";

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO { now: Timestamp, nonce: String, generation: String, held: bool } for each =
        "UPDATE generations SET switch_doubted_at = :now, op_nonce = :nonce FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = generations.key_id) = :held
          AND (:held = 1 OR EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none'))";

    CONFIRMED_GUARD {
        change: PublicId, state: String, actor: String, now: Timestamp, generation: String, nonce: String, held: bool,
    } for each = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, CASE :state WHEN 'active' THEN 'enabled' ELSE 'disabled' END, :actor, n.state, :state, :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('active', 'disabled') AND n.op_nonce = :nonce
          AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id) = :held
        ON CONFLICT DO NOTHING";

    CONFIRMED {
        state: String, earlier_sent_at: Option<Timestamp>, change: PublicId, generation: String, nonce: String,
    } for each = "UPDATE generations SET state = :state, switch_doubted_at = :earlier_sent_at, attempts = 0,
            next_attempt_at = 0, change_id = :change
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND op_nonce = :nonce
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";
}

/// Whether a key is to be disabled (`Off`) or enabled (`On`) at OpenRouter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    Off,
    On,
}

impl Switch {
    /// The state of the generation after the switch.
    pub const fn state(self) -> GenerationState {
        match self {
            Self::Off => GenerationState::Disabled,
            Self::On => GenerationState::Active,
        }
    }
}

/// Returns at most `most` generations that are to be switched so now.
pub async fn due(
    db: &dyn Database,
    switch: Switch,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Due>, DbError> {
    let due = match switch {
        Switch::Off => stmt!(OFF_DUE { now, most }),
        Switch::On => stmt!(ON_DUE { now, most }),
    };
    read_all(rows_of(&db.batch(vec![due]).await?, 0)?)
}

/// Since when an earlier switch is in flight, beside the one that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchInFlight(Option<Timestamp>);

impl SwitchInFlight {
    /// Nothing that was sent earlier can take effect any more.
    pub const NONE: Self = Self(None);

    /// A switch was sent at `at`, and its outcome is unknown.
    pub const fn since(at: Timestamp) -> Self {
        Self(Some(at))
    }
}

from_json! {
    struct SwitchStateRow {
        wanted: bool,
        in_flight_since: Option<Timestamp>,
    }
}

/// One switch that is to be sent.
pub struct PendingSwitch<'a> {
    pub switch: Switch,
    pub generation: &'a str,
    /// Only this sending knows the nonce.
    pub nonce: &'a str,
}

/// Marks the switch as in flight before it is sent. Returns `None` if it is no longer wanted: then nothing may be sent.
pub async fn mark_in_flight(
    db: &dyn Database,
    pending: &PendingSwitch<'_>,
    now: Timestamp,
) -> Result<Option<SwitchInFlight>, DbError> {
    let held = pending.switch == Switch::Off;
    let generation = pending.generation;
    let batch = vec![
        stmt!(WANTED { held, generation }),
        stmt!(ABOUT_TO {
            now,
            nonce: pending.nonce,
            generation,
            held,
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row = rows_of(&rows, 0)?
        .first()
        .map(|row| read::<SwitchStateRow>(row));
    let row = row.transpose()?;
    Ok(row.and_then(|row| row.wanted.then_some(SwitchInFlight(row.in_flight_since))))
}

/// Settles a switch after OpenRouter's answer agreed: the state follows, if the switch is still wanted and nothing else
/// was sent meanwhile, and the answer is true. An earlier switch that may still take effect stays in flight.
pub fn settle(
    db: &dyn Database,
    pending: &PendingSwitch<'_>,
    in_flight: SwitchInFlight,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let may_land = |at: &Timestamp| *at > now.plus(-LANDS_WITHIN_SECS);
    let PendingSwitch {
        switch,
        generation,
        nonce,
    } = *pending;
    let state = switch.state().name();
    let batch = vec![
        stmt!(CONFIRMED_GUARD {
            change,
            state,
            actor,
            now,
            generation,
            nonce,
            held: switch == Switch::Off,
        }),
        stmt!(CONFIRMED {
            state,
            earlier_sent_at: in_flight.0.filter(may_land),
            change,
            generation,
            nonce,
        }),
    ];
    crate::store::audit::run_for_each(db, batch, change, generation)
}
