//! Reads the audit back, to find out whether a change has happened, for example after its answer was lost.

use crate::domain::id::PublicId;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

statements! {
    COMMITTED { change: PublicId, target: String } = "SELECT json_object('committed',
        EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :target))";

    COMMITTED_OF_EACH { change: PublicId, target: String } for each = "SELECT json_object('row', chunk.key, 'committed',
        EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :target)) FROM json_each(:rows) chunk";
}

from_json! {
    struct Committed {
        committed: bool,
    }
}

/// The last statement of a guarded batch. It asks whether `change` has written an audit row of `target`;
/// [`was_committed`] reads its row.
pub(crate) fn committed(change: &PublicId, target: &str) -> Stmt {
    stmt!(COMMITTED { change, target })
}

/// Answers whether the change was committed, from a batch that ends with [`committed`].
pub(crate) fn was_committed(batch: &[Rows]) -> Result<bool, DbError> {
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

/// Does the same with a batch whose statements work on many rows.
pub(crate) async fn run_for_each(
    db: &dyn Database,
    mut batch: Vec<Stmt>,
    change: &PublicId,
    target: &str,
) -> Result<bool, DbError> {
    batch.push(stmt!(COMMITTED_OF_EACH { change, target }));
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
