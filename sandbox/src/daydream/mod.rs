//! Livepeer Daydream, as its open clients use it: a sign-in page that returns a short-lived token in the address, one call
//! that turns it into a key, and a profile. Daydream's own code is not public.

use crate::{
    Sandbox,
    clock::SECOND_MS,
    custody, github,
    ledger::LinkedKey,
    message::{Request, Response},
    openrouter::oauth::CodeGrant,
    operation::Operation,
    sign_in_page::{self, Choice},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long a token lives. Daydream's own number is not known.
const TOKEN_LIFE_MS: i64 = 600 * SECOND_MS;
const PARAMETERS: [&str; 4] = ["redirect_url", "port", "state", "utm_source"];
const USER: &str = "dd_user_sandbox";

/// The sign-ins at billing providers that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Linking {
    /// OpenRouter's codes that have not been exchanged.
    pub codes: BTreeMap<String, CodeGrant>,
    /// When each token of Daydream's was issued.
    pub tokens: BTreeMap<String, i64>,
}

pub(crate) fn perform(
    sandbox: &mut Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Response {
    match operation {
        Operation::DaydreamSignIn => sign_in(sandbox, request, now),
        Operation::DaydreamKey => make_key(sandbox, request, now),
        _ => profile(sandbox, request),
    }
}

fn sign_in(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    for (name, _) in request.query() {
        if !PARAMETERS.contains(&name.as_str()) {
            custody::unknown_field(sandbox, request, &name, now);
        }
    }
    let port = request
        .query_value("port")
        .and_then(|port| port.parse::<u16>().ok());
    let on_port = port.map(|port| format!("http://127.0.0.1:{port}/callback"));
    let registered = sandbox.settings().daydream_callback_url.clone();
    let asked = request.query_value("redirect_url");
    let asked = asked.filter(|url| github::redirect::is_allowed(&registered, url));
    let Some(back) = on_port.or(asked) else {
        return Response::text(400, "This redirect URL is not on the list\n");
    };
    if request.method == "GET" {
        return sign_in_page::show("Daydream", &back);
    }
    let state = request.query_value("state").unwrap_or_default();
    match sign_in_page::choice(request) {
        Some(Choice::SignIn) => {
            let token = sandbox.generator.daydream_token();
            sandbox.ledger.sign_in_values.push(token.clone());
            sandbox.linking.tokens.insert(token.clone(), now);
            let parameters = [
                ("token", token.as_str()),
                ("state", &state),
                ("userId", USER),
            ];
            sign_in_page::send_back(&back, &parameters)
        }
        // A refusal is not documented. The parameters are those of OAuth 2.
        Some(Choice::Decline) => {
            let parameters = [("error", "access_denied"), ("state", state.as_str())];
            sign_in_page::send_back(&back, &parameters)
        }
        Some(Choice::WalkAway) => sign_in_page::walked_away(),
        None => Response::text(400, "The form has no such choice\n"),
    }
}

fn make_key(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let token = request.credential("bearer").unwrap_or_default().to_owned();
    let issued = sandbox.linking.tokens.get(&token).copied();
    if issued.is_none_or(|at| now - at >= TOKEN_LIFE_MS) {
        return Response::text(401, "invalid or expired token");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(name) = body
        .get("name")
        .and_then(Value::as_str)
        .filter(|_| request.is_json())
    else {
        return Response::text(400, "name is required");
    };
    for member in body.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !["name", "user_type"].contains(&member.as_str()) {
            custody::unknown_field(sandbox, request, member, now);
        }
    }
    let name = name.to_owned();
    // Every call makes one more key: whether Daydream takes a token twice is not known, so this one does.
    let secret = sandbox.generator.daydream_key();
    sandbox.ledger.add_linked(LinkedKey {
        provider: "daydream",
        secret: secret.clone(),
        name,
        made_at_ms: now,
    });
    Response::json(200, &json!({ "apiKey": secret }))
}

fn profile(sandbox: &Sandbox, request: &Request) -> Response {
    let key = request.credential("bearer").unwrap_or_default();
    let mut keys = sandbox.ledger().linked_keys.iter();
    if !keys.any(|linked| linked.provider == "daydream" && linked.secret == key) {
        return Response::text(401, "unknown key");
    }
    let profile = json!({
        "id": USER, "email": "sandbox@daydream.example", "name": "Sandbox", "username": "sandbox", "isAdmin": false,
        "cohortParticipant": false,
    });
    Response::json(200, &profile)
}

/// An error as Daydream words it: a text.
pub(crate) fn error(status: u16) -> Response {
    Response::text(status, "something went wrong")
}
