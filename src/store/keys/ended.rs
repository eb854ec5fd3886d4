//! The keys of a member that have ended, with their dates.

use serde::Serialize;

use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::keys::cards::CardProject;
use crate::store::query::read_all;

/// The most ended keys that are shown, the latest first. The export has all of them.
const SHOWN: i64 = 100;

statements! {
    // A key of which something may still work, or whose secret was never made, is not among them.
    OF_MEMBER { member: String, most: i64 } = "SELECT json_object('id', k.public_id, 'name', k.name, 'mask', g.label,
          'project', (SELECT json_object('id', p.public_id, 'name', p.name) FROM projects p WHERE p.id = k.project_id),
          'state', g.state, 'created_at', k.created_at, 'ended_at', k.ended_at, 'expires_at', g.expires_at,
          'off_at', (SELECT MAX(o.ended_at) FROM generations o WHERE o.key_id = k.id),
          'generations', (SELECT COUNT(*) FROM generations o WHERE o.key_id = k.id AND o.state <> 'void'),
          'spent_usd', (SELECT MIN(9000000000000000, SUM(o.usage_lifetime_nano)) FROM generations o WHERE o.key_id = k.id))
        FROM members m JOIN keys k ON k.owner_id = m.owner_id
        JOIN generations g ON g.id = (SELECT MAX(o.id) FROM generations o WHERE o.key_id = k.id AND o.state <> 'void')
        WHERE m.public_id = :member AND k.ended_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = k.id AND o.live = 1)
        ORDER BY k.ended_at DESC, k.id DESC LIMIT :most";
}

from_json! {
    /// A key that has ended.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct EndedKey {
        #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = "^key_[0-9a-f]{24}$")))]
        id: String,
        name: Option<String>,
        project: Option<CardProject>,
        /// OpenRouter's redacted form of the last secret.
        mask: Option<String>,
        /// How the last secret ended.
        state: GenerationState,
        created_at: Timestamp,
        /// When the key was ended.
        ended_at: Timestamp,
        /// When its last secret stopped working.
        off_at: Option<Timestamp>,
        /// When the last secret expires, or would have.
        expires_at: Timestamp,
        /// How many secrets it had.
        generations: i64,
        /// What all of its secrets have spent, as far as it was read.
        spent_usd: Option<NanoUsd>,
    }
}

/// The statement that reads the member's ended keys, the latest first.
pub fn of_member(session: &Session) -> Stmt {
    stmt!(OF_MEMBER {
        member: session.member.as_str(),
        most: SHOWN,
    })
}

/// Returns the rows of [`of_member`].
pub fn read_ended(rows: &Rows) -> Result<Vec<EndedKey>, DbError> {
    read_all(rows)
}
