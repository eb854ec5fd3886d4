//! The identity of a person: the provider and the immutable subject. A login is an attribute that can pass to another
//! person.

use crate::domain::time::Timestamp;

/// A sign-in provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    GitHub,
    Google,
}

impl Provider {
    pub const ALL: [Self; 2] = [Self::GitHub, Self::Google];

    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Google => "google",
        }
    }

    /// The name that people know.
    pub const fn title(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::Google => "Google",
        }
    }
}

/// Answers whether a text is a provider's id of an account, as the list of blocks accepts it: 1 to 32 decimal digits
/// without a leading zero. Every provider's ids are numbers.
pub fn is_account_number(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit())
}

/// What stands for the creation of an account whose provider does not tell it. No age refuses such an account; a Google
/// account claims by its Workspace instead.
pub const AGE_UNKNOWN: Timestamp = Timestamp::from_secs(0);

/// A person as a provider identifies them at sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub provider: Provider,
    /// The provider's immutable id, in decimal digits. GitHub's is a 64-bit integer, and Google's is longer.
    pub subject: String,
    /// GitHub's login, or the verified e-mail address of a Google account in lower case. It may pass to another person.
    pub login: String,
    /// When the account was made, as the provider says. Google does not say it: then it is [`AGE_UNKNOWN`].
    pub account_created_at: Timestamp,
    /// The Google Workspace that manages the account, by its domain. An account of no Workspace has none.
    pub hosted_domain: Option<String>,
}

/// A member's status. Every status but `active` ends every credential of the member at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Status {
    Active,
    Suspended,
    Banned,
    Left,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Banned, Self::Left];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Banned => "banned",
            Self::Left => "left",
        }
    }

    /// Reads the name of a status. Returns `None` for an unknown name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// A role of a signed-in member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum MemberRole {
    Member,
    Admin,
}

const DAY: i64 = 86_400;

/// Whole days since the account was made, never below zero.
pub fn account_age_days(account_created_at: Timestamp, now: Timestamp) -> i64 {
    now.since(account_created_at).max(0).div_euclid(DAY)
}

/// The latest creation of an account that is at least `min_age_days` old now. An account made then or earlier may
/// claim, and so may one whose age is unknown.
pub fn made_by(now: Timestamp, min_age_days: u32) -> Timestamp {
    now.plus(i64::from(min_age_days).saturating_mul(DAY).saturating_neg())
        .max(AGE_UNKNOWN)
}
