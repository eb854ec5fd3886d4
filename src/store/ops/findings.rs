//! Findings: OpenRouter keys that carry our marker and have no row, as administrators see them, newest first. A finding
//! is listed until its key has not been seen for a while. An administrator can acknowledge it.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::json_rows;

/// The number of findings on one page.
pub const PAGE_ROWS: usize = 50;

/// A finding as a JSON object. The hash of the key is left out, since anyone who knows it can have the key disabled.
macro_rules! finding {
    () => {
        "SELECT json_object('id', f.public_id, 'name', f.upstream_name, 'workspace_id', f.workspace_id,
            'first_seen_at', f.first_seen_at, 'last_seen_at', f.last_seen_at, 'disabled_at', f.disabled_at,
            'acknowledged_at', f.acknowledged_at) FROM findings f"
    };
}

statements_at! {
    PAGE = concat!(finding!(), " WHERE f.id < CASE WHEN ?1 IS NULL THEN 9223372036854775807 ELSE (SELECT l.id FROM findings l WHERE l.public_id = ?1) END
        ORDER BY f.id DESC LIMIT ?2");

    ONE = concat!(finding!(), " WHERE f.public_id = ?1");

    ACKNOWLEDGE_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, f.public_id, 'finding_acknowledged', m.public_id, ?2 FROM findings f JOIN members m JOIN settings s
        WHERE f.public_id = ?3 AND f.acknowledged_at IS NULL
          AND m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    // One change acknowledges a finding only once. If the key was enabled again since, no audit row tells that, so only
    // the condition on `change_id` keeps a repeated statement from acknowledging it again.
    ACKNOWLEDGE = concat!("UPDATE findings SET acknowledged_at = ?3, change_id = ?1
        WHERE public_id = ?2 AND acknowledged_at IS NULL AND change_id IS NOT ?1 AND ", written!());
}

/// The statement that reads one page of findings, behind the one with the id `after`, and one finding more if there is
/// one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt_at!(PAGE, after, i64::try_from(more).unwrap_or(i64::MAX))
}

/// Returns the rows of [`page`] as they go into the answer.
pub fn read_page(rows: &Rows) -> Result<Vec<Value>, DbError> {
    json_rows::rows(rows)
}

/// Records that an administrator knows a finding. Repeating it changes nothing. Returns the finding, or `None` if there
/// is none with this id.
pub async fn acknowledge(
    db: &dyn Database,
    session: &Session,
    finding: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> Result<Option<Value>, DbError> {
    let (member, epoch) = (&session.member, session.epoch);
    let batch = vec![
        stmt_at!(ACKNOWLEDGE_GUARD, change, now, finding, member, epoch),
        stmt_at!(ACKNOWLEDGE, change, finding, now),
    ];
    audit::run(db, batch, change, finding.as_str()).await?;
    let rows = db.batch(vec![stmt_at!(ONE, finding)]).await?;
    let found = json_rows::rows(rows.first().ok_or(DbError::Broken)?)?;
    Ok(found.into_iter().next())
}
