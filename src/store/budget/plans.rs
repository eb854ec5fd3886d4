//! Plans: what their owners get. A change of a plan reaches all its owners in the same batch: mints that are under way
//! are not recorded any more, caps become due, and keys that the plan no longer allows are disabled.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::{NanoUsd, percent};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit::committed;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

macro_rules! plan {
    () => {
        "SELECT json_object('name', p.name, 'limit_nano', p.limit_nano, 'limit_reset', p.limit_reset,
          'expiry_days', p.expiry_days, 'max_active_keys', p.max_active_keys, 'workspace_id', p.workspace_id, 'guardrail_id', p.guardrail_id,
          'margin_bp', p.margin_bp, 'is_default', p.is_default) FROM plans p "
    };
}

statements_at! {
    // Behind the plan named ?1; without a name, from the first plan on.
    PAGE = concat!(plan!(), "WHERE p.id > CASE WHEN ?1 IS NULL THEN 0 ELSE (SELECT b.id FROM plans b WHERE b.name = ?1) END
        ORDER BY p.id LIMIT ?2");

    ONE = concat!(plan!(), "WHERE p.name = ?1");

    CREATE_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'plan_created', m.public_id, ?3
        FROM members m JOIN settings s
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.name = ?6)
        ON CONFLICT DO NOTHING";

    CREATE = concat!("INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, workspace_id, margin_bp,
            created_at, guardrail_id, change_id)
        SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?1 WHERE ", written!(), "
        ON CONFLICT DO NOTHING");

    // A plan stays prepaid or not prepaid for good; otherwise what its owners have paid would get another meaning.
    CHANGE_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'plan_changed', m.public_id, ?3
        FROM members m JOIN settings s JOIN plans p
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active' AND p.name = ?6
          AND (p.limit_reset <> 'none' OR (?7 IS NULL AND COALESCE(?8, 'none') = 'none' AND COALESCE(?9, 1) = 1))
          AND (p.limit_reset = 'none' OR ?8 IS NOT 'none')
        ON CONFLICT DO NOTHING";

    NO_DEFAULT = concat!("UPDATE plans SET is_default = 0, change_id = ?1
        WHERE is_default = 1 AND name <> ?3 AND ", written!());

    CHANGE = concat!("UPDATE plans SET limit_nano = COALESCE(?4, limit_nano), limit_reset = COALESCE(?5, limit_reset),
            expiry_days = COALESCE(?6, expiry_days), max_active_keys = COALESCE(?7, max_active_keys),
            workspace_id = CASE ?8 WHEN 1 THEN ?9 ELSE workspace_id END, margin_bp = COALESCE(?10, margin_bp),
            is_default = MAX(is_default, ?11), guardrail_id = CASE ?12 WHEN 1 THEN ?13 ELSE guardrail_id END,
            rev = rev + 1, change_id = ?1
        WHERE name = ?3 AND change_id <> ?1 AND ", written!());

    DUE = concat!("UPDATE generations SET cap_due_at = ?3
        WHERE live = 1 AND owner_id IN (SELECT o.id FROM plans p JOIN owners o ON o.plan_id = p.id WHERE p.name = ?4)
          AND ", written!());

    OWNER_DUE = concat!("UPDATE generations SET cap_due_at = ?3 WHERE owner_id = ?4 AND live = 1 AND ", written!());

    // Keys beyond the plan's quota, of all its owners or of one owner. Each gets an audit row of a second change, ?3,
    // since ?1 is the change of the plan.
    EXCESS_OF_PLAN = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?3, r.key, 'hold_put', ?4, 'plan', ?5 FROM ranked_keys r
        WHERE r.plan_id = (SELECT p.id FROM plans p WHERE p.name = ?6) AND r.rank > r.max_active_keys
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = r.key_id AND h.reason = 'plan') AND ", written!(), "
        ON CONFLICT DO NOTHING");

    EXCESS_OF_OWNER = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?3, r.key, 'hold_put', ?4, 'plan', ?5 FROM ranked_keys r
        WHERE r.owner_id = ?6 AND r.rank > r.max_active_keys
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = r.key_id AND h.reason = 'plan') AND ", written!(), "
        ON CONFLICT DO NOTHING");

    PUT = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, 'plan', a.actor, a.at, a.change_id FROM audit a JOIN keys k ON k.public_id = a.target
        WHERE a.change_id = ?1 AND a.action = 'hold_put' AND a.after = 'plan'
          AND a.id = (SELECT MAX(l.id) FROM audit l WHERE l.target = a.target)
        ON CONFLICT DO NOTHING";

    // A cap becomes due when the hold `plan` is set or lifted.
    FIT_DUE = "UPDATE generations SET cap_due_at = ?2 WHERE live = 1
        AND key_id IN (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target WHERE a.change_id = ?1)";

    // Keys that are within the quota again, for whatever reason: of everyone, or of one owner.
    FITTING = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'hold_lifted', ?2, 'plan', ?3 FROM holds h JOIN keys k ON k.id = h.key_id
        WHERE h.reason = 'plan'
          AND EXISTS (SELECT 1 FROM ranked_keys r WHERE r.owner_id = k.owner_id AND r.key_id = k.id AND r.rank <= r.max_active_keys)
        ON CONFLICT DO NOTHING";

    FITTING_OF_OWNER = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'hold_lifted', ?2, 'plan', ?3 FROM keys k JOIN holds h ON h.key_id = k.id AND h.reason = 'plan'
        WHERE k.owner_id = ?4
          AND EXISTS (SELECT 1 FROM ranked_keys r WHERE r.owner_id = k.owner_id AND r.key_id = k.id AND r.rank <= r.max_active_keys)
        ON CONFLICT DO NOTHING";

    LIFT = "DELETE FROM holds WHERE reason = 'plan' AND key_id IN
        (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target
          WHERE a.change_id = ?1 AND a.action = 'hold_lifted' AND a.before = 'plan'
            AND a.id = (SELECT MAX(l.id) FROM audit l WHERE l.target = a.target))";
}

/// A plan as administrators see it. A prepaid plan has no limit of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub name: String,
    pub limit_usd: Option<NanoUsd>,
    pub limit_reset: LimitReset,
    pub expiry_days: u32,
    pub max_active_keys: i64,
    pub workspace_id: Option<String>,
    /// The guardrail of its keys, by OpenRouter's id.
    pub guardrail_id: Option<String>,
    /// The part of a payment that is not passed on, in percent.
    pub margin_percent: String,
    pub is_default: bool,
}

