//! The quota of a plan: keys beyond it get the hold `plan`, and lose that hold when they are within it again.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::Stmt;

statements! {
    // Keys beyond the plan's quota, of all its owners or of one owner. Each gets an audit row of a second change,
    // `quota_change`, because `change` is the one of the plan.
    EXCESS_OF_PLAN {
        change: PublicId, target: String, quota_change: PublicId, actor: String, now: Timestamp, plan: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :quota_change, r.key, 'hold_put', :actor, 'plan', :now FROM ranked_keys r
        WHERE r.plan_id = (SELECT p.id FROM plans p WHERE p.name = :plan) AND r.rank > r.max_active_keys
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = r.key_id AND h.reason = 'plan')
          AND ", newest_change!(":target"), "
        ON CONFLICT DO NOTHING");

    EXCESS_OF_OWNER {
        change: PublicId, target: String, quota_change: PublicId, actor: String, now: Timestamp, owner: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :quota_change, r.key, 'hold_put', :actor, 'plan', :now FROM ranked_keys r
        WHERE r.owner_id = :owner AND r.rank > r.max_active_keys
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = r.key_id AND h.reason = 'plan')
          AND ", newest_change!(":target"), "
        ON CONFLICT DO NOTHING");

    PUT { quota_change: PublicId } = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, 'plan', a.actor, a.at, a.change_id FROM audit a JOIN keys k ON k.public_id = a.target
        WHERE a.change_id = :quota_change AND a.action = 'hold_put' AND a.after = 'plan'
          AND a.id = (SELECT MAX(l.id) FROM audit l WHERE l.target = a.target)
        ON CONFLICT DO NOTHING";

    // A cap becomes due when the hold `plan` is set or lifted.
    CAPS_DUE { quota_change: PublicId, now: Timestamp } = "UPDATE generations SET cap_due_at = :now WHERE live = 1
        AND key_id IN (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target WHERE a.change_id = :quota_change)";

    // Keys that are within the quota again, for whatever reason: of everyone, or of one owner.
    WITHIN_QUOTA { quota_change: PublicId, actor: String, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :quota_change, k.public_id, 'hold_lifted', :actor, 'plan', :now FROM holds h JOIN keys k ON k.id = h.key_id
        WHERE h.reason = 'plan'
          AND EXISTS (SELECT 1 FROM ranked_keys r WHERE r.owner_id = k.owner_id AND r.key_id = k.id AND r.rank <= r.max_active_keys)
        ON CONFLICT DO NOTHING";

    WITHIN_QUOTA_OF_OWNER { quota_change: PublicId, actor: String, now: Timestamp, owner: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :quota_change, k.public_id, 'hold_lifted', :actor, 'plan', :now
        FROM keys k JOIN holds h ON h.key_id = k.id AND h.reason = 'plan'
        WHERE k.owner_id = :owner
          AND EXISTS (SELECT 1 FROM ranked_keys r WHERE r.owner_id = k.owner_id AND r.key_id = k.id AND r.rank <= r.max_active_keys)
        ON CONFLICT DO NOTHING";

    LIFT { quota_change: PublicId } = "DELETE FROM holds WHERE reason = 'plan' AND key_id IN
        (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target
          WHERE a.change_id = :quota_change AND a.action = 'hold_lifted' AND a.before = 'plan'
            AND a.id = (SELECT MAX(l.id) FROM audit l WHERE l.target = a.target))";
}

/// The statements that adapt the keys of a plan's owners to its quota. If the change of `change` and `target` was made,
/// keys beyond the quota get the hold `plan`; every key that is within its quota loses that hold.
pub(crate) fn apply_to_plan(
    change: &PublicId,
    target: &str,
    quota_change: &PublicId,
    actor: &str,
    plan: &str,
    now: Timestamp,
) -> Vec<Stmt> {
    let excess = stmt!(EXCESS_OF_PLAN {
        change,
        target,
        quota_change,
        actor,
        now,
        plan,
    });
    let within = stmt!(WITHIN_QUOTA {
        quota_change,
        actor,
        now,
    });
    applied(quota_change, excess, within, now)
}

/// The same for the keys of one owner.
pub(crate) fn apply_to_owner(
    change: &PublicId,
    target: &str,
    quota_change: &PublicId,
    actor: &str,
    owner: i64,
    now: Timestamp,
) -> Vec<Stmt> {
    let excess = stmt!(EXCESS_OF_OWNER {
        change,
        target,
        quota_change,
        actor,
        now,
        owner,
    });
    let within = stmt!(WITHIN_QUOTA_OF_OWNER {
        quota_change,
        actor,
        now,
        owner,
    });
    applied(quota_change, excess, within, now)
}

fn applied(quota_change: &PublicId, excess: Stmt, within: Stmt, now: Timestamp) -> Vec<Stmt> {
    let mut stmts = vec![excess, stmt!(PUT { quota_change })];
    stmts.extend(lifted(quota_change, within, now));
    stmts
}

/// The statements that lift the hold `plan` from every key that is within its quota again.
pub(crate) fn lift_within_quota(quota_change: &PublicId, now: Timestamp) -> Vec<Stmt> {
    let within = stmt!(WITHIN_QUOTA {
        quota_change,
        actor: "sweep",
        now,
    });
    lifted(quota_change, within, now)
}

fn lifted(quota_change: &PublicId, within: Stmt, now: Timestamp) -> Vec<Stmt> {
    vec![
        within,
        stmt!(LIFT { quota_change }),
        stmt!(CAPS_DUE { quota_change, now }),
    ]
}
