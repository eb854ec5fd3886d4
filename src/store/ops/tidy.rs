//! Deletes what had to be remembered only for a while, a bounded number of rows at a time.

use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::idempotency::REMEMBERED_SECS;

/// One run deletes at most this many rows of each table.
const ROWS: i64 = 500;
/// Runs are stored for this many seconds: ninety days.
const RUNS_KEPT_SECS: i64 = 90 * 86_400;
/// A finding is deleted when no nightly walk has seen its key for this many seconds: thirty days.
const FINDINGS_KEPT_SECS: i64 = 30 * 86_400;

statements_at! {
    STATES = "DELETE FROM used_states WHERE state_sha256 IN
        (SELECT state_sha256 FROM used_states WHERE expires_at < ?1 LIMIT ?2)";

    IDEMPOTENCY = "DELETE FROM idempotency_keys WHERE (owner_id, key_sha256) IN
        (SELECT owner_id, key_sha256 FROM idempotency_keys WHERE created_at < ?1 LIMIT ?2)";

    // The key was deleted at OpenRouter, or has another name there.
    FINDINGS = "DELETE FROM findings WHERE id IN
        (SELECT id FROM findings WHERE last_seen_at < ?1 ORDER BY last_seen_at LIMIT ?2)";

    RUNS = "DELETE FROM runs WHERE id IN
        (SELECT id FROM runs WHERE started_at < ?1 AND ended_at IS NOT NULL ORDER BY started_at LIMIT ?2)";
}

/// Deletes expired sign-in states, Idempotency-Keys, findings and runs.
pub async fn tidy(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    db.batch(vec![
        stmt_at!(STATES, now, ROWS),
        stmt_at!(IDEMPOTENCY, now.plus(-REMEMBERED_SECS), ROWS),
        stmt_at!(FINDINGS, now.plus(-FINDINGS_KEPT_SECS), ROWS),
        stmt_at!(RUNS, now.plus(-RUNS_KEPT_SECS), ROWS),
    ])
    .await
    .map(|_| ())
}
