//! `POST /api/v1/leaks`: anyone reports a secret that they found, by its SHA-256. The answer is the same whether it is a
//! key of this service or not.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::rotate;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// A secret that was found somewhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct FoundSecretRequest {
    /// The SHA-256 of the whole secret, as 64 lower-case hexadecimal digits. The secret itself is never sent.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = "^[0-9a-f]{64}$"))
    )]
    sha256: String,
}

/// What every reporter is told.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct LeakReceivedBody {
    note: &'static str,
}

/// Answers whether a text is a SHA-256 as the API writes it.
pub fn is_sha256(text: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 64 && text.bytes().all(is_hex)
}

/// Answers 202 to every report. If the secret is one of ours and works, its key is disabled after the answer.
pub async fn report_leak(context: Context) -> Result<Reply, Error> {
    let FoundSecretRequest { sha256 } = context.json()?;
    if !is_sha256(&sha256) {
        return Err(Error::bad_member(
            "/sha256",
            "must be the SHA-256 of the whole secret, as 64 lower-case hexadecimal digits",
        ));
    }
    rotate::report_by_anyone(&context.app, &sha256).await?;
    let note =
        "Thank you. If it is a key of this service, it is being disabled, and its owner is told.";
    Reply::json(202, &LeakReceivedBody { note })
}
