//! Holds as the sweep carries them out: what is on and must be off, what is off and may be on.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::keys::generations::{Due, LANDS_WITHIN_SECS};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::read_all;
use crate::store::query::rows_of;

/// Rows of each kind that one run takes up: at about one call a second, half of a run's time.
const BATCH: i64 = 200;

statements! {
    // Held and on, or held and perhaps on. Walks the holds, which are few but while everything is off. The newest first, as
    // OpenRouter's list has them.
    OFF_DUE = concat!("SELECT json_object(", due!(), ")
        FROM holds h CROSS JOIN generations n ON n.key_id = h.key_id
        WHERE n.next_attempt_at <= ?1
          AND (n.state = 'active' OR (n.state = 'disabled' AND n.switch_doubted_at IS NOT NULL))
        GROUP BY n.id ORDER BY n.next_attempt_at, n.id DESC LIMIT ?2");

    // Free and off, or free and perhaps off, and there. A database that was restored may have forgotten a hold.
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

    // Whether the switch is still wanted, and the doubt there was before it.
    WANTED = "SELECT json_object(
          'wanted', n.state IN ('active', 'disabled')
            AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id) = ?1
            AND (?1 = 1 OR EXISTS (SELECT 1 FROM settings s WHERE s.restore = 'none')),
          'doubted_at', n.switch_doubted_at)
        FROM generations n WHERE n.public_id = ?2";

    // A new nonce: whoever sent something earlier confirms nothing any more, and its doubt stays.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    Off,
    On,
}

impl Switch {
    /// The state it ends in.
    pub const fn state(self) -> GenerationState {
        match self {
            Self::Off => GenerationState::Disabled,
            Self::On => GenerationState::Active,
        }
    }
}

/// What holds ask to be switched so now.
pub async fn due(db: &dyn Database, switch: Switch, now: Timestamp) -> Result<Vec<Due>, DbError> {
    let due = match switch {
        Switch::Off => stmt!(OFF_DUE, now, BATCH),
        Switch::On => stmt!(ON_DUE, now, BATCH),
    };
    read_all(rows_of(&db.batch(vec![due]).await?, 0)?)
}

/// The doubt that stands beside a switch that was answered: when something earlier was sent, whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchInFlight(Option<Timestamp>);

impl SwitchInFlight {
    /// Nothing that was sent earlier can have an effect any more.
    pub const NONE: Self = Self(None);

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

/// One sending of a switch.
pub struct PendingSwitch<'a> {
    pub switch: Switch,
    pub generation: &'a str,
    /// Only this sending knows it.
    pub nonce: &'a str,
}

/// Writes the doubt down before the switch is sent. `None` when it is no longer wanted: nothing may be sent then.
pub async fn mark_in_flight(
    db: &dyn Database,
    turn: &PendingSwitch<'_>,
    now: Timestamp,
) -> Result<Option<SwitchInFlight>, DbError> {
    let held = turn.switch == Switch::Off;
    let batch = vec![
        stmt!(WANTED, held, turn.generation),
        stmt!(ABOUT_TO, now, turn.nonce, turn.generation, held),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row = rows_of(&rows, 0)?
        .first()
        .map(|row| read::<SwitchStateRow>(row));
    let row = row.transpose()?;
    Ok(row.and_then(|row| row.wanted.then_some(SwitchInFlight(row.doubted_at))))
}

/// Upstream's answer agrees, the switch is still wanted and nothing else was sent meanwhile: the state follows, and the
/// doubt ends but for what was sent earlier and may land yet.
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
        stmt!(
            CONFIRMED_GUARD,
            change,
            switch.state().name(),
            actor,
            now,
            generation,
            nonce,
            held
        ),
        stmt!(
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
