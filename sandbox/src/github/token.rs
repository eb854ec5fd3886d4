//! `/login/oauth/access_token`. Errors are answered with HTTP 200, and as a form unless the request accepts JSON.

use super::{Grant, personas::Behaviour};
use crate::{
    Sandbox,
    clock::SECOND_MS,
    custody,
    ledger::GithubToken,
    message::{Request, Response, first, form},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

const CODE_LIFE_MS: i64 = 600 * SECOND_MS;
/// Live tokens per account, app and scope. One more token revokes the oldest.
const LIVE_TOKENS: usize = 10;
const DOCS: &str = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors";

/// `error` and `error_description`.
type Refusal = (&'static str, &'static str);

const BAD_CODE: Refusal = (
    "bad_verification_code",
    "The code passed is incorrect or expired.",
);
const BAD_CLIENT: Refusal = (
    "incorrect_client_credentials",
    "The client_id and/or client_secret passed are incorrect.",
);
const BAD_REDIRECT: Refusal = (
    "redirect_uri_mismatch",
    "The redirect_uri MUST match the registered callback URL for this application.",
);
const UNVERIFIED: Refusal = (
    "unverified_user_email",
    "The user must have a verified primary email.",
);

pub(super) fn exchange(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let fields = fields(request);
    let members = match redeem(sandbox, &fields, now) {
        Ok(grant) => {
            let scope = grant.scope.split_whitespace().collect::<Vec<_>>().join(",");
            let token = issue(sandbox, &grant, scope.clone(), now);
            vec![
                ("access_token", token),
                ("token_type", "bearer".to_owned()),
                ("scope", scope),
            ]
        }
        Err((error, description)) => {
            let uri = format!("{DOCS}#{}", error.replace('_', "-"));
            vec![
                ("error", error.to_owned()),
                ("error_description", description.to_owned()),
                ("error_uri", uri),
            ]
        }
    };
    encode(request, &members)
}

/// The fields of a form or of a JSON body. Basic credentials count as `client_id` and `client_secret`.
fn fields(request: &Request) -> Vec<(String, String)> {
    let mut fields = if request.is_json() {
        json_fields(request)
    } else {
        form(&request.body)
    };
    if let Some((id, secret)) = custody::decoded_basic(request)
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
    {
        fields.push(("client_id".to_owned(), id.to_owned()));
        fields.push(("client_secret".to_owned(), secret.to_owned()));
    }
    fields
}

fn json_fields(request: &Request) -> Vec<(String, String)> {
    let value: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let members = value.as_object().into_iter().flatten();
    members
        .filter_map(|(name, member)| Some((name.clone(), member.as_str()?.to_owned())))
        .collect()
}

/// Redeems a code. The first exchange by the right client uses the code up, whether it succeeds or not.
fn redeem(sandbox: &mut Sandbox, fields: &[(String, String)], now: i64) -> Result<Grant, Refusal> {
    let given = |name: &str| first(fields, name);
    let settings = sandbox.settings();
    let (id, secret) = (
        Some(settings.github_client_id.clone()),
        Some(settings.github_client_secret.clone()),
    );
    if given("client_id") != id || given("client_secret") != secret {
        return Err(BAD_CLIENT);
    }
    let grant = given("code")
        .and_then(|code| sandbox.github.codes.remove(&code))
        .ok_or(BAD_CODE)?;
    if now - grant.issued_at_ms >= CODE_LIFE_MS {
        return Err(BAD_CODE);
    }
    if given("redirect_uri").is_some_and(|uri| uri != grant.redirect_uri) {
        return Err(BAD_REDIRECT);
    }
    if !verifies(
        grant.challenge.as_deref(),
        given("code_verifier").as_deref(),
    ) {
        return Err(BAD_CODE);
    }
    if grant.persona.behaviour == Behaviour::Unverified {
        Err(UNVERIFIED)
    } else {
        Ok(grant)
    }
}

/// Checks the verifier. If a challenge was sent, the verifier is mandatory.
fn verifies(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, _) => true,
        (Some(challenge), Some(verifier)) => {
            let length = (43..=128).contains(&verifier.len());
            length && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge
        }
        (Some(_), None) => false,
    }
}

fn issue(sandbox: &mut Sandbox, grant: &Grant, scope: String, now: i64) -> String {
    let user_id = grant.persona.github_id;
    let access_token = sandbox.generator.github_token();
    let tokens = &mut sandbox.ledger.github_tokens;
    tokens.push(GithubToken {
        access_token: access_token.clone(),
        persona: grant.persona.id.to_string(),
        user_id,
        scope: scope.clone(),
        issued_at_ms: now,
        revoked_at_ms: None,
    });
    let same = |token: &&mut GithubToken| {
        token.user_id == user_id && token.scope == scope && token.revoked_at_ms.is_none()
    };
    for oldest in tokens.iter_mut().rev().filter(same).skip(LIVE_TOKENS) {
        oldest.revoked_at_ms = Some(now);
    }
    sandbox
        .github
        .last_persona
        .insert(user_id, grant.persona.id.to_string());
    access_token
}

fn encode(request: &Request, members: &[(&str, String)]) -> Response {
    let json = request
        .header("accept")
        .is_some_and(|accept| accept.contains("json"));
    let answer = if json {
        let object = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
            .collect();
        Response::json(200, &Value::Object(object))
    } else {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(members)
            .finish();
        Response::typed(
            200,
            "application/x-www-form-urlencoded; charset=utf-8",
            body,
        )
    };
    answer.with("cache-control", "no-store")
}