from_json! {
    struct PlanRow {
        name: String,
        limit_nano: NanoUsd,
        limit_reset: LimitReset,
        expiry_days: u32,
        max_active_keys: i64,
        workspace_id: Option<String>,
        guardrail_id: Option<String>,
        margin_bp: i64,
        is_default: bool,
    }
}

impl From<PlanRow> for Plan {
    fn from(row: PlanRow) -> Self {
        Self {
            limit_usd: (row.limit_reset != LimitReset::None).then_some(row.limit_nano),
            name: row.name,
            limit_reset: row.limit_reset,
            expiry_days: row.expiry_days,
            max_active_keys: row.max_active_keys,
            workspace_id: row.workspace_id,
            guardrail_id: row.guardrail_id,
            margin_percent: percent(row.margin_bp),
            is_default: row.is_default,
        }
    }
}

/// The number of plans on one page.
pub const PAGE_ROWS: usize = 50;

/// Reads a page of plans, behind the one named `after`, and one more if there is one.
pub async fn page(
    db: &dyn Database,
    session: &Session,
    after: Option<&str>,
) -> Result<Vec<Plan>, StoreError> {
    let more = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    asked(db, session, stmt_at!(PAGE, after, more)).await
}

/// Reads the plan with this name.
pub async fn named(
    db: &dyn Database,
    session: &Session,
    name: &str,
) -> Result<Option<Plan>, StoreError> {
    Ok(asked(db, session, stmt_at!(ONE, name)).await?.pop())
}

async fn asked(db: &dyn Database, session: &Session, stmt: Stmt) -> Result<Vec<Plan>, StoreError> {
    let (_, rows) = members::signed_in(db, session, vec![stmt]).await?;
    let rows = rows_of(&rows, 0)?.iter();
    let plans: Result<Vec<PlanRow>, DbError> = rows.map(|row| read(row)).collect();
    Ok(plans?.into_iter().map(Plan::from).collect())
}

/// The terms that a plan is to have. A field that is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct PlanTerms {
    pub limit: Option<NanoUsd>,
    pub limit_reset: Option<LimitReset>,
    pub expiry_days: Option<u32>,
    pub max_active_keys: Option<i64>,
    /// `Some(None)` means the account's default workspace.
    pub workspace_id: Option<Option<String>>,
    /// `Some(None)` means no guardrail.
    pub guardrail_id: Option<Option<String>>,
    pub margin_bp: Option<i64>,
    pub make_default: bool,
}

impl PlanTerms {
    pub fn guardrail(&self) -> Option<&str> {
        self.guardrail_id.as_ref()?.as_deref()
    }
}

/// A change by an administrator or an owner, and its new ids: one for the change itself, one for what it does to keys.
pub struct AdminChange<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub fit: PublicId,
    pub now: Timestamp,
}

/// A plan after a change was requested, and whether this change was made.
pub struct Changed {
    pub plan: Option<Plan>,
    pub done: bool,
}

fn target(name: &str) -> String {
    ["plan:", name].concat()
}

