//! What the sweep does to generations. Every transition names the state before it, and writes its audit row first.

use crate::domain::id::PublicId;
use crate::domain::key::generation::{LANDS_WITHIN_SECS, RECORD_WITHIN_SECS};
use crate::domain::key::purge::{Removed, keeps_until};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::keys::due::{BATCH, Due, Place};
use crate::store::keys::expiries;
use crate::store::keys::retained::{self, RetainedKey};
use crate::store::keys::successors;
use crate::store::query::{batch_retrying_unknown, read, read_all, rows_of};

/// A mint is fenced off when it is older than this: its request has long been answered, and nothing waits for it any
/// more. This is later than the last moment at which it may still be recorded.
const FENCE_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;
/// One run frees at most this many seats.
const SEATS: i64 = 1_000;
/// One run walks at most this many workspaces.
const WORKSPACES: i64 = 1_000;

statements! {
    FENCE_GUARD { change: PublicId, now: Timestamp, created_before: Timestamp, most: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'doubted', 'sweep', 'minting', 'verifying', :now
        FROM generations n WHERE n.unsettled = 1 AND n.state = 'minting' AND n.created_at <= :created_before LIMIT :most
        ON CONFLICT DO NOTHING";

    // With a new nonce, the old attempt can no longer record anything, whatever it still does.
    FENCE { fresh_nonce: String, change: PublicId } =
        "UPDATE generations SET state = 'verifying', op_nonce = :fresh_nonce, failure = 'unknown', change_id = :change
        WHERE unsettled = 1 AND state = 'minting'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = generations.public_id)";

    REVOKES_DUE { now: Timestamp, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.unsettled = 1 AND n.state IN ('revoking', 'stuck') AND n.next_attempt_at <= :now
        ORDER BY n.next_attempt_at LIMIT :most");

    // Keys of ours may be in every workspace where a mint is unsettled, where something was minted lately, or where a
    // plan puts its keys.
    WORKSPACES_TO_WALK { created_since: Timestamp, most: i64 } =
        "SELECT json_object('workspace_id', w.workspace_id, 'unsettled', MAX(w.unsettled))
        FROM (
          SELECT n.workspace_id AS workspace_id, 1 AS unsettled FROM generations n WHERE n.unsettled = 1 AND n.state = 'verifying'
          UNION ALL SELECT n.workspace_id, 0 FROM generations n WHERE n.created_at >= :created_since
          UNION ALL SELECT p.workspace_id, 0 FROM plans p
          UNION ALL SELECT e.upstream_id, 0 FROM workspaces e WHERE e.enabled = 1
        ) w GROUP BY w.workspace_id ORDER BY MAX(w.unsettled) DESC, w.workspace_id LIMIT :most";

    OFF_GUARD {
        change: PublicId, actor: String, now: Timestamp, generation: String, deleted: bool, sent_before: Timestamp,
    } for each = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_confirmed', :actor, n.state, 'revoked', :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('revoking', 'stuck')
          AND (:deleted = 1 OR (n.usage_read_at >= n.ended_at AND COALESCE(n.switch_doubted_at, 0) <= :sent_before))
        ON CONFLICT DO NOTHING";

    // The key has been disabled since its last figures were read, if there are any. A key that is not deleted yet is
    // retained for the figures that are still to come.
    OFF {
        now: Timestamp, erased_at: Option<Timestamp>, erase_at: Option<Timestamp>, change: PublicId, generation: String,
    } for each = "UPDATE generations SET state = 'revoked', ended_at = COALESCE(ended_at, missing_since, :now), erased_at = :erased_at,
            erase_at = :erase_at, switch_doubted_at = NULL, attempts = 0, next_attempt_at = 0, change_id = :change
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // These are the last figures of a key that is disabled and to be removed.
    BOOK { generation: String, ..Spend } for each = concat!("UPDATE generations SET ", join_reading!(), ", ended_at = :read_at
        FROM json_each(:rows) chunk
        WHERE public_id = :generation AND state IN ('revoking', 'stuck')");

    POSTPONE { attempts: i64, next_attempt_at: Timestamp, generation: String } for each =
        "UPDATE generations SET attempts = :attempts, next_attempt_at = :next_attempt_at FROM json_each(:rows) chunk
        WHERE public_id = :generation";

    UNSETTLED_AGAIN { now: Timestamp } = "UPDATE generations SET next_attempt_at = :now
        WHERE unsettled = 1 AND state IN ('revoking', 'stuck') AND next_attempt_at > :now AND attempts > 0";

    KEPT_AGAIN { now: Timestamp } = "UPDATE generations SET next_attempt_at = :now
        WHERE erase_at IS NOT NULL AND erased_at IS NULL AND next_attempt_at > :now AND attempts > 0";

    GIVE_UP_GUARD { change: PublicId, now: Timestamp, generation: String } for each =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_given_up', 'sweep', n.state, 'stuck', :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation WHERE n.state = 'revoking'
        ON CONFLICT DO NOTHING";

    GIVE_UP { change: PublicId, generation: String } for each =
        "UPDATE generations SET state = 'stuck', change_id = :change FROM json_each(:rows) chunk
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    CLEAR_GUARD { change: PublicId, now: Timestamp, generation: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'cleared', 'sweep', n.state, 'void', :now
        FROM generations n WHERE n.public_id = :generation AND n.state = 'verifying'
        ON CONFLICT DO NOTHING";

    CLEAR { now: Timestamp, change: PublicId, generation: String } =
        "UPDATE generations SET state = 'void', ended_at = :now, change_id = :change
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // A key does not exist if a complete walk of its workspace has not seen it, and began long enough after the send.
    ABSENT_GUARD {
        change: PublicId, now: Timestamp, workspace: Option<String>, created_before: Timestamp, walk_began: Timestamp, most: i64,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'cleared', 'sweep', 'verifying', 'void', :now
        FROM generations n
        WHERE n.unsettled = 1 AND n.state = 'verifying' AND n.workspace_id IS :workspace AND n.created_at <= :created_before
          AND (n.seen_at IS NULL OR n.seen_at < :walk_began)
        LIMIT :most ON CONFLICT DO NOTHING";

    ABSENT { now: Timestamp, change: PublicId } =
        "UPDATE generations SET state = 'void', ended_at = :now, change_id = :change
        WHERE unsettled = 1 AND state = 'verifying'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = generations.public_id)";

    // An ended key keeps its seat until its window is over.
    FREE_SEATS { now: Timestamp, most: i64 } = "DELETE FROM retained_seats WHERE id IN
        (SELECT r.id FROM retained_seats r WHERE r.until <= :now ORDER BY r.until LIMIT :most)
        RETURNING json_object('id', id)";

    TARGETS { change: PublicId } = "SELECT json_object('count', COUNT(*)) FROM audit WHERE change_id = :change";
}

/// What a run of the sweep has done already, and what it has to do now.
#[derive(Default)]
pub struct Work {
    pub seats_freed: usize,
    pub fenced: i64,
    pub rotations_undone: i64,
    pub graces_ended: i64,
    pub revokes: Vec<Due>,
    pub expiries: Vec<Due>,
    pub retained: Vec<RetainedKey>,
    pub places: Vec<Place>,
}

/// Frees the seats whose window is over, fences off the mints that nothing waits for any more, undoes their rotations, ends
/// the graces that are over, and lists what is due. This order lets one run bring to its end what it finds.
pub async fn take_up(
    db: &dyn Database,
    [fence, undo, grace]: &[PublicId; 3],
    fresh_nonce: &str,
    recent: Timestamp,
    now: Timestamp,
) -> Result<Work, DbError> {
    let mut batch = vec![
        stmt!(FREE_SEATS { now, most: SEATS }),
        stmt!(FENCE_GUARD {
            change: fence,
            now,
            created_before: now.plus(-FENCE_AFTER_SECS),
            most: BATCH,
        }),
        stmt!(FENCE {
            fresh_nonce,
            change: fence,
        }),
    ];
    batch.extend(successors::end_overdue(undo, grace, now));
    let written = batch.len();
    batch.extend([
        targets(fence),
        targets(undo),
        targets(grace),
        stmt!(REVOKES_DUE { now, most: BATCH }),
        expiries::first_due(now),
        stmt!(WORKSPACES_TO_WALK {
            created_since: recent,
            most: WORKSPACES,
        }),
        retained::first_due(now),
    ]);
    let rows = batch_retrying_unknown(db, batch).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    Ok(Work {
        seats_freed: rows_of(&rows, 0)?.len(),
        fenced: count(read_at(0)?)?,
        rotations_undone: count(read_at(1)?)?,
        graces_ended: count(read_at(2)?)?,
        revokes: read_all(read_at(3)?)?,
        expiries: read_all(read_at(4)?)?,
        places: read_all(read_at(5)?)?,
        retained: read_all(read_at(6)?)?,
    })
}

/// Returns at most `most` generations whose removal is due: they are `revoking`, or `stuck`.
pub async fn revokes_due(
    db: &dyn Database,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Due>, DbError> {
    let due = stmt!(REVOKES_DUE { now, most });
    read_all(rows_of(&db.batch(vec![due]).await?, 0)?)
}

/// The statement that counts the targets of a change. [`count`] reads its row.
fn targets(change: &PublicId) -> Stmt {
    stmt!(TARGETS { change })
}

from_json! {
    struct Count {
        count: i64,
    }
}

fn count(rows: &Rows) -> Result<i64, DbError> {
    let row = rows.first().ok_or(DbError::Broken)?;
    read::<Count>(row).map(|row| row.count)
}

/// Records that OpenRouter confirmed the key disabled, or deleted: `revoking` or `stuck` → `revoked`. A key that is only
/// disabled must have its last figures stored, and no switch in flight may still enable it. Otherwise the row stays as it
/// is, and the answer is false.
pub fn confirm_off(
    db: &dyn Database,
    generation: &str,
    removed: Removed,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let deleted = removed == Removed::Deleted;
    let batch = vec![
        stmt!(OFF_GUARD {
            change,
            actor,
            now,
            generation,
            deleted,
            sent_before: now.plus(-LANDS_WITHIN_SECS),
        }),
        stmt!(OFF {
            now,
            erased_at: deleted.then_some(now),
            erase_at: (!deleted).then(|| keeps_until(now)),
            change,
            generation,
        }),
    ];
    audit::run_for_each(db, batch, change, generation)
}

/// Stores what a key has spent that is disabled for good. It was disabled when it was read, so that is all it has spent.
pub async fn book(db: &dyn Database, generation: &str, spend: &Spend) -> Result<(), DbError> {
    let book = stmt!(BOOK {
        generation,
        ..spend
    });
    batch_retrying_unknown(db, vec![book]).await.map(|_| ())
}

/// Postpones the next attempt at a generation to `next`.
pub async fn postpone(
    db: &dyn Database,
    generation: &str,
    attempts: i64,
    next: Timestamp,
) -> Result<(), DbError> {
    let postpone = stmt!(POSTPONE {
        attempts,
        next_attempt_at: next,
        generation,
    });
    batch_retrying_unknown(db, vec![postpone]).await.map(|_| ())
}

/// Makes due at once what was postponed after failed attempts, because OpenRouter takes changes again.
pub async fn end_back_off(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    let batch = vec![stmt!(UNSETTLED_AGAIN { now }), stmt!(KEPT_AGAIN { now })];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Gives up a removal: `revoking` → `stuck`. Answers false if the row is in another state.
pub fn give_up(
    db: &dyn Database,
    generation: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(GIVE_UP_GUARD {
            change,
            now,
            generation,
        }),
        stmt!(GIVE_UP { change, generation }),
    ];
    audit::run_for_each(db, batch, change, generation)
}

/// Frees a mint whose stray was deleted: `verifying` → `void`.
pub fn clear(
    db: &dyn Database,
    generation: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(CLEAR_GUARD {
            change,
            now,
            generation,
        }),
        stmt!(CLEAR {
            now,
            change,
            generation,
        }),
    ];
    audit::run(db, batch, change, generation)
}

/// Frees the mints whose keys a complete walk of the workspace has not seen, and answers how many these are. `walk_began`
/// must be the beginning of that walk.
pub async fn clear_absent(
    db: &dyn Database,
    workspace_id: Option<&str>,
    walk_began: Timestamp,
    change: &PublicId,
    now: Timestamp,
) -> Result<i64, DbError> {
    let batch = vec![
        stmt!(ABSENT_GUARD {
            change,
            now,
            workspace: workspace_id,
            created_before: walk_began.plus(-LANDS_WITHIN_SECS),
            walk_began,
            most: BATCH,
        }),
        stmt!(ABSENT { now, change }),
        targets(change),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    count(rows.last().ok_or(DbError::Broken)?)
}
