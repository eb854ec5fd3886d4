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

/// One run takes up at most this many rows of each kind: at about one call a second, half of a run's time.
const BATCH: i64 = 200;

statements_at! {
    // Keys that have a hold and are enabled, or may be. The statement walks the holds, which are few unless all keys
    // are disabled. The newest come first, as in OpenRouter's list.
    OFF_DUE = concat!("SELECT json_object(", due!(), ")
        FROM holds h CROSS JOIN generations n ON n.key_id = h.key_id
        WHERE n.next_attempt_at <= ?1
          AND (n.state = 'active' OR (n.state = 'disabled' AND n.switch_doubted_at IS NOT NULL))
        GROUP BY n.id ORDER BY n.next_attempt_at, n.id DESC LIMIT ?2");

    // Keys that have no hold, are disabled or may be, and are not missing. A database that was restored may have lost a
    // hold.
    ON_DUE = concat!("SELECT json_object(", due!(), ")
        FROM (
          SELECT * FROM generations WHERE state = 'disabled' AND next_attempt_at <= ?1
          UNION ALL
          SELECT * FROM generations
            WHERE switch_doubted_at IS NOT NULL AND state = 'active' AND next_attempt_at <= ?1
        ) n
        WHERE n.missing_since IS NULL AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id)
          AND EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none')
        LIMIT ?2");

    // Whether the switch is still wanted, and since when an earlier one is in flight.
    WANTED = "SELECT json_object(
          'wanted', n.state IN ('active', 'disabled')
            AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id) = ?1
            AND (?1 = 1 OR EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none')),
          'doubted_at', n.switch_doubted_at)
        FROM generations n WHERE n.public_id = ?2";

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO = "UPDATE generations SET switch_doubted_at = ?1, op_nonce = ?2
        WHERE public_id = ?3 AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = generations.key_id) = ?4
          AND (?4 = 1 OR EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none'))";

    CONFIRMED_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, CASE ?2 WHEN 'active' THEN 'enabled' ELSE 'disabled' END, ?3, n.state, ?2, ?4
        FROM generations n
        WHERE n.public_id = ?5 AND n.state IN ('active', 'disabled') AND n.op_nonce = ?6
          AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id) = ?7
        ON CONFLICT DO NOTHING";

    CONFIRMED = "UPDATE generations SET state = ?1, switch_doubted_at = ?2, attempts = 0, next_attempt_at = 0, change_id = ?3
        WHERE public_id = ?4 AND op_nonce = ?5 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?4)";
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

/// Returns the generations that are to be switched so now.
pub async fn due(db: &dyn Database, switch: Switch, now: Timestamp) -> Result<Vec<Due>, DbError> {
    let due = match switch {
        Switch::Off => stmt_at!(OFF_DUE, now, BATCH),
        Switch::On => stmt_at!(ON_DUE, now, BATCH),
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
        doubted_at: Option<Timestamp>,
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
    turn: &PendingSwitch<'_>,
    now: Timestamp,
) -> Result<Option<SwitchInFlight>, DbError> {
    let held = turn.switch == Switch::Off;
    let batch = vec![
        stmt_at!(WANTED, held, turn.generation),
        stmt_at!(ABOUT_TO, now, turn.nonce, turn.generation, held),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row = rows_of(&rows, 0)?
        .first()
        .map(|row| read::<SwitchStateRow>(row));
    let row = row.transpose()?;
    Ok(row.and_then(|row| row.wanted.then_some(SwitchInFlight(row.doubted_at))))
}

/// Settles a switch after OpenRouter's answer agreed: the state follows, if the switch is still wanted and nothing else
/// was sent meanwhile, and the answer is true. An earlier switch that may still take effect stays in flight.
pub fn settle(
    db: &dyn Database,
    turn: &PendingSwitch<'_>,
    doubt: SwitchInFlight,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let earlier = doubt.0.filter(|at| *at > now.plus(-LANDS_WITHIN_SECS));
    let PendingSwitch {
        switch,
        generation,
        nonce,
    } = *turn;
    let held = switch == Switch::Off;
    let batch = vec![
        stmt_at!(
            CONFIRMED_GUARD,
            change,
            switch.state().name(),
            actor,
            now,
            generation,
            nonce,
            held
        ),
        stmt_at!(
            CONFIRMED,
            switch.state().name(),
            earlier,
            change,
            generation,
            nonce
        ),
    ];
    crate::store::audit::run(db, batch, change, generation)
}
