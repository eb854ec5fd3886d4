//! A member's own question what their keys have spent: who may ask upstream just now, and what was answered.

use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::figures;
use crate::store::query::read;
use crate::store::query::rows_of;

/// A key is asked about once in so many seconds.
pub const EVERY_SECS: i64 = 60;
/// Questions of the whole house within that time: claims and revokes need the account's rate more.
const HOUSE: i64 = 60;
/// Keys that one question covers: each is a call upstream that somebody waits for.
const AT_ONCE: i64 = 3;

statements! {
    // While upstream asks for patience nobody asks.
    TAKE = "UPDATE generations SET usage_asked_at = ?1
        WHERE id IN (
          SELECT n.id FROM members m JOIN settings s
          JOIN keys k ON k.owner_id = m.owner_id AND k.ended_at IS NULL
          JOIN generations n ON n.key_id = k.id AND n.live = 1
          WHERE m.public_id = ?2 AND m.status = 'active' AND m.epoch + s.session_epoch = ?3 AND s.pause_until <= ?1
            AND n.state IN ('active', 'disabled') AND n.expires_at > ?1
            AND (n.usage_asked_at IS NULL OR n.usage_asked_at <= ?4)
            AND (SELECT COUNT(*) FROM generations a WHERE a.usage_asked_at > ?4) < ?5
          ORDER BY n.usage_asked_at LIMIT ?6)
        RETURNING json_object('public_id', public_id, 'upstream_hash', upstream_hash, 'workspace_id', workspace_id,
          'missing', missing_since IS NOT NULL, 'state', state, 'limit_nano', limit_nano)";

    // Spend of a generation that is over is final, and not this question's.
    TELL = concat!("UPDATE generations SET ", figures!(), "
        WHERE public_id = ?10 AND state IN ('active', 'disabled') AND ", is_news!());
}

from_json! {
    /// A generation to ask about.
    #[derive(Clone, Debug)]
    pub struct KeyToRefresh {
        pub public_id: String,
        pub upstream_hash: String,
        pub workspace_id: Option<String>,
        /// OpenRouter said that it is not there.
        pub missing: bool,
        pub state: GenerationState,
        pub limit_nano: NanoUsd,
    }
}

/// Takes the question for the member's keys whose last one is old enough; empty where none is, or where it has to wait.
pub async fn take(
    db: &dyn Database,
    session: &Session,
    now: Timestamp,
) -> Result<Vec<KeyToRefresh>, DbError> {
    let take = stmt!(
        TAKE,
        now,
        &session.member,
        session.epoch,
        now.plus(-EVERY_SECS),
        HOUSE,
        AT_ONCE
    );
    // Not sent twice: taken by the one that was lost, the second would find nothing. The next minute asks again.
    let rows = db.batch(vec![take]).await?;
    rows_of(&rows, 0)?.iter().map(|row| read(row)).collect()
}

/// Writes down what upstream answered, to be run with what shows it.
pub fn record_spend(generation: &str, spend: &Spend) -> Stmt {
    Stmt {
        sql: &TELL,
        values: figures::values(spend, [generation.into()]),
    }
}
