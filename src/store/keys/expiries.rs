//! Generations that have expired: which of them are still open, and how each is closed.

use crate::domain::id::PublicId;
use crate::domain::key::purge::keeps_until;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::due::{BATCH, Due};
use crate::store::query::{read_all, rows_of};

/// OpenRouter's clock and ours may differ by this much when a key expires.
const EXPIRES_AFTER_SECS: i64 = 300;

statements! {
    EXPIRIES_DUE { expired_before: Timestamp, now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.state IN ('active', 'disabled') AND n.expires_at <= :expired_before AND n.next_attempt_at <= :now
        ORDER BY n.next_attempt_at LIMIT :most");

    EXPIRE_GUARD { change: PublicId, now: Timestamp, generation: String, expired_before: Timestamp } for each =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'expired', 'sweep', n.state, 'expired', :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('active', 'disabled') AND n.expires_at <= :expired_before
        ON CONFLICT DO NOTHING";

    EXPIRE { erase_at: Timestamp, change: PublicId, generation: String } for each =
        "UPDATE generations SET state = 'expired', ended_at = COALESCE(missing_since, expires_at), erase_at = :erase_at,
            attempts = 0, next_attempt_at = 0, change_id = :change
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // What the key had spent when it expired is stored if it could be read. Otherwise the figures that were known before
    // stay.
    EXPIRE_BOOK { generation: String, change: PublicId, ..Spend } for each =
        concat!("UPDATE generations SET ", join_reading!(), "
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)");

    // If the owner had disabled the key, or it had leaked, that ends with the generation: the next one begins enabled.
    EXPIRE_HOLD { generation: String, change: PublicId } for each =
        "DELETE FROM holds WHERE reason IN ('owner', 'leak', 'rotation')
          AND key_id IN (SELECT n.key_id FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
            WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation))
          AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = holds.key_id AND o.live = 1)";
}

/// The statement that reads the generations a run has to close first. Each row is a [`Due`].
pub(crate) fn first_due(now: Timestamp) -> Stmt {
    expired(now, BATCH)
}

fn expired(now: Timestamp, most: i64) -> Stmt {
    stmt!(EXPIRIES_DUE {
        expired_before: now.plus(-EXPIRES_AFTER_SECS),
        now,
        most,
    })
}

/// Returns at most `most` generations that have expired and are not closed.
pub async fn due(db: &dyn Database, now: Timestamp, most: i64) -> Result<Vec<Due>, DbError> {
    let due = expired(now, most);
    read_all(rows_of(&db.batch(vec![due]).await?, 0)?)
}

/// Ends a generation that expired: `active` or `disabled` → `expired`, with what it spent, if that is known. Its key at
/// OpenRouter is retained as long as one that was disabled for good.
pub fn expire(
    db: &dyn Database,
    generation: &str,
    usage: Option<Spend>,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let mut batch = vec![
        stmt!(EXPIRE_GUARD {
            change,
            now,
            generation,
            expired_before: now.plus(-EXPIRES_AFTER_SECS),
        }),
        stmt!(EXPIRE {
            erase_at: keeps_until(now),
            change,
            generation,
        }),
        stmt!(EXPIRE_HOLD { generation, change }),
    ];
    if let Some(spend) = &usage {
        batch.push(stmt!(EXPIRE_BOOK {
            generation,
            change,
            ..spend
        }));
    }
    audit::run_for_each(db, batch, change, generation)
}
