//! Bulk changes as they are carried out: a chunk of targets in one batch, which changes each target that is still to be changed
//! and writes down what came of it. The sweep then does at OpenRouter what the chunk has made due.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::bulk::BulkAction;
use crate::store::bulk::progress::BulkChunk;
use crate::store::query::batch_retrying_unknown;

/// The change `b`, if it runs and `:change` is its start, and those targets of the chunk whose turn it is and that are still to
/// be changed. The statement declares `bulk`, `change` and `targets`.
macro_rules! turn {
    ($action:literal) => {
        concat!(
            "json_each(:targets) j CROSS JOIN bulk_changes b ON b.public_id = :bulk AND b.state = 'running' AND b.change_id = :change
              AND b.action = '",
            $action,
            "'
            CROSS JOIN bulk_verdicts v ON v.bulk_id = b.id AND v.target_id = j.value
              AND v.verdict = 'change' AND v.outcome IS NULL AND v.now = 'change'"
        )
    };
}

/// The targets of the chunk about which nothing is written down yet. The statement declares `bulk` and `targets`.
macro_rules! unsettled {
    () => {
        "json_each(:targets) j CROSS JOIN bulk_changes b ON b.public_id = :bulk
            CROSS JOIN bulk_targets t ON t.bulk_id = b.id AND t.target_id = j.value AND t.outcome IS NULL"
    };
}

/// Those of them that are keys `k` of which this change has written one of `$action` in the audit `a`. The statement also declares
/// `change`.
macro_rules! keys_marked {
    ($action:literal) => {
        concat!(
            unsettled!(),
            " CROSS JOIN keys k ON k.id = t.target_id JOIN audit a ON a.change_id = :change AND a.target = k.public_id AND a.action IN (",
            $action,
            ")"
        )
    };
}

/// The same of members `m`.
macro_rules! members_marked {
    ($action:literal) => {
        concat!(
            unsettled!(),
            " CROSS JOIN members m ON m.owner_id = t.target_id JOIN audit a ON a.change_id = :change AND a.target = m.public_id AND a.action = '",
            $action,
            "'"
        )
    };
}

