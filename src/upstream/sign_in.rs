//! What the sign-ins of all providers have in common: our app there, and why a sign-in failed.

/// Why a sign-in failed. The page explains it to the person in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    Denied,
    Expired,
    SuspendedApp,
    RateLimited,
    Unavailable,
    NotAPerson,
    AccountSuspended,
    UnverifiedEmail,
    /// What the provider says about the person is not proved, or not meant for this sign-in.
    Unproved,
    /// The operator's fault: the client credentials or the callback address are wrong.
    Misconfigured,
}

impl Failed {
    /// The stable code of this failure.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::SuspendedApp => "suspended_app",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::NotAPerson => "not_a_person",
            Self::AccountSuspended => "account_suspended",
            Self::UnverifiedEmail => "unverified_email",
            Self::Unproved => "unproved",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// The values of one sign-in that the provider's page gets.
pub struct Authorization<'a> {
    pub callback: &'a str,
    pub state: &'a str,
    /// The PKCE challenge (S256).
    pub challenge: &'a str,
    /// Comes back in an ID token. GitHub has none, and gets none.
    pub nonce: &'a str,
    /// The provider asks which account to use, even if the person is signed in to one there.
    pub choose_account: bool,
}
