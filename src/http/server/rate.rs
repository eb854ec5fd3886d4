//! Request rates. The edge counts, by location and forgivingly: a brake on floods. Quotas that must hold are in
//! the database's guards.

use crate::app::context::App;
use crate::crypto::hmac_hex;
use crate::crypto::keyring::Purpose;
use crate::domain::people::address::subscriber;

/// A limit, by the name of its rate-limit binding. The numbers are in wrangler.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// 20 a minute from one address: sign-ins started, sign-ins finished, and endings of every session, each apart.
    Start,
    /// 5 claims a minute by one member.
    ClaimMember,
    /// 30 claims a minute from one address.
    ClaimAddress,
    /// 120 API requests a minute by one member.
    Api,
}

/// What a limit counts by.
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

/// Whether the request is within the limit. The counter's key is a keyed hash: no address leaves the isolate.
pub async fn allows(app: &App, limit: Limit, who: &str) -> bool {
    match counter_key(app, limit, who) {
        Some(key) => app.brake.allows(limit, &key).await,
        None => true,
    }
}

/// The caller's subscriber, or one shared word for callers without an address.
pub fn address_of(header: Option<&str>) -> String {
    header
        .and_then(subscriber)
        .unwrap_or_else(|| String::from("unknown"))
}

fn counter_key(app: &App, limit: Limit, who: &str) -> Option<String> {
    let key = app.config.keyring.newest(Purpose::RateLimit)?;
    hmac_hex(key, limit.binding(), who)
}
