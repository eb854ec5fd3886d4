//! Deletes what had to be remembered only for a while, a bounded number of rows at a time.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::devices::asked;
use crate::store::handoffs::settled;
use crate::store::idempotency::REMEMBERED_SECS;

/// One run deletes at most this many rows of each table.
const ROWS: i64 = 500;
/// Runs are stored for this many seconds: ninety days.
const RUNS_KEPT_SECS: i64 = 90 * 86_400;
/// A finding is deleted when no nightly walk has seen its key for this many seconds: thirty days.
const FINDINGS_KEPT_SECS: i64 = 30 * 86_400;

statements! {
    STATES { expired_before: Timestamp, most: i64 } = "DELETE FROM used_states WHERE state_sha256 IN
        (SELECT state_sha256 FROM used_states WHERE expires_at < :expired_before LIMIT :most)";

    IDEMPOTENCY { created_before: Timestamp, most: i64 } = "DELETE FROM idempotency_keys WHERE (owner_id, key_sha256) IN
        (SELECT owner_id, key_sha256 FROM idempotency_keys WHERE created_at < :created_before LIMIT :most)";

    // The key was deleted at OpenRouter, or has another name there.
    FINDINGS { seen_before: Timestamp, most: i64 } = "DELETE FROM findings WHERE id IN
        (SELECT id FROM findings WHERE last_seen_at < :seen_before ORDER BY last_seen_at LIMIT :most)";

    RUNS { started_before: Timestamp, most: i64 } = "DELETE FROM runs WHERE id IN
        (SELECT id FROM runs WHERE started_at < :started_before AND ended_at IS NOT NULL ORDER BY started_at LIMIT :most)";
}

/// Deletes expired sign-in states, Idempotency-Keys, findings, runs, device grants and hand-offs. A hand-off whose exchange never told how
/// it ended becomes unknown, under this change.
pub async fn tidy(db: &dyn Database, change: &PublicId, now: Timestamp) -> Result<(), DbError> {
    let mut batch = vec![
        stmt!(STATES {
            expired_before: now,
            most: ROWS
        }),
        stmt!(IDEMPOTENCY {
            created_before: now.plus(-REMEMBERED_SECS),
            most: ROWS
        }),
        stmt!(FINDINGS {
            seen_before: now.plus(-FINDINGS_KEPT_SECS),
            most: ROWS
        }),
        stmt!(RUNS {
            started_before: now.plus(-RUNS_KEPT_SECS),
            most: ROWS
        }),
    ];
    batch.push(asked::forget(ROWS, now));
    batch.extend(settled::tidy(change, now));
    db.batch(batch).await.map(|_| ())
}
