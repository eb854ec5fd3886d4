//! `GET /.well-known/security.txt` (RFC 9116): whom to tell about a security hole, on deployments that name a contact.

use crate::app::error::Error;
use crate::domain::time::Timestamp;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

const DAY_SECS: i64 = 86_400;
/// How many days the answer is valid. The RFC recommends less than a year. Our answer is made anew for each request.
const VALID_DAYS: i64 = 180;

pub async fn show_security_txt(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let contact = config.published.security_contact.as_ref();
    let contact = contact.ok_or(Error::Internal)?;
    // Whole days are used, so that the text changes once a day.
    let today = context.app.now().secs().div_euclid(DAY_SECS);
    let expires = Timestamp::from_secs(today.saturating_add(VALID_DAYS).saturating_mul(DAY_SECS));
    let body = format!(
        "Contact: {contact}\nExpires: {}\nPreferred-Languages: en\nCanonical: {}/.well-known/security.txt\n",
        expires.rfc3339(),
        config.public_origin.as_str(),
    );
    Ok(Reply::text(200, body))
}
