//! OpenRouter keys that carry our marker: they are looked up by their name, and those without a row are listed as
//! findings.

use crate::domain::id::PublicId;
use crate::domain::key::stray::MarkedRow;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::last_row;
use crate::store::query::read;

statements! {
    BY_NAME { names: String } = "SELECT json_object('public_id', n.public_id, 'upstream_name', n.upstream_name,
            'state', n.state, 'upstream_hash', n.upstream_hash,
            'erased', json(CASE WHEN n.erased_at IS NULL THEN 'false' ELSE 'true' END),
            'delivered', json(CASE WHEN n.recorded_at IS NULL THEN 'false' ELSE 'true' END),
            'limit_nano', n.limit_nano)
        FROM generations n WHERE n.upstream_name IN (SELECT value FROM json_each(:names))";

    SEEN { now: Timestamp, names: String } = "UPDATE generations SET seen_at = MAX(COALESCE(seen_at, 0), :now)
        WHERE unsettled = 1 AND state = 'verifying' AND upstream_name IN (SELECT value FROM json_each(:names))";

    // If the key is enabled although it was disabled or acknowledged before, the finding is news again.
    FOUND {
        finding: PublicId, upstream_hash: String, upstream_name: String, workspace: Option<String>, now: Timestamp,
        is_enabled: bool,
    } = "INSERT INTO findings (public_id, upstream_hash, upstream_name, workspace_id, first_seen_at, last_seen_at)
        VALUES (:finding, :upstream_hash, :upstream_name, :workspace, :now, :now)
        ON CONFLICT (upstream_hash) DO UPDATE SET last_seen_at = MAX(last_seen_at, excluded.last_seen_at),
          disabled_at = CASE :is_enabled WHEN 1 THEN NULL ELSE disabled_at END,
          acknowledged_at = CASE :is_enabled WHEN 1 THEN NULL ELSE acknowledged_at END
        RETURNING json_object('news', acknowledged_at IS NULL)";

    DISABLED { now: Timestamp, upstream_hash: String } =
        "UPDATE findings SET disabled_at = :now WHERE upstream_hash = :upstream_hash AND disabled_at IS NULL";
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
        .map(|now| {
            stmt!(SEEN {
                now,
                names: names.as_str()
            })
        })
        .into_iter()
        .collect();
    batch.push(stmt!(BY_NAME {
        names: names.as_str()
    }));
    let rows = db.batch(batch).await?;
    let rows = rows.last().ok_or(DbError::Broken)?;
    rows.iter().map(|row| read(row)).collect()
}

/// Returns the row of one upstream name, as it is at this moment.
pub async fn by_name(db: &dyn Database, name: &str) -> Result<Option<MarkedRow>, DbError> {
    let names = serde_json::to_string(&[name]).map_err(|_| DbError::Broken)?;
    last_row(&db.batch(vec![stmt!(BY_NAME { names })]).await?)
}

/// The statement that stores a finding: a key that carries our marker and has no row. [`read_news`] reads whether an
/// administrator still has to look at it.
pub fn found(
    finding: &PublicId,
    upstream_hash: &str,
    upstream_name: &str,
    workspace_id: Option<&str>,
    is_enabled: bool,
    now: Timestamp,
) -> Stmt {
    stmt!(FOUND {
        finding,
        upstream_hash,
        upstream_name,
        workspace: workspace_id,
        now,
        is_enabled
    })
}

from_json! {
    struct News {
        news: bool,
    }
}

/// Returns true if no administrator has acknowledged the finding.
pub fn read_news(rows: &Rows) -> Result<bool, DbError> {
    let row = rows.first().ok_or(DbError::Broken)?;
    read::<News>(row).map(|row| row.news)
}

/// The statement that records that the key of a finding was disabled at OpenRouter.
pub fn disabled(upstream_hash: &str, now: Timestamp) -> Stmt {
    stmt!(DISABLED { now, upstream_hash })
}
