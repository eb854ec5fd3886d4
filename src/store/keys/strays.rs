//! OpenRouter keys that carry our marker, looked up by name; and those without a row.

use crate::domain::id::PublicId;
use crate::domain::key::stray::MarkedRow;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::last_row;
use crate::store::query::read;

statements_at! {
    BY_NAME = "SELECT json_object('public_id', n.public_id, 'upstream_name', n.upstream_name, 'state', n.state,
            'upstream_hash', n.upstream_hash, 'erased', json(CASE WHEN n.erased_at IS NULL THEN 'false' ELSE 'true' END),
            'delivered', json(CASE WHEN n.recorded_at IS NULL THEN 'false' ELSE 'true' END),
            'limit_nano', n.limit_nano)
        FROM generations n WHERE n.upstream_name IN (SELECT value FROM json_each(?1))";

    SEEN = "UPDATE generations SET seen_at = MAX(COALESCE(seen_at, 0), ?1)
        WHERE unsettled = 1 AND state = 'verifying' AND upstream_name IN (SELECT value FROM json_each(?2))";

    // A key that is enabled, although it was disabled or acknowledged before, is news again.
    FOUND = "INSERT INTO findings (public_id, upstream_hash, upstream_name, workspace_id, first_seen_at, last_seen_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)
        ON CONFLICT (upstream_hash) DO UPDATE SET last_seen_at = MAX(last_seen_at, excluded.last_seen_at),
          disabled_at = CASE ?6 WHEN 1 THEN NULL ELSE disabled_at END,
          acknowledged_at = CASE ?6 WHEN 1 THEN NULL ELSE acknowledged_at END
        RETURNING json_object('news', acknowledged_at IS NULL)";

    DISABLED = "UPDATE findings SET disabled_at = ?1 WHERE upstream_hash = ?2 AND disabled_at IS NULL";

}

/// Returns the rows that these upstream names lead to; a name without a row has none. If `seen` is a time, rows in the
/// state `verifying` are marked as seen then.
pub async fn by_names(
    db: &dyn Database,
    names: &[&str],
    seen: Option<Timestamp>,
) -> Result<Vec<MarkedRow>, DbError> {
    let names = serde_json::to_string(names).map_err(|_| DbError::Broken)?;
    let mut batch: Vec<Stmt> = seen
        .map(|now| stmt_at!(SEEN, now, names.as_str()))
        .into_iter()
        .collect();
    batch.push(stmt_at!(BY_NAME, names.as_str()));
    let rows = db.batch(batch).await?;
    let rows = rows.last().ok_or(DbError::Broken)?;
    rows.iter().map(|row| read(row)).collect()
}

/// Returns the row of one upstream name, as it is at this moment.
pub async fn by_name(db: &dyn Database, name: &str) -> Result<Option<MarkedRow>, DbError> {
    let names = serde_json::to_string(&[name]).map_err(|_| DbError::Broken)?;
    last_row(&db.batch(vec![stmt_at!(BY_NAME, names)]).await?)
}

/// The statement that stores a finding: a key that carries our marker and has no row. [`read_news`] reads whether an
/// administrator still has to look at it.
pub fn found(
    id: &PublicId,
    hash: &str,
    name: &str,
    workspace_id: Option<&str>,
    is_enabled: bool,
    now: Timestamp,
) -> Stmt {
    stmt_at!(FOUND, id, hash, name, workspace_id, now, is_enabled)
}

from_json! {
    struct News {
        news: bool,
    }
}

/// Answers whether the finding is not acknowledged.
pub fn read_news(rows: &Rows) -> Result<bool, DbError> {
    let row = rows.first().ok_or(DbError::Broken)?;
    read::<News>(row).map(|row| row.news)
}

/// The statement that records that the key of a finding was disabled at OpenRouter.
pub fn disabled(hash: &str, now: Timestamp) -> Stmt {
    stmt_at!(DISABLED, now, hash)
}
