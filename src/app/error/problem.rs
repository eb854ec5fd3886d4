//! The words of each problem as a caller of the API reads them, and its JSON body. The page `/keys` has words of its own
//! for the refusals of a claim (`scripts/words.js`), and shows these where it has none.

use crate::app::error::Error;
use crate::domain::key::rotation::ROTATIONS_A_DAY;
use crate::domain::people::project::PROJECTS;
use crate::domain::people::request::{Offer, REQUESTS_A_DAY, RequestState};

impl Error {
    pub const fn title(&self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed { .. } => "This address does not take that method",
            Self::BadRequest { .. } | Self::BadMember(_) => "The request was not understood",
            Self::MalformedJson(_) => "The body is not the JSON that is expected",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::BodyTooLarge => "The body is too large",
            Self::AddressTooLong => "The address is too long",
            Self::ForeignOrigin => "The request did not come from our own pages",
            Self::SignInRequired => "Sign in first",
            Self::AccountChanged => "Another account is signed in now",
            Self::AccountNotNamed => "The request does not say for which account it was made",
            Self::RateLimited => "Too many requests",
            Self::MemberNotActive(_) => "This account may not use keys here",
            Self::ProvisioningClosed
            | Self::MintingStopped
            | Self::DatabaseRestored
            | Self::ForeignAccount => "Claims are paused",
            Self::ProjectNotLive | Self::UpstreamTermsUnconfirmed => "Claims are not open yet",
            Self::Blocked { .. } => "This account may not claim a key",
            Self::Held => "Your key is on hold",
            Self::GoogleNotAdmitted => "Your Google account cannot claim",
            Self::AccountTooYoung(_) => "Your GitHub account is too new",
            Self::ApprovalNeeded { .. } => "Claims need approval",
            Self::TermsNotAccepted => "Accept the terms first",
            Self::TermsChanged => "The terms have changed",
            Self::SeatsFull { .. } => "Every key is taken",
            Self::TooManyAttempts { .. } => "Too many attempts today",
            Self::CreditSpent => "Your credit is used up",
            Self::PlanExists => "A plan with this name already exists",
            Self::ProjectExists => "You have a project of this name already",
            Self::ProjectsUsedUp => "You have as many projects as there may be",
            Self::GuardrailMissing => "OpenRouter has no such guardrail",
            Self::Prepaid => "This key is prepaid",
            Self::NotPrepaid => "This member does not prepay",
            Self::PaymentMismatch => "This id belongs to another payment",
            Self::KeysUsedUp { .. } => "You have as many keys as your plan allows",
            Self::ClaimInProgress => "Your key is being made",
            Self::KeyBeingRemoved => "Your old key is being removed",
            Self::KeyEnded => "This key has ended",
            Self::ClaimSuperseded => "Something changed while your key was made",
            Self::KeyOff => "This key is disabled",
            Self::RotationUnsettled => "The last spending is still being counted",
            Self::InGrace { .. } => "Two secrets of this key work already",
            Self::RotationsUsedUp { .. } => "Too many new secrets today",
            Self::DailyQuota { .. } => "Too many changes of this kind today",
            Self::TooEarly { .. } => "It is too early to renew this key",
            Self::NothingToSplit => "Too little is left for two secrets",
            Self::OldUnconfirmed => "OpenRouter did not confirm what the old secret may do",
            Self::IdempotencyMismatch => "This Idempotency-Key belongs to another request",
            Self::RequestInProgress => "This request is being worked on",
            Self::ConfirmationMismatch { .. } => "The number that you confirmed has changed",
            Self::NothingToRequest => "There is nothing to ask for",
            Self::JobUnderWay => "This job is already running",
            Self::RequestsUsedUp { .. } => "Too many requests today",
            Self::AlreadyDecided { .. } => "This request was already decided",
            Self::ListNotHeld => "This list is not held any more",
            Self::SelectionChanged => "The selection is not what was shown any more",
            Self::RequestOutdated => "What the request asks for is not possible any more",
            Self::MemberIsAdmin => "This member is an administrator",
            Self::MemberLeft => "This member has left",
            Self::Handoff(why) => why.title(),
            Self::Device(why) => why.title(),
            Self::ClaimsBusy { .. } => "Too many people are claiming at the moment",
            Self::ClaimUnknown
            | Self::GuardrailUnread
            | Self::WorkspaceUnread
            | Self::SpendUnread => "OpenRouter did not answer",
            Self::UsageUnread { .. } => "Some usage is not read yet",
            Self::WorkspaceClosed => "No key can be made in the workspace of your plan",
            Self::WorkspaceMissing => "The workspace for your key is missing",
            Self::OpenRouterBusy { .. } => "OpenRouter asked this service to slow down",
            Self::OpenRouterRefused => "OpenRouter refused to make a key",
            Self::OpenRouterMismatch => "OpenRouter made a different key from the one requested",
            Self::StorageUnavailable => "The database did not answer",
            Self::NotConfigured | Self::Misconfigured => "This service is not set up yet",
            Self::CredentialRefused => "OpenRouter refuses this service at the moment",
            Self::Internal => "Something went wrong here",
        }
    }

    /// Says what happened, what was not changed, and what to do.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::BadRequest { detail } => (*detail).to_owned(),
            Self::MalformedJson(wrong) | Self::BadMember(wrong) => wrong.sentence(),
            Self::GoogleNotAdmitted => String::from(
                "With Google, only people of a Google Workspace that this service lists can claim a key.",
            ),
            Self::AccountTooYoung(young) => format!(
                "GitHub says that your account is {} days old. To claim a key, it must be {} days old.{}",
                young.age_days,
                young.required_days,
                appeal(young.offer),
            ),
            Self::Blocked { offer } => {
                format!(
                    "An administrator has blocked this account.{}",
                    appeal(*offer)
                )
            }
            Self::ApprovalNeeded { offer } => String::from(approval(*offer)),
            Self::ConfirmationMismatch { named, is } => {
                format!(
                    "Nothing was changed. {} is {is} now. Confirm this number.",
                    named.name()
                )
            }
            Self::ClaimUnknown => String::from(
                "You were not given a key. If one was made, it will be removed, usually within 10 minutes after OpenRouter answers again. Try again then.",
            ),
            Self::ClaimInProgress => String::from(
                "A claim of yours is under way. If it does not settle, it is cleaned up, usually within 10 minutes.",
            ),
            Self::KeyBeingRemoved => {
                String::from("Claim again when it is gone, usually within 10 minutes.")
            }
            Self::KeyEnded => String::from(
                "Nothing was changed. An ended key cannot be enabled again. Claim another key.",
            ),
            Self::ClaimSuperseded => String::from(
                "You were not given a key. The one that was made is being removed. Try again.",
            ),
            Self::KeyOff => String::from(
                "Nothing was changed. A disabled key cannot be replaced. Enable it first. If someone else disabled it, only they can enable it.",
            ),
            Self::RotationUnsettled => String::from(
                "Nothing was changed. The last spending of the old secret and of ended keys is counted first, usually within half an hour.",
            ),
            Self::InGrace { until } => format!(
                "Nothing was changed. The older secret works until {}. To end both, report the key as leaked.",
                until.rfc3339()
            ),
            Self::DailyQuota { .. } => String::from(
                "Nothing was changed. You can still disable or remove a key. Other changes are possible again from 00:00 UTC.",
            ),
            Self::RotationsUsedUp { .. } => {
                format!(
                    "A key can get {ROTATIONS_A_DAY} new secrets a day. The count starts again at 00:00 UTC."
                )
            }
            Self::TooEarly { from } => {
                format!(
                    "Nothing was changed. You can renew it from {} on.",
                    from.rfc3339()
                )
            }
            Self::NothingToSplit => String::from(
                "Nothing was changed. Rotate without a grace period, or after the reset of the limit.",
            ),
            Self::OldUnconfirmed => String::from(
                "No secret was made. It is not certain whether the old one works until OpenRouter says so, usually within 10 minutes. Try again then.",
            ),
            Self::CredentialRefused => String::from(
                "Nothing was changed. The people who run this service can see this. Existing keys go on working. Try again later.",
            ),
            Self::OpenRouterBusy { .. } | Self::OpenRouterRefused | Self::OpenRouterMismatch => {
                String::from("No key was given out. Try again later.")
            }
            Self::Prepaid => String::from("Nothing was changed. Book a payment instead."),
            Self::NotPrepaid => String::from("Nothing was booked. Give them a prepaid plan first."),
            Self::GuardrailMissing => String::from(
                "Nothing was changed. Create it at OpenRouter first, in the same account.",
            ),
            Self::WorkspaceClosed => String::from(
                "Nothing was changed. The people who run this service have not enabled the workspace of your plan. They have to enable it or to give the plan another one.",
            ),
            Self::WorkspaceMissing => String::from(
                "No key was made. OpenRouter no longer has the workspace of your plan. The people who run this service have to give the plan another one.",
            ),
            Self::ProjectsUsedUp => format!(
                "Nothing was changed. You can have {PROJECTS}. Rename one that you no longer need."
            ),
            Self::PlanExists
            | Self::ProjectExists
            | Self::PaymentMismatch
            | Self::GuardrailUnread
            | Self::SpendUnread
            | Self::WorkspaceUnread => String::from("Nothing was changed."),
            Self::UsageUnread { day } => format!(
                "No file was made, because it would show too little: the usage of {day} is not read completely. It is read again every night at 00:30 UTC. Try again then, or choose days without it."
            ),
            Self::IdempotencyMismatch => {
                String::from("Nothing was changed. Send this request with a new Idempotency-Key.")
            }
            Self::RequestInProgress => String::from(
                "Send it again with the same Idempotency-Key in a few seconds to get its answer.",
            ),
            Self::CreditSpent => {
                String::from("Nothing was changed. After your next payment you can claim a key.")
            }
            Self::KeysUsedUp { allowed } => {
                format!("Your plan allows {allowed} at a time. Remove a key first.")
            }
            Self::SeatsFull { free_at: Some(at) } => format!(
                "Some keys have ended, but their spending counts until the end of their window. The next seat becomes free at 00:00 UTC on {}.",
                at.date()
            ),
            Self::SeatsFull { free_at: None } => {
                String::from("A seat becomes free when somebody's key ends.")
            }
            // While one of these holds, keys may be disabled as well, so nothing is said about existing keys.
            Self::MintingStopped | Self::DatabaseRestored | Self::ForeignAccount => {
                String::from("Nothing was changed.")
            }
            Self::ProvisioningClosed | Self::ProjectNotLive | Self::UpstreamTermsUnconfirmed => {
                String::from("Nothing was changed. Existing keys go on working.")
            }
            Self::TermsNotAccepted => {
                String::from("A claim must say which revision of the terms it accepts.")
            }
            Self::TermsChanged => String::from(
                "Nothing was changed. Read the terms that apply now, then accept them.",
            ),
            Self::NothingToRequest => {
                String::from("No rule that an administrator could lift refuses you.")
            }
            Self::JobUnderWay => {
                String::from("No run was started. Ask again when the present run has ended.")
            }
            Self::RequestsUsedUp { .. } => {
                format!(
                    "You can send {REQUESTS_A_DAY} requests a day. The count starts again at 00:00 UTC."
                )
            }
            Self::RequestOutdated => String::from(
                "Nothing was changed. The key has ended, its plan has no limit to raise, or the time is over. Decline the request.",
            ),
            Self::SelectionChanged => String::from(
                "Nothing was changed. Some of what was selected has changed, or what was shown is too old. Look again, and then decide.",
            ),
            Self::ListNotHeld => String::from(
                "Nothing was changed. The list was decided already, or it has expired. People who are still gone are in a newer one.",
            ),
            Self::AlreadyDecided { state } => {
                format!(
                    "Nothing was changed. The request is already {}.",
                    state.name()
                )
            }
            Self::MemberIsAdmin => String::from(
                "Nothing was changed. Remove their number from ADMIN_GITHUB_USER_IDS first.",
            ),
            Self::Handoff(why) => why.detail().to_owned(),
            Self::Device(why) => why.detail().to_owned(),
            Self::MemberLeft => String::from(
                "Nothing was changed. Their keys have ended. To refuse claims if they come back, block their account number.",
            ),
            Self::ClaimsBusy { .. } => String::from(
                "Nothing was changed. The service limits how many keys it makes in an hour.",
            ),
            Self::TooManyAttempts { .. } => {
                String::from("You can try ten times a day. The count starts again at 00:00 UTC.")
            }
            Self::Held => String::from(
                "An administrator has disabled it, or it was reported as leaked. Ask an administrator, or make a new secret.",
            ),
            Self::RateLimited => String::from("Wait a minute, then try again."),
            Self::StorageUnavailable => String::from(
                "Your change may have been saved. Check in a minute, before you repeat it.",
            ),
            Self::AccountChanged => String::from(
                "Nothing was changed. The page was made for another account. Reload it to act for the account that is signed in now.",
            ),
            Self::AccountNotNamed => String::from(
                "Nothing was changed. Send the header X-Keycap-Member with the member's id as GET /api/v1/me returns it.",
            ),
            Self::ForeignOrigin => {
                String::from("Nothing was changed. Open this service's own page and try there.")
            }
            Self::NotFound => String::from("The address may be mistyped, or the page has moved."),
            Self::MethodNotAllowed { allow } => format!("This address takes {allow}."),
            Self::UnsupportedMediaType => String::from(
                "Nothing was changed. Send JSON with the content type application/json.",
            ),
            Self::BodyTooLarge => String::from("Nothing was changed. Send a smaller body."),
            Self::AddressTooLong => String::from("No address of this service is that long."),
            Self::SignInRequired => {
                String::from("Nothing was changed. There is no session, or it has ended.")
            }
            Self::MemberNotActive(_) => {
                String::from("Nothing was changed. Ask the people who run this service about it.")
            }
            Self::NotConfigured | Self::Misconfigured => {
                String::from("The people who run this service have to complete its settings.")
            }
            Self::Internal => String::from(
                "It is our fault, not yours. Try again in a minute. If it happens again, tell the people who run this service, with the request id.",
            ),
        }
    }
}

/// Says what a person can do about a rule that refuses them.
const fn appeal(offer: Offer) -> &'static str {
    match offer.state {
        Some(RequestState::Open) => " Your appeal waits for an administrator.",
        Some(RequestState::Declined) => " Your appeal was declined.",
        Some(RequestState::Approved | RequestState::Withdrawn) | None => {
            " You can appeal to an administrator."
        }
    }
}

const fn approval(offer: Offer) -> &'static str {
    match offer.state {
        Some(RequestState::Open) => "Your request waits for an administrator.",
        Some(RequestState::Declined) => "Your request was declined. You can ask again.",
        Some(RequestState::Approved | RequestState::Withdrawn) | None => {
            "Ask for approval; an administrator decides."
        }
    }
}
