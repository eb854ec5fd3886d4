//! Every way in which a request can fail, and the only place that turns it into an `application/problem+json` answer
//! (RFC 9457).
//!
//! There are three severities: the caller's fault, another service's (the answer says when to try again), and ours. An
//! internal error does not tell its cause. The API's words are in `problem`; the pages have theirs (`scripts/words.js`).

mod body;
mod from;
pub mod oauth;
mod problem;
pub mod problem_body;
mod retry;

pub use crate::app::error::body::BodyError;
use crate::domain::people::device::DeviceRefusal;
use crate::domain::people::handoff::HandoffRefusal;
use crate::domain::people::identity::Status;
use crate::domain::people::request::{self, Offer};
use crate::domain::policy::gate::TooYoung;
use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;

/// The reasons for refusing a request. Each variant is a kind that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    // These are the caller's fault.
    NotFound,
    MethodNotAllowed {
        allow: String,
    },
    BadRequest {
        detail: &'static str,
    },
    /// The body has another shape than the route takes.
    MalformedJson(BodyError),
    /// A member of the body has a value that is not possible.
    BadMember(BodyError),
    UnsupportedMediaType,
    BodyTooLarge,
    /// The address is longer than any address of this service.
    AddressTooLong,
    ForeignOrigin,
    SignInRequired,
    /// The page was made for a member other than the one of the session.
    AccountChanged,
    /// The request does not say for which member its page was made.
    AccountNotNamed,
    RateLimited,
    /// The member is suspended or banned, or has left.
    MemberNotActive(Status),
    ProjectNotLive,
    ProvisioningClosed,
    MintingStopped,
    /// The database was restored and may have lost recent changes.
    DatabaseRestored,
    /// The management key belongs to another OpenRouter account.
    ForeignAccount,
    /// No admin has confirmed OpenRouter's own terms yet.
    UpstreamTermsUnconfirmed,
    Blocked {
        offer: Offer,
    },
    Held,
    /// The Google account is of no Workspace whose people may claim.
    GoogleNotAdmitted,
    AccountTooYoung(TooYoung),
    ApprovalNeeded {
        offer: Offer,
    },
    TermsNotAccepted,
    /// The request accepts a revision of the terms that is not the one in force.
    TermsChanged,
    SeatsFull {
        /// When an ended key gives its seat back. It is `None` if live keys take all seats.
        free_at: Option<Timestamp>,
    },
    TooManyAttempts {
        retry_at: Timestamp,
    },
    /// The owner's prepaid credit is spent.
    CreditSpent,
    PlanExists,
    /// The member has another project of this name.
    ProjectExists,
    /// The member has as many projects as there may be.
    ProjectsUsedUp,
    /// OpenRouter has no such guardrail.
    GuardrailMissing,
    /// A prepaid limit cannot be raised; another payment raises it.
    Prepaid,
    NotPrepaid,
    /// Another payment has this id.
    PaymentMismatch,
    /// The owner has as many keys as the plan allows.
    KeysUsedUp {
        allowed: i64,
    },
    ClaimInProgress,
    KeyBeingRemoved,
    /// The key has expired or was removed.
    KeyEnded,
    ClaimSuperseded,
    /// The key is disabled. A disabled key is not replaced.
    KeyOff,
    /// The spend of the last rotation is not settled yet.
    RotationUnsettled,
    /// Two secrets of the key work until then.
    InGrace {
        until: Timestamp,
    },
    RotationsUsedUp {
        retry_at: Timestamp,
    },
    /// The member has made as many changes of this kind as a day allows.
    DailyQuota {
        retry_at: Timestamp,
    },
    /// A key can be renewed only near the end of its life.
    TooEarly {
        from: Timestamp,
    },
    /// Less is left of the limit than two keys need.
    NothingToSplit,
    IdempotencyMismatch,
    /// The first request with this Idempotency-Key is still being worked on.
    RequestInProgress,
    /// A mass action has to name the current number of keys, and it named another one.
    ConfirmationMismatch {
        named: Confirmed,
        is: i64,
    },
    /// A run of this job has not ended yet.
    JobUnderWay,
    /// No rule refuses the member that an admin could lift.
    NothingToRequest,
    RequestsUsedUp {
        retry_at: Timestamp,
    },
    /// The request was already decided differently.
    AlreadyDecided {
        state: request::RequestState,
    },
    /// The list of people is not held any more: it was decided, or it has expired.
    ListNotHeld,
    /// What an administrator has selected is not what was shown any more.
    SelectionChanged,
    /// What the request asks for is not possible any more.
    RequestOutdated,
    /// The configuration names this member as an admin, so no one can suspend or ban them here.
    MemberIsAdmin,
    /// The member has left, so nothing can be done with them.
    MemberLeft,
    /// A sign-in at a billing provider, or a device grant, does not allow this step, or came to nothing.
    Handoff(HandoffRefusal),
    Device(DeviceRefusal),
    // These are the fault of another service.
    /// There were more claims within the hour than this deployment allows.
    ClaimsBusy {
        retry_at: Timestamp,
    },
    /// The outcome of the mint is unknown. There is no key, or one that will be removed.
    ClaimUnknown,
    /// OpenRouter did not confirm that the old key is as it must be before a new one is made.
    OldUnconfirmed,
    /// OpenRouter did not say whether there is such a guardrail.
    GuardrailUnread,
    /// OpenRouter did not say whether there is such a workspace.
    WorkspaceUnread,
    /// The plan ties its keys to a workspace that is not enabled.
    WorkspaceClosed,
    /// OpenRouter no longer has the workspace in which the plan's keys are made.
    WorkspaceMissing,
    /// OpenRouter did not say what the keys have spent.
    SpendUnread,
    /// The usage of this day is not read completely.
    UsageUnread {
        day: UtcDay,
    },
    OpenRouterBusy {
        retry_after_secs: u32,
    },
    OpenRouterRefused,
    OpenRouterMismatch,
    StorageUnavailable,
    // These are our fault.
    NotConfigured,
    Misconfigured,
    /// OpenRouter refuses this service's management key, so an operator must act.
    CredentialRefused,
    Internal,
}

