//! `/api/v1/admin/plans`: what owners get, as data; `/api/v1/admin/members/{id}/plan`: which owner has which plan.

use serde::{Deserialize, Serialize};

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::guardrail;
use crate::app::sync::limit;
use crate::domain::id::IdKind;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::time::period::LimitReset;
use crate::http::server::body::Patch;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::NoRandomness;
use crate::store::budget::allowances::{self, OwnerLookup};
use crate::store::budget::plans::{self, AdminChange, Changed, PAGE_ROWS, Plan, PlanTerms};
use crate::upstream::openrouter::workspaces;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply as Answer};

/// A plan's name, and a workspace's id, have at most this many characters.
const NAME_CHARS: usize = 32;
const WORKSPACE_CHARS: usize = 64;

/// Returns the new ids of a change by an administrator or an owner.
pub fn change<'a>(
    context: &Context,
    session: &'a Session,
) -> Result<AdminChange<'a>, NoRandomness> {
    Ok(AdminChange {
        session,
        change: context.id(IdKind::Change, "")?,
        fit: context.id(IdKind::Change, "fit")?,
        now: context.app.now(),
    })
}

/// Reads the amount in USD of a member as a person types it, of at least one cent.
pub fn amount(pointer: &'static str, text: &str) -> Result<NanoUsd, Error> {
    NanoUsd::parse_typed(text)
        .filter(|amount| *amount >= NanoUsd::CENT)
        .ok_or(Error::bad_member(
            pointer,
            "must be a positive amount in USD, with at most two decimals",
        ))
}

/// A prepaid plan, whose limit never resets, has one key and no limit of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NewPlanRequest {
    /// 1 to 32 lower-case letters, digits and dashes.
    name: String,
    /// In USD, with at most two decimals.
    limit_usd: Option<String>,
    limit_reset: LimitReset,
    /// 1 to 365.
    expiry_days: i64,
    /// 1 to 100.
    max_active_keys: Option<i64>,
    /// OpenRouter's id of the workspace in which the keys are made.
    workspace_id: Option<String>,
    /// OpenRouter's id of the guardrail of the keys.
    guardrail_id: Option<String>,
    /// The part of a payment that is not passed on: below 100, with at most two decimals.
    margin_percent: Option<String>,
}

impl NewPlanRequest {
    fn terms(self) -> Result<PlanTerms, Error> {
        let (limit_usd, max_active_keys) = match self.limit_reset {
            LimitReset::None => self.prepaid()?,
            LimitReset::Daily | LimitReset::Weekly | LimitReset::Monthly => {
                let is_required = |pointer| Error::malformed(pointer, "is required");
                let limit_usd = self.limit_usd.ok_or(is_required("/limit_usd"))?;
                let keys = self
                    .max_active_keys
                    .ok_or(is_required("/max_active_keys"))?;
                (amount("/limit_usd", &limit_usd)?, keys)
            }
        };
        let terms = PlanRequest {
            limit_reset: Patch(Some(self.limit_reset)),
            expiry_days: Patch(Some(self.expiry_days)),
            max_active_keys: Patch(Some(max_active_keys)),
            workspace_id: Patch(Some(self.workspace_id)),
            guardrail_id: Patch(Some(self.guardrail_id)),
            margin_percent: Patch(self.margin_percent),
            ..PlanRequest::default()
        };
        Ok(PlanTerms {
            limit: Some(limit_usd),
            ..terms.terms()?
        })
    }

    fn prepaid(&self) -> Result<(NanoUsd, i64), Error> {
        if self.limit_usd.is_some() {
            let detail = "is not for a prepaid plan, whose limit is what was paid";
            return Err(Error::malformed("/limit_usd", detail));
        }
        if self.max_active_keys.is_some_and(|keys| keys != 1) {
            let detail = "must be 1 in a prepaid plan";
            return Err(Error::malformed("/max_active_keys", detail));
        }
        Ok((NanoUsd::MAX, 1))
    }
}

/// What a change does not name stays as it is.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PlanRequest {
    /// In USD, with at most two decimals.
    limit_usd: Patch<String>,
    limit_reset: Patch<LimitReset>,
    /// 1 to 365.
    expiry_days: Patch<i64>,
    /// 1 to 100.
    max_active_keys: Patch<i64>,
    /// OpenRouter's id of the workspace in which the keys are made.
    workspace_id: Patch<Option<String>>,
    /// OpenRouter's id of the guardrail of the keys.
    guardrail_id: Patch<Option<String>>,
    /// The part of a payment that is not passed on: below 100, with at most two decimals.
    margin_percent: Patch<String>,
    /// Only true: another plan is made the default instead.
    is_default: Patch<bool>,
}

