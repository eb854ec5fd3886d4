//! Who a person is: provider and immutable subject. Login names are attributes that change hands.

use crate::domain::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    GitHub,
}

impl Provider {
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
        }
    }
}

/// A provider's id of an account, as it is written on the list of blocks: a number, whoever the provider.
pub fn is_account_number(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit())
}

/// A person as a provider vouches for them at sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub provider: Provider,
    /// The provider's immutable id: GitHub's int64 as decimal digits.
    pub subject: String,
    pub login: String,
    /// When the provider says the account was made.
    pub account_created_at: Timestamp,
}

/// A member's standing. Everything but `Active` ends every credential at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    Member,
    Admin,
}

const DAY: i64 = 86_400;

/// Whole days since the account was made, never below zero.
pub fn account_age_days(account_created_at: Timestamp, now: Timestamp) -> i64 {
    now.since(account_created_at).max(0).div_euclid(DAY)
}

/// An account made at or before this moment is old enough to claim.
pub fn made_by(now: Timestamp, min_age_days: u32) -> Timestamp {
    now.plus(i64::from(min_age_days).saturating_mul(DAY).saturating_neg())
}
