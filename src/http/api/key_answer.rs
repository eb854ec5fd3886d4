//! The answer to every request that may make a secret: the key, the secret if there is one, and otherwise what to do.

use serde::Serialize;

use crate::app::error::Error;
use crate::domain::key::hold::Reason;
use crate::domain::key::secret::Secret;
use crate::domain::time::Timestamp;
use crate::http::api::keys::KeyBody;
use crate::http::server::reply::Reply;
use crate::store::keys::cards::Card;

/// A key, and its secret if it was made just now.
// The body is without the secret, which is added when the answer leaves: nothing else that is done with an answer can give
// the secret away.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyAnswer {
    key: KeyBody,
    /// The secret, only in the answer to the request that made it, and never again.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<String>"))]
    secret: (),
    /// Whether this very request was answered before, by its Idempotency-Key. The key is as it was then, and its secret is
    /// not kept.
    replayed: bool,
    /// Why there is no secret, or why the key does not work yet, and what to do.
    note: Option<String>,
}

/// Answers 201 with a secret that was made just now.
pub fn new_secret(card: Card, secret: Secret, now: Timestamp) -> Result<Reply, Error> {
    let note = waits_for_its_window(&card, now);
    let reply = without_secret(201, card, note, now)?;
    Ok(reply.with_secret(secret))
}

/// Answers with the key and a note, without a secret.
pub fn without_secret(
    status: u16,
    card: Card,
    note: Option<String>,
    now: Timestamp,
) -> Result<Reply, Error> {
    let body = KeyAnswer {
        key: KeyBody::new(card, now),
        secret: (),
        replayed: false,
        note,
    };
    Reply::json(status, &body)
}

/// The note for a key that was made with nothing left to spend: until when it waits.
pub fn waits_for_its_window(card: &Card, now: Timestamp) -> Option<String> {
    if !card.holds.contains(&Reason::Budget) {
        return None;
    }
    let begins = card.available_from(now)?.rfc3339();
    Some(format!(
        "The key is made. Its limit is spent until then: it works from {begins} on, or up to an hour later."
    ))
}
