//! How a rotation ends. If the successor is recorded, the old generation ends with it, at once or after its grace. If no
//! successor comes, the lock of the key is released. The sweep ends the rotations whose request died, and the graces
//! that are over.

use crate::domain::id::PublicId;
use crate::domain::key::generation::{DEAD_AFTER_SECS, RECORD_WITHIN_SECS};
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::attempt::{Attempt, Minted, Rotation};
use crate::store::keys::due::BATCH;
use crate::store::query::batch_retrying_unknown;

statements! {
    // The guard of the record requires that the key has not ended, and that the old generation is as it was when the
    // successor was reserved. Without grace, the attempt has locked the key (`:lock`), and the old generation is
    // disabled. With grace, the old generation is active and still has the limit to which the attempt lowered it.
    RECORD_GUARD {
        change: PublicId, now: Timestamp, generation: PublicId, nonce: String, created_after: Timestamp, epoch: i64,
        public_origin: String, lowered: Option<NanoUsd>, lock: PublicId, state: String,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'recorded', r.member, 'minting', :state, :now
        FROM generations n JOIN rotation_gates r ON r.key_id = n.key_id AND r.old_id = n.replaces
        WHERE n.public_id = :generation AND n.state = 'minting' AND n.op_nonce = :nonce AND n.created_at > :created_after
          AND r.epoch = :epoch AND r.public_origin = :public_origin AND r.plan_rev = n.plan_rev
          AND r.minting = 'open' AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0 AND r.switch_in_doubt = 0
          AND ((:lowered IS NULL AND r.old_state = 'disabled' AND r.in_hand_of = :lock)
            OR (r.old_state = 'active' AND r.in_hand_of IS NULL AND r.limit_in_doubt = 0 AND r.limit_nano = :lowered))
        ON CONFLICT DO NOTHING";

    SUPERSEDE_GUARD { change: PublicId, actor: PublicId, now: Timestamp, generation: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, o.public_id, 'superseded', :actor, o.state, 'revoking', :now
        FROM generations n JOIN generations o ON o.id = n.replaces
        WHERE n.public_id = :generation AND o.state = 'disabled'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
        ON CONFLICT DO NOTHING";

    REVOKE { change: PublicId, key: String } = "UPDATE generations
        SET state = 'revoking', attempts = 0, next_attempt_at = 0, grace_until = NULL, change_id = :change
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          AND EXISTS (SELECT 1 FROM audit
            WHERE change_id = :change AND target = generations.public_id AND after = 'revoking')";

    GRACE { until: Timestamp, generation: PublicId, change: PublicId } =
        "UPDATE generations SET grace_until = MIN(CAST(:until AS INTEGER), expires_at)
        WHERE state = 'active' AND id = (SELECT n.replaces FROM generations n WHERE n.public_id = :generation)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    ENDED_GUARD { change: PublicId, actor: PublicId, now: Timestamp, generation: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'rotation_ended', :actor, :now
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
        ON CONFLICT DO NOTHING";

    // The key is unlocked only while this change is the newest of the key: a record that arrives late lifts no hold that
    // was set after it.
    UNLOCK { generation: PublicId, change: PublicId } = concat!("DELETE FROM holds WHERE reason IN ('rotation', 'leak')
        AND key_id = (SELECT n.key_id FROM generations n JOIN keys k ON k.id = n.key_id
          WHERE n.public_id = :generation AND ", newest_change!("k.public_id"), ")");

    // The rotation failed. It releases its own lock (`:lock`), and never the lock of another attempt. While its mint may
    // still be recorded, it releases nothing.
    LIFT_GUARD { change: PublicId, actor: PublicId, now: Timestamp, key: String, lock: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'rotation_ended', :actor, 'rotation', :now
        FROM keys k JOIN holds h ON h.key_id = k.id AND h.reason = 'rotation'
        WHERE k.public_id = :key AND h.change_id = :lock
          AND NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = k.id AND g.live = 1 AND g.state IN ('reserved', 'minting'))
        ON CONFLICT DO NOTHING";

    LIFT { key: String, lock: PublicId, change: PublicId } =
        "DELETE FROM holds WHERE reason = 'rotation' AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
        AND change_id = :lock AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    CAP_DUE { now: Timestamp, generation: String } =
        "UPDATE generations SET cap_due_at = :now WHERE public_id = :generation AND state IN ('active', 'disabled')";

    // The sweep ends the rotations whose request died.
    DEAD_GUARD { change: PublicId, now: Timestamp, begun_before: Timestamp, most: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'rotation_ended', 'sweep', 'rotation', :now
        FROM holds h JOIN keys k ON k.id = h.key_id
        WHERE h.reason = 'rotation' AND h.since <= :begun_before
          AND NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = k.id AND g.live = 1 AND g.state IN ('reserved', 'minting'))
        LIMIT :most ON CONFLICT DO NOTHING";

    DEAD { begun_before: Timestamp, change: PublicId } =
        "DELETE FROM holds WHERE reason = 'rotation' AND since <= :begun_before
        AND EXISTS (SELECT 1 FROM keys k JOIN audit a ON a.target = k.public_id
          WHERE k.id = holds.key_id AND a.change_id = :change)";

    // The sweep ends the graces that are over. Then the successor may have what its old generation leaves, so its limit
    // is due.
    GRACES_GUARD { change: PublicId, now: Timestamp, most: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'grace_ended', 'sweep', n.state, 'revoking', :now
        FROM generations n
        WHERE n.grace_until IS NOT NULL AND n.grace_until <= :now AND n.state IN ('active', 'disabled')
        LIMIT :most ON CONFLICT DO NOTHING";

    GRACES_HEIRS { now: Timestamp, change: PublicId } = "UPDATE generations SET cap_due_at = :now
        WHERE live = 1 AND replaces IN (SELECT n.id FROM audit a JOIN generations n ON n.public_id = a.target
          WHERE a.change_id = :change AND a.action = 'grace_ended')";

    GRACES { change: PublicId } = "UPDATE generations
        SET state = 'revoking', attempts = 0, next_attempt_at = 0, grace_until = NULL, change_id = :change
        WHERE grace_until IS NOT NULL AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = generations.public_id)";
}

/// The statement that makes the generations of a key `revoking` for which this change has written that they have to go.
pub(crate) fn revoke(change: &PublicId, key: &str) -> Stmt {
    stmt!(REVOKE { change, key })
}

/// The guard of a successor's record.
pub(crate) fn record_guard(minted: &Minted<'_>, rotation: &Rotation) -> Stmt {
    let Minted { attempt, now, .. } = minted;
    stmt!(RECORD_GUARD {
        change: &minted.record,
        now: *now,
        generation: &attempt.generation,
        nonce: attempt.nonce.as_str(),
        created_after: now.plus(-RECORD_WITHIN_SECS),
        epoch: attempt.session.epoch,
        public_origin: attempt.policy.public_origin.as_str(),
        lowered: rotation.lowered,
        lock: &attempt.change,
        state: minted.state.name(),
    })
}

/// The statements that are recorded with a successor. The old generation becomes `revoking`, at once or when its grace is
/// over, and the key is unlocked.
pub(crate) fn succeed(minted: &Minted<'_>, rotation: &Rotation) -> Vec<Stmt> {
    let (change, now) = (&minted.record, minted.now);
    let (actor, generation) = (&minted.attempt.session.member, &minted.attempt.generation);
    let mut stmts = match rotation.grace_until(now) {
        Some(until) => vec![stmt!(GRACE {
            until,
            generation,
            change
        })],
        None => vec![
            stmt!(SUPERSEDE_GUARD {
                change,
                actor,
                now,
                generation
            }),
            revoke(change, rotation.key.as_str()),
        ],
    };
    stmts.extend([
        stmt!(ENDED_GUARD {
            change,
            actor,
            now,
            generation
        }),
        stmt!(UNLOCK { generation, change }),
    ]);
    stmts
}

/// Unlocks a key whose rotation failed. Returns false if this attempt no longer holds the lock, or if its mint is still
/// under way.
pub fn release_rotation_lock(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let lock = &attempt.change;
    let batch = vec![
        stmt!(LIFT_GUARD {
            change,
            actor: &attempt.session.member,
            now,
            key,
            lock
        }),
        stmt!(LIFT { key, lock, change }),
    ];
    audit::run(db, batch, change, key)
}

/// Makes the limit of a generation due now. It was lowered for a successor that did not come.
pub async fn cap_due(db: &dyn Database, generation: &str, now: Timestamp) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(CAP_DUE { now, generation })])
        .await
        .map(|_| ())
}

/// The statements that end the rotations whose request died, under the change `undo`, and the graces that are over, under
/// the change `grace`.
pub(crate) fn end_overdue(undo: &PublicId, grace: &PublicId, now: Timestamp) -> [Stmt; 5] {
    let begun_before = now.plus(-DEAD_AFTER_SECS);
    [
        stmt!(DEAD_GUARD {
            change: undo,
            now,
            begun_before,
            most: BATCH
        }),
        stmt!(DEAD {
            begun_before,
            change: undo
        }),
        stmt!(GRACES_GUARD {
            change: grace,
            now,
            most: BATCH
        }),
        stmt!(GRACES_HEIRS { now, change: grace }),
        stmt!(GRACES { change: grace }),
    ]
}
