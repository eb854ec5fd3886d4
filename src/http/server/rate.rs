//! Rate limits of requests. Cloudflare's rate limiter counts by location and approximately; it is there against floods.
//! Quotas that must hold are in the database's guards.

use crate::app::context::App;
use crate::crypto::hmac_hex;
use crate::crypto::keyring::Purpose;
use crate::domain::people::address::subscriber;
use crate::ports::rate_limit::Limit;

/// Answers whether the request is within the limit. The counter's key is a keyed hash, so that no address leaves the
/// isolate; without a secret to make it with, nothing is counted.
pub async fn allows(app: &App, limit: Limit, who: &str) -> bool {
    match counter_key(app, limit, who) {
        Some(key) => app.rate_limiter.allows(limit, &key).await,
        None => true,
    }
}

/// Returns the part of the caller's address that one subscriber holds, or one shared word for callers without an
/// address.
pub fn address_of(header: Option<&str>) -> String {
    header
        .and_then(subscriber)
        .unwrap_or_else(|| String::from("unknown"))
}

fn counter_key(app: &App, limit: Limit, who: &str) -> Option<String> {
    let key = app.keyring.newest(Purpose::RateLimit)?;
    hmac_hex(key, limit.binding(), who)
}
