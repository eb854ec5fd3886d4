//! The service account of the Workspace: its key file, and the tokens that the token endpoint gives for its signed JWTs
//! (RFC 7523).
//!
//! The key protects nothing: each prime is the first one after the digests of a text that stands below, so anybody can
//! make it.

use crate::{
    Sandbox,
    clock::SECOND_MS,
    message::{Request, Response, first, form},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rsa::{
    BigUint, RsaPrivateKey, RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    pkcs8::EncodePrivateKey,
    signature::Verifier,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// How far the two primes of the key are behind the digests of their texts.
const OFFSETS: [(&str, u32); 2] = [("p", 860), ("q", 112)];
const EXPONENT: u32 = 65_537;
/// The only audience that Google accepts.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";
/// A token may not be valid for longer than this many seconds.
const LONGEST_SECS: i64 = 3_600;
/// How far the clock of the sender may be ahead, in seconds.
const SKEW_SECS: i64 = 300;

pub const CLIENT_EMAIL: &str = "keycap@sandbox-project.iam.gserviceaccount.example";
/// The administrator whom the service account may impersonate.
pub const DIRECTORY_SUBJECT: &str = "directory-reader@company.example";

/// The key file of the service account, as Google's console gives it.
#[must_use]
pub fn service_account_json() -> String {
    let key = json!({
        "type": "service_account", "project_id": "sandbox-project", "private_key_id": key_id(), "private_key": pem(),
        "client_email": CLIENT_EMAIL, "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": AUDIENCE,
        "universe_domain": "googleapis.com",
    });
    key.to_string()
}

fn key_id() -> String {
    let digest = crate::sha256_hex(b"keycap sandbox service account");
    digest.get(..40).unwrap_or_default().to_owned()
}

/// The private key as PKCS#8 in PEM, with lines of 64 characters.
fn pem() -> String {
    let der = key().and_then(|key| key.to_pkcs8_der().ok());
    let text = STANDARD.encode(der.as_ref().map_or(&[][..], |der| der.as_bytes()));
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..text.len().min(at + 64)))
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
}

fn key() -> Option<&'static RsaPrivateKey> {
    static KEY: OnceLock<Option<RsaPrivateKey>> = OnceLock::new();
    KEY.get_or_init(|| {
        let [p, q] = OFFSETS.map(|(name, offset)| {
            digests(&format!("keycap sandbox service account {name}")) + BigUint::from(offset)
        });
        RsaPrivateKey::from_p_q(p, q, BigUint::from(EXPONENT)).ok()
    })
    .as_ref()
}

/// 1,024 bits out of a text. The two highest are set, so that a product of two has 2,048.
fn digests(text: &str) -> BigUint {
    let mut bytes: Vec<u8> = (0..4)
        .flat_map(|n| Sha256::digest(format!("{text} {n}").as_bytes()))
        .collect();
    if let Some(highest) = bytes.first_mut() {
        *highest |= 0b1100_0000;
    }
    BigUint::from_bytes_be(&bytes)
}

/// Answers whether a request to the token endpoint is one of a service account.
pub fn is_asked(request: &Request) -> bool {
    first(&form(&request.body), "grant_type").as_deref() == Some(GRANT)
}

type Refusal = (u16, &'static str, &'static str);

/// `POST /token` with a signed JWT.
pub fn exchange(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    match checked(request, now) {
        Ok(()) => {
            let token = sandbox.generator.directory_token();
            sandbox.directory.issue(&token, now);
            sandbox.ledger.directory_tokens.push(token.clone());
            let body = json!({"access_token": token, "expires_in": 3_599, "token_type": "Bearer"});
            Response::json(200, &body)
        }
        Err((status, error, description)) => Response::json(
            status,
            &json!({"error": error, "error_description": description}),
        ),
    }
}

/// Checks the JWT as Google does: its signature first, then what it says.
fn checked(request: &Request, now: i64) -> Result<(), Refusal> {
    const SIGNATURE: Refusal = (400, "invalid_grant", "Invalid JWT Signature.");
    const TIMES: Refusal = (
        400,
        "invalid_grant",
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
    );
    let assertion = first(&form(&request.body), "assertion").unwrap_or_default();
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err((400, "invalid_grant", "Invalid JWT"));
    };
    let read = |text: &str| -> Value {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    let (head, said) = (read(header), read(claims));
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| said.get(name).and_then(Value::as_i64).unwrap_or_default();
    if text("iss") != CLIENT_EMAIL {
        return Err((400, "invalid_grant", "Invalid grant: account not found"));
    }
    let known = head.get("kid").is_none_or(|kid| *kid == json!(key_id()));
    let is_rs256 = head.get("alg") == Some(&json!("RS256"));
    let signed = format!("{header}.{claims}");
    if !known || !is_rs256 || !verifies(&signed, signature) {
        return Err(SIGNATURE);
    }
    if text("aud") != AUDIENCE {
        let audience = "Invalid JWT: Failed audience check.";
        return Err((400, "invalid_grant", audience));
    }
    let secs = now.div_euclid(SECOND_MS);
    let (from, until) = (number("iat"), number("exp"));
    if from > secs + SKEW_SECS || until <= secs || until - from > LONGEST_SECS {
        return Err(TIMES);
    }
    if text("scope").is_empty() || text("scope").contains(',') {
        let scope = "Invalid OAuth scope or ID token audience provided.";
        return Err((400, "invalid_scope", scope));
    }
    let unauthorized = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.";
    if text("scope") != SCOPE {
        return Err((401, "unauthorized_client", unauthorized));
    }
    let (_, domain) = DIRECTORY_SUBJECT.split_once('@').unwrap_or_default();
    match text("sub") {
        DIRECTORY_SUBJECT => Ok(()),
        other if other.ends_with(&format!("@{domain}")) => {
            Err((400, "invalid_grant", "Invalid email or User ID"))
        }
        _ => Err((
            401,
            "unauthorized_client",
            "Unauthorized client or scope in request.",
        )),
    }
}

fn verifies(signed: &str, signature: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let (Some(key), Ok(signature)) = (key(), Signature::try_from(bytes.as_slice())) else {
        return false;
    };
    let public = VerifyingKey::<Sha256>::new(RsaPublicKey::from(key));
    public.verify(signed.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::traits::PublicKeyParts;

    #[test]
    fn the_key_of_the_service_account_is_an_rsa_key_of_2048_bits() {
        let key = key().unwrap();
        assert!(key.validate().is_ok());
        assert_eq!(key.n().bits(), 2_048);
        assert!(service_account_json().contains("-----BEGIN PRIVATE KEY-----\\n"));
    }
}
