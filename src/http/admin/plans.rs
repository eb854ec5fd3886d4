//! `/api/v1/admin/plans`: what owners get, as data; `/api/v1/admin/members/{id}/plan`: which owner has which plan.

use serde_json::json;

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::guardrail;
use crate::app::sync::limit;
use crate::domain::id::IdKind;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::time::period::LimitReset;
use crate::http::server::body::Nullable;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::NoRandomness;
use crate::store::budget::allowances::{self, OwnerLookup};
use crate::store::budget::plans::{self, AdminChange, Changed, PAGE_ROWS, PlanTerms};
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

/// Reads an amount in USD as a person types it, of at least one cent.
pub fn amount(text: &str) -> Result<NanoUsd, Error> {
    NanoUsd::parse_typed(text)
        .filter(|amount| *amount >= NanoUsd::CENT)
        .ok_or(Error::BadRequest {
            detail: "An amount is positive, in USD, with at most two decimals.",
        })
}

body! {
    struct PlanRequest {
        name: Option<String>,
        limit_usd: Option<String>,
        limit_reset: Option<LimitReset>,
        expiry_days: Option<u32>,
        max_active_keys: Option<i64>,
        workspace_id: Option<Nullable<String>>,
        guardrail_id: Option<Nullable<String>>,
        margin_percent: Option<String>,
        is_default: Option<bool>,
    }
}

impl PlanRequest {
    /// Checks that the values are within what the database accepts.
    fn terms(&self) -> Result<PlanTerms, Error> {
        let limit = self.limit_usd.as_deref().map(amount).transpose()?;
        let days = self.expiry_days.is_none_or(|n| (1..=365).contains(&n));
        let keys = self.max_active_keys.is_none_or(|n| (1..=100).contains(&n));
        let workspace_id = self.workspace_id.as_ref().map(|id| id.0.clone());
        let margin = self.margin_percent.as_deref().map(basis_points);
        // A request can only make a plan the default; the plan that was the default before then stops being it.
        if !(days && keys) || margin == Some(None) || self.is_default == Some(false) {
            return Err(Error::BadRequest {
                detail: "A plan has 1 to 365 days, 1 to 100 keys, and a margin below 100 percent; another is made the default instead.",
            });
        }
        Ok(PlanTerms {
            limit,
            limit_reset: self.limit_reset,
            expiry_days: self.expiry_days,
            max_active_keys: self.max_active_keys,
            workspace_id,
            guardrail_id: self.guardrail_id.as_ref().map(|id| id.0.clone()),
            margin_bp: margin.flatten(),
            make_default: self.is_default == Some(true),
        })
    }

    fn says_nothing(&self) -> bool {
        self.limit_usd.is_none()
            && self.limit_reset.is_none()
            && self.expiry_days.is_none()
            && self.max_active_keys.is_none()
            && self.workspace_id.is_none()
            && self.guardrail_id.is_none()
            && self.margin_percent.is_none()
            && self.is_default.is_none()
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
    let unknown = Err(Error::BadRequest {
        detail: "workspace_id: OpenRouter has no such workspace in this account.",
    });
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
fn name(text: &str) -> Result<&str, Error> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = (1..=NAME_CHARS).contains(&text.len()) && text.bytes().all(plain);
    fits.then_some(text).ok_or(Error::BadRequest {
        detail: "A plan's name has 1 to 32 lower-case letters, digits and dashes.",
    })
}

/// Lists plans in pages, oldest first: `after` is the name that the page before ended with.
pub async fn list_plans(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let after = context.query("after");
    let after = after.as_deref().map(name).transpose()?;
    let mut plans = plans::page(&*context.app.db, &session, after).await?;
    let next = cut_to_page(&mut plans, PAGE_ROWS, |plan| Some(&plan.name));
    Reply::json(200, &json!({ "plans": plans, "next": next }))
}

/// Answers 201 with the plan. A prepaid plan has one key and no limit of its own.
pub async fn create_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: PlanRequest = context.json()?;
    let mut terms = wanted.terms()?;
    let name = name(wanted.name.as_deref().ok_or(Error::MalformedJson)?)?;
    let complete =
        terms.limit_reset.is_some() && terms.expiry_days.is_some() && !terms.make_default;
    match (terms.limit_reset, terms.limit, terms.max_active_keys) {
        (Some(LimitReset::None), None, None | Some(1)) => {
            terms.limit = Some(NanoUsd::MAX);
            terms.max_active_keys = Some(1);
        }
        (Some(LimitReset::Daily | LimitReset::Weekly | LimitReset::Monthly), Some(_), Some(_)) => {}
        _ => return Err(Error::MalformedJson),
    }
    if !complete {
        return Err(Error::MalformedJson);
    }
    workspace_must_be_there(&context.app, &terms).await?;
    guardrail::must_be_there(&context.app, terms.guardrail()).await?;
    let by = change(&context, &session)?;
    match plans::create(&*context.app.db, &by, name, &terms).await? {
        Changed {
            plan: Some(plan),
            done: true,
        } => Reply::json(201, &json!({ "plan": plan })),
        _ => Err(Error::PlanExists),
    }
}

/// Answers 200 with the plan; its owners' keys follow within the next sweeps.
pub async fn change_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: PlanRequest = context.json()?;
    let terms = wanted.terms()?;
    if wanted.name.is_some() || wanted.says_nothing() {
        return Err(Error::MalformedJson);
    }
    workspace_must_be_there(&context.app, &terms).await?;
    guardrail::must_be_there(&context.app, terms.guardrail()).await?;
    let by = change(&context, &session)?;
    let name = context.last_segment();
    match plans::change(&*context.app.db, &by, name, &terms).await? {
        Changed { plan: None, .. } => Err(Error::NotFound),
        Changed {
            plan: Some(plan),
            done: true,
        } => Reply::json(200, &json!({ "plan": plan })),
        Changed { done: false, .. } => Err(Error::BadRequest {
            detail: "A plan is prepaid, with one key and no limit of its own, or it is not, for good. Make another one.",
        }),
    }
}

body! {
    struct Assigned {
        plan: String,
    }
}

/// Answers 200, also if it is the member's plan already. Their keys follow at once, as far as that is quick, or with
/// the next sweep; the answer says how many are left to it.
pub async fn assign_plan(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let Assigned { plan } = context.json()?;
    let app = &*context.app;
    let member = context.segment_before_last();
    let owner = allowances::owner(&*app.db, OwnerLookup::Member(member)).await?;
    let owner = owner.ok_or(Error::NotFound)?;
    let plan = plans::named(&*app.db, &session, &plan).await?;
    let plan = plan.ok_or(Error::BadRequest {
        detail: "There is no such plan.",
    })?;
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
    let body = json!({ "member": member, "plan": plan, "keys_left_to_sweep": left });
    Reply::json(200, &body)
}
