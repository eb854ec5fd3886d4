//! Changes for one owner: another plan, a payment, and what the owner prefers for a key, which is a lower limit or that
//! the key stays enabled. Each change makes the caps of all their keys due.

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::policy::quota::{OWN_LIMITS_A_DAY, PREFERENCES_A_DAY};
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

/// OpenRouter has confirmed another window than a prepaid plan's and nothing is in flight: what was just read of the
/// key is all that it spent.
macro_rules! other_window {
    () => {
        "state IN ('active', 'disabled') AND missing_since IS NULL AND limit_reset <> 'none' AND limit_sent_at IS NULL"
    };
}

/// An owner may have more keys than one request can read. Figures that earlier requests have read count for this many
/// seconds.
const FIGURES_KEPT_SECS: i64 = 1_800;

statements_at! {
    OWNER_OF_MEMBER = "SELECT json_object('owner', m.owner_id, 'limit_reset', p.limit_reset)
        FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id WHERE m.public_id = ?1";

    OWNER_OF_KEY = "SELECT json_object('owner', k.owner_id, 'limit_reset', p.limit_reset)
        FROM keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE k.public_id = ?1 AND k.ended_at IS NULL";

    OWNER_OF_RAISE = "SELECT json_object('owner', k.owner_id, 'limit_reset', p.limit_reset, 'key', k.public_id)
        FROM raises r JOIN keys k ON k.id = r.key_id JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE r.public_id = ?1";

    // An administrator's change; its target ?2 is the member. If the owner begins or stops prepaying, what was spent
    // until now has to be known: every key was read since ?8. One request can read only so many keys, so figures since
    // ?9 are enough for an owner who begins to prepay, where older figures favour the operator, and for keys that were
    // disabled when they were read.
    ASSIGN_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, ?2, 'plan_assigned', m.public_id, was.name, p.name, ?3
        FROM members m JOIN settings s JOIN owners o JOIN plans was ON was.id = o.plan_id JOIN plans p
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND o.id = ?6 AND p.name = ?7 AND p.id <> o.plan_id
          AND ((p.limit_reset = 'none') = (was.limit_reset = 'none') OR NOT EXISTS (SELECT 1 FROM generations n
            WHERE n.owner_id = ?6 AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.missing_since IS NULL
              AND COALESCE(n.usage_read_at, 0) < CASE WHEN was.limit_reset <> 'none' OR (n.state = 'disabled'
                AND n.switch_doubted_at IS NULL AND n.usage_read_at > (SELECT a.at FROM audit a
                  WHERE a.target = n.public_id ORDER BY a.id DESC LIMIT 1)) THEN ?9 ELSE ?8 END))
        ON CONFLICT DO NOTHING";

    // A prepaid time ends: what was spent of the payments stays spent. Until OpenRouter has confirmed another window,
    // or the key has ended, the limit of that time is in force, so all of it counts; after that, the spend takes its
    // place.
    RESERVED = concat!("UPDATE generations SET
            prepaid_spent_nano = COALESCE(prepaid_spent_nano, 0)
              + CASE WHEN ", other_window!(), " THEN MAX(0, COALESCE(usage_lifetime_nano, 0) - lifetime_at_switch_nano) ELSE 0 END,
            prepaid_reserved_nano = CASE WHEN ", other_window!(), " THEN NULL ELSE MAX(0,
              CASE WHEN usage_read_at >= COALESCE(ended_at, missing_since) THEN usage_lifetime_nano
                ELSE MAX(limit_nano, COALESCE(limit_sent_nano, 0), COALESCE(usage_lifetime_nano, 0)) END
              - lifetime_at_switch_nano) END
        WHERE owner_id = ?3 AND recorded_at IS NOT NULL
          AND (live = 1 OR ended_at >= COALESCE((SELECT o.prepaid_since FROM owners o WHERE o.id = ?3), 0))
          AND (SELECT w.limit_reset FROM owners o JOIN plans w ON w.id = o.plan_id WHERE o.id = ?3) = 'none'
          AND (SELECT p.limit_reset FROM plans p WHERE p.name = ?4) <> 'none' AND ", written!());

    // The new revision is above the old sum, so that no mint under the old plan can be taken for one under the new
    // plan.
    ASSIGN = concat!("UPDATE owners SET
            plan_rev = plan_rev + (SELECT w.rev FROM plans w WHERE w.id = owners.plan_id) + 1,
            prepaid_since = CASE WHEN (SELECT p.limit_reset FROM plans p WHERE p.name = ?4) <> 'none' THEN NULL
              WHEN (SELECT w.limit_reset FROM plans w WHERE w.id = owners.plan_id) = 'none' THEN prepaid_since ELSE ?5 END,
            plan_id = (SELECT p.id FROM plans p WHERE p.name = ?4), change_id = ?1
        WHERE id = ?3 AND change_id IS NOT ?1 AND ", written!());

    ASSIGN_KEYS = concat!("UPDATE keys SET plan_id = (SELECT p.id FROM plans p WHERE p.name = ?4)
        WHERE owner_id = ?3 AND ended_at IS NULL AND ", written!());

    // What was spent before is not counted against later payments. If the end of an earlier prepaid time was not
    // confirmed by OpenRouter yet, what the key spent in that time is known by now.
    SWITCHED = concat!("UPDATE generations SET lifetime_at_switch_nano = COALESCE(usage_lifetime_nano, 0),
            prepaid_spent_nano = prepaid_spent_nano + CASE WHEN prepaid_reserved_nano IS NULL THEN 0
              ELSE MAX(0, COALESCE(usage_lifetime_nano, 0) - lifetime_at_switch_nano) END,
            prepaid_reserved_nano = NULL
        WHERE owner_id = ?3 AND live = 1
          AND (SELECT w.limit_reset FROM owners o JOIN plans w ON w.id = o.plan_id WHERE o.id = ?3) <> 'none'
          AND (SELECT p.limit_reset FROM plans p WHERE p.name = ?4) = 'none' AND ", written!());

    PAY_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'payment_booked', m.public_id, ?3
        FROM members m JOIN settings s JOIN owners o JOIN plans p ON p.id = o.plan_id
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND o.id = ?6 AND p.limit_reset = 'none'
          AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.payment_id = ?7)
        ON CONFLICT DO NOTHING";

    // The margin is subtracted first: a limit is never set to the full amount. Cents divide by 10000 without a
    // remainder.
    PAY = concat!("INSERT INTO payments (payment_id, owner_id, paid_nano, credit_nano, at, change_id)
        SELECT ?3, o.id, CAST(?4 AS INTEGER), CAST(?4 AS INTEGER) / 10000 * (10000 - p.margin_bp), ?5, ?1
        FROM owners o JOIN plans p ON p.id = o.plan_id
        WHERE o.id = ?6 AND ", written!(), "
        ON CONFLICT DO NOTHING");

    PAID = "SELECT json_object('id', y.payment_id, 'owner', y.owner_id, 'paid_nano', y.paid_nano,
            'credit_nano', y.credit_nano, 'at', y.at)
        FROM payments y WHERE y.payment_id = ?1";

    // Set by the owner on their own key. It is not above what the plan and the raises give and not beyond the day's
    // quota. It is refused while OpenRouter has asked keycap to wait, since every limit is a write there.
    OWN_LIMIT_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'own_limit_set', k.member, ?3
        FROM own_keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE k.key = ?2 AND k.member = ?4 AND k.epoch = ?5
          AND (SELECT s.pause_until FROM settings s) <= ?3 AND ", used_today!("k.owner_id", "own_limit_set", "?3"), " < ?7
          AND (?6 IS NULL OR p.limit_reset = 'none' OR ?6 <= p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0)
            FROM raises r WHERE r.key_id = k.key_id AND (r.until IS NULL OR r.until > ?3)))
        ON CONFLICT DO NOTHING");

    OWN_LIMIT = "UPDATE keys SET own_limit_nano = ?1, change_id = ?2
        WHERE public_id = ?3 AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?3 ORDER BY a.id DESC LIMIT 1)";

    PREFER_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'key_preferred', k.member, ?3 FROM own_keys k
        WHERE k.key = ?2 AND k.member = ?4 AND k.epoch = ?5
          AND (SELECT s.pause_until FROM settings s) <= ?3 AND ", used_today!("k.owner_id", "key_preferred", "?3"), " < ?6
        ON CONFLICT DO NOTHING");

    // Later than the time of the key that was preferred before, also within the same second.
    PREFER = "UPDATE keys SET change_id = ?2,
            preferred_at = MAX(?1, COALESCE((SELECT MAX(o.preferred_at) + 1 FROM keys o WHERE o.owner_id = keys.owner_id), 0))
        WHERE public_id = ?3 AND change_id <> ?2
          AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?3 ORDER BY a.id DESC LIMIT 1)";
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
        OwnerLookup::Member(id) => stmt_at!(OWNER_OF_MEMBER, id),
        OwnerLookup::Key(id) => stmt_at!(OWNER_OF_KEY, id),
        OwnerLookup::Raise(id) => stmt_at!(OWNER_OF_RAISE, id),
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
        stmt_at!(
            ASSIGN_GUARD,
            change,
            member,
            by.now,
            admin,
            by.session.epoch,
            owner,
            plan,
            read_since,
            read_since.plus(-FIGURES_KEPT_SECS)
        ),
        stmt_at!(RESERVED, change, member, owner, plan),
        stmt_at!(SWITCHED, change, member, owner, plan),
        stmt_at!(ASSIGN, change, member, owner, plan, by.now),
        stmt_at!(ASSIGN_KEYS, change, member, owner, plan),
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

