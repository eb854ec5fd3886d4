//! The house's switches, read by the guarding statements themselves: one write acts in every isolate at once.

use serde::{Deserialize, Serialize};

use super::{last_row, twice};
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

    SETTINGS = "SELECT json_object('minting', s.minting) FROM settings s";
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub minting: Minting,
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
