//! `GET /api/v1/me`: who the caller is, and whether and on what terms they may claim, in one round trip.

use serde::Serialize;

use crate::app::auth::is_admin;
use crate::app::claim;
use crate::app::error::Error;
use crate::app::error::problem_body::RefusalBody;
use crate::domain::money::NanoUsd;
use crate::domain::people::identity::MemberRole;
use crate::domain::policy::gate::{ClaimFacts, Policy, WorkspaceChoice, first_refusal};
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::keys::claims::{self, ClaimDecision};
use crate::store::members::{self, Member};
use crate::store::ops::workspaces::{self, WorkspaceName};
use crate::store::query::rows_of;

/// Who I am, and whether and on what terms I may claim.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MeBody {
    member: MeMember,
    roles: Vec<MemberRole>,
    terms: AcceptedTerms,
    /// How many keys the plan allows at a time.
    keys_allowed: i64,
    claim: ClaimTermsBody,
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
struct MeMember {
    /// Every change that a session makes names it in the header X-Keycap-Member.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = "^mem_[0-9a-f]{24}$"))
    )]
    id: String,
    provider: String,
    login: String,
    created_at: Timestamp,
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
struct AcceptedTerms {
    /// The revision of the terms that is in force.
    revision: i64,
    /// When the member accepted it.
    accepted_at: Option<Timestamp>,
}

/// What a claim would get.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
struct ClaimTermsBody {
    open: bool,
    /// The gate that refuses, in the words with which a claim would be refused.
    refusal: Option<RefusalBody>,
    limit_usd: NanoUsd,
    /// What a key that is claimed now could spend in this window. It is null for a member who has a key, since there is
    /// nothing to claim.
    available_usd: Option<NanoUsd>,
    /// If that is nothing, the moment before which the key would not work.
    available_from: Option<Timestamp>,
    limit_reset: LimitReset,
    expiry_days: u32,
    min_account_age_days: u32,
    /// It is null while no ceiling is configured, which closes claims.
    seats_left: Option<i64>,
    /// The workspaces in which a key can be made, the default one first. With several, the request for a key has to name
    /// one. The list is empty while no workspace is enabled by itself.
    workspaces: Vec<WorkspaceName>,
}

/// Answers 200 with the member, their roles, the accepted terms, and what a claim would get.
pub async fn show_me(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let attempt = claim::attempt(app, session.clone(), None)?;
    let [cards, decision] = claims::facts(&attempt);
    let offered = workspaces::offered(&session, app.config.default_workspace());
    let stmts = vec![offered, cards, decision];
    let (member, rows) = members::signed_in(&*app.db, &session, stmts).await?;
    let offered = rows_of(&rows, 0)?;
    Reply::json(200, &body(&context, member, offered, &rows, attempt.now)?)
}

/// The answer about a member, from the rows of the workspaces that are offered to them, and from rows of which the last are
/// those of [`claims::facts`].
pub fn body(
    context: &Context,
    member: Member,
    offered: &Rows,
    rows: &[Rows],
    now: Timestamp,
) -> Result<MeBody, Error> {
    let decision = claims::read_decision(rows)?.ok_or(Error::Internal)?;
    let mut roles = vec![MemberRole::Member];
    if is_admin(&context.app, &member) {
        roles.push(MemberRole::Admin);
    }
    Ok(MeBody {
        member: MeMember {
            id: member.id,
            provider: member.provider,
            login: member.login,
            created_at: member.created_at,
        },
        roles,
        terms: AcceptedTerms {
            revision: REVISION,
            accepted_at: decision.facts.policy.accepted_at(),
        },
        keys_allowed: decision.facts.keys_allowed,
        claim: terms(context, decision, workspaces::read_offered(offered)?, now),
    })
}

fn terms(
    context: &Context,
    decision: ClaimDecision,
    workspaces: Vec<WorkspaceName>,
    now: Timestamp,
) -> ClaimTermsBody {
    let terms = &context.app.config.terms;
    let seats_left = terms
        .max_total_keys
        .saturating_sub(decision.facts.seats.taken);
    let has_key = decision.facts.live_state.is_some();
    // This is about the gates. The page shows an existing key by itself, the terms are accepted with the claim, and a
    // workspace is chosen with it.
    let policy = Policy {
        terms_rev: REVISION,
        terms_at: Some(now),
        ..decision.facts.policy
    };
    let gates = ClaimFacts {
        live_state: None,
        keys_live: 0,
        workspaces: match decision.facts.workspaces {
            WorkspaceChoice::Several => WorkspaceChoice::One,
            other => other,
        },
        policy,
        ..decision.facts
    };
    let share = claim::share(&decision.grants, &decision.siblings, now);
    let share = Some(share).filter(|_| !has_key);
    let refusal =
        first_refusal(&gates, terms, now).map(|refusal| claim::refusal_error(refusal, now));
    let is_spent = (share.as_ref()).is_some_and(|share| share.is_never(&decision.grants));
    let refusal = refusal.or_else(|| is_spent.then_some(Error::CreditSpent));
    ClaimTermsBody {
        open: refusal.is_none(),
        refusal: refusal.as_ref().map(Error::refusal),
        limit_usd: decision.grants.offered(),
        available_usd: share.as_ref().map(claim::MintLimit::now),
        available_from: share.and_then(|share| share.begins(&decision.grants, now)),
        limit_reset: decision.grants.limit_reset,
        expiry_days: decision.plan.expiry_days,
        min_account_age_days: terms.min_account_age_days,
        seats_left: (terms.max_total_keys > 0).then_some(seats_left.max(0)),
        workspaces,
    }
}
