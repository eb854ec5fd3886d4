//! The body of the answer to a refused request, and of a refusal that is announced in advance.

use serde::Serialize;

use crate::app::error::{BodyError, Confirmed, Error};
use crate::domain::people::request::{Offer, RequestKind, RequestState};
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;

/// A problem (RFC 9457).
#[derive(Debug, Serialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "Problem")
)]
pub struct ProblemBody {
    #[serde(rename = "type")]
    kind: &'static str,
    pub title: &'static str,
    status: u16,
    /// What happened, what was not changed, and what to do.
    pub detail: String,
    /// The id of the request, as in the header `x-request-id`.
    instance: String,
    /// What happened, as one stable word for programs.
    code: &'static str,
    /// When the request may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    /// What is wrong in the body of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<BodyError>>,
    /// The number of live keys, which a request that disables all keys has to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_keys: Option<i64>,
    /// The number that a request that ends all sessions has to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_epoch: Option<i64>,
    #[serde(flatten)]
    about: RefusalFacts,
}

/// Why a claim would be refused. The members are those of the claim's own answer.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RefusalBody {
    code: &'static str,
    title: &'static str,
    detail: String,
    /// When a claim may succeed.
    retry_at: Option<Timestamp>,
    #[serde(flatten)]
    about: RefusalFacts,
}

/// The facts behind a refusal, each where it is about them.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
struct RefusalFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_age_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_days: Option<u32>,
    /// The revision of the terms that is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_revision: Option<i64>,
    /// What the member may ask an administrator for against this refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_kind: Option<RequestKind>,
    /// The state of the member's last request of that kind: open, declined, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Option<RequestState>>,
}

impl RefusalFacts {
    fn offered(offer: Offer) -> Self {
        Self {
            request_kind: Some(offer.kind),
            request: Some(offer.state),
            ..Self::default()
        }
    }
}

impl Error {
    /// The body of the answer.
    pub fn problem(&self, request_id: &str) -> ProblemBody {
        let confirmed = |which| match self {
            Self::ConfirmationMismatch { named, is } if *named == which => Some(*is),
            _ => None,
        };
        ProblemBody {
            kind: "about:blank",
            title: self.title(),
            status: self.status(),
            detail: self.detail(),
            instance: request_id.to_owned(),
            code: self.code(),
            retry_at: self.retry_at(),
            errors: match self {
                Self::MalformedJson(wrong) | Self::BadMember(wrong) => Some(vec![wrong.clone()]),
                _ => None,
            },
            live_keys: confirmed(Confirmed::LiveKeys),
            session_epoch: confirmed(Confirmed::SessionEpoch),
            about: self.about(),
        }
    }

    /// The refusal of a claim, before anyone has sent one.
    pub fn refusal(&self) -> RefusalBody {
        RefusalBody {
            code: self.code(),
            title: self.title(),
            detail: self.detail(),
            retry_at: self.retry_at(),
            about: self.about(),
        }
    }

    const fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::TooManyAttempts { retry_at: at }
            | Self::RequestsUsedUp { retry_at: at }
            | Self::ClaimsBusy { retry_at: at }
            | Self::RotationsUsedUp { retry_at: at }
            | Self::DailyQuota { retry_at: at }
            | Self::InGrace { until: at }
            | Self::TooEarly { from: at } => Some(*at),
            Self::SeatsFull { free_at } => *free_at,
            _ => None,
        }
    }

    fn about(&self) -> RefusalFacts {
        match self {
            Self::AccountTooYoung(young) => RefusalFacts {
                account_age_days: Some(young.age_days),
                required_days: Some(young.required_days),
                ..RefusalFacts::offered(young.offer)
            },
            Self::Blocked { offer } | Self::ApprovalNeeded { offer } => {
                RefusalFacts::offered(*offer)
            }
            Self::TermsNotAccepted | Self::TermsChanged => RefusalFacts {
                terms_revision: Some(REVISION),
                ..RefusalFacts::default()
            },
            _ => RefusalFacts::default(),
        }
    }
}