/// A payment as it was booked.
#[derive(Clone, Debug, Serialize)]
pub struct Payment {
    id: String,
    #[serde(skip)]
    pub owner: i64,
    #[serde(rename = "amount_usd")]
    pub paid: NanoUsd,
    #[serde(rename = "credit_usd")]
    credit: NanoUsd,
    at: Timestamp,
}

from_json! {
    struct PaymentRow {
        id: String,
        owner: i64,
        paid_nano: NanoUsd,
        credit_nano: NanoUsd,
        at: Timestamp,
    }
}

/// Books a payment once. Returns the payment as it was booked, and whether this call booked it; `None` if the owner
/// does not prepay.
pub async fn pay(
    db: &dyn Database,
    by: &AdminChange<'_>,
    member: &str,
    owner: i64,
    payment: &str,
    amount: NanoUsd,
) -> Result<Option<(Payment, bool)>, StoreError> {
    let (change, admin) = (&by.change, &by.session.member);
    let stmts = vec![
        stmt_at!(
            PAY_GUARD,
            change,
            member,
            by.now,
            admin,
            by.session.epoch,
            owner,
            payment
        ),
        stmt_at!(PAY, change, member, payment, amount, by.now, owner),
        owner_due(change, member, owner, by.now),
        stmt_at!(PAID, payment),
        members::session_check(by.session),
        committed(change, member),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 4)?, by.session)?;
    let row = rows_of(&rows, 3)?.first();
    let row = row.map(|row| read::<PaymentRow>(row)).transpose()?;
    let booked = was_committed(&rows)?;
    Ok(row.map(|row| {
        let payment = Payment {
            id: row.id,
            owner: row.owner,
            paid: row.paid_nano,
            credit: row.credit_nano,
            at: row.at,
        };
        (payment, booked)
    }))
}