impl PlanRequest {
    /// Checks that the values are within what the database accepts.
    fn terms(self) -> Result<PlanTerms, Error> {
        let limit = self.limit_usd.0.as_deref();
        let limit = limit.map(|text| amount("/limit_usd", text)).transpose()?;
        let days = self.expiry_days.0.filter(|n| (1..=365).contains(n));
        if days != self.expiry_days.0 {
            return Err(Error::bad_member(
                "/expiry_days",
                "must be a number of days from 1 to 365",
            ));
        }
        if self
            .max_active_keys
            .0
            .is_some_and(|n| !(1..=100).contains(&n))
        {
            return Err(Error::bad_member(
                "/max_active_keys",
                "must be a number from 1 to 100",
            ));
        }
        let margin = self.margin_percent.0.as_deref().map(basis_points);
        if margin == Some(None) {
            let detail = "must be a percentage below 100, with at most two decimals";
            return Err(Error::bad_member("/margin_percent", detail));
        }
        if self.is_default.0 == Some(false) {
            let detail = "must be true: another plan is made the default instead";
            return Err(Error::bad_member("/is_default", detail));
        }
        Ok(PlanTerms {
            limit,
            limit_reset: self.limit_reset.0,
            expiry_days: days.and_then(|days| days.try_into().ok()),
            max_active_keys: self.max_active_keys.0,
            workspace_id: self.workspace_id.0,
            guardrail_id: self.guardrail_id.0,
            margin_bp: margin.flatten(),
            make_default: self.is_default.0 == Some(true),
        })
    }

    fn says_nothing(&self) -> bool {
        self.limit_usd.0.is_none()
            && self.limit_reset.0.is_none()
            && self.expiry_days.0.is_none()
            && self.max_active_keys.0.is_none()
            && self.workspace_id.0.is_none()
            && self.guardrail_id.0.is_none()
            && self.margin_percent.0.is_none()
            && self.is_default.0.is_none()
    }
}

/// Reads a percentage below 100 with at most two decimals, and returns it in hundredths of a percent.
fn basis_points(text: &str) -> Option<i64> {
    let parsed = NanoUsd::parse_typed(text)?.nano();
    let points = parsed.checked_div(NanoUsd::CENT.nano())?;
    (points < 10_000).then_some(points)
}

/// Asks OpenRouter for the workspace before the plan is written: under a plan whose workspace does not exist, no key
/// could be made.
async fn workspace_must_be_there(app: &App, terms: &PlanTerms) -> Result<(), Error> {
    let Some(workspace) = terms.workspace_id.as_ref().and_then(Option::as_deref) else {
        return Ok(());
    };
    let unknown = Err(Error::bad_member(
        "/workspace_id",
        "must be a workspace that OpenRouter has in this account",
    ));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !(1..=WORKSPACE_CHARS).contains(&workspace.len()) || !workspace.bytes().all(plain) {
        return unknown;
    }
    match workspaces::read(&app.upstream(), workspace).await {
        Answer::Is(()) => Ok(()),
        Answer::Missing | Answer::Refused(UpstreamRefusal::Rejected) => unknown,
        Answer::Refused(UpstreamRefusal::Credential) => Err(Error::CredentialRefused),
        Answer::Refused(UpstreamRefusal::Busy(_)) | Answer::Unknown => Err(Error::WorkspaceUnread),
    }
}

/// Checks a plan's name: lower-case letters, digits and dashes, since it stands in addresses and in the audit.
fn name(text: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = (1..=NAME_CHARS).contains(&text.len()) && text.bytes().all(plain);
    fits.then_some(text)
}

/// A page of plans, oldest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PlansPage {
    plans: Vec<Plan>,
    next: Option<String>,
}

/// A plan.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PlanBody {
    plan: Plan,
}

