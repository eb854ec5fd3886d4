//! The limits of the rate limiter, by name.

/// A limit, named by its rate-limit binding. The numbers are in wrangler.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// 20 a minute from one address. Starting a sign-in, finishing a sign-in, ending every session and reporting a
    /// leak are counted apart.
    Start,
    /// 5 claims a minute by one member.
    ClaimMember,
    /// 30 claims a minute from one address.
    ClaimAddress,
    /// 120 API requests a minute by one member.
    Api,
}

/// What a limit counts by: the caller's address or the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    Address,
    Member,
}

impl Limit {
    pub const ALL: [Self; 4] = [
        Self::Start,
        Self::ClaimMember,
        Self::ClaimAddress,
        Self::Api,
    ];

    /// The name of the rate-limit binding in wrangler.toml.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Start => "LIMIT_START",
            Self::ClaimMember => "LIMIT_CLAIM_MEMBER",
            Self::ClaimAddress => "LIMIT_CLAIM_ADDRESS",
            Self::Api => "LIMIT_API",
        }
    }

    pub const fn by(self) -> CountedBy {
        match self {
            Self::Start | Self::ClaimAddress => CountedBy::Address,
            Self::ClaimMember | Self::Api => CountedBy::Member,
        }
    }
}
