//! The owner of a member, a key or a raise, and another plan for an owner. Another plan makes the caps of all their keys
//! due.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, Stmt};
use crate::store::audit::{committed, was_committed};
use crate::store::budget::over_quota;
use crate::store::budget::plans::{AdminChange, owner_due};
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// Whether OpenRouter has confirmed another window than that of a prepaid plan, and no limit is in flight. Then what was
/// just read of the key is all that it spent in the prepaid time.
macro_rules! other_window {
    () => {
        "state IN ('active', 'disabled') AND missing_since IS NULL AND limit_reset <> 'none' AND limit_sent_at IS NULL"
    };
}

/// An owner may have more keys than one request can read. Figures that earlier requests have read count for this many
/// seconds.
const FIGURES_KEPT_SECS: i64 = 1_800;

statements! {
    OWNER_OF_MEMBER { member: String } = "SELECT json_object('owner', m.owner_id, 'limit_reset', p.limit_reset, 'key', NULL)
        FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id WHERE m.public_id = :member";

    OWNER_OF_KEY { key: String } = "SELECT json_object('owner', k.owner_id, 'limit_reset', p.limit_reset, 'key', NULL)
        FROM keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE k.public_id = :key AND k.ended_at IS NULL";

    OWNER_OF_RAISE { raise: String } =
        "SELECT json_object('owner', k.owner_id, 'limit_reset', p.limit_reset, 'key', k.public_id)
        FROM raises r JOIN keys k ON k.id = r.key_id JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE r.public_id = :raise";

    // This is an administrator's change of a member. If the owner begins or stops prepaying, what was spent until now has
    // to be known: every key was read since `:read_since`. One request can read only so many keys. So figures since
    // `:kept_since` are enough for an owner who begins to prepay, where older figures favour the operator, and for keys
    // that were disabled when they were read.
    ASSIGN_GUARD {
        change: PublicId, member: String, now: Timestamp, actor: PublicId, epoch: i64, owner: i64, plan: String,
        kept_since: Timestamp, read_since: Timestamp,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, :member, 'plan_assigned', a.member, was.name, p.name, :now
        FROM current_sessions a JOIN owners o JOIN plans was ON was.id = o.plan_id JOIN plans p
        WHERE a.member = :actor AND a.epoch = :epoch
          AND o.id = :owner AND p.name = :plan AND p.id <> o.plan_id
          AND ((p.limit_reset = 'none') = (was.limit_reset = 'none') OR NOT EXISTS (SELECT 1 FROM generations n
            WHERE n.owner_id = :owner AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
              AND COALESCE(n.usage_read_at, 0) < CASE WHEN was.limit_reset <> 'none' OR (n.state = 'disabled'
                AND n.switch_doubted_at IS NULL AND n.usage_read_at > (SELECT u.at FROM audit u
                  WHERE u.target = n.public_id ORDER BY u.id DESC LIMIT 1)) THEN :kept_since ELSE :read_since END))
        ON CONFLICT DO NOTHING";

    // When a prepaid time ends, what was spent of the payments stays spent. Until OpenRouter has confirmed another window,
    // or the key has ended, the limit of that time is in force, so all of it counts. After that, the spend takes its
    // place.
    RESERVED { owner: i64, plan: String, member: String, change: PublicId } = concat!("UPDATE generations SET
            prepaid_spent_nano = COALESCE(prepaid_spent_nano, 0)
              + CASE WHEN ", other_window!(), "
                THEN MAX(0, COALESCE(usage_lifetime_nano, 0) - lifetime_at_switch_nano) ELSE 0 END,
            prepaid_reserved_nano = CASE WHEN ", other_window!(), " THEN NULL ELSE MAX(0,
              CASE WHEN usage_read_at >= COALESCE(ended_at, missing_since) THEN usage_lifetime_nano
                ELSE MAX(limit_nano, COALESCE(limit_sent_nano, 0), COALESCE(usage_lifetime_nano, 0)) END
              - lifetime_at_switch_nano) END
        WHERE owner_id = :owner AND recorded_at IS NOT NULL
          AND (live = 1 OR ended_at >= COALESCE((SELECT o.prepaid_since FROM owners o WHERE o.id = :owner), 0))
          AND (SELECT w.limit_reset FROM owners o JOIN plans w ON w.id = o.plan_id WHERE o.id = :owner) = 'none'
          AND (SELECT p.limit_reset FROM plans p WHERE p.name = :plan) <> 'none' AND ", newest_change!(":member"));

    // The new revision is above the old sum, so that no mint under the old plan can be taken for one under the new
    // plan.
    ASSIGN { plan: String, now: Timestamp, change: PublicId, owner: i64, member: String } = concat!("UPDATE owners SET
            plan_rev = plan_rev + (SELECT w.rev FROM plans w WHERE w.id = owners.plan_id) + 1,
            prepaid_since = CASE WHEN (SELECT p.limit_reset FROM plans p WHERE p.name = :plan) <> 'none' THEN NULL
              WHEN (SELECT w.limit_reset FROM plans w WHERE w.id = owners.plan_id) = 'none' THEN prepaid_since
              ELSE :now END,
            plan_id = (SELECT p.id FROM plans p WHERE p.name = :plan), change_id = :change
        WHERE id = :owner AND change_id IS NOT :change AND ", newest_change!(":member"));

    ASSIGN_KEYS { plan: String, owner: i64, member: String, change: PublicId } =
        concat!("UPDATE keys SET plan_id = (SELECT p.id FROM plans p WHERE p.name = :plan)
        WHERE owner_id = :owner AND ended_at IS NULL AND ", newest_change!(":member"));

    // What was spent before is not counted against later payments. If OpenRouter has not confirmed the end of an earlier
    // prepaid time yet, what the key spent in that time is known by now.
    SWITCHED { owner: i64, plan: String, member: String, change: PublicId } =
        concat!("UPDATE generations SET lifetime_at_switch_nano = COALESCE(usage_lifetime_nano, 0),
            prepaid_spent_nano = prepaid_spent_nano + CASE WHEN prepaid_reserved_nano IS NULL THEN 0
              ELSE MAX(0, COALESCE(usage_lifetime_nano, 0) - lifetime_at_switch_nano) END,
            prepaid_reserved_nano = NULL
        WHERE owner_id = :owner AND live = 1
          AND (SELECT w.limit_reset FROM owners o JOIN plans w ON w.id = o.plan_id WHERE o.id = :owner) <> 'none'
          AND (SELECT p.limit_reset FROM plans p WHERE p.name = :plan) = 'none' AND ", newest_change!(":member"));
}

from_json! {
    /// An owner, and the window of the owner's plan.
    #[derive(Clone, Debug)]
    pub struct Owner {
        pub owner: i64,
        pub limit_reset: LimitReset,
        /// The public id of the key that a raise belongs to; `None` if the owner was not looked up by a raise.
        pub key: Option<String>,
    }
}

/// The public id by which an owner is looked up.
pub enum OwnerLookup<'a> {
    Member(&'a str),
    Key(&'a str),
    Raise(&'a str),
}

/// Returns the owner; `None` if there is no such member, raise, or key that has not ended.
pub async fn owner(db: &dyn Database, of: OwnerLookup<'_>) -> Result<Option<Owner>, StoreError> {
    let stmt = match of {
        OwnerLookup::Member(id) => stmt!(OWNER_OF_MEMBER { member: id }),
        OwnerLookup::Key(id) => stmt!(OWNER_OF_KEY { key: id }),
        OwnerLookup::Raise(id) => stmt!(OWNER_OF_RAISE { raise: id }),
    };
    let rows = db.batch(vec![stmt]).await?;
    let row = rows_of(&rows, 0)?.first();
    Ok(row.map(|row| read(row)).transpose()?)
}

/// Gives an owner another plan. Answers false if nothing was changed: there is no such plan, the owner has it already,
/// or only one of the two plans is prepaid and the figures of a key are too old. `read_since` is when the caller began
/// to read them.
pub async fn assign(
    db: &dyn Database,
    by: &AdminChange<'_>,
    member: &str,
    owner: i64,
    plan: &str,
    read_since: Timestamp,
) -> Result<bool, StoreError> {
    let (change, admin) = (&by.change, &by.session.member);
    let mut stmts = vec![
        stmt!(ASSIGN_GUARD {
            change,
            member,
            now: by.now,
            actor: admin,
            epoch: by.session.epoch,
            owner,
            plan,
            kept_since: read_since.plus(-FIGURES_KEPT_SECS),
            read_since,
        }),
        stmt!(RESERVED {
            owner,
            plan,
            member,
            change,
        }),
        stmt!(SWITCHED {
            owner,
            plan,
            member,
            change,
        }),
        stmt!(ASSIGN {
            plan,
            now: by.now,
            change,
            owner,
            member,
        }),
        stmt!(ASSIGN_KEYS {
            plan,
            owner,
            member,
            change,
        }),
        owner_due(change, member, owner, by.now),
    ];
    let actor = admin.as_str();
    stmts.extend(over_quota::apply_to_owner(
        change, member, &by.fit, actor, owner, by.now,
    ));
    done(db, by, member, stmts).await
}

/// Runs the statements and answers whether the change was written to the audit. Fails if the session has ended.
pub(crate) async fn done(
    db: &dyn Database,
    by: &AdminChange<'_>,
    target: &str,
    mut stmts: Vec<Stmt>,
) -> Result<bool, StoreError> {
    let written = stmts.len();
    stmts.extend([
        members::session_check(by.session),
        committed(&by.change, target),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, written)?, by.session)?;
    Ok(was_committed(&rows)?)
}
