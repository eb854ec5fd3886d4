//! A hand-off: a member signs in at a billing provider, comes back, types a code, and gets the key that the provider makes
//! for them. How long it lasts, what it is called at the provider, and how far it has come.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// How long a person may take, in seconds. OpenRouter's codes live as long.
pub const HANDOFF_SECS: i64 = 600;
/// An exchange whose outcome is not recorded after so many seconds is unknown.
pub const SETTLED_WITHIN_SECS: i64 = 300;
/// So many wrong codes end a hand-off. The schema has the same number.
pub const WRONG_CODES: i64 = 5;
/// How long a page waits between two questions, in milliseconds.
pub const POLL_AFTER_MS: u32 = 1_500;
/// So many can be begun in a UTC day.
pub const HANDOFFS_A_DAY: i64 = 50;
/// How often labels and projects of provider keys can be changed in a UTC day.
pub const PROVIDER_KEY_CHANGES_A_DAY: i64 = 50;

/// How far a hand-off has come, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandoffState {
    Pending,
    Ready,
    Redeeming,
    Redeemed,
    Refused,
    Unknown,
}

/// How far a hand-off has come, as its owner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum HandoffStatus {
    /// Nobody has come back from the provider yet.
    Pending,
    /// The provider sent the browser back. The code is to be typed, and the key to be redeemed.
    Ready,
    /// The provider is being asked for the key.
    Redeeming,
    /// The key was handed out.
    Redeemed,
    /// It was not finished in time. No key was made.
    Expired,
    /// The provider or its owner declined it, or too many wrong codes were typed. No key was made.
    Refused,
    /// The provider was asked for a key and it is not known what it did. There may be a key that nobody has.
    Unknown,
}

impl HandoffStatus {
    /// The status of a hand-off in this state. `needed_secs` is how long it must still last for its next step.
    pub fn of(state: HandoffState, facts: &HandoffTimes, now: Timestamp, needed_secs: i64) -> Self {
        match state {
            HandoffState::Pending if facts.expires_at.since(now) < needed_secs => Self::Expired,
            HandoffState::Pending => Self::Pending,
            HandoffState::Ready if facts.expires_at <= now => Self::Expired,
            HandoffState::Ready => Self::Ready,
            HandoffState::Redeeming if facts.is_stale(now) => Self::Unknown,
            HandoffState::Redeeming => Self::Redeeming,
            HandoffState::Redeemed => Self::Redeemed,
            HandoffState::Refused => Self::Refused,
            HandoffState::Unknown => Self::Unknown,
        }
    }
}

/// The times that decide about a hand-off.
#[derive(Clone, Copy, Debug)]
pub struct HandoffTimes {
    pub expires_at: Timestamp,
    pub redeeming_at: Option<Timestamp>,
}

impl HandoffTimes {
    /// Whether its exchange began so long ago that nobody works on it any more.
    fn is_stale(&self, now: Timestamp) -> bool {
        self.redeeming_at
            .is_some_and(|at| now.since(at) >= SETTLED_WITHIN_SECS)
    }
}

/// What is wrong with a request about a hand-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffRefusal {
    /// Nobody has come back from the provider yet.
    NotReady,
    /// The code was not typed yet.
    NotConfirmed,
    WrongCode,
    /// The wrong code was one too many.
    Burnt,
    UnderWay,
    Redeemed,
    Expired,
    Refused,
    /// What is stored cannot be opened.
    Unreadable,
    /// The provider refused the exchange.
    Declined,
    /// The provider's answer, or our record, is unknown.
    Unknown,
}

impl HandoffRefusal {
    /// Why a hand-off of this status can take no further step.
    pub const fn of(status: HandoffStatus) -> Self {
        match status {
            HandoffStatus::Pending => Self::NotReady,
            HandoffStatus::Ready => Self::NotConfirmed,
            HandoffStatus::Redeeming => Self::UnderWay,
            HandoffStatus::Redeemed => Self::Redeemed,
            HandoffStatus::Expired => Self::Expired,
            HandoffStatus::Refused => Self::Refused,
            HandoffStatus::Unknown => Self::Unknown,
        }
    }

    pub const fn status(self) -> u16 {
        match self {
            Self::WrongCode => 422,
            Self::Declined => 502,
            Self::Unknown => 503,
            _ => 409,
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::NotReady => "handoff_pending",
            Self::NotConfirmed => "handoff_unconfirmed",
            Self::WrongCode => "handoff_code_wrong",
            Self::Burnt | Self::Refused => "handoff_refused",
            Self::UnderWay => "handoff_under_way",
            Self::Redeemed => "handoff_redeemed",
            Self::Expired => "handoff_expired",
            Self::Unreadable => "handoff_unreadable",
            Self::Declined => "provider_refused",
            Self::Unknown => "handoff_unknown",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::NotReady => "You have not come back from the provider yet",
            Self::NotConfirmed => "The code has to be typed first",
            Self::WrongCode => "That is not the code",
            Self::Burnt => "That was one wrong code too many",
            Self::UnderWay => "The provider is being asked for the key",
            Self::Redeemed => "This sign-in was used already",
            Self::Expired => "This sign-in took too long",
            Self::Refused => "This sign-in was declined",
            Self::Unreadable => "What the provider sent back cannot be read",
            Self::Declined => "The provider made no key",
            Self::Unknown => "It is not known whether the provider made a key",
        }
    }

    pub const fn detail(self) -> &'static str {
        match self {
            Self::NotReady => "Sign in there, then come back to the page where you began.",
            Self::NotConfirmed => "Type the code that the page after the sign-in shows.",
            Self::WrongCode => {
                "Type it as the page after the sign-in shows it. Five wrong codes end the sign-in."
            }
            Self::Burnt => "No key was made. Start again.",
            Self::UnderWay => {
                "Its key is handed out once, in the answer to the request that redeems it."
            }
            Self::Redeemed => {
                "Its key was handed out once and is not stored. If you do not have it, end it at the provider and start again."
            }
            Self::Expired | Self::Refused | Self::Declined => "No key was made. Start again.",
            Self::Unreadable => "Nothing was used up and no key was made. Start again.",
            Self::Unknown => {
                "If there is a key in your account at the provider that carries the id of this sign-in, nobody has it: end it there. Then start again."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_off_is_expired_when_its_next_step_cannot_be_taken() {
        let now = Timestamp::from_secs(10_000);
        let of = |state, left: i64, began: Option<i64>| {
            let times = HandoffTimes {
                expires_at: now.plus(left),
                redeeming_at: began.map(|ago| now.plus(-ago)),
            };
            HandoffStatus::of(state, &times, now, 60)
        };
        use HandoffState::{Pending, Ready, Redeeming};
        for (state, left, began, expected) in [
            (Pending, 61, None, HandoffStatus::Pending),
            (Pending, 60, None, HandoffStatus::Pending),
            (Pending, 59, None, HandoffStatus::Expired),
            (Ready, 1, None, HandoffStatus::Ready),
            (Ready, 0, None, HandoffStatus::Expired),
            (Redeeming, -600, Some(299), HandoffStatus::Redeeming),
            (Redeeming, 1, Some(300), HandoffStatus::Unknown),
            (
                HandoffState::Redeemed,
                -1,
                Some(999),
                HandoffStatus::Redeemed,
            ),
        ] {
            assert_eq!(
                of(state, left, began),
                expected,
                "{state:?} {left} {began:?}"
            );
        }
    }
}
