//! `/o/oauth2/v2/auth`: the page (GET), and the choice of a persona (POST to the same address).

use super::sign_in_personas::{GOOGLE_PERSONAS, GoogleBehaviour, GooglePersona, google_persona};
use crate::{
    Sandbox,
    github::page::{Page, escape},
    github::redirect::with_parameters,
    message::{Request, Response, first, form},
};
use std::collections::BTreeMap;

/// Every parameter that the page knows. Google shows an error for some others and ignores the rest.
const KNOWN: [&str; 11] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "login_hint",
    "hd",
];

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Authorization codes that have not been exchanged.
    pub codes: BTreeMap<String, Grant>,
}

/// What an authorization code grants.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub persona: GooglePersona,
    pub redirect_uri: String,
    pub scope: String,
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    pub issued_at_ms: i64,
}

struct Asked {
    redirect_uri: String,
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    prompt: Option<String>,
}

pub(super) fn authorize(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let asked = match read(sandbox, request) {
        Ok(asked) => asked,
        // Google explains these on a page of its own, and never sends the browser back.
        Err(problem) => return Response::text(400, &format!("Error 400: {problem}\n")),
    };
    if request.method == "GET" {
        return page(sandbox, &asked);
    }
    let choice = first(&form(&request.body), "persona").unwrap_or_default();
    match google_persona(&choice) {
        Some(persona) => decide(sandbox, &asked, persona, now),
        None => Response::text(422, "The form field persona names nobody.\n"),
    }
}

fn read(sandbox: &Sandbox, request: &Request) -> Result<Asked, &'static str> {
    let query = request.query();
    let given = |name: &str| first(&query, name);
    if query
        .iter()
        .any(|(name, _)| !KNOWN.contains(&name.as_str()))
    {
        return Err("invalid_request (a parameter that this sandbox does not know)");
    }
    if given("client_id").as_deref() != Some(&sandbox.settings().google_client_id) {
        return Err("invalid_client");
    }
    let redirect_uri = given("redirect_uri").unwrap_or_default();
    if !is_registered(&sandbox.settings().google_callback_url, &redirect_uri) {
        return Err("redirect_uri_mismatch");
    }
    if given("response_type").as_deref() != Some("code") {
        return Err("invalid_request (response_type)");
    }
    let scope = given("scope").unwrap_or_default();
    if !scope.split(' ').any(|name| name == "openid") {
        return Err("invalid_scope");
    }
    let challenge = given("code_challenge");
    match (&challenge, given("code_challenge_method").as_deref()) {
        (None, None) => {}
        (Some(challenge), Some("S256")) if challenge.len() == 43 => {}
        _ => return Err("invalid_request (code_challenge)"),
    }
    Ok(Asked {
        redirect_uri,
        scope,
        state: given("state"),
        nonce: given("nonce"),
        challenge,
        prompt: given("prompt"),
    })
}

/// Google compares the whole address. Only here, a loopback callback matches on any port, since tests choose theirs.
fn is_registered(registered: &str, asked: &str) -> bool {
    let rest = |address: &str| {
        let rest = address.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/')?;
        let host = authority.split(':').next().unwrap_or_default();
        ["localhost", "127.0.0.1"]
            .contains(&host)
            .then(|| path.to_owned())
    };
    asked == registered || (rest(asked).is_some() && rest(asked) == rest(registered))
}

fn decide(sandbox: &mut Sandbox, asked: &Asked, persona: GooglePersona, now: i64) -> Response {
    if persona.behaviour == GoogleBehaviour::Declines {
        return send_back(asked, &[("error", "access_denied")]);
    }
    let code = format!("4/sandbox-{}", sandbox.generator.code());
    let hd = persona.hd;
    let grant = Grant {
        persona,
        redirect_uri: asked.redirect_uri.clone(),
        scope: asked.scope.clone(),
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
        issued_at_ms: now,
    };
    sandbox.google.sign_in.codes.insert(code.clone(), grant);
    let mut answer = vec![
        ("code", code.as_str()),
        ("scope", asked.scope.as_str()),
        ("authuser", "0"),
    ];
    answer.extend(hd.map(|hd| ("hd", hd)));
    answer.push(("prompt", asked.prompt.as_deref().unwrap_or("none")));
    send_back(asked, &answer)
}

fn send_back(asked: &Asked, parameters: &[(&str, &str)]) -> Response {
    let state = asked.state.as_deref().map(|state| ("state", state));
    let all: Vec<(&str, &str)> = state
        .into_iter()
        .chain(parameters.iter().copied())
        .collect();
    Response::empty(302)
        .with("location", &with_parameters(&asked.redirect_uri, &all))
        .with("cache-control", "no-store")
}

fn page(sandbox: &Sandbox, asked: &Asked) -> Response {
    let choices: Vec<(&str, &str)> = GOOGLE_PERSONAS
        .iter()
        .map(|persona| (persona.id.as_ref(), persona.line))
        .collect();
    Page {
        provider: "Google",
        stylesheet: "/google/style.css",
        client: &sandbox.settings().google_client_id,
        access: &escape(&asked.scope),
        redirect: &asked.redirect_uri,
        account: match asked.prompt.as_deref() {
            Some(_) => "to be chosen (<code>prompt=select_account</code>)",
            None => "Google would take the one that is signed in there",
        },
        choices: &choices,
    }
    .answer()
}
