//! What can go wrong on the request path, and its only mapping to an `application/problem+json` answer (RFC 9457).
//!
//! Three severities: the caller's fault, the world's fault (it says when to retry), our fault. Internal kinds give a
//! title and the request id, nothing else. The words are in `problem`.

mod problem;

use crate::domain::gate::TooYoung;
use crate::domain::identity::Status;
use crate::domain::request::{self, Offer};
use crate::domain::time::Timestamp;

/// Each variant is a kind a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    // The caller's fault.
    NotFound,
    MethodNotAllowed {
        allow: String,
    },
    BadRequest {
        detail: &'static str,
    },
    MalformedJson,
    UnsupportedMediaType,
    BodyTooLarge,
    ForeignOrigin,
    SignInRequired,
    RateLimited,
    /// A member who is suspended, banned or gone.
    MemberNotActive(Status),
    ProjectNotLive,
    ProvisioningClosed,
    MintingStopped,
    /// No admin has confirmed the upstream's terms yet (S4-21).
    UpstreamTermsUnconfirmed,
    Blocked {
        offer: Offer,
    },
    Held,
    AccountTooYoung(TooYoung),
    ApprovalNeeded {
        offer: Offer,
    },
    TermsNotAccepted,
    /// Another revision was accepted than the one in force.
    TermsChanged,
    SeatsFull,
    TooManyAttempts {
        retry_at: Timestamp,
    },
    BudgetSpent {
        resets_at: Timestamp,
    },
    ClaimInProgress,
    KeyBeingRemoved,
    /// It has expired or was removed.
    KeyEnded,
    ClaimSuperseded,
    IdempotencyMismatch,
    /// A mass action named another number than there are.
    ConfirmationMismatch {
        live_keys: i64,
    },
    /// No rule stands that the request is about.
    NothingToRequest,
    RequestsUsedUp {
        retry_at: Timestamp,
    },
    /// A request was decided otherwise before.
    AlreadyDecided {
        state: request::State,
    },
    /// Configuration names them as an admin: nobody puts those out from here.
    MemberIsAdmin,
    /// Who has left cannot be acted on.
    MemberLeft,
    // The world's fault.
    /// More claims within the hour than the house lets through.
    ClaimsBusy {
        retry_at: Timestamp,
    },
    /// The create's outcome is unknown: no key, or one that will be removed.
    ClaimUnknown,
    OpenRouterBusy {
        retry_after_secs: u32,
    },
    OpenRouterRefused,
    OpenRouterMismatch,
    StorageUnavailable,
    // Our fault.
    NotConfigured,
    Misconfigured,
    CredentialRefused,
    Internal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
}

