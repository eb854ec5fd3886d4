//! What can go wrong on the request path, and its only mapping to an `application/problem+json` answer (RFC 9457).
//!
//! Three severities: the caller's fault, the world's fault (it says when to retry), our fault. Internal kinds give a
//! title and the request id, nothing else. The words are in `problem`.

mod from;
mod problem;
mod retry;

use crate::domain::people::identity::Status;
use crate::domain::people::request::{self, Offer};
use crate::domain::policy::gate::TooYoung;
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
    /// Longer than any address of ours.
    AddressTooLong,
    ForeignOrigin,
    SignInRequired,
    /// The page was made for another member than the session's.
    AccountChanged,
    /// The request does not say for which member its page was made.
    AccountNotNamed,
    RateLimited,
    /// A member who is suspended, banned or gone.
    MemberNotActive(Status),
    ProjectNotLive,
    ProvisioningClosed,
    MintingStopped,
    /// The database may have forgotten something.
    DatabaseRestored,
    /// The management key is another account's.
    ForeignAccount,
    /// No admin has confirmed the upstream's terms yet.
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
    SeatsFull {
        /// When a seat that an ended key retains is free; `None` where live keys take them all.
        free_at: Option<Timestamp>,
    },
    TooManyAttempts {
        retry_at: Timestamp,
    },
    /// Nothing is left of what was paid.
    CreditSpent,
    PlanExists,
    /// OpenRouter has no such guardrail.
    GuardrailMissing,
    /// Nothing is raised of what was paid: another payment does that.
    Prepaid,
    NotPrepaid,
    /// Another payment has this id.
    PaymentMismatch,
    /// As many keys as the plan allows.
    KeysUsedUp {
        allowed: i64,
    },
    ClaimInProgress,
    KeyBeingRemoved,
    /// It has expired or was removed.
    KeyEnded,
    ClaimSuperseded,
    /// It is off for a reason of its own: what is off is not replaced.
    KeyOff,
    /// The last rotation's spend is not settled.
    RotationUnsettled,
    /// Two secrets of it work until then.
    InGrace {
        until: Timestamp,
    },
    RotationsUsedUp {
        retry_at: Timestamp,
    },
    /// As many changes of this kind as a day has.
    DailyQuota {
        retry_at: Timestamp,
    },
    /// A renewal is for the end of a key's life.
    TooEarly {
        from: Timestamp,
    },
    /// Less is left of the limit than two keys need.
    NothingToSplit,
    IdempotencyMismatch,
    /// This very request, by its Idempotency-Key, is being worked on.
    RequestInProgress,
    /// A mass action has to name a number as it is, and named another one.
    ConfirmationMismatch {
        named: &'static str,
        is: i64,
    },
    /// A run of this job has not ended yet.
    JobUnderWay,
    /// No rule stands that the request is about.
    NothingToRequest,
    RequestsUsedUp {
        retry_at: Timestamp,
    },
    /// A request was decided otherwise before.
    AlreadyDecided {
        state: request::RequestState,
    },
    /// Configuration names them as an admin: nobody puts those out from here.
    MemberIsAdmin,
    /// Who has left cannot be acted on.
    MemberLeft,
    // The world's fault.
    /// More claims within the hour than the deployment lets through.
    ClaimsBusy {
        retry_at: Timestamp,
    },
    /// The create's outcome is unknown: no key, or one that will be removed.
    ClaimUnknown,
    /// OpenRouter did not confirm what the old key had to be before a new one is made.
    OldUnconfirmed,
    /// OpenRouter did not say whether there is such a guardrail.
    GuardrailUnread,
    /// OpenRouter did not say whether there is such a workspace.
    WorkspaceUnread,
    /// The workspace in which the plan's keys are made is not there any more.
    WorkspaceMissing,
    /// OpenRouter did not say what the keys have spent.
    SpendUnread,
    OpenRouterBusy {
        retry_after_secs: u32,
    },
    OpenRouterRefused,
    OpenRouterMismatch,
    StorageUnavailable,
    // Our fault.
    NotConfigured,
    Misconfigured,
    /// OpenRouter itself refuses this service's management key: an operator has to see to it.
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
            | Self::DatabaseRestored
            | Self::ForeignAccount
            | Self::UpstreamTermsUnconfirmed
            | Self::Blocked { .. }
            | Self::Held
            | Self::AccountTooYoung(_)
            | Self::ApprovalNeeded { .. }
            | Self::TermsNotAccepted
            | Self::SeatsFull { .. }
            | Self::CreditSpent => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::AccountChanged
            | Self::ClaimInProgress
            | Self::RequestInProgress
            | Self::KeyBeingRemoved
            | Self::KeyEnded
            | Self::KeysUsedUp { .. }
            | Self::PlanExists
            | Self::GuardrailMissing
            | Self::Prepaid
            | Self::NotPrepaid
            | Self::ClaimSuperseded
            | Self::KeyOff
            | Self::RotationUnsettled
            | Self::InGrace { .. }
            | Self::TooEarly { .. }
            | Self::NothingToSplit
            | Self::TermsChanged
            | Self::NothingToRequest
            | Self::JobUnderWay
            | Self::AlreadyDecided { .. }
            | Self::MemberIsAdmin
            | Self::MemberLeft
            | Self::ConfirmationMismatch { .. } => 409,
            Self::BodyTooLarge => 413,
            Self::AddressTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyMismatch | Self::PaymentMismatch => 422,
            Self::AccountNotNamed => 428,
            Self::RateLimited
            | Self::TooManyAttempts { .. }
            | Self::RotationsUsedUp { .. }
            | Self::DailyQuota { .. }
            | Self::RequestsUsedUp { .. } => 429,
            Self::Internal => 500,
            Self::OpenRouterRefused | Self::OpenRouterMismatch => 502,
            Self::ClaimsBusy { .. }
            | Self::ClaimUnknown
            | Self::OldUnconfirmed
            | Self::GuardrailUnread
            | Self::WorkspaceUnread
            | Self::WorkspaceMissing
            | Self::SpendUnread
            | Self::OpenRouterBusy { .. }
            | Self::CredentialRefused
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
            Self::AddressTooLong => "address_too_long",
            Self::ForeignOrigin => "foreign_origin",
            Self::SignInRequired => "sign_in_required",
            Self::AccountChanged => "account_changed",
            Self::AccountNotNamed => "account_not_named",
            Self::RateLimited => "rate_limited",
            Self::MemberNotActive(Status::Suspended) => "member_suspended",
            Self::MemberNotActive(Status::Banned) => "member_banned",
            Self::MemberNotActive(_) => "member_not_active",
            Self::ProjectNotLive => "project_not_live",
            Self::ProvisioningClosed => "provisioning_closed",
            Self::MintingStopped => "minting_stopped",
            Self::DatabaseRestored => "database_restored",
            Self::ForeignAccount => "foreign_account",
            Self::UpstreamTermsUnconfirmed => "upstream_terms_unconfirmed",
            Self::Blocked { .. } => "blocked",
            Self::Held => "key_held",
            Self::AccountTooYoung(_) => "account_too_young",
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::TermsNotAccepted => "terms_not_accepted",
            Self::TermsChanged => "terms_changed",
            Self::SeatsFull { .. } => "seats_full",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::CreditSpent => "credit_spent",
            Self::PlanExists => "plan_exists",
            Self::GuardrailMissing => "guardrail_missing",
            Self::Prepaid => "prepaid",
            Self::NotPrepaid => "not_prepaid",
            Self::PaymentMismatch => "payment_mismatch",
            Self::KeysUsedUp { .. } => "keys_used_up",
            Self::ClaimInProgress => "claim_in_progress",
            Self::KeyBeingRemoved => "key_being_removed",
            Self::KeyEnded => "key_ended",
            Self::ClaimSuperseded => "claim_superseded",
            Self::KeyOff => "key_off",
            Self::RotationUnsettled => "rotation_unsettled",
            Self::InGrace { .. } => "in_grace",
            Self::RotationsUsedUp { .. } => "rotations_used_up",
            Self::DailyQuota { .. } => "daily_quota",
            Self::TooEarly { .. } => "too_early",
            Self::NothingToSplit => "nothing_to_split",
            Self::OldUnconfirmed => "old_unconfirmed",
            Self::GuardrailUnread => "guardrail_unread",
            Self::WorkspaceUnread => "workspace_unread",
            Self::WorkspaceMissing => "workspace_missing",
            Self::SpendUnread => "spend_unread",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::RequestInProgress => "request_in_progress",
            Self::ConfirmationMismatch { .. } => "confirmation_mismatch",
            Self::NothingToRequest => "nothing_to_request",
            Self::JobUnderWay => "job_under_way",
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
            Self::CredentialRefused => "credential_refused",
            Self::Internal => "internal",
        }
    }

    /// Whose fault it is, as the log says it.
    pub const fn level(&self) -> Level {
        match self.status() {
            503 if !matches!(self, Self::Misconfigured | Self::CredentialRefused) => Level::Warn,
            500.. => Level::Error,
            _ => Level::Info,
        }
    }
}
