//! A generation's limit upstream, changed in place: in doubt from before it is sent until upstream's answer agrees.

use super::audit::{committed, was_committed};
use super::{last_row, sql::wire, twice};
use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};

statements! {
    // One in flight at a time (X4): a new nonce, and none while another's outcome is not known.
    ABOUT_TO = "UPDATE generations SET limit_sent_nano = ?1, limit_sent_at = ?2, op_nonce = ?3
        WHERE public_id = ?4 AND state IN ('active', 'disabled') AND limit_sent_nano IS NULL";

    SENDS = "SELECT json_object('sends', EXISTS (SELECT 1 FROM generations WHERE public_id = ?1 AND op_nonce = ?2))";

    CONFIRMED_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'cap_changed', ?2, n.state, n.state, ?3
        FROM generations n
        WHERE n.public_id = ?4 AND n.state IN ('active', 'disabled') AND n.op_nonce = ?5 AND n.limit_sent_nano = ?6
        ON CONFLICT DO NOTHING";

    CONFIRMED = "UPDATE generations SET limit_nano = ?1, limit_sent_nano = NULL, limit_sent_at = NULL
        WHERE public_id = ?2 AND op_nonce = ?3 AND limit_sent_nano = ?1
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?2)";
}

#[derive(serde::Deserialize)]
struct Sends {
    #[serde(deserialize_with = "wire::flag")]
    sends: bool,
}

/// Writes the doubt down before a limit is sent. False where nothing may be sent.
pub async fn about_to(
    db: &dyn Database,
    generation: &str,
    to: NanoUsd,
    nonce: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(ABOUT_TO, to, now, nonce, generation),
        stmt!(SENDS, generation, nonce),
    ];
    let row: Sends = last_row(&twice(db, batch).await?)?.ok_or(DbError::Broken)?;
    Ok(row.sends)
}

/// Upstream's answer agrees, and nothing else was sent meanwhile: the limit is in force.
pub async fn confirmed(
    db: &dyn Database,
    generation: &str,
    to: NanoUsd,
    nonce: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(CONFIRMED_GUARD, change, actor, now, generation, nonce, to),
        stmt!(CONFIRMED, to, generation, nonce, change),
        committed(change, generation),
    ];
    was_committed(&twice(db, batch).await?)
}
