//! What the sweep does to generations. Every transition names its old state, and is written to the audit first.

use crate::domain::id::PublicId;
use crate::domain::key::generation::{LANDS_WITHIN_SECS, RECORD_WITHIN_SECS};
use crate::domain::key::purge::{Removed, keeps_until};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::figures;
use crate::store::keys::due::{BATCH, Due, Place};
use crate::store::keys::retained::{self, RetainedKey};
use crate::store::keys::successors;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::read_all;
use crate::store::query::rows_of;

/// A mint whose request has long been answered: nobody waits for it any more. Later than the last moment at which it
/// may still be recorded.
const FENCE_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;
/// A key's own clock and ours may differ by this much.
const EXPIRES_AFTER_SECS: i64 = 300;
/// Seats that one run frees.
const SEATS: i64 = 1_000;
/// Workspaces that are walked in turn.
const WORKSPACES: i64 = 1_000;

statements_at! {
    FENCE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'doubted', 'sweep', 'minting', 'verifying', ?2
        FROM generations n WHERE n.unsettled = 1 AND n.state = 'minting' AND n.created_at <= ?3 LIMIT ?4
        ON CONFLICT DO NOTHING";

    // A new nonce: whatever the old attempt still does, it records nothing.
    FENCE = "UPDATE generations SET state = 'verifying', op_nonce = ?1, failure = 'unknown', change_id = ?2
        WHERE unsettled = 1 AND state = 'minting'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = generations.public_id)";

    REVOKES_DUE = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.unsettled = 1 AND n.state IN ('revoking', 'stuck') AND n.next_attempt_at <= ?1
        ORDER BY n.next_attempt_at LIMIT ?2");

    EXPIRIES_DUE = concat!("SELECT json_object(", due!(), ")
        FROM generations n
        WHERE n.state IN ('active', 'disabled') AND n.expires_at <= ?1 AND n.next_attempt_at <= ?2
        ORDER BY n.next_attempt_at LIMIT ?3");

    // Where keys of ours may turn up: where something is unsettled, where anything was minted lately, where plans mint.
    WORKSPACES_TO_WALK = "SELECT json_object('workspace_id', w.workspace_id, 'unsettled', MAX(w.unsettled))
        FROM (
          SELECT n.workspace_id AS workspace_id, 1 AS unsettled FROM generations n WHERE n.unsettled = 1 AND n.state = 'verifying'
          UNION ALL SELECT n.workspace_id, 0 FROM generations n WHERE n.created_at >= ?1
          UNION ALL SELECT p.workspace_id, 0 FROM plans p
        ) w GROUP BY w.workspace_id ORDER BY MAX(w.unsettled) DESC, w.workspace_id LIMIT ?2";

    OFF_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'revoke_confirmed', ?2, n.state, 'revoked', ?3
        FROM generations n WHERE n.public_id = ?4 AND n.state IN ('revoking', 'stuck')
          AND (?5 = 1 OR (n.usage_read_at >= n.ended_at AND COALESCE(n.switch_doubted_at, 0) <= ?6))
        ON CONFLICT DO NOTHING";

    // Off for good since its last figures, if there are any. One that is not deleted yet is kept for those to come.
    OFF = "UPDATE generations SET state = 'revoked', ended_at = COALESCE(ended_at, missing_since, ?1), erased_at = ?2, erase_at = ?3,
            switch_doubted_at = NULL, attempts = 0, next_attempt_at = 0, change_id = ?4
        WHERE public_id = ?5 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?5)";

    // The last figures of a key that is off and goes.
    BOOK = concat!("UPDATE generations SET ", figures!(), ", ended_at = ?5
        WHERE public_id = ?10 AND state IN ('revoking', 'stuck')");

    POSTPONE = "UPDATE generations SET attempts = ?1, next_attempt_at = ?2 WHERE public_id = ?3";

    UNSETTLED_AGAIN = "UPDATE generations SET next_attempt_at = ?1
        WHERE unsettled = 1 AND state IN ('revoking', 'stuck') AND next_attempt_at > ?1 AND attempts > 0";

    KEPT_AGAIN = "UPDATE generations SET next_attempt_at = ?1
        WHERE erase_at IS NOT NULL AND erased_at IS NULL AND next_attempt_at > ?1 AND attempts > 0";

    GIVE_UP_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'revoke_given_up', 'sweep', n.state, 'stuck', ?2
        FROM generations n WHERE n.public_id = ?3 AND n.state = 'revoking'
        ON CONFLICT DO NOTHING";

    GIVE_UP = "UPDATE generations SET state = 'stuck', change_id = ?1
        WHERE public_id = ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    EXPIRE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'expired', 'sweep', n.state, 'expired', ?2
        FROM generations n
        WHERE n.public_id = ?3 AND n.state IN ('active', 'disabled') AND n.expires_at <= ?4
        ON CONFLICT DO NOTHING";

    EXPIRE = "UPDATE generations SET state = 'expired', ended_at = COALESCE(missing_since, expires_at), erase_at = ?1, attempts = 0,
            next_attempt_at = 0, change_id = ?2
        WHERE public_id = ?3 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // What it had spent when it expired, where that could be read; else what was known before stays.
    EXPIRE_BOOK = concat!("UPDATE generations SET ", figures!(), "
        WHERE public_id = ?10 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?11 AND target = ?10)");

    // What its owner disabled, or what had leaked, has ended with it: the next generation begins enabled.
    EXPIRE_HOLD = "DELETE FROM holds WHERE reason IN ('owner', 'leak', 'rotation')
        AND key_id = (SELECT n.key_id FROM generations n WHERE n.public_id = ?1)
        AND NOT EXISTS (SELECT 1 FROM generations o WHERE o.key_id = holds.key_id AND o.live = 1)
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)";

    CLEAR_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'cleared', 'sweep', n.state, 'void', ?2
        FROM generations n WHERE n.public_id = ?3 AND n.state = 'verifying'
        ON CONFLICT DO NOTHING";

    CLEAR = "UPDATE generations SET state = 'void', ended_at = ?1, change_id = ?2
        WHERE public_id = ?3 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // What a clean walk, begun long enough after the send, has not seen, is not there.
    ABSENT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'cleared', 'sweep', 'verifying', 'void', ?2
        FROM generations n
        WHERE n.unsettled = 1 AND n.state = 'verifying' AND n.workspace_id IS ?3 AND n.created_at <= ?4
          AND (n.seen_at IS NULL OR n.seen_at < ?5)
        LIMIT ?6 ON CONFLICT DO NOTHING";

    ABSENT = "UPDATE generations SET state = 'void', ended_at = ?1, change_id = ?2
        WHERE unsettled = 1 AND state = 'verifying'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = generations.public_id)";

    // Seats of ended keys whose window is over.
    FREE_SEATS = "DELETE FROM retained_seats WHERE id IN
        (SELECT r.id FROM retained_seats r WHERE r.until <= ?1 ORDER BY r.until LIMIT ?2)
        RETURNING json_object('id', id)";

    TARGETS = "SELECT json_object('count', COUNT(*)) FROM audit WHERE change_id = ?1";
}