/// Lists plans in pages, oldest first: `after` is the name that the page before ended with.
pub async fn list_plans(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let after = context.query("after");
    let unknown = Error::BadRequest {
        detail: "after must be the value of next on the previous page.",
    };
    let after = match after.as_deref() {
        None => None,
        Some(after) => Some(name(after).ok_or(unknown)?),
    };
    let mut plans = plans::page(&*context.app.db, &session, after).await?;
    let next = cut_to_page(&mut plans, PAGE_ROWS, |plan| Some(&plan.name));
    Reply::json(200, &PlansPage { plans, next })
}

/// Answers 201 with the plan. A prepaid plan has one key and no limit of its own.
pub async fn create_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: NewPlanRequest = context.json()?;
    let name = name(&wanted.name).map(str::to_owned);
    let name = name.ok_or(Error::bad_member(
        "/name",
        "must have 1 to 32 lower-case letters, digits and dashes",
    ))?;
    let terms = wanted.terms()?;
    workspace_must_be_there(&context.app, &terms).await?;
    guardrail::must_be_there(&context.app, terms.guardrail()).await?;
    let by = change(&context, &session)?;
    match plans::create(&*context.app.db, &by, &name, &terms).await? {
        Changed {
            plan: Some(plan),
            done: true,
        } => Reply::json(201, &PlanBody { plan }),
        _ => Err(Error::PlanExists),
    }
}

/// Answers 200 with the plan; its owners' keys follow within the next sweeps.
pub async fn change_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: PlanRequest = context.json()?;
    if wanted.says_nothing() {
        return Err(Error::malformed("", "must have a member to change"));
    }
    let terms = wanted.terms()?;
    workspace_must_be_there(&context.app, &terms).await?;
    guardrail::must_be_there(&context.app, terms.guardrail()).await?;
    let by = change(&context, &session)?;
    let name = context.last_segment();
    match plans::change(&*context.app.db, &by, name, &terms).await? {
        Changed { plan: None, .. } => Err(Error::NotFound),
        Changed {
            plan: Some(plan),
            done: true,
        } => Reply::json(200, &PlanBody { plan }),
        Changed { done: false, .. } => Err(stays_prepaid_or_not(&terms)),
    }
}

/// The refusal of a change that would make a plan prepaid, or prepaid no more. It names the first member that would.
fn stays_prepaid_or_not(terms: &PlanTerms) -> Error {
    let pointer = match (terms.limit_reset, terms.limit) {
        (Some(_), _) => "/limit_reset",
        (None, Some(_)) => "/limit_usd",
        (None, None) => "/max_active_keys",
    };
    let detail = "must fit the plan, which is prepaid, with one key and no limit of its own, or is not, for good: make another plan";
    Error::bad_member(pointer, detail)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AssignmentRequest {
    plan: String,
}

/// The member's plan.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AssignedBody {
    member: String,
    plan: Plan,
    /// How many of the owner's keys follow only with the next sweep.
    keys_left_to_sweep: usize,
}

/// Answers 200, also if it is the member's plan already. Their keys follow at once, as far as that is quick, or with
/// the next sweep; the answer says how many are left to it.
pub async fn assign_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let AssignmentRequest { plan } = context.json()?;
    let app = &*context.app;
    let member = context.segment_before_last();
    let owner = allowances::owner(&*app.db, OwnerLookup::Member(member)).await?;
    let owner = owner.ok_or(Error::NotFound)?;
    let plan = plans::named(&*app.db, &session, &plan).await?;
    let plan = plan.ok_or(Error::bad_member("/plan", "must be the name of a plan"))?;
    let read_since = app.now();
    // When an owner begins or stops prepaying, the spend until now must be known: it does not count against later
    // payments, and a payment is not spent twice.
    let (prepays, will_prepay) = (
        owner.limit_reset == LimitReset::None,
        plan.limit_reset == LimitReset::None,
    );
    let wants_figures = prepays != will_prepay;
    let actor = session.member.as_str();
    if wants_figures && !limit::read_owner(app, owner.owner, prepays, actor).await {
        return Err(Error::SpendUnread);
    }
    let by = change(&context, &session)?;
    let (owner, name) = (owner.owner, plan.name.as_str());
    let assigned = allowances::assign(&*app.db, &by, member, owner, name, read_since).await?;
    if wants_figures && !assigned {
        return Err(Error::SpendUnread);
    }
    let left = limit::follow_owner(app, owner, session.member.as_str()).await;
    let body = AssignedBody {
        member: member.to_owned(),
        plan,
        keys_left_to_sweep: left,
    };
    Reply::json(200, &body)
}
