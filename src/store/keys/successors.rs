//! What becomes of a rotation: its successor's record, with which the old one goes, or nothing. And what the sweep finds:
//! rotations that died, and graces that are over.

use crate::domain::id::PublicId;
use crate::domain::key::generation::{DEAD_AFTER_SECS, RECORD_WITHIN_SECS};
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::attempt::{Attempt, Minted, Rotation};
use crate::store::keys::due::BATCH;
use crate::store::query::batch_retrying_unknown;

statements_at! {
    // The record's guard: the key has not ended, and the old one is as it was when the successor was reserved.
    RECORD_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'recorded', r.member, 'minting', ?10, ?2
        FROM generations n JOIN rotation_gates r ON r.key_id = n.key_id AND r.old_id = n.replaces
        WHERE n.public_id = ?3 AND n.state = 'minting' AND n.op_nonce = ?4 AND n.created_at > ?5
          AND r.epoch = ?6 AND r.public_origin = ?7 AND r.plan_rev = n.plan_rev
          AND r.minting = 'open' AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0 AND r.switch_in_doubt = 0
          AND ((?8 IS NULL AND r.old_state = 'disabled' AND r.in_hand_of = ?9)
            OR (r.old_state = 'active' AND r.in_hand_of IS NULL AND r.limit_in_doubt = 0 AND r.limit_nano = ?8))
        ON CONFLICT DO NOTHING";

    SUPERSEDE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, o.public_id, 'superseded', ?2, o.state, 'revoking', ?3
        FROM generations n JOIN generations o ON o.id = n.replaces
        WHERE n.public_id = ?4 AND o.state = 'disabled' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    REVOKE = "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, grace_until = NULL, change_id = ?1
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = generations.public_id AND after = 'revoking')";

    GRACE = "UPDATE generations SET grace_until = MIN(CAST(?1 AS INTEGER), expires_at)
        WHERE state = 'active' AND id = (SELECT n.replaces FROM generations n WHERE n.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?2)";

    ENDED_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, k.public_id, 'rotation_ended', ?2, ?3
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = ?4 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    // Only while nothing newer was written down of the key: a record that lands late lifts no hold put since.
    OUT_OF_HAND = "DELETE FROM holds WHERE reason IN ('rotation', 'leak')
        AND key_id = (SELECT n.key_id FROM generations n JOIN keys k ON k.id = n.key_id
          WHERE n.public_id = ?1 AND ?2 = (SELECT l.change_id FROM audit l WHERE l.target = k.public_id ORDER BY l.id DESC LIMIT 1))";

    // The rotation came to nothing: its own hold goes, another's stays. Never while its mint may yet be recorded.
    LIFT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'rotation_ended', ?2, 'rotation', ?3
        FROM keys k JOIN holds h ON h.key_id = k.id AND h.reason = 'rotation'
        WHERE k.public_id = ?4 AND h.change_id = ?5
          AND NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = k.id AND g.live = 1 AND g.state IN ('reserved', 'minting'))
        ON CONFLICT DO NOTHING";

    LIFT = "DELETE FROM holds WHERE reason = 'rotation' AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?1)
        AND change_id = ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?1)";

    CAP_DUE = "UPDATE generations SET cap_due_at = ?1 WHERE public_id = ?2 AND state IN ('active', 'disabled')";

    // What the sweep finds: rotations whose request died …
    DEAD_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'rotation_ended', 'sweep', 'rotation', ?2
        FROM holds h JOIN keys k ON k.id = h.key_id
        WHERE h.reason = 'rotation' AND h.since <= ?3
          AND NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = k.id AND g.live = 1 AND g.state IN ('reserved', 'minting'))
        LIMIT ?4 ON CONFLICT DO NOTHING";

    DEAD = "DELETE FROM holds WHERE reason = 'rotation' AND since <= ?2
        AND EXISTS (SELECT 1 FROM keys k JOIN audit a ON a.target = k.public_id
          WHERE k.id = holds.key_id AND a.change_id = ?1)";

    // … and graces that are over. What the old one leaves is its successor's.
    GRACES_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'grace_ended', 'sweep', n.state, 'revoking', ?2
        FROM generations n WHERE n.grace_until IS NOT NULL AND n.grace_until <= ?2 AND n.state IN ('active', 'disabled')
        LIMIT ?3 ON CONFLICT DO NOTHING";

    GRACES_HEIRS = "UPDATE generations SET cap_due_at = ?1
        WHERE live = 1 AND replaces IN (SELECT n.id FROM audit a JOIN generations n ON n.public_id = a.target
          WHERE a.change_id = ?2 AND a.action = 'grace_ended')";

    GRACES = "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, grace_until = NULL, change_id = ?1
        WHERE grace_until IS NOT NULL AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = generations.public_id)";
}

/// What is to go of a key by this change.
pub(crate) fn revoke(change: &PublicId, key: &str) -> Stmt {
    stmt_at!(REVOKE, change, key)
}

/// The guard of a successor's record.
pub(crate) fn record_guard(minted: &Minted<'_>, rotation: &Rotation) -> Stmt {
    let Minted { attempt, now, .. } = minted;
    stmt_at!(
        RECORD_GUARD,
        &minted.record,
        *now,
        &attempt.generation,
        attempt.nonce.as_str(),
        now.plus(-RECORD_WITHIN_SECS),
        attempt.session.epoch,
        attempt.house.public_origin.as_str(),
        rotation.lowered,
        &attempt.change,
        minted.state.name(),
    )
}

/// What is recorded with a successor: the old one is to go, at once or when its grace is over; nobody has the key in hand.
pub(crate) fn succeed(minted: &Minted<'_>, rotation: &Rotation) -> Vec<Stmt> {
    let (record, now) = (&minted.record, minted.now);
    let (member, generation) = (&minted.attempt.session.member, &minted.attempt.generation);
    let mut stmts = match rotation.grace_until(now) {
        Some(until) => vec![stmt_at!(GRACE, until, generation, record)],
        None => vec![
            stmt_at!(SUPERSEDE_GUARD, record, member, now, generation),
            revoke(record, rotation.key.as_str()),
        ],
    };
    stmts.extend([
        stmt_at!(ENDED_GUARD, record, member, now, generation),
        stmt_at!(OUT_OF_HAND, generation, record),
    ]);
    stmts
}

/// Lets go of a key whose rotation came to nothing. False where it is not in this attempt's hand any more, or a mint is.
pub fn release_rotation_lock(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let member = &attempt.session.member;
    let batch = vec![
        stmt_at!(LIFT_GUARD, change, member, now, key, &attempt.change),
        stmt_at!(LIFT, key, &attempt.change, change),
    ];
    audit::run(db, batch, change, key)
}

/// The limit that was lowered for a successor is to be looked at now.
pub async fn cap_due(db: &dyn Database, old: &str, now: Timestamp) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt_at!(CAP_DUE, now, old)])
        .await
        .map(|_| ())
}

/// What is overdue: rotations whose request died, and graces that are over; each by a change of its own.
pub(crate) fn end_overdue(undo: &PublicId, grace: &PublicId, now: Timestamp) -> [Stmt; 5] {
    let died = now.plus(-DEAD_AFTER_SECS);
    [
        stmt_at!(DEAD_GUARD, undo, now, died, BATCH),
        stmt_at!(DEAD, undo, died),
        stmt_at!(GRACES_GUARD, grace, now, BATCH),
        stmt_at!(GRACES_HEIRS, now, grace),
        stmt_at!(GRACES, grace),
    ]
}
