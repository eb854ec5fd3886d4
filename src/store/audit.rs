//! Reads the audit back: whether a change whose answer was lost has happened.

use crate::domain::id::PublicId;
use crate::ports::{Database, DbError, Stmt};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

statements_at! {
    COMMITTED = "SELECT json_object('committed',
        EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2))";
}

from_json! {
    struct Committed {
        committed: bool,
    }
}

/// The closing statement of a guarded batch: whether `change` has an audit row of `target`.
pub(crate) fn committed(change: &PublicId, target: &str) -> Stmt {
    stmt_at!(COMMITTED, change, target)
}

/// Reads the answer of [`committed`] at the end of a batch.
pub(crate) fn was_committed(batch: &[crate::ports::Rows]) -> Result<bool, DbError> {
    Ok(last_row::<Committed>(batch)?.is_some_and(|row| row.committed))
}

/// Runs a guarded batch, and answers whether its change was written to the audit.
pub(crate) async fn run(
    db: &dyn Database,
    mut batch: Vec<Stmt>,
    change: &PublicId,
    target: &str,
) -> Result<bool, DbError> {
    batch.push(committed(change, target));
    was_committed(&batch_retrying_unknown(db, batch).await?)
}

/// Answers whether a change is in the audit, in a query of its own.
pub async fn is_committed(
    db: &dyn Database,
    change: &PublicId,
    target: &str,
) -> Result<bool, DbError> {
    was_committed(&db.batch(vec![committed(change, target)]).await?)
}
