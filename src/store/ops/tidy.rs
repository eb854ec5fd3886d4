//! What only had to be remembered for a while, forgotten a bounded number of rows at a time.

use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::idempotency::REMEMBERED_SECS;

/// Rows that one run deletes of each table.
const ROWS: i64 = 500;
/// Runs are kept this long, in seconds: ninety days.
const RUNS_KEPT_SECS: i64 = 90 * 86_400;
/// A key without a row that no nightly walk has seen for so long, in seconds, is there no more: thirty days.
const FINDINGS_KEPT_SECS: i64 = 30 * 86_400;

statements! {
    STATES = "DELETE FROM used_states WHERE state_sha256 IN
        (SELECT state_sha256 FROM used_states WHERE expires_at < ?1 LIMIT ?2)";

    IDEMPOTENCY = "DELETE FROM idempotency_keys WHERE (owner_id, key_sha256) IN
        (SELECT owner_id, key_sha256 FROM idempotency_keys WHERE created_at < ?1 LIMIT ?2)";

    // It was deleted at OpenRouter, or has another name there.
    FINDINGS = "DELETE FROM findings WHERE id IN
        (SELECT id FROM findings WHERE last_seen_at < ?1 ORDER BY last_seen_at LIMIT ?2)";

    RUNS = "DELETE FROM runs WHERE id IN
        (SELECT id FROM runs WHERE started_at < ?1 AND ended_at IS NOT NULL ORDER BY started_at LIMIT ?2)";
}

pub async fn tidy(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    db.batch(vec![
        stmt!(STATES, now, ROWS),
        stmt!(IDEMPOTENCY, now.plus(-REMEMBERED_SECS), ROWS),
        stmt!(FINDINGS, now.plus(-FINDINGS_KEPT_SECS), ROWS),
        stmt!(RUNS, now.plus(-RUNS_KEPT_SECS), ROWS),
    ])
    .await
    .map(|_| ())
}
