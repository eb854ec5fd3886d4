//! Decides what the answer to the reservation means: the limit that the key gets in this window, or the gate that
//! refused.

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

/// How a claim ends.
pub enum Claimed {
    /// A new key. This is the only time that its secret leaves.
    New { card: Card, secret: Secret },
    /// The member already has a key.
    Existing(Card),
}

/// The limit that a new key gets in its current window.
pub struct MintLimit {
    pub limit: NanoUsd,
    /// Less than one cent is left. The key is made, but stays disabled until the window ends.
    pub exhausted: bool,
    /// When the limit must be computed again, because there may be more to spend or a raise ends.
    pub due: Option<Timestamp>,
}

impl MintLimit {
    /// The amount that the key may spend in this window.
    pub const fn now(&self) -> NanoUsd {
        if self.exhausted {
            NanoUsd::ZERO
        } else {
            self.limit
        }
    }

    /// Answers whether nothing is left and no later window will bring more, because the plan is prepaid.
    pub fn is_never(&self, grants: &Grants) -> bool {
        self.exhausted && grants.limit_reset == LimitReset::None
    }

    /// If nothing is left in this window, the moment before which the key does not work.
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
    // There is more to spend once it is certain that the window has begun. The next sweep looks for evidence of that.
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

/// The amount for a key together with one of its siblings: the siblings that `of` selects are not counted.
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
        decision.workspace_id.clone(),
    )?;
    // A key for which no workspace is named is made in the account's default workspace.
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
        Some(Refusal::WorkspaceClosed) if attempt.workspace.is_some() => Err(NOT_OFFERED),
        Some(refusal) => Err(refusal_error(refusal, attempt.now)),
        // Every gate is open, so another isolate has taken this request over.
        None if attempt.taking.is_some() => Err(Error::RequestInProgress),
        None => Err(Error::Internal),
    }
}

/// The request names a workspace that is not one of those that the member may choose.
pub const NOT_OFFERED: Error = Error::bad_member(
    "/workspace_id",
    "must be the id of a workspace that is enabled for your keys",
);

/// Turns the refusal of a gate into the error that answers the request.
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
        Refusal::GoogleNotAdmitted => Error::GoogleNotAdmitted,
        Refusal::AccountTooYoung(young) => Error::AccountTooYoung(young),
        Refusal::ApprovalNeeded { offer } => Error::ApprovalNeeded { offer },
        Refusal::TermsNotAccepted => Error::TermsNotAccepted,
        Refusal::WorkspaceNeeded => Error::bad_member(
            "/workspace_id",
            "is required, because several workspaces are enabled",
        ),
        Refusal::WorkspaceClosed => Error::WorkspaceClosed,
        Refusal::TooManyAttempts => Error::TooManyAttempts {
            retry_at: crate::domain::time::period::LimitReset::Daily.ends(now),
        },
        Refusal::SeatsFull { free_at } => Error::SeatsFull { free_at },
        Refusal::ClaimsBusy { until } => Error::ClaimsBusy { retry_at: until },
        Refusal::Paused { until } => busy_until(until, now),
    }
}

/// The error that says that OpenRouter asked us to slow down until this moment.
pub fn busy_until(until: Timestamp, now: Timestamp) -> Error {
    Error::OpenRouterBusy {
        retry_after_secs: u32::try_from(until.since(now)).unwrap_or(1).max(1),
    }
}
