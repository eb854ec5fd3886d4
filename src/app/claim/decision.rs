//! What the reservation's answer means: the share of the window that the key gets, or the gate that refused.

use crate::app::context::App;
use crate::app::error::Error;
use crate::domain::key::mint::MintSpec;
use crate::domain::key::secret::Secret;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{self, Grants, Sibling};
use crate::domain::policy::gate::{Refusal, first_refusal};
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SKEW_SECS};
use crate::store::keys::attempt::Attempt;
use crate::store::keys::cards::Card;
use crate::store::keys::claims::ClaimDecision;

/// What a claim ends with.
pub enum Claimed {
    /// A fresh key, and the only time its secret is seen.
    New { card: Card, secret: Secret },
    /// There is one already.
    Existing(Card),
}

/// What a fresh key gets of its window.
pub struct MintLimit {
    pub limit: NanoUsd,
    /// Less than a cent is left: it is made, and off until the window ends.
    pub exhausted: bool,
    /// When there may be more for it, or a raise is over.
    pub due: Option<Timestamp>,
}

impl MintLimit {
    /// What may be spent of it in this window.
    pub const fn now(&self) -> NanoUsd {
        if self.exhausted {
            NanoUsd::ZERO
        } else {
            self.limit
        }
    }

    /// Nothing is left, and no window will bring more: it is paid for.
    pub fn is_never(&self, grants: &Grants) -> bool {
        self.exhausted && grants.limit_reset == LimitReset::None
    }

    /// Where nothing is left, before when a key does not work.
    pub fn begins(&self, grants: &Grants, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .due
            .filter(|_| self.exhausted && !self.is_never(grants))?;
        Some(budget::not_before(grants.limit_reset, due, now))
    }
}

pub fn share(grants: &Grants, siblings: &[Sibling], now: Timestamp) -> MintLimit {
    let allowed = grants.allowance();
    let cap = budget::share(allowed, siblings, now);
    // There is more once it is sure that the window has begun: the next sweep asks for evidence.
    let waits = cap < budget::cap(allowed, siblings, now);
    let cap = cap.floored();
    let less = cap < allowed.key;
    let reset = match budget::due_after_reset(allowed.limit_reset, now) {
        _ if !less => None,
        Some(_) if waits => Some(now.max(allowed.limit_reset.starts(now).plus(SKEW_SECS))),
        due => due,
    };
    MintLimit {
        limit: cap.max(NanoUsd::CENT),
        exhausted: cap < NanoUsd::CENT,
        due: grants.not_after_a_raise(reset),
    }
}

/// What there is for a key and the sibling beside it, which is not counted here.
pub fn share_but(decision: &ClaimDecision, of: fn(&Sibling) -> bool, now: Timestamp) -> NanoUsd {
    let others = decision.siblings.iter().filter(|sibling| !of(sibling));
    let others: Vec<Sibling> = others.copied().collect();
    budget::share(decision.grants.allowance(), &others, now)
}

/// The parameters of the mint.
pub fn spec(decision: &ClaimDecision, share: &MintLimit) -> Option<MintSpec> {
    let spec = MintSpec::new(
        decision.upstream_name.clone()?,
        share.limit,
        decision.grants.limit_reset,
        decision.expires_at?,
        decision.plan.workspace_id.clone(),
    )?;
    // Only a plan without a workspace of its own mints at home.
    Some(spec.at_home(decision.home_workspace_id.clone()))
}

pub fn not_reserved(
    app: &App,
    attempt: &Attempt,
    decision: ClaimDecision,
) -> Result<Claimed, Error> {
    let mut facts = decision.facts;
    if attempt.create.is_some() {
        facts.live_state = None;
    }
    match first_refusal(&facts, &app.config.terms, attempt.now) {
        Some(Refusal::Exists) => {
            let card = decision.cards.into_iter().next();
            card.map(Claimed::Existing).ok_or(Error::Internal)
        }
        Some(refusal) => Err(refusal_error(refusal, attempt.now)),
        // Every gate is open, so another isolate has taken this request over.
        None if attempt.taking.is_some() => Err(Error::RequestInProgress),
        None => Err(Error::Internal),
    }
}

/// A gate's refusal as the answer it becomes.
pub fn refusal_error(refusal: Refusal, now: Timestamp) -> Error {
    match refusal {
        Refusal::SessionEnded => Error::SignInRequired,
        Refusal::NotActive(status) => Error::MemberNotActive(status),
        Refusal::Exists => Error::Internal,
        Refusal::InProgress => Error::ClaimInProgress,
        Refusal::BeingRemoved => Error::KeyBeingRemoved,
        Refusal::Unsettled => Error::RotationUnsettled,
        Refusal::KeysUsedUp { allowed } => Error::KeysUsedUp { allowed },
        Refusal::ProjectNotLive => Error::ProjectNotLive,
        Refusal::ProvisioningClosed | Refusal::ForeignInstance => Error::ProvisioningClosed,
        Refusal::NotConfigured => Error::NotConfigured,
        Refusal::MintingStopped => Error::MintingStopped,
        Refusal::DatabaseRestored => Error::DatabaseRestored,
        Refusal::ForeignAccount => Error::ForeignAccount,
        Refusal::UpstreamTermsUnconfirmed => Error::UpstreamTermsUnconfirmed,
        Refusal::Blocked { offer } => Error::Blocked { offer },
        Refusal::Held => Error::Held,
        Refusal::AccountTooYoung(young) => Error::AccountTooYoung(young),
        Refusal::ApprovalNeeded { offer } => Error::ApprovalNeeded { offer },
        Refusal::TermsNotAccepted => Error::TermsNotAccepted,
        Refusal::TooManyAttempts => Error::TooManyAttempts {
            retry_at: crate::domain::time::period::LimitReset::Daily.ends(now),
        },
        Refusal::SeatsFull { free_at } => Error::SeatsFull { free_at },
        Refusal::ClaimsBusy { until } => Error::ClaimsBusy { retry_at: until },
        Refusal::Paused { until } => busy_until(until, now),
    }
}

/// Upstream has asked for patience until then.
pub fn busy_until(until: Timestamp, now: Timestamp) -> Error {
    Error::OpenRouterBusy {
        retry_after_secs: u32::try_from(until.since(now)).unwrap_or(1).max(1),
    }
}
