//! OpenRouter's OAuth with PKCE: the page at `/openrouter/auth`, and `POST /auth/keys`, which turns its code into a key of
//! the person's own account. Such a key is in no list of ours.

use crate::{
    Sandbox,
    clock::SECOND_MS,
    custody,
    ledger::{LinkedKey, ViolationKind},
    message::{Request, Response},
    openrouter::{error, members},
    sign_in_page::{self, Choice},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CODE_LIFE_MS: i64 = 600 * SECOND_MS;
/// The parameters that OpenRouter documents.
const PARAMETERS: [&str; 5] = [
    "callback_url",
    "code_challenge",
    "code_challenge_method",
    "key_label",
    "limit",
];

/// What a code grants.
#[derive(Clone, Debug)]
pub(crate) struct CodeGrant {
    challenge: Option<(String, Method)>,
    label: String,
    issued_at_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    S256,
    Plain,
}

impl Method {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "S256" => Some(Self::S256),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

pub(crate) fn authorize(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    for (name, _) in request.query() {
        if !PARAMETERS.contains(&name.as_str()) {
            custody::unknown_field(sandbox, request, &name, now);
        }
    }
    let Some(callback) = request
        .query_value("callback_url")
        .filter(|url| is_allowed(url))
    else {
        return Response::text(400, "callback_url must be https, or http on loopback\n");
    };
    let method = request.query_value("code_challenge_method");
    let method = Method::parse(method.as_deref().unwrap_or("plain"));
    let Some(method) = method else {
        return Response::text(400, "Invalid code_challenge_method\n");
    };
    if request.method == "GET" {
        return sign_in_page::show("OpenRouter", &callback);
    }
    match sign_in_page::choice(request) {
        Some(Choice::SignIn) => {
            let code = sandbox.generator.code();
            let challenge = request.query_value("code_challenge");
            let grant = CodeGrant {
                challenge: challenge.map(|challenge| (challenge, method)),
                label: request.query_value("key_label").unwrap_or_default(),
                issued_at_ms: now,
            };
            sandbox.ledger.sign_in_values.push(code.clone());
            sandbox.linking.codes.insert(code.clone(), grant);
            sign_in_page::send_back(&callback, &[("code", &code)])
        }
        // OpenRouter documents no answer to this. An error of OAuth 2 is the likeliest one.
        Some(Choice::Decline) => sign_in_page::send_back(&callback, &[("error", "access_denied")]),
        Some(Choice::WalkAway) => sign_in_page::walked_away(),
        None => Response::text(400, "The form has no such choice\n"),
    }
}

fn is_allowed(url: &str) -> bool {
    let loopback = ["http://localhost", "http://127.0.0.1"];
    url.starts_with("https://") || loopback.iter().any(|start| url.starts_with(start))
}

pub(super) fn exchange(
    sandbox: &mut Sandbox,
    request: &Request,
    now: i64,
) -> Result<Response, Response> {
    if request.header("authorization").is_some() {
        let detail = "a credential with a code that is proof enough".to_owned();
        custody::violation(
            sandbox,
            ViolationKind::ForeignCredential,
            request,
            detail,
            now,
        );
    }
    let body = members(request)?;
    for name in body.keys() {
        if !["code", "code_verifier", "code_challenge_method"].contains(&name.as_str()) {
            custody::unknown_field(sandbox, request, name, now);
        }
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let method = text("code_challenge_method");
    if method.is_some_and(|method| Method::parse(method).is_none()) {
        return Err(error(400, "Invalid code_challenge_method"));
    }
    let code = text("code").ok_or_else(|| error(400, "code: Required"))?;
    let invalid = || error(403, "Invalid code or code_verifier");
    // A code is used up by its first exchange, whatever comes of it.
    let grant = sandbox.linking.codes.remove(code).ok_or_else(invalid)?;
    if now - grant.issued_at_ms >= CODE_LIFE_MS {
        return Err(error(403, "Authorization code expired"));
    }
    let verifier = text("code_verifier");
    let is_right = match &grant.challenge {
        None => true,
        Some((challenge, Method::Plain)) => verifier == Some(challenge),
        Some((challenge, Method::S256)) => verifier.is_some_and(|verifier| {
            URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == *challenge
        }),
    };
    if !is_right {
        return Err(invalid());
    }
    let secret = sandbox.generator.key_secret();
    sandbox.ledger.add_linked(LinkedKey {
        provider: "openrouter",
        secret: secret.clone(),
        name: grant.label,
        made_at_ms: now,
    });
    Ok(Response::json(
        200,
        &json!({"key": secret, "user_id": "user_sandbox"}),
    ))
}
