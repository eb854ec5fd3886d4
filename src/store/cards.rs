//! Keys as their owner sees them.

use super::{read, sql::wire};
use crate::crypto::session::Session;
use crate::domain::generation::State;
use crate::domain::money::NanoUsd;
use crate::domain::period::LimitReset;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};

statements! {
    // A key that never came to be is not shown.
    OF_MEMBER = "SELECT json_object('id', c.public_id, 'name', c.name, 'state', c.state, 'label', c.label,
            'limit_nano', c.limit_nano, 'limit_reset', c.limit_reset,
            'created_at', c.created_at, 'expires_at', c.expires_at)
        FROM members m JOIN key_cards c ON c.owner_id = m.owner_id
        WHERE m.public_id = ?1 AND c.ended_at IS NULL AND c.state <> 'void'
        ORDER BY c.ordinal LIMIT 100";
}

/// A key with its live generation, or its last one.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Card {
    pub id: String,
    pub name: Option<String>,
    pub state: State,
    /// OpenRouter's redacted form of the secret.
    pub label: Option<String>,
    #[serde(rename = "limit_nano", deserialize_with = "wire::nano")]
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    #[serde(deserialize_with = "wire::at")]
    pub created_at: Timestamp,
    #[serde(deserialize_with = "wire::at")]
    pub expires_at: Timestamp,
}

/// A member's keys, the claimed one first.
pub fn of_member(session: &Session) -> Stmt {
    stmt!(OF_MEMBER, &session.member)
}

pub fn read_cards(rows: &Rows) -> Result<Vec<Card>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}
