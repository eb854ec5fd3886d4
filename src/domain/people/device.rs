//! A device grant (RFC 8628): a terminal asks for a key, its person approves in a browser by typing a code, and the key is
//! made in the terminal's own next question.

use serde::{Deserialize, Serialize};

use crate::domain::people::text::{self, Refused};
use crate::domain::time::Timestamp;

/// How long a person may take, in seconds, from the terminal's start to its key.
pub const GRANT_SECS: i64 = 600;
/// How long a terminal waits between two questions, in seconds, and by how much that grows each time it does not wait.
pub const INTERVAL_SECS: i64 = 5;
/// A question may come this much early, in seconds: both times are whole seconds.
pub const SLACK_SECS: i64 = 1;
/// So many grants can wait for their people at once, so that nobody fills the database by beginning.
pub const OPEN_GRANTS: i64 = 10_000;
/// So many codes that belong to nothing can one member type in a UTC day.
pub const WRONG_CODES_A_DAY: i64 = 20;
/// The `grant_type` of a terminal's question (RFC 8628, section 3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The most characters of what a terminal says about itself.
const NAME_CHARS: usize = 64;

/// What a terminal says about itself, as it is stored: one line of 1 to 64 characters, without invisible ones.
pub fn claimed_name(text: &str) -> Result<String, Refused> {
    text::line(text, NAME_CHARS)
}

/// How far a grant has come, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending,
    /// Approved. The terminal's next question makes the key.
    Approved,
    Denied,
    /// The terminal has asked, and its one key was to be made.
    Redeemed,
    /// The terminal has asked, and no key was made.
    Failed,
}

/// What is wrong with a request about a device grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRefusal {
    // A terminal is told these.
    Pending,
    SlowDown,
    Denied,
    /// The member who approved has no current session any more.
    Withdrawn,
    Expired,
    /// No grant has this device code, or another client began it.
    UnknownDeviceCode,
    /// The key was made for an earlier question, or it is not known whether it was.
    Redeemed,
    /// An earlier question made no key.
    Failed,
    UnsupportedGrantType,
    /// As many grants wait as there may be.
    TooManyOpen,
    // A browser is told these.
    UnknownUserCode,
    CodeExpired,
    /// The member has decided about it already.
    Decided,
    // Both are told this one.
    /// The member has a key, and there is one per account.
    HasKey,
}

impl DeviceRefusal {
    /// Why a grant of this state gives a terminal no key. `None` if it is approved.
    pub const fn of(state: DeviceState) -> Option<Self> {
        match state {
            DeviceState::Pending => Some(Self::Pending),
            DeviceState::Approved => None,
            DeviceState::Denied => Some(Self::Denied),
            DeviceState::Redeemed => Some(Self::Redeemed),
            DeviceState::Failed => Some(Self::Failed),
        }
    }

    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownUserCode => 404,
            Self::CodeExpired | Self::Decided | Self::HasKey => 409,
            Self::TooManyOpen => 503,
            _ => 400,
        }
    }

    /// The code for programs of ours.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "device_pending",
            Self::SlowDown => "device_slow_down",
            Self::Denied | Self::Withdrawn => "device_denied",
            Self::Expired | Self::CodeExpired => "device_expired",
            Self::UnknownDeviceCode | Self::UnknownUserCode => "device_code_unknown",
            Self::Redeemed => "device_redeemed",
            Self::Failed => "device_failed",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TooManyOpen => "device_grants_used_up",
            Self::Decided => "device_decided",
            Self::HasKey => "device_has_key",
        }
    }

    /// The error of OAuth (RFC 6749, section 5.2; RFC 8628, section 3.5).
    pub const fn oauth(self) -> &'static str {
        match self {
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::Expired | Self::CodeExpired => "expired_token",
            Self::UnknownDeviceCode | Self::UnknownUserCode | Self::Redeemed => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TooManyOpen => "temporarily_unavailable",
            Self::Denied | Self::Withdrawn | Self::Failed | Self::Decided | Self::HasKey => {
                "access_denied"
            }
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Pending => "Nobody has approved this yet",
            Self::SlowDown => "This terminal asks too often",
            Self::Denied => "This was denied in the browser",
            Self::Withdrawn => "The approval does not count any more",
            Self::Expired => "This took longer than ten minutes",
            Self::UnknownDeviceCode => "No request has this device code",
            Self::Redeemed => "The key was already handed out",
            Self::Failed => "An earlier question made no key",
            Self::UnsupportedGrantType => "This service knows only the grant type of devices",
            Self::TooManyOpen => "Too many terminals wait at the moment",
            Self::UnknownUserCode => "No terminal waits with this code",
            Self::CodeExpired => "This code is too old",
            Self::Decided => "You have decided about this already",
            Self::HasKey => "You already have a key",
        }
    }

    pub const fn detail(self) -> &'static str {
        match self {
            Self::Pending => "Ask again later.",
            Self::SlowDown => "Wait five seconds longer between questions from now on.",
            Self::Denied => "No key was made.",
            Self::Withdrawn => "The session of the member who approved has ended. No key was made.",
            Self::Expired => "No key was made. Begin again.",
            Self::UnknownDeviceCode => "Begin again.",
            Self::Redeemed => {
                "A secret is told once. If it was lost, make a new secret on the page of your keys, or begin again if no key is there after ten minutes."
            }
            Self::Failed => "Begin again.",
            Self::UnsupportedGrantType => {
                "Send grant_type=urn:ietf:params:oauth:grant-type:device_code."
            }
            Self::TooManyOpen => "Nothing was begun. Try again in ten minutes.",
            Self::UnknownUserCode => {
                "Type it as the terminal shows it. Twenty wrong codes a day are taken."
            }
            Self::CodeExpired => "Nothing was changed. Begin again in the terminal.",
            Self::Decided => "Nothing was changed.",
            Self::HasKey => {
                "Nothing was changed. To use it in a terminal, make a new secret on the page of your keys."
            }
        }
    }
}

/// Whether a grant can still be approved or redeemed.
pub fn is_open(state: DeviceState, expires_at: Timestamp, now: Timestamp) -> bool {
    matches!(state, DeviceState::Pending | DeviceState::Approved) && expires_at > now
}
