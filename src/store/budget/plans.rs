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
use crate::store::budget::over_quota;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// A query for plans, each as a JSON object. The conditions follow.
macro_rules! plan {
    () => {
        "SELECT json_object('name', p.name, 'limit_nano', p.limit_nano, 'limit_reset', p.limit_reset,
          'expiry_days', p.expiry_days, 'max_active_keys', p.max_active_keys, 'workspace_id', p.workspace_id, 'guardrail_id', p.guardrail_id,
          'margin_bp', p.margin_bp, 'is_default', p.is_default) FROM plans p "
    };
}

statements! {
    // The page begins behind the plan that `after` names, or with the first plan.
    PAGE { after: Option<String>, most: i64 } = concat!(plan!(), "WHERE p.id > CASE WHEN :after IS NULL THEN 0
          ELSE (SELECT b.id FROM plans b WHERE b.name = :after) END
        ORDER BY p.id LIMIT :most");

    ONE { plan: String } = concat!(plan!(), "WHERE p.name = :plan");

    CREATE_GUARD { change: PublicId, target: String, now: Timestamp, actor: PublicId, epoch: i64, plan: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, :target, 'plan_created', a.member, :now
        FROM current_sessions a
        WHERE a.member = :actor AND a.epoch = :epoch
          AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.name = :plan)
        ON CONFLICT DO NOTHING";

    CREATE {
        change: PublicId, target: String, plan: String, limit: Option<NanoUsd>, limit_reset: Option<String>,
        expiry_days: Option<i64>, max_active_keys: Option<i64>, workspace: Option<String>, margin_bp: i64, now: Timestamp,
        guardrail: Option<String>,
    } = concat!("INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, workspace_id, margin_bp,
            created_at, guardrail_id, change_id)
        SELECT :plan, :limit, :limit_reset, :expiry_days, :max_active_keys, :workspace, :margin_bp, :now, :guardrail, :change
        WHERE ", newest_change!(":target"), "
        ON CONFLICT DO NOTHING");

    // A plan stays prepaid or not prepaid for good; otherwise what its owners have paid would get another meaning.
    CHANGE_GUARD {
        change: PublicId, target: String, now: Timestamp, actor: PublicId, epoch: i64, plan: String, limit: Option<NanoUsd>,
        limit_reset: Option<String>, max_active_keys: Option<i64>,
    } = "INSERT INTO audit (change_id, target, action, actor, before_nano, after_nano, at)
        SELECT :change, :target, 'plan_changed', a.member, p.limit_nano, COALESCE(:limit, p.limit_nano), :now
        FROM current_sessions a JOIN plans p
        WHERE a.member = :actor AND a.epoch = :epoch AND p.name = :plan
          AND (p.limit_reset <> 'none'
            OR (:limit IS NULL AND COALESCE(:limit_reset, 'none') = 'none' AND COALESCE(:max_active_keys, 1) = 1))
          AND (p.limit_reset = 'none' OR :limit_reset IS NOT 'none')
        ON CONFLICT DO NOTHING";

    NO_DEFAULT { change: PublicId, target: String, plan: String } =
        concat!("UPDATE plans SET is_default = 0, change_id = :change
        WHERE is_default = 1 AND name <> :plan AND ", newest_change!(":target"));

    // A plan's workspace or guardrail may also be changed to none.
    CHANGE {
        change: PublicId, target: String, plan: String, limit: Option<NanoUsd>, limit_reset: Option<String>,
        expiry_days: Option<i64>, max_active_keys: Option<i64>, sets_workspace: bool, workspace: Option<String>,
        margin_bp: Option<i64>, make_default: bool, sets_guardrail: bool, guardrail: Option<String>,
    } = concat!("UPDATE plans SET limit_nano = COALESCE(:limit, limit_nano), limit_reset = COALESCE(:limit_reset, limit_reset),
            expiry_days = COALESCE(:expiry_days, expiry_days), max_active_keys = COALESCE(:max_active_keys, max_active_keys),
            workspace_id = CASE :sets_workspace WHEN 1 THEN :workspace ELSE workspace_id END,
            margin_bp = COALESCE(:margin_bp, margin_bp), is_default = MAX(is_default, :make_default),
            guardrail_id = CASE :sets_guardrail WHEN 1 THEN :guardrail ELSE guardrail_id END,
            rev = rev + 1, change_id = :change
        WHERE name = :plan AND change_id <> :change AND ", newest_change!(":target"));

    DUE { change: PublicId, target: String, now: Timestamp, plan: String } =
        concat!("UPDATE generations SET cap_due_at = :now
        WHERE live = 1 AND owner_id IN (SELECT o.id FROM plans p JOIN owners o ON o.plan_id = p.id WHERE p.name = :plan)
          AND ", newest_change!(":target"));

    OWNER_DUE { change: PublicId, target: String, now: Timestamp, owner: i64 } =
        concat!("UPDATE generations SET cap_due_at = :now WHERE owner_id = :owner AND live = 1
          AND ", newest_change!(":target"));
}

/// A plan as administrators see it. A prepaid plan has no limit of its own.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
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
    let most = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    asked(db, session, stmt!(PAGE { after, most })).await
}

/// Reads the plan with this name.
pub async fn named(
    db: &dyn Database,
    session: &Session,
    name: &str,
) -> Result<Option<Plan>, StoreError> {
    Ok(asked(db, session, stmt!(ONE { plan: name })).await?.pop())
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
    let target = target.as_str();
    let stmts = vec![
        stmt!(CREATE_GUARD {
            change,
            target,
            now: by.now,
            actor: &by.session.member,
            epoch: by.session.epoch,
            plan: name,
        }),
        stmt!(CREATE {
            change,
            target,
            plan: name,
            limit: terms.limit,
            limit_reset: terms.limit_reset.map(LimitReset::name),
            expiry_days: terms.expiry_days.map(i64::from),
            max_active_keys: terms.max_active_keys,
            workspace: terms.workspace_id.clone().flatten(),
            margin_bp: terms.margin_bp.unwrap_or(0),
            now: by.now,
            guardrail: terms.guardrail(),
        }),
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
    let target = target.as_str();
    let limit_reset = terms.limit_reset.map(LimitReset::name);
    let mut stmts = vec![stmt!(CHANGE_GUARD {
        change,
        target,
        now: by.now,
        actor: &by.session.member,
        epoch: by.session.epoch,
        plan: name,
        limit: terms.limit,
        limit_reset,
        max_active_keys: terms.max_active_keys,
    })];
    if terms.make_default {
        stmts.push(stmt!(NO_DEFAULT {
            change,
            target,
            plan: name,
        }));
    }
    stmts.extend([
        stmt!(CHANGE {
            change,
            target,
            plan: name,
            limit: terms.limit,
            limit_reset,
            expiry_days: terms.expiry_days.map(i64::from),
            max_active_keys: terms.max_active_keys,
            sets_workspace: terms.workspace_id.is_some(),
            workspace: terms.workspace_id.clone().flatten(),
            margin_bp: terms.margin_bp,
            make_default: terms.make_default,
            sets_guardrail: terms.guardrail_id.is_some(),
            guardrail: terms.guardrail(),
        }),
        stmt!(DUE {
            change,
            target,
            now: by.now,
            plan: name,
        }),
    ]);
    let actor = by.session.member.as_str();
    stmts.extend(over_quota::apply_to_plan(
        change, target, &by.fit, actor, name, by.now,
    ));
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
        stmt!(ONE { plan: name }),
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

/// The statement that makes the caps of an owner's keys due.
pub(crate) fn owner_due(change: &PublicId, target: &str, owner: i64, now: Timestamp) -> Stmt {
    stmt!(OWNER_DUE {
        change,
        target,
        now,
        owner,
    })
}
