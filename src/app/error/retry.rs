//! Says when a refused request may be tried again.

use crate::app::error::Error;
use crate::domain::people::device::DeviceRefusal;
use crate::domain::people::handoff::HandoffRefusal;
use crate::domain::time::Timestamp;

impl Error {
    /// The seconds after which another try makes sense, or `None` if it makes no sense.
    pub fn retry_after(&self, now: Timestamp) -> Option<i64> {
        match self {
            Self::RateLimited
            | Self::StorageUnavailable
            | Self::GuardrailUnread
            | Self::SpendUnread
            | Self::WorkspaceUnread => Some(60),
            Self::WorkspaceMissing | Self::UsageUnread { .. } => Some(3_600),
            Self::TooManyAttempts { retry_at: at }
            | Self::RequestsUsedUp { retry_at: at }
            | Self::ClaimsBusy { retry_at: at }
            | Self::RotationsUsedUp { retry_at: at }
            | Self::DailyQuota { retry_at: at }
            | Self::InGrace { until: at }
            | Self::TooEarly { from: at }
            | Self::SeatsFull { free_at: Some(at) } => Some(at.since(now).max(1)),
            Self::ClaimInProgress | Self::RequestInProgress => Some(5),
            Self::Handoff(HandoffRefusal::NotReady | HandoffRefusal::UnderWay) => Some(2),
            Self::KeyBeingRemoved
            | Self::ClaimUnknown
            | Self::OldUnconfirmed
            | Self::CredentialRefused
            | Self::Device(DeviceRefusal::TooManyOpen)
            | Self::RotationUnsettled => Some(600),
            Self::ClaimSuperseded => Some(1),
            Self::OpenRouterBusy { retry_after_secs } => Some(i64::from(*retry_after_secs)),
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::BadRequest { .. }
            | Self::MalformedJson(_)
            | Self::BadMember(_)
            | Self::UnsupportedMediaType
            | Self::BodyTooLarge
            | Self::AddressTooLong
            | Self::ForeignOrigin
            | Self::SignInRequired
            | Self::AccountChanged
            | Self::AccountNotNamed
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
            | Self::TermsChanged
            | Self::SeatsFull { free_at: None }
            | Self::CreditSpent
            | Self::PlanExists
            | Self::ProjectExists
            | Self::ProjectsUsedUp
            | Self::GuardrailMissing
            | Self::Prepaid
            | Self::NotPrepaid
            | Self::PaymentMismatch
            | Self::KeysUsedUp { .. }
            | Self::KeyEnded
            | Self::KeyOff
            | Self::NothingToSplit
            | Self::IdempotencyMismatch
            | Self::ConfirmationMismatch { .. }
            | Self::NothingToRequest
            | Self::JobUnderWay
            | Self::AlreadyDecided { .. }
            | Self::ListNotHeld
            | Self::SelectionChanged
            | Self::RequestOutdated
            | Self::MemberIsAdmin
            | Self::MemberLeft
            | Self::Handoff(_)
            | Self::Device(_)
            | Self::OpenRouterRefused
            | Self::OpenRouterMismatch
            | Self::NotConfigured
            | Self::Misconfigured
            | Self::Internal => None,
        }
    }
}
