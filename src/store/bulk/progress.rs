//! How far bulk changes have come: which targets are next, what came of each, and the end of a change.

use crate::domain::id::{IdKind, PublicId};
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::bulk::BulkAction;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

statements! {
    NEXT { most: i64 } = "SELECT json_object('bulk', b.public_id, 'change', b.change_id, 'action', b.action, 'targets', json((SELECT json_group_array(l.target_id)
          FROM (SELECT t.target_id FROM bulk_targets t WHERE t.bulk_id = b.id AND t.verdict = 'change' AND t.outcome IS NULL
            ORDER BY t.target_id LIMIT :most) l)))
        FROM bulk_changes b WHERE b.state = 'running' ORDER BY b.id LIMIT 1";

    // What was not changed was not to be changed any more, or the database refuses it.
    SETTLE { change: PublicId, bulk: PublicId, targets: String, otherwise: String } = "UPDATE bulk_targets SET outcome = iif(EXISTS (SELECT 1 FROM audit a
          WHERE a.change_id = :change AND a.target = COALESCE(
            (SELECT k.public_id FROM keys k JOIN bulk_changes s ON s.id = bulk_targets.bulk_id
              WHERE k.id = bulk_targets.target_id AND s.action NOT IN ('suspend', 'reinstate')),
            (SELECT m.public_id FROM members m WHERE m.owner_id = bulk_targets.target_id))), 'done', :otherwise)
        WHERE outcome IS NULL AND target_id IN (SELECT value FROM json_each(:targets))
          AND bulk_id = (SELECT b.id FROM bulk_changes b WHERE b.public_id = :bulk AND b.state = 'running' AND b.change_id = :change)";

    FINISH_GUARD { change: PublicId, bulk: PublicId, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, b.public_id, 'bulk_ended', b.actor, b.state,
          'done ' || CAST((SELECT COUNT(*) FROM bulk_targets t WHERE t.bulk_id = b.id AND t.outcome = 'done') AS TEXT), :now
        FROM bulk_changes b WHERE b.public_id = :bulk AND b.state = 'running'
          AND NOT EXISTS (SELECT 1 FROM bulk_targets t WHERE t.bulk_id = b.id AND t.verdict = 'change' AND t.outcome IS NULL)
        ON CONFLICT DO NOTHING";

    FINISH { change: PublicId, bulk: PublicId, now: Timestamp } =
        "UPDATE bulk_changes SET state = 'done', ended_at = :now, change_id = :change
        WHERE public_id = :bulk AND state = 'running' AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :bulk)";

    FORGET_TARGETS { before: Timestamp } = "DELETE FROM bulk_targets WHERE bulk_id IN
        (SELECT b.id FROM bulk_changes b WHERE b.state <> 'running' AND b.expires_at <= :before)";
}

from_json! {
    struct BulkChunkRow {
        bulk: String,
        change: String,
        action: String,
        targets: Vec<i64>,
    }
}

/// The next chunk of the oldest change that runs.
#[derive(Clone, Debug)]
pub struct BulkChunk {
    pub bulk: PublicId,
    /// The change that has started it.
    pub change: PublicId,
    pub action: BulkAction,
    /// The rows of the targets. There is none if nothing is left to be done.
    pub targets: Vec<i64>,
}

/// Returns the next chunk, with at most `most` targets; `None` if no change runs.
pub async fn next(db: &dyn Database, most: i64) -> Result<Option<BulkChunk>, DbError> {
    let row: Option<BulkChunkRow> = last_row(&db.batch(vec![stmt!(NEXT { most })]).await?)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let bulk = PublicId::parse(IdKind::Bulk, &row.bulk);
    let change = PublicId::parse(IdKind::Change, &row.change);
    Ok(Some(BulkChunk {
        bulk: bulk.ok_or(DbError::Broken)?,
        change: change.ok_or(DbError::Broken)?,
        action: BulkAction::parse(&row.action).ok_or(DbError::Broken)?,
        targets: row.targets,
    }))
}

impl BulkChunk {
    /// The statement that writes down what came of these targets: `otherwise` of those that were not changed.
    pub(crate) fn settle(&self, targets: &str, otherwise: &str) -> Stmt {
        stmt!(SETTLE {
            change: &self.change,
            bulk: &self.bulk,
            targets,
            otherwise
        })
    }
}

/// Writes down that the database refuses the change of this target.
pub async fn fail(db: &dyn Database, chunk: &BulkChunk, target: i64) -> Result<(), DbError> {
    let targets = serde_json::to_string(&[target]).map_err(|_| DbError::Broken)?;
    let fail = chunk.settle(&targets, "failed");
    batch_retrying_unknown(db, vec![fail]).await.map(|_| ())
}

/// Ends a change of which nothing is left to be done. Answers false if something is, or if it does not run any more.
pub async fn finish(
    db: &dyn Database,
    bulk: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(FINISH_GUARD { change, bulk, now }),
        stmt!(FINISH { change, bulk, now }),
    ];
    audit::run(db, batch, change, bulk.as_str()).await
}

/// Deletes the targets of changes that could be started until `before` at the latest.
pub async fn forget(db: &dyn Database, before: Timestamp) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(FORGET_TARGETS { before })])
        .await
        .map(|_| ())
}