/// What an owner prefers for one of their keys.
pub enum Preference {
    /// A lower limit than the plan gives; `None` removes it.
    Limit(Option<NanoUsd>),
    /// This key stays enabled if the plan allows fewer keys than there are.
    Stays,
}

/// Records a preference. Answers false if the guard refused it: the key is not theirs, the limit is too high, the day's
/// quota is used up, or OpenRouter has asked keycap to wait.
pub async fn prefer(
    db: &dyn Database,
    by: &AdminChange<'_>,
    key: &str,
    owner: i64,
    preference: &Preference,
) -> Result<bool, StoreError> {
    let (change, member, epoch) = (&by.change, &by.session.member, by.session.epoch);
    let stmts = match preference {
        Preference::Limit(limit) => vec![
            stmt_at!(
                OWN_LIMIT_GUARD,
                change,
                key,
                by.now,
                member,
                epoch,
                *limit,
                OWN_LIMITS_A_DAY
            ),
            stmt_at!(OWN_LIMIT, *limit, change, key),
            owner_due(change, key, owner, by.now),
        ],
        Preference::Stays => {
            let mut stmts = vec![
                stmt_at!(
                    PREFER_GUARD,
                    change,
                    key,
                    by.now,
                    member,
                    epoch,
                    PREFERENCES_A_DAY
                ),
                stmt_at!(PREFER, by.now, change, key),
            ];
            let actor = member.as_str();
            stmts.extend(over_quota::apply_to_owner(
                change, key, &by.fit, actor, owner, by.now,
            ));
            stmts
        }
    };
    done(db, by, key, stmts).await
}