/// The number that a mass action has to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    LiveKeys,
    SessionEpoch,
}

impl Confirmed {
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveKeys => "live_keys",
            Self::SessionEpoch => "session_epoch",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
}

impl Error {
    pub const fn malformed(pointer: &'static str, detail: &'static str) -> Self {
        Self::MalformedJson(BodyError::new(pointer, detail))
    }

    pub const fn bad_member(pointer: &'static str, detail: &'static str) -> Self {
        Self::BadMember(BodyError::new(pointer, detail))
    }

    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest { .. } | Self::MalformedJson(_) | Self::BadMember(_) => 400,
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
            | Self::WorkspaceClosed
            | Self::GoogleNotAdmitted
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
            | Self::ProjectExists
            | Self::ProjectsUsedUp
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
            | Self::ListNotHeld
            | Self::SelectionChanged
            | Self::RequestOutdated
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
            Self::Handoff(why) => why.status(),
            Self::Device(why) => why.status(),
            Self::Internal => 500,
            Self::OpenRouterRefused | Self::OpenRouterMismatch => 502,
            Self::ClaimsBusy { .. }
            | Self::ClaimUnknown
            | Self::OldUnconfirmed
            | Self::GuardrailUnread
            | Self::WorkspaceUnread
            | Self::WorkspaceMissing
            | Self::SpendUnread
            | Self::UsageUnread { .. }
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
            Self::BadRequest { .. } | Self::BadMember(_) => "bad_request",
            Self::MalformedJson(_) => "malformed_json",
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
            Self::GoogleNotAdmitted => "google_not_admitted",
            Self::AccountTooYoung(_) => "account_too_young",
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::TermsNotAccepted => "terms_not_accepted",
            Self::TermsChanged => "terms_changed",
            Self::SeatsFull { .. } => "seats_full",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::CreditSpent => "credit_spent",
            Self::PlanExists => "plan_exists",
            Self::ProjectExists => "project_exists",
            Self::ProjectsUsedUp => "projects_used_up",
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
            Self::WorkspaceClosed => "workspace_closed",
            Self::WorkspaceMissing => "workspace_missing",
            Self::SpendUnread => "spend_unread",
            Self::UsageUnread { .. } => "usage_unread",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::RequestInProgress => "request_in_progress",
            Self::ConfirmationMismatch { .. } => "confirmation_mismatch",
            Self::NothingToRequest => "nothing_to_request",
            Self::JobUnderWay => "job_under_way",
            Self::RequestsUsedUp { .. } => "requests_used_up",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::ListNotHeld => "list_not_held",
            Self::SelectionChanged => "selection_changed",
            Self::RequestOutdated => "request_outdated",
            Self::MemberIsAdmin => "member_is_admin",
            Self::MemberLeft => "member_left",
            Self::Handoff(why) => why.code(),
            Self::Device(why) => why.code(),
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

    /// Whose fault the error is, as a level of the log.
    pub const fn level(&self) -> Level {
        match self.status() {
            503 if !matches!(self, Self::Misconfigured | Self::CredentialRefused) => Level::Warn,
            500.. => Level::Error,
            _ => Level::Info,
        }
    }
}