/// What there is to do now.
#[derive(Default)]
pub struct Work {
    pub seats_freed: usize,
    pub fenced: i64,
    pub rotations_undone: i64,
    pub graces_ended: i64,
    pub revokes: Vec<Due>,
    pub expiries: Vec<Due>,
    pub kept: Vec<RetainedKey>,
    pub places: Vec<Place>,
}

/// Frees the seats whose window is over. Fences mints that nobody waits for any more, lets go of what they held, ends graces that are over, and lists what is
/// due: in this order, so that one run takes what it finds to its end.
pub async fn take_up(
    db: &dyn Database,
    [fence, undo, grace]: &[PublicId; 3],
    fresh_nonce: &str,
    recent: Timestamp,
    now: Timestamp,
) -> Result<Work, DbError> {
    let mut batch = vec![
        stmt_at!(FREE_SEATS, now, SEATS),
        stmt_at!(FENCE_GUARD, fence, now, now.plus(-FENCE_AFTER_SECS), BATCH),
        stmt_at!(FENCE, fresh_nonce, fence),
    ];
    batch.extend(successors::end_overdue(undo, grace, now));
    let written = batch.len();
    batch.extend([
        targets(fence),
        targets(undo),
        targets(grace),
        stmt_at!(REVOKES_DUE, now, BATCH),
        stmt_at!(EXPIRIES_DUE, now.plus(-EXPIRES_AFTER_SECS), now, BATCH),
        stmt_at!(WORKSPACES_TO_WALK, recent, WORKSPACES),
        retained::due(now),
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
        kept: read_all(read_at(6)?)?,
    })
}

