//! A member asks what their keys have spent: who may ask OpenRouter at this moment, and what it answered.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::query::read;
use crate::store::query::rows_of;

/// A key is asked about at most once in this many seconds.
pub const EVERY_SECS: i64 = 60;
/// Once the whole deployment has asked about this many keys within that time, nobody may ask: claims and revocations
/// need the account's rate more.
const EVERYONES: i64 = 60;
/// One question covers at most this many keys, since the caller waits for a call to OpenRouter for each.
const AT_ONCE: i64 = 3;

statements! {
    // Nobody asks while OpenRouter has asked keycap to wait.
    TAKE {
        now: Timestamp, member: PublicId, epoch: i64, asked_before: Timestamp, most_of_everyone: i64, most: i64,
    } = "UPDATE generations SET usage_asked_at = :now
        WHERE id IN (
          SELECT n.id FROM current_sessions c
          JOIN keys k ON k.owner_id = c.owner_id AND k.ended_at IS NULL
          JOIN generations n ON n.key_id = k.id AND n.live = 1
          WHERE c.member = :member AND c.epoch = :epoch AND (SELECT s.pause_until FROM settings s) <= :now
            AND n.state IN ('active', 'disabled') AND n.expires_at > :now
            AND (n.usage_asked_at IS NULL OR n.usage_asked_at <= :asked_before)
            AND (SELECT COUNT(*) FROM generations a WHERE a.usage_asked_at > :asked_before) < :most_of_everyone
          ORDER BY n.usage_asked_at LIMIT :most)
        RETURNING json_object('public_id', public_id, 'upstream_hash', upstream_hash, 'workspace_id', workspace_id,
          'missing', missing_since IS NOT NULL, 'state', state, 'limit_nano', limit_nano)";

    // The spend of a generation that has ended is final, and is not changed here.
    TELL { generation: String, ..Spend } = concat!("UPDATE generations SET ", join_reading!(), "
        WHERE public_id = :generation AND state IN ('active', 'disabled') AND ", is_newer_reading!());
}

from_json! {
    /// A generation to ask OpenRouter about.
    #[derive(Clone, Debug)]
    pub struct KeyToRefresh {
        pub public_id: String,
        pub upstream_hash: String,
        pub workspace_id: Option<String>,
        /// OpenRouter has said before that it has no such key.
        pub missing: bool,
        pub state: GenerationState,
        pub limit_nano: NanoUsd,
    }
}

/// Takes the member's keys that were last asked about long enough ago, and returns them; none if there is none, or if
/// the member has to wait.
pub async fn take(
    db: &dyn Database,
    session: &Session,
    now: Timestamp,
) -> Result<Vec<KeyToRefresh>, DbError> {
    let take = stmt!(TAKE {
        now,
        member: &session.member,
        epoch: session.epoch,
        asked_before: now.plus(-EVERY_SECS),
        most_of_everyone: EVERYONES,
        most: AT_ONCE,
    });
    // The batch is not retried: if the lost one took the keys, the second would find none. The member can ask again in
    // a minute.
    let rows = db.batch(vec![take]).await?;
    rows_of(&rows, 0)?.iter().map(|row| read(row)).collect()
}

/// The statement that stores what OpenRouter answered. The caller runs it together with the statement that reads the
/// key for the answer.
pub fn record_spend(generation: &str, spend: &Spend) -> Stmt {
    stmt!(TELL {
        generation,
        ..spend
    })
}