impl Error {
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest { .. } | Self::MalformedJson => 400,
            Self::SignInRequired => 401,
            Self::ForeignOrigin
            | Self::MemberNotActive(_)
            | Self::ProjectNotLive
            | Self::ProvisioningClosed
            | Self::MintingStopped
            | Self::UpstreamTermsUnconfirmed
            | Self::Blocked { .. }
            | Self::Held
            | Self::AccountTooYoung(_)
            | Self::ApprovalNeeded { .. }
            | Self::TermsNotAccepted
            | Self::SeatsFull
            | Self::BudgetSpent { .. } => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::ClaimInProgress
            | Self::KeyBeingRemoved
            | Self::KeyEnded
            | Self::ClaimSuperseded
            | Self::TermsChanged
            | Self::NothingToRequest
            | Self::AlreadyDecided { .. }
            | Self::MemberIsAdmin
            | Self::MemberLeft
            | Self::ConfirmationMismatch { .. } => 409,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyMismatch => 422,
            Self::RateLimited | Self::TooManyAttempts { .. } | Self::RequestsUsedUp { .. } => 429,
            Self::CredentialRefused | Self::Internal => 500,
            Self::OpenRouterRefused | Self::OpenRouterMismatch => 502,
            Self::ClaimsBusy { .. }
            | Self::ClaimUnknown
            | Self::OpenRouterBusy { .. }
            | Self::StorageUnavailable
            | Self::NotConfigured
            | Self::Misconfigured => 503,
        }
    }

    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::BadRequest { .. } => "bad_request",
            Self::MalformedJson => "malformed_json",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::ForeignOrigin => "foreign_origin",
            Self::SignInRequired => "sign_in_required",
            Self::RateLimited => "rate_limited",
            Self::MemberNotActive(Status::Suspended) => "member_suspended",
            Self::MemberNotActive(Status::Banned) => "member_banned",
            Self::MemberNotActive(_) => "member_not_active",
            Self::ProjectNotLive => "project_not_live",
            Self::ProvisioningClosed => "provisioning_closed",
            Self::MintingStopped => "minting_stopped",
            Self::UpstreamTermsUnconfirmed => "upstream_terms_unconfirmed",
            Self::Blocked { .. } => "blocked",
            Self::Held => "key_held",
            Self::AccountTooYoung(_) => "account_too_young",
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::TermsNotAccepted => "terms_not_accepted",
            Self::TermsChanged => "terms_changed",
            Self::SeatsFull => "seats_full",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::BudgetSpent { .. } => "budget_spent",
            Self::ClaimInProgress => "claim_in_progress",
            Self::KeyBeingRemoved => "key_being_removed",
            Self::KeyEnded => "key_ended",
            Self::ClaimSuperseded => "claim_superseded",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::ConfirmationMismatch { .. } => "confirmation_mismatch",
            Self::NothingToRequest => "nothing_to_request",
            Self::RequestsUsedUp { .. } => "requests_used_up",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::MemberIsAdmin => "member_is_admin",
            Self::MemberLeft => "member_left",
            Self::ClaimsBusy { .. } => "claims_busy",
            Self::ClaimUnknown => "claim_unknown",
            Self::OpenRouterBusy { .. } => "openrouter_busy",
            Self::OpenRouterRefused => "openrouter_refused",
            Self::OpenRouterMismatch => "openrouter_mismatch",
            Self::StorageUnavailable => "storage_unavailable",
            Self::NotConfigured => "not_configured",
            Self::Misconfigured => "misconfigured",
            Self::CredentialRefused | Self::Internal => "internal",
        }
    }

    pub const fn level(&self) -> Level {
        match self {
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::BadRequest { .. }
            | Self::MalformedJson
            | Self::UnsupportedMediaType
            | Self::BodyTooLarge
            | Self::ForeignOrigin
            | Self::SignInRequired
            | Self::RateLimited
            | Self::MemberNotActive(_)
            | Self::ProjectNotLive
            | Self::ProvisioningClosed
            | Self::MintingStopped
            | Self::UpstreamTermsUnconfirmed
            | Self::Blocked { .. }
            | Self::Held
            | Self::AccountTooYoung(_)
            | Self::ApprovalNeeded { .. }
            | Self::TermsNotAccepted
            | Self::TermsChanged
            | Self::SeatsFull
            | Self::TooManyAttempts { .. }
            | Self::BudgetSpent { .. }
            | Self::ClaimInProgress
            | Self::KeyBeingRemoved
            | Self::KeyEnded
            | Self::ClaimSuperseded
            | Self::IdempotencyMismatch
            | Self::NothingToRequest
            | Self::RequestsUsedUp { .. }
            | Self::AlreadyDecided { .. }
            | Self::MemberIsAdmin
            | Self::MemberLeft
            | Self::ConfirmationMismatch { .. } => Level::Info,
            Self::ClaimsBusy { .. }
            | Self::ClaimUnknown
            | Self::OpenRouterBusy { .. }
            | Self::StorageUnavailable
            | Self::NotConfigured => Level::Warn,
            Self::OpenRouterRefused
            | Self::OpenRouterMismatch
            | Self::Misconfigured
            | Self::CredentialRefused
            | Self::Internal => Level::Error,
        }
    }

    /// Seconds after which trying again makes sense, where it does.
    pub fn retry_after(&self, now: Timestamp) -> Option<i64> {
        match self {
            Self::RateLimited | Self::StorageUnavailable => Some(60),
            Self::TooManyAttempts { retry_at: at }
            | Self::RequestsUsedUp { retry_at: at }
            | Self::ClaimsBusy { retry_at: at }
            | Self::BudgetSpent { resets_at: at } => Some(at.since(now).max(1)),
            Self::ClaimInProgress => Some(5),
            Self::KeyBeingRemoved | Self::ClaimUnknown => Some(600),
            Self::ClaimSuperseded => Some(1),
            Self::OpenRouterBusy { retry_after_secs } => Some(i64::from(*retry_after_secs)),
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::BadRequest { .. }
            | Self::MalformedJson
            | Self::UnsupportedMediaType
            | Self::BodyTooLarge
            | Self::ForeignOrigin
            | Self::SignInRequired
            | Self::MemberNotActive(_)
            | Self::ProjectNotLive
            | Self::ProvisioningClosed
            | Self::MintingStopped
            | Self::UpstreamTermsUnconfirmed
            | Self::Blocked { .. }
            | Self::Held
            | Self::AccountTooYoung(_)
            | Self::ApprovalNeeded { .. }
            | Self::TermsNotAccepted
            | Self::TermsChanged
            | Self::SeatsFull
            | Self::KeyEnded
            | Self::IdempotencyMismatch
            | Self::ConfirmationMismatch { .. }
            | Self::NothingToRequest
            | Self::AlreadyDecided { .. }
            | Self::MemberIsAdmin
            | Self::MemberLeft
            | Self::OpenRouterRefused
            | Self::OpenRouterMismatch
            | Self::NotConfigured
            | Self::Misconfigured
            | Self::CredentialRefused
            | Self::Internal => None,
        }
    }
}

/// A store's failure on the request path: lost answers are the world's, the rest is ours.
impl From<crate::ports::DbError> for Error {
    fn from(error: crate::ports::DbError) -> Self {
        match error {
            crate::ports::DbError::Unknown => Self::StorageUnavailable,
            crate::ports::DbError::Unique
            | crate::ports::DbError::Constraint
            | crate::ports::DbError::Broken => Self::Internal,
        }
    }
}

impl From<crate::ports::NoRandomness> for Error {
    fn from(_: crate::ports::NoRandomness) -> Self {
        Self::Internal
    }
}
