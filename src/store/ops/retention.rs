//! What of the audit is not retained for ever: sign-ins and changes of limits, which are many and settle nothing once they are
//! old. The database deletes nothing else of it, and nothing younger than the moment that this writes down first.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::last_row;

/// Rows that one step deletes …
const ROWS: i64 = 500;
/// … and steps that one run takes.
const STEPS: usize = 20;

/// Rows that a night may delete once they are old. The newest row of the audit stays: a restored database is known by it.
macro_rules! prunable {
    ($before:literal) => {
        concat!(
            "a.action IN ('signed_in', 'cap_changed') AND a.at < ",
            $before,
            " AND a.id < (SELECT l.id FROM audit l WHERE l.action <> 'audit_pruned' ORDER BY l.id DESC LIMIT 1)"
        )
    };
}

statements! {
    // Only where there is something to delete: a quiet deployment gets no row of this a night.
    SINCE_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, 'settings', 'audit_pruned', ?2, CAST(s.audit_since AS TEXT), CAST(CAST(?4 AS INTEGER) AS TEXT), ?3
        FROM settings s WHERE s.audit_since < ?4 AND EXISTS (SELECT 1 FROM audit a WHERE ", prunable!("?4"), ")
        ON CONFLICT DO NOTHING");

    SINCE = "UPDATE settings SET audit_since = ?1, change_id = ?2
        WHERE audit_since < ?1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'settings')";

    PRUNE = concat!("DELETE FROM audit WHERE id IN (SELECT a.id FROM audit a
        WHERE ", prunable!("(SELECT s.audit_since FROM settings s)"), " ORDER BY a.at LIMIT ?1)");

    PRUNED = "SELECT json_object('rows', changes())";
}

from_json! {
    struct Pruned {
        rows: i64,
    }
}

/// Deletes what is older than `since`, as much as one run takes; how many rows.
pub async fn prune(
    db: &dyn Database,
    change: &PublicId,
    actor: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<i64, DbError> {
    let mut batch = vec![
        stmt!(SINCE_GUARD, change, actor, now, since),
        stmt!(SINCE, since, change),
    ];
    let mut all = 0_i64;
    for _ in 0..STEPS {
        batch.extend([stmt!(PRUNE, ROWS), stmt!(PRUNED)]);
        // Not sent twice: what an unknown answer has deleted is gone, and the next night finds the rest.
        let rows = db.batch(std::mem::take(&mut batch)).await?;
        let Pruned { rows } = last_row(&rows)?.ok_or(DbError::Broken)?;
        all = all.saturating_add(rows);
        if rows < ROWS {
            break;
        }
    }
    Ok(all)
}
