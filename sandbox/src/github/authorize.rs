//! `/login/oauth/authorize`: the page (GET), and the choice of a persona (POST to the same address).

use super::{Grant, page, personas, personas::Behaviour, redirect};
use crate::{
    Sandbox,
    message::{Request, Response, first, form},
};

/// The only value of `prompt` that GitHub documents.
const SELECT_ACCOUNT: &str = "select_account";

pub(super) struct Asked {
    pub client_id: String,
    pub redirect_uri: String,
    pub scope: String,
    /// `select_account`, the only value there is, or none.
    pub prompt: Option<String>,
    state: Option<String>,
    challenge: Option<String>,
}

pub(super) fn answer(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let asked = match read(sandbox, request) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    if request.method == "GET" {
        return page::authorize(&asked);
    }
    let choice = first(&form(&request.body), "persona").unwrap_or_default();
    match personas::persona(&choice) {
        Some(persona) => decide(sandbox, &asked, persona, now),
        None => Response::text(422, "The form field persona names nobody.\n"),
    }
}

/// Checks the client first, then the address for answers, then the rest: only a trusted address is ever redirected to.
fn read(sandbox: &Sandbox, request: &Request) -> Result<Asked, Response> {
    let query = request.query();
    let settings = sandbox.settings();
    let client_id = first(&query, "client_id").unwrap_or_default();
    if client_id != settings.github_client_id {
        return Err(Response::text(404, "No application has this client_id.\n"));
    }
    let registered = &settings.github_callback_url;
    let redirect_uri = first(&query, "redirect_uri").unwrap_or_else(|| registered.clone());
    let state = first(&query, "state");
    let scope = first(&query, "scope").unwrap_or_default();
    let mut asked = Asked {
        client_id,
        redirect_uri,
        scope,
        prompt: first(&query, "prompt"),
        state,
        challenge: None,
    };
    if !redirect::is_allowed(registered, &asked.redirect_uri) {
        asked.redirect_uri.clone_from(registered);
        let text = "The redirect_uri MUST match the registered callback URL for this application.";
        return Err(refuse(&asked, "redirect_uri_mismatch", text));
    }
    if asked
        .prompt
        .as_deref()
        .is_some_and(|prompt| prompt != SELECT_ACCOUNT)
    {
        let text = "The only documented prompt is select_account.";
        return Err(refuse(&asked, "invalid_request", text));
    }
    let method = first(&query, "code_challenge_method");
    asked.challenge = first(&query, "code_challenge");
    match (&asked.challenge, method.as_deref()) {
        (None, None) => Ok(asked),
        (Some(challenge), Some("S256")) if is_challenge(challenge) => Ok(asked),
        _ => Err(refuse(
            &asked,
            "invalid_request",
            "The code_challenge MUST be 43 characters with code_challenge_method S256.",
        )),
    }
}

/// Answers whether a text has the form of a SHA-256 in base64url without padding.
fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn decide(sandbox: &mut Sandbox, asked: &Asked, persona: personas::Persona, now: i64) -> Response {
    match persona.behaviour {
        Behaviour::Declines => refuse(
            asked,
            "access_denied",
            "The user has denied your application access.",
        ),
        Behaviour::AppSuspended => refuse(
            asked,
            "application_suspended",
            "Your application has been suspended. Contact support.",
        ),
        Behaviour::SignsIn | Behaviour::Unverified | Behaviour::Revoked | Behaviour::Suspended => {
            let code = sandbox.generator.code();
            let grant = Grant {
                persona,
                redirect_uri: asked.redirect_uri.clone(),
                challenge: asked.challenge.clone(),
                scope: asked.scope.clone(),
                issued_at_ms: now,
            };
            sandbox.github.codes.insert(code.clone(), grant);
            sandbox.ledger.github_prompts.push(asked.prompt.clone());
            send_back(asked, &[("code", &code)])
        }
    }
}

fn refuse(asked: &Asked, error: &str, description: &str) -> Response {
    let uri = format!(
        "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors#{error}"
    );
    send_back(
        asked,
        &[
            ("error", error),
            ("error_description", description),
            ("error_uri", &uri),
        ],
    )
}

fn send_back(asked: &Asked, parameters: &[(&str, &str)]) -> Response {
    let state = asked.state.as_deref().map(|state| ("state", state));
    let all: Vec<(&str, &str)> = parameters.iter().copied().chain(state).collect();
    let location = redirect::with_parameters(&asked.redirect_uri, &all);
    Response::empty(302)
        .with("location", &location)
        .with("cache-control", "no-store")
}
