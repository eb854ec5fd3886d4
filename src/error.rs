//! What can go wrong on the request path, and its only mapping to an `application/problem+json` answer (RFC 9457).
//!
//! Three severities: the caller's fault, the world's fault (it says when to retry), our fault. Internal kinds give a
//! title and the request id, nothing else.

use crate::domain::identity::Status;
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
    Blocked,
    Held,
    AccountTooYoung {
        age_days: i64,
        required_days: u32,
    },
    SeatsFull,
    TooManyAttempts {
        retry_at: Timestamp,
    },
    BudgetSpent {
        resets_at: Timestamp,
    },
    ClaimInProgress,
    KeyBeingRemoved,
    ClaimSuperseded,
    IdempotencyMismatch,
    /// A mass action named another number than there are.
    ConfirmationMismatch {
        live_keys: i64,
    },
    // The world's fault.
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
            | Self::Blocked
            | Self::Held
            | Self::AccountTooYoung { .. }
            | Self::SeatsFull
            | Self::BudgetSpent { .. } => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::ClaimInProgress
            | Self::KeyBeingRemoved
            | Self::ClaimSuperseded
            | Self::ConfirmationMismatch { .. } => 409,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyMismatch => 422,
            Self::RateLimited | Self::TooManyAttempts { .. } => 429,
            Self::CredentialRefused | Self::Internal => 500,
            Self::OpenRouterRefused | Self::OpenRouterMismatch => 502,
            Self::ClaimUnknown
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
            Self::Blocked => "blocked",
            Self::Held => "key_held",
            Self::AccountTooYoung { .. } => "account_too_young",
            Self::SeatsFull => "seats_full",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::BudgetSpent { .. } => "budget_spent",
            Self::ClaimInProgress => "claim_in_progress",
            Self::KeyBeingRemoved => "key_being_removed",
            Self::ClaimSuperseded => "claim_superseded",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::ConfirmationMismatch { .. } => "confirmation_mismatch",
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
            | Self::Blocked
            | Self::Held
            | Self::AccountTooYoung { .. }
            | Self::SeatsFull
            | Self::TooManyAttempts { .. }
            | Self::BudgetSpent { .. }
            | Self::ClaimInProgress
            | Self::KeyBeingRemoved
            | Self::ClaimSuperseded
            | Self::IdempotencyMismatch
            | Self::ConfirmationMismatch { .. } => Level::Info,
            Self::ClaimUnknown
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
            Self::TooManyAttempts { retry_at: at } | Self::BudgetSpent { resets_at: at } => {
                Some(at.since(now).max(1))
            }
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
            | Self::Blocked
            | Self::Held
            | Self::AccountTooYoung { .. }
            | Self::SeatsFull
            | Self::IdempotencyMismatch
            | Self::ConfirmationMismatch { .. }
            | Self::OpenRouterRefused
            | Self::OpenRouterMismatch
            | Self::NotConfigured
            | Self::Misconfigured
            | Self::CredentialRefused
            | Self::Internal => None,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed { .. } => "This address does not take that method",
            Self::BadRequest { .. } => "The request is not understood",
            Self::MalformedJson => "The body is not the JSON that is expected",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::BodyTooLarge => "The body is too large",
            Self::ForeignOrigin => "The request did not come from our own pages",
            Self::SignInRequired => "Sign in first",
            Self::RateLimited => "Too many requests",
            Self::MemberNotActive(_) => "This account may not use keys here",
            Self::ProjectNotLive => "Claims are not open yet",
            Self::ProvisioningClosed | Self::MintingStopped => "Claims are paused",
            Self::Blocked => "This account may not claim a key",
            Self::Held => "Your key is held",
            Self::AccountTooYoung { .. } => "Your GitHub account is too new",
            Self::SeatsFull => "Every key is taken",
            Self::TooManyAttempts { .. } => "Too many tries today",
            Self::BudgetSpent { .. } => "This period's limit is spent",
            Self::ClaimInProgress => "Your key is being made",
            Self::KeyBeingRemoved => "Your old key is being removed",
            Self::ClaimSuperseded => "Something changed while your key was made",
            Self::IdempotencyMismatch => "This Idempotency-Key belongs to another request",
            Self::ConfirmationMismatch { .. } => "There are more keys than that",
            Self::ClaimUnknown => "OpenRouter did not answer",
            Self::OpenRouterBusy { .. } => "OpenRouter asks for patience",
            Self::OpenRouterRefused => "OpenRouter refused to make a key",
            Self::OpenRouterMismatch => "OpenRouter made something else than was asked for",
            Self::StorageUnavailable => "The database did not answer",
            Self::NotConfigured | Self::Misconfigured => "This service is not set up yet",
            Self::CredentialRefused | Self::Internal => "Something went wrong here",
        }
    }

    /// What happened, what was not changed, and what to do.
    fn detail(&self) -> String {
        match self {
            Self::BadRequest { detail } => (*detail).to_owned(),
            Self::AccountTooYoung {
                age_days,
                required_days,
            } => format!(
                "GitHub says your account is {age_days} days old; claims need {required_days}."
            ),
            Self::ConfirmationMismatch { live_keys } => {
                format!(
                    "Nothing was changed. Live keys now: {live_keys}. Confirm at least that number."
                )
            }
            Self::ClaimUnknown => String::from(
                "Your key was not created, or will be removed, usually within 10 minutes, at most 30. Try again then.",
            ),
            Self::ClaimInProgress => String::from(
                "A claim of yours is under way. If it does not settle, it is cleaned up, usually within 10 minutes.",
            ),
            Self::KeyBeingRemoved => {
                String::from("Claim again when it is gone, usually within 10 minutes.")
            }
            Self::ClaimSuperseded => {
                String::from("The key was removed again and nothing was given out. Try again.")
            }
            Self::OpenRouterBusy { .. } | Self::OpenRouterRefused | Self::OpenRouterMismatch => {
                String::from("No key was given out. Try again later.")
            }
            Self::BudgetSpent { .. } => {
                String::from("Your last key used this period's limit. Claim again after the reset.")
            }
            Self::SeatsFull => String::from("A place becomes free when somebody's key ends."),
            Self::MintingStopped | Self::ProvisioningClosed | Self::ProjectNotLive => {
                String::from("Nothing was changed. Existing keys go on working.")
            }
            Self::TooManyAttempts { .. } => {
                String::from("A day has ten tries. It starts again at 00:00 UTC.")
            }
            Self::Held => String::from("An administrator has put it on hold; ask them."),
            Self::RateLimited => String::from("Wait a minute, then try again."),
            Self::StorageUnavailable => String::from(
                "It may have kept what you did. Look again in a minute before you repeat it.",
            ),
            Self::ForeignOrigin => {
                String::from("Nothing was changed. Open this service's own page and try there.")
            }
            _ => String::new(),
        }
    }

    /// The body of the answer. `instance` is the request id.
    pub fn problem(&self, request_id: &str) -> serde_json::Value {
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status(),
            "detail": self.detail(),
            "instance": request_id,
            "code": self.code(),
        });
        let more = match self {
            Self::AccountTooYoung {
                age_days,
                required_days,
            } => vec![
                ("account_age_days", serde_json::json!(age_days)),
                ("required_days", serde_json::json!(required_days)),
            ],
            Self::TooManyAttempts { retry_at: at } | Self::BudgetSpent { resets_at: at } => {
                vec![("retry_at", serde_json::json!(at))]
            }
            Self::ConfirmationMismatch { live_keys } => {
                vec![("live_keys", serde_json::json!(live_keys))]
            }
            _ => Vec::new(),
        };
        if let Some(members) = body.as_object_mut() {
            members.extend(
                more.into_iter()
                    .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        body
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
