//! Deletes the part of the audit that is not retained for ever: sign-ins and changes of limits, which are many and
//! prove nothing once they are old. The database refuses to delete any other row, and any row that is younger than
//! `settings.audit_since`, which is written here first.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::last_row;

/// One step deletes at most this many rows.
const ROWS: i64 = 500;
/// One run takes at most this many steps.
const STEPS: usize = 20;

/// The rows that a nightly run may delete, older than `$before`. The newest row of the audit stays, because a restored
/// database is recognised by it.
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
    // This is written only if there is something to delete, so that a quiet deployment gets no such row every night.
    SINCE_GUARD { change: PublicId, actor: String, now: Timestamp, since: Timestamp } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'audit_pruned', :actor,
          CAST(s.audit_since AS TEXT), CAST(CAST(:since AS INTEGER) AS TEXT), :now
        FROM settings s WHERE s.audit_since < :since AND EXISTS (SELECT 1 FROM audit a WHERE ", prunable!(":since"), ")
        ON CONFLICT DO NOTHING");

    SINCE { since: Timestamp, change: PublicId } = "UPDATE settings SET audit_since = :since, change_id = :change
        WHERE audit_since < :since AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    PRUNE { most: i64 } = concat!("DELETE FROM audit WHERE id IN (SELECT a.id FROM audit a
        WHERE ", prunable!("(SELECT s.audit_since FROM settings s)"), " ORDER BY a.at LIMIT :most)");

    PRUNED = "SELECT json_object('rows', changes())";
}

from_json! {
    struct Pruned {
        rows: i64,
    }
}

/// Deletes rows older than `since`, as many as one run may. Returns the number of deleted rows.
pub async fn prune(
    db: &dyn Database,
    change: &PublicId,
    actor: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<i64, DbError> {
    let mut batch = vec![
        stmt!(SINCE_GUARD {
            change,
            actor,
            now,
            since
        }),
        stmt!(SINCE { since, change }),
    ];
    let mut all = 0_i64;
    for _ in 0..STEPS {
        batch.extend([stmt!(PRUNE { most: ROWS }), stmt!(PRUNED)]);
        // The batch is not retried: what an unknown batch has deleted is gone, and the next night deletes the rest.
        let rows = db.batch(std::mem::take(&mut batch)).await?;
        let Pruned { rows } = last_row(&rows)?.ok_or(DbError::Broken)?;
        all = all.saturating_add(rows);
        if rows < ROWS {
            break;
        }
    }
    Ok(all)
}
