//! `POST /api/v1/claim`: the member's one key. The story itself is in `mint`.

use serde::Serialize;

use super::keys::KeyBody;
use super::{Body, Context, Reply};
use crate::crypto::sha256_hex;
use crate::domain::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::mint::{self, Claimed};
use crate::store::claims::Idempotency;

body! {
    /// There is nothing to choose. Who has not accepted the terms in force says so with the claim.
    struct Wanted {
        accept_terms: Option<i64>,
    }
}

impl Wanted {
    /// Whether it accepts the terms; those of another revision are other terms.
    fn accepts_terms(&self) -> Result<bool, Error> {
        match self.accept_terms {
            None => Ok(false),
            Some(REVISION) => Ok(true),
            Some(_) => Err(Error::TermsChanged),
        }
    }
}

#[derive(Serialize)]
struct ClaimBody<'a> {
    key: KeyBody,
    /// Only in the answer that made the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// 201 with the secret, or 200 with the key there is.
pub async fn claim_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let accepts_terms = context.json::<Wanted>()?.accepts_terms()?;
    let idempotency = idempotency(&context, "")?;
    let now = context.app.now();
    answer(
        mint::claim(&context.app, session, idempotency, accepts_terms).await?,
        now,
    )
}

/// The key, and the secret of one that was made just now.
pub fn answer(claimed: Claimed, now: Timestamp) -> Result<Reply, Error> {
    match claimed {
        Claimed::New { card, secret } => {
            let body = ClaimBody {
                key: KeyBody::new(card, now),
                secret: Some(secret.expose()),
            };
            Reply::json(201, &body)
        }
        Claimed::Existing(card) => {
            let body = ClaimBody {
                key: KeyBody::new(card, now),
                secret: None,
            };
            Reply::json(200, &body)
        }
    }
}

/// The request's Idempotency-Key, with its body as what `about` says: the same key about something else is refused.
pub(super) fn idempotency(context: &Context, about: &str) -> Result<Option<Idempotency>, Error> {
    let Some(key) = context.idempotency_key()? else {
        return Ok(None);
    };
    let body: &[u8] = match &context.body {
        Body::Bytes(bytes) => bytes,
        Body::Empty | Body::TooLarge => &[],
    };
    Ok(Some(Idempotency {
        key_sha256: sha256_hex(key.as_bytes()),
        body_sha256: sha256_hex(&[about.as_bytes(), body].concat()),
    }))
}
