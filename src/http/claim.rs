//! `POST /api/v1/claim`: the member's one key. The story itself is in `mint`.

use serde::Serialize;

use super::context::NoMembers;
use super::keys::KeyBody;
use super::{Body, Context, Reply};
use crate::crypto::sha256_hex;
use crate::error::Error;
use crate::mint::{self, Claimed};
use crate::store::claims::Idempotency;

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
    // There is nothing to choose.
    let _: NoMembers = context.json()?;
    let idempotency = idempotency(&context)?;
    let now = context.app.now();
    match mint::claim(&context.app, session, idempotency).await? {
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

fn idempotency(context: &Context) -> Result<Option<Idempotency>, Error> {
    let Some(key) = context.idempotency_key()? else {
        return Ok(None);
    };
    let body: &[u8] = match &context.body {
        Body::Bytes(bytes) => bytes,
        Body::Empty | Body::TooLarge => &[],
    };
    Ok(Some(Idempotency {
        key_sha256: sha256_hex(key.as_bytes()),
        body_sha256: sha256_hex(body),
    }))
}
