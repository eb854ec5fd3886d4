//! The answer of every request that may make a secret: the key, the secret where there is one, and what to do where not.

use serde::Serialize;

use crate::app::error::Error;
use crate::domain::key::hold::Reason;
use crate::domain::key::secret::Secret;
use crate::domain::time::Timestamp;
use crate::http::api::keys::KeyBody;
use crate::http::server::reply::Reply;
use crate::store::keys::cards::Card;

/// Without the secret, which joins the body when it leaves: whatever else is done with an answer cannot give it away.
#[derive(Serialize)]
pub struct KeyAnswer {
    key: KeyBody,
    secret: (),
    /// This very request was answered before, and the answer was given again.
    replayed: bool,
    note: Option<String>,
}

/// 201 with a secret that was made just now.
pub fn new_secret(card: Card, secret: Secret, now: Timestamp) -> Result<Reply, Error> {
    let note = waits_for_its_window(&card, now);
    let reply = without_secret(201, card, note, now)?;
    Ok(reply.with_secret(secret))
}

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

/// What a key that is made with nothing left to spend waits for.
fn waits_for_its_window(card: &Card, now: Timestamp) -> Option<String> {
    if !card.holds.contains(&Reason::Budget) {
        return None;
    }
    let begins = card.available_from(now)?.rfc3339();
    Some(format!(
        "The key is made. What it may spend until then is spent: it works from {begins} on, usually within the hour."
    ))
}
