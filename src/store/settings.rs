//! The house's switches, read by the guarding statements themselves: one write acts in every isolate at once.

use serde::{Deserialize, Serialize};

use super::{last_row, sql::wire, twice};
use crate::crypto::session::Session;
use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};

statements! {
    SWITCH_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'minting_switched', m.public_id, s.minting, ?2, ?3
        FROM members m JOIN settings s
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    SWITCH = "UPDATE settings SET minting = ?1, change_id = ?2
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'settings')";

    // The stronger switch names how many keys it will put off; if that is not so at this instant, nothing happens.
    KEYS_OFF_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'keys_switched', m.public_id, s.keys, 'off', ?2
        FROM members m JOIN settings s JOIN seats
        WHERE m.public_id = ?3 AND m.epoch + s.session_epoch = ?4 AND m.status = 'active' AND seats.live = ?5
        ON CONFLICT DO NOTHING";

    KEYS_OFF = "UPDATE settings SET keys = 'off', minting = 'stopped', change_id = ?1
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = 'settings')";

    HOLD_ALL = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'switch', ?1, ?2, ?3 FROM generations n
        WHERE n.live = 1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = 'settings')
        ON CONFLICT DO NOTHING";

    KEYS_ON_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'keys_switched', m.public_id, s.keys, 'on', ?2
        FROM members m JOIN settings s
        WHERE m.public_id = ?3 AND m.epoch + s.session_epoch = ?4 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    // Minting stays stopped until it is opened on its own.
    KEYS_ON = "UPDATE settings SET keys = 'on', change_id = ?1
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = 'settings')";

    // Only this switch's own holds: what was off for another reason stays off (A2).
    RELEASE_ALL = "DELETE FROM holds WHERE reason = 'switch'
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = 'settings')";

    SETTINGS = "SELECT json_object('minting', s.minting, 'keys', s.keys, 'live_keys', seats.live)
        FROM settings s JOIN seats";

    DONE = "SELECT json_object('done', EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = 'settings'),
          'minting', s.minting, 'keys', s.keys, 'live_keys', seats.live)
        FROM settings s JOIN seats";
}

/// Whether anything may be minted at all: the kill switch (A4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Minting {
    Open,
    Stopped,
}

impl Minting {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether keys may work at all: the stronger switch (S4-22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub minting: Minting,
    pub keys: Keys,
    /// Generations that hold a seat: what putting every key off has to name.
    pub live_keys: i64,
}

#[derive(Deserialize)]
struct Done {
    #[serde(deserialize_with = "wire::flag")]
    done: bool,
    #[serde(flatten)]
    settings: Settings,
}

/// Puts every key off and stops minting, if exactly `live_keys` are live. `Err` has the settings as they are when not.
pub async fn keys_off(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    live_keys: i64,
    now: Timestamp,
) -> Result<Result<Settings, Settings>, DbError> {
    let batch = vec![
        stmt!(
            KEYS_OFF_GUARD,
            change,
            now,
            &session.member,
            session.epoch,
            live_keys
        ),
        stmt!(KEYS_OFF, change),
        stmt!(HOLD_ALL, &session.member, now, change),
        stmt!(DONE, change),
    ];
    let done: Done = last_row(&twice(db, batch).await?)?.ok_or(DbError::Broken)?;
    Ok(if done.done {
        Ok(done.settings)
    } else {
        Err(done.settings)
    })
}

/// Lifts the stronger switch: the sweep puts on again what nothing else holds.
pub async fn keys_on(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<Settings, DbError> {
    let batch = vec![
        stmt!(KEYS_ON_GUARD, change, now, &session.member, session.epoch),
        stmt!(KEYS_ON, change),
        stmt!(RELEASE_ALL, change),
        stmt!(SETTINGS),
    ];
    last_row(&twice(db, batch).await?)?.ok_or(DbError::Broken)
}

/// Turns minting on or off for everybody; the settings as they are afterwards.
pub async fn switch_minting(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    minting: Minting,
    now: Timestamp,
) -> Result<Settings, DbError> {
    let batch = vec![
        stmt!(
            SWITCH_GUARD,
            change,
            minting.name(),
            now,
            &session.member,
            session.epoch
        ),
        stmt!(SWITCH, minting.name(), change),
        stmt!(SETTINGS),
    ];
    last_row(&twice(db, batch).await?)?.ok_or(DbError::Broken)
}

pub fn settings() -> crate::ports::Stmt {
    stmt!(SETTINGS)
}

pub fn read_settings(batch: &[crate::ports::Rows]) -> Result<Settings, DbError> {
    last_row(batch)?.ok_or(DbError::Broken)
}