/// Creates a plan. `done` is false if there is a plan of this name.
pub async fn create(
    db: &dyn Database,
    by: &AdminChange<'_>,
    name: &str,
    terms: &PlanTerms,
) -> Result<Changed, StoreError> {
    let (change, target) = (&by.change, target(name));
    let (member, epoch) = (&by.session.member, by.session.epoch);
    let target = target.as_str();
    let stmts = vec![
        stmt_at!(CREATE_GUARD, change, target, by.now, member, epoch, name),
        stmt_at!(
            CREATE,
            change,
            target,
            name,
            terms.limit,
            terms.limit_reset.map(LimitReset::name),
            terms.expiry_days.map(i64::from),
            terms.max_active_keys,
            terms.workspace_id.clone().flatten(),
            terms.margin_bp.unwrap_or(0),
            by.now,
            terms.guardrail()
        ),
    ];
    ending_with(db, by, name, stmts).await
}

/// Changes a plan for all of its owners. `done` is false if the guard refused.
pub async fn change(
    db: &dyn Database,
    by: &AdminChange<'_>,
    name: &str,
    terms: &PlanTerms,
) -> Result<Changed, StoreError> {
    let (change, target) = (&by.change, target(name));
    let (member, epoch) = (&by.session.member, by.session.epoch);
    let target = target.as_str();
    let reset = terms.limit_reset.map(LimitReset::name);
    let mut stmts = vec![stmt_at!(
        CHANGE_GUARD,
        change,
        target,
        by.now,
        member,
        epoch,
        name,
        terms.limit,
        reset,
        terms.max_active_keys
    )];
    if terms.make_default {
        stmts.push(stmt_at!(NO_DEFAULT, change, target, name));
    }
    stmts.extend([
        stmt_at!(
            CHANGE,
            change,
            target,
            name,
            terms.limit,
            reset,
            terms.expiry_days.map(i64::from),
            terms.max_active_keys,
            terms.workspace_id.is_some(),
            terms.workspace_id.clone().flatten(),
            terms.margin_bp,
            terms.make_default,
            terms.guardrail_id.is_some(),
            terms.guardrail()
        ),
        stmt_at!(DUE, change, target, by.now, name),
        stmt_at!(
            EXCESS_OF_PLAN,
            change,
            target,
            &by.fit,
            member,
            by.now,
            name
        ),
    ]);
    let fitting = stmt_at!(FITTING, &by.fit, member.as_str(), by.now);
    stmts.extend(apply_quota(&by.fit, fitting, by.now));
    ending_with(db, by, name, stmts).await
}

/// Runs the statements, and reads the plan as it is then.
async fn ending_with(
    db: &dyn Database,
    by: &AdminChange<'_>,
    name: &str,
    mut stmts: Vec<Stmt>,
) -> Result<Changed, StoreError> {
    let written = stmts.len();
    stmts.extend([
        members::session_check(by.session),
        stmt_at!(ONE, name),
        committed(&by.change, &target(name)),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, written)?, by.session)?;
    let plan = rows_of(&rows, written.saturating_add(1))?.first();
    let plan = plan.map(|row| read::<PlanRow>(row)).transpose()?;
    Ok(Changed {
        plan: plan.map(Plan::from),
        done: crate::store::audit::was_committed(&rows)?,
    })
}

/// The statements that adapt an owner's keys to the quota. If the change of `change` and `target` was made, keys beyond
/// the quota get the hold `plan`; keys within it lose that hold.
pub(crate) fn fit_owner(
    change: &PublicId,
    target: &str,
    fit_change: &PublicId,
    actor: &str,
    owner: i64,
    now: Timestamp,
) -> Vec<Stmt> {
    let mut stmts = vec![stmt_at!(
        EXCESS_OF_OWNER,
        change,
        target,
        fit_change,
        actor,
        now,
        owner
    )];
    let fitting = stmt_at!(FITTING_OF_OWNER, fit_change, actor, now, owner);
    stmts.extend(apply_quota(fit_change, fitting, now));
    stmts
}

/// The statement that makes the caps of an owner's keys due.
pub(crate) fn owner_due(change: &PublicId, target: &str, owner: i64, now: Timestamp) -> Stmt {
    stmt_at!(OWNER_DUE, change, target, now, owner)
}

fn apply_quota(change: &PublicId, fitting: Stmt, now: Timestamp) -> Vec<Stmt> {
    vec![
        stmt_at!(PUT, change),
        fitting,
        stmt_at!(LIFT, change),
        stmt_at!(FIT_DUE, change, now),
    ]
}

/// The statements that lift the hold `plan` from every key that is within its plan's quota again.
pub(crate) fn lift_fitting(change: &PublicId, now: Timestamp) -> Vec<Stmt> {
    vec![
        stmt_at!(FITTING, change, "sweep", now),
        stmt_at!(LIFT, change),
        stmt_at!(FIT_DUE, change, now),
    ]
}