statements! {
    HOLD_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, k.public_id, 'hold_put', b.actor, 'admin', :now FROM ", turn!("disable"), " JOIN keys k ON k.id = v.target_id
        WHERE true ON CONFLICT DO NOTHING");

    HOLD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, 'admin', a.actor, :now, :change FROM ", keys_marked!("'hold_put'"), " WHERE true ON CONFLICT DO NOTHING");

    LIFT_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'hold_lifted', b.actor, 'admin', :now FROM ", turn!("enable"), " JOIN keys k ON k.id = v.target_id
        WHERE true ON CONFLICT DO NOTHING");

    LIFT { change: PublicId, bulk: PublicId, targets: String } =
        concat!("DELETE FROM holds WHERE reason = 'admin' AND key_id IN (SELECT k.id FROM ", keys_marked!("'hold_lifted'"), ")");

    // Rows that were postponed after earlier failures become due at once.
    DUE_NOW { change: PublicId, bulk: PublicId, targets: String } =
        concat!("UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND key_id IN (SELECT k.id FROM ", keys_marked!("'hold_put', 'hold_lifted'"), ")");

    END_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'key_ended', b.actor, :now FROM ", turn!("revoke"), " JOIN keys k ON k.id = v.target_id
        WHERE true ON CONFLICT DO NOTHING");

    REVOKE_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_asked', a.actor, n.state, 'revoking', :now
        FROM ", keys_marked!("'key_ended'"), " JOIN generations n ON n.key_id = k.id
        WHERE n.live = 1 AND n.state IN ('active', 'disabled') ON CONFLICT DO NOTHING");

    REVOKE { change: PublicId, bulk: PublicId, targets: String } =
        concat!("UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id IN (SELECT k.id FROM ", keys_marked!("'key_ended'"), ")
          AND EXISTS (SELECT 1 FROM audit r WHERE r.change_id = :change AND r.target = generations.public_id)");

    END { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("UPDATE keys SET ended_at = :now, change_id = :change
        WHERE ended_at IS NULL AND id IN (SELECT k.id FROM ", keys_marked!("'key_ended'"), ")");

    SUSPEND_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String, admins: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'member_suspended', b.actor, m.status, 'suspended', :now
        FROM ", turn!("suspend"), " JOIN members m ON m.owner_id = v.target_id
        WHERE NOT ", is_admins!("m"), " ON CONFLICT DO NOTHING");

    SUSPEND { change: PublicId, bulk: PublicId, targets: String } =
        concat!("UPDATE members SET status = 'suspended', epoch = epoch + 1, change_id = :change
        WHERE change_id <> :change AND owner_id IN (SELECT m.owner_id FROM ", members_marked!("member_suspended"), ")");

    END_KEYS_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'key_ended', a.actor, :now
        FROM ", members_marked!("member_suspended"), " JOIN keys k ON k.owner_id = m.owner_id
        WHERE k.ended_at IS NULL ON CONFLICT DO NOTHING");

    REVOKE_KEYS_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_asked', a.actor, n.state, 'revoking', :now
        FROM ", members_marked!("member_suspended"), " JOIN generations n ON n.owner_id = m.owner_id
        WHERE n.live = 1 AND n.state IN ('active', 'disabled') ON CONFLICT DO NOTHING");

    REVOKE_KEYS { change: PublicId, bulk: PublicId, targets: String } =
        concat!("UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE live = 1 AND state IN ('active', 'disabled') AND owner_id IN (SELECT m.owner_id FROM ", members_marked!("member_suspended"), ")
          AND EXISTS (SELECT 1 FROM audit r WHERE r.change_id = :change AND r.target = generations.public_id)");

    END_KEYS { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("UPDATE keys SET ended_at = :now, change_id = :change
        WHERE ended_at IS NULL AND owner_id IN (SELECT m.owner_id FROM ", members_marked!("member_suspended"), ")");

    REINSTATE_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'member_reinstated', b.actor, m.status, 'active', :now
        FROM ", turn!("reinstate"), " JOIN members m ON m.owner_id = v.target_id
        WHERE true ON CONFLICT DO NOTHING");

    REINSTATE { change: PublicId, bulk: PublicId, targets: String } =
        concat!("UPDATE members SET status = 'active', epoch = epoch + 1, change_id = :change
        WHERE change_id <> :change AND owner_id IN (SELECT m.owner_id FROM ", members_marked!("member_reinstated"), ")");

    // An admin's hold on a key that has ended would refuse the member's claims for ever.
    FORGIVE_GUARD { change: PublicId, now: Timestamp, bulk: PublicId, targets: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'hold_lifted', a.actor, 'admin', :now
        FROM ", members_marked!("member_reinstated"), " JOIN keys k ON k.owner_id = m.owner_id
        JOIN holds h ON h.key_id = k.id AND h.reason = 'admin'
        WHERE k.ended_at IS NOT NULL ON CONFLICT DO NOTHING");

    FORGIVE { change: PublicId, bulk: PublicId, targets: String } =
        concat!("DELETE FROM holds WHERE reason = 'admin' AND key_id IN (SELECT k.id FROM ", members_marked!("member_reinstated"), "
          JOIN keys k ON k.owner_id = m.owner_id JOIN audit r ON r.change_id = :change AND r.target = k.public_id AND r.action = 'hold_lifted')");

}

/// Changes these targets of the chunk, in one batch, and writes down what came of each. The administrators of the
/// configuration, a JSON list of their names, are not suspended.
pub async fn carry_out(
    db: &dyn Database,
    chunk: &BulkChunk,
    targets: &[i64],
    admins: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let targets = serde_json::to_string(targets).map_err(|_| DbError::Broken)?;
    let mut batch = chunk.statements(&targets, admins, now);
    batch.push(chunk.settle(&targets, "skipped"));
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

impl BulkChunk {
    fn statements(&self, targets: &str, admins: &str, now: Timestamp) -> Vec<Stmt> {
        let (bulk, change) = (&self.bulk, &self.change);
        match self.action {
            BulkAction::Disable => vec![
                stmt!(HOLD_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(HOLD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(DUE_NOW {
                    change,
                    bulk,
                    targets
                }),
            ],
            BulkAction::Enable => vec![
                stmt!(LIFT_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(LIFT {
                    change,
                    bulk,
                    targets
                }),
                stmt!(DUE_NOW {
                    change,
                    bulk,
                    targets
                }),
            ],
            BulkAction::Revoke => vec![
                stmt!(END_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(REVOKE_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(REVOKE {
                    change,
                    bulk,
                    targets
                }),
                stmt!(END {
                    change,
                    now,
                    bulk,
                    targets
                }),
            ],
            BulkAction::Suspend => vec![
                stmt!(SUSPEND_GUARD {
                    change,
                    now,
                    bulk,
                    targets,
                    admins
                }),
                stmt!(SUSPEND {
                    change,
                    bulk,
                    targets
                }),
                stmt!(END_KEYS_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(REVOKE_KEYS_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(REVOKE_KEYS {
                    change,
                    bulk,
                    targets
                }),
                stmt!(END_KEYS {
                    change,
                    now,
                    bulk,
                    targets
                }),
            ],
            BulkAction::Reinstate => vec![
                stmt!(REINSTATE_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(REINSTATE {
                    change,
                    bulk,
                    targets
                }),
                stmt!(FORGIVE_GUARD {
                    change,
                    now,
                    bulk,
                    targets
                }),
                stmt!(FORGIVE {
                    change,
                    bulk,
                    targets
                }),
            ],
        }
    }
}