/// What is `revoking`, or stuck so.
pub async fn revokes_due(db: &dyn Database, now: Timestamp) -> Result<Vec<Due>, DbError> {
    let rows = db.batch(vec![stmt_at!(REVOKES_DUE, now, BATCH)]).await?;
    read_all(rows_of(&rows, 0)?)
}

/// How many targets a change has touched; [`count`] reads it.
fn targets(change: &PublicId) -> Stmt {
    stmt_at!(TARGETS, change)
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

/// Confirmed off, or deleted: `revoking` or `stuck` → `revoked`. One that is only off has its figures booked, and nothing in
/// doubt can enable it any more; where that is not so, it is left as it is.
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
        stmt_at!(
            OFF_GUARD,
            change,
            actor,
            now,
            generation,
            deleted,
            now.plus(-LANDS_WITHIN_SECS)
        ),
        stmt_at!(
            OFF,
            now,
            deleted.then_some(now),
            (!deleted).then(|| keeps_until(now)),
            change,
            generation
        ),
    ];
    audit::run(db, batch, change, generation)
}

/// Writes down what a key that is off for good has spent: it has been off since it was read.
pub async fn book(db: &dyn Database, generation: &str, spend: &Spend) -> Result<(), DbError> {
    let book = Stmt {
        sql: &BOOK,
        values: figures::values(spend, [generation.into()]),
    };
    batch_retrying_unknown(db, vec![book]).await.map(|_| ())
}

/// Not again before `next`.
pub async fn postpone(
    db: &dyn Database,
    generation: &str,
    attempts: i64,
    next: Timestamp,
) -> Result<(), DbError> {
    let batch = vec![stmt_at!(POSTPONE, attempts, next, generation)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// What waits after failed attempts has its turn again: upstream takes changes.
pub async fn end_back_off(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    let batch = vec![stmt_at!(UNSETTLED_AGAIN, now), stmt_at!(KEPT_AGAIN, now)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// `revoking` → `stuck`. False where the row is something else.
pub fn give_up(
    db: &dyn Database,
    generation: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt_at!(GIVE_UP_GUARD, change, now, generation),
        stmt_at!(GIVE_UP, change, generation),
    ];
    audit::run(db, batch, change, generation)
}

/// `active` or `disabled` → `expired`, with what it spent, when that is known; its upstream key is kept as one that is off
/// for good is.
pub fn expire(
    db: &dyn Database,
    generation: &str,
    usage: Option<Spend>,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let mut batch = vec![
        stmt_at!(
            EXPIRE_GUARD,
            change,
            now,
            generation,
            now.plus(-EXPIRES_AFTER_SECS)
        ),
        stmt_at!(EXPIRE, keeps_until(now), change, generation),
        stmt_at!(EXPIRE_HOLD, generation, change),
    ];
    batch.extend(usage.map(|spend| Stmt {
        sql: &EXPIRE_BOOK,
        values: figures::values(&spend, [generation.into(), change.into()]),
    }));
    audit::run(db, batch, change, generation)
}

/// Its stray is deleted: `verifying → void`.
pub fn clear(
    db: &dyn Database,
    generation: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt_at!(CLEAR_GUARD, change, now, generation),
        stmt_at!(CLEAR, now, change, generation),
    ];
    audit::run(db, batch, change, generation)
}

/// Frees what a clean walk of the workspace has not seen; how many. `walk_began` must be the walk's own beginning.
pub async fn clear_absent(
    db: &dyn Database,
    workspace_id: Option<&str>,
    walk_began: Timestamp,
    change: &PublicId,
    now: Timestamp,
) -> Result<i64, DbError> {
    let batch = vec![
        stmt_at!(
            ABSENT_GUARD,
            change,
            now,
            workspace_id,
            walk_began.plus(-LANDS_WITHIN_SECS),
            walk_began,
            BATCH
        ),
        stmt_at!(ABSENT, now, change),
        targets(change),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    count(rows.last().ok_or(DbError::Broken)?)
}
