//! Request rates. The edge counts, by location and forgivingly: a brake on floods. Quotas that must hold are in
//! the database's guards.

use crate::app::context::App;
use crate::crypto::hmac_hex;
use crate::crypto::keyring::Purpose;
use crate::domain::people::address::subscriber;
use crate::ports::rate_limit::Limit;

/// Whether the request is within the limit. The counter's key is a keyed hash: no address leaves the isolate.
pub async fn allows(app: &App, limit: Limit, who: &str) -> bool {
    match counter_key(app, limit, who) {
        Some(key) => app.rate_limiter.allows(limit, &key).await,
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
    let key = app.keyring.newest(Purpose::RateLimit)?;
    hmac_hex(key, limit.binding(), who)
}
