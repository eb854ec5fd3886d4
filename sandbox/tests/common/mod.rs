//! Requests as keycap makes them, and the shortest way to an answer.
#![allow(dead_code, reason = "each test file uses its own part")]

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sandbox::{
    Delivery, GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, MANAGEMENT_KEY, Request, Response, Sandbox,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Saturday, 2026-08-15T12:00:00Z.
pub const NOON: i64 = 1_786_795_200_000;
pub const HOUR: i64 = 3_600_000;
pub const CALLBACK: &str = "http://localhost:8787/auth/github/callback";
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

pub fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Request {
    let agent = ("user-agent", "keycap-test");
    let headers = headers
        .iter()
        .chain([&agent])
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: body.into(),
    }
}

pub fn openrouter(method: &str, path: &str, body: Option<&Value>) -> Request {
    with_bearer(MANAGEMENT_KEY, method, path, body)
}

pub fn with_bearer(key: &str, method: &str, path: &str, body: Option<&Value>) -> Request {
    let authorization = format!("Bearer {key}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let target = format!("/openrouter/api/v1{path}");
    request(
        method,
        &target,
        &headers,
        body.map(Value::to_string).unwrap_or_default(),
    )
}

pub fn answer(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    match sandbox.handle(request, now) {
        Delivery::Answer(response) => response,
        other => panic!(
            "{} {} was not answered: {other:?}",
            request.method, request.target
        ),
    }
}

/// Status and JSON body of a call with the management key.
pub fn call(sandbox: &mut Sandbox, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call_at(sandbox, NOON, method, path, body)
}

pub fn call_at(
    sandbox: &mut Sandbox,
    now: i64,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let response = answer(sandbox, &openrouter(method, path, body.as_ref()), now);
    (response.status, response.value())
}

pub fn mint_body(name: &str) -> Value {
    json!({"name": name, "limit": 5, "limit_reset": "daily", "expires_at": "2026-11-13T12:00:00Z"})
}

/// Hash and secret of a new key.
pub fn mint(sandbox: &mut Sandbox, body: Value) -> (String, String) {
    let (status, value) = call(sandbox, "POST", "/keys", Some(body));
    assert_eq!(status, 201, "{value}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&value["data"]["hash"]), text(&value["key"]))
}

pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)))
        .collect::<Vec<_>>()
        .join("&")
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

pub fn authorize_target(extra: &[(&str, &str)]) -> String {
    let base = [
        ("client_id", GITHUB_CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("state", "st/ate"),
    ];
    let pairs: Vec<(&str, &str)> = base.iter().chain(extra).copied().collect();
    format!("/github/login/oauth/authorize?{}", encode(&pairs))
}

/// Query parameters of the address that the persona's choice redirects to.
pub fn choose(
    sandbox: &mut Sandbox,
    persona: &str,
    extra: &[(&str, &str)],
    now: i64,
) -> Vec<(String, String)> {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let request = request(
        "POST",
        &authorize_target(extra),
        &form,
        encode(&[("persona", persona)]),
    );
    let response = answer(sandbox, &request, now);
    assert_eq!(response.status, 302);
    let (address, query) = response
        .header("location")
        .unwrap()
        .split_once('?')
        .unwrap();
    assert_eq!(address, CALLBACK);
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub fn value_of(pairs: &[(String, String)], name: &str) -> String {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

pub fn exchange(sandbox: &mut Sandbox, fields: &[(&str, &str)], now: i64) -> Value {
    let request = token_request(fields, "application/json");
    let response = answer(sandbox, &request, now);
    assert_eq!(
        response.status, 200,
        "the token endpoint answers 200 whatever happens"
    );
    response.value()
}

pub fn token_request(fields: &[(&str, &str)], accept: &str) -> Request {
    let base = [
        ("client_id", GITHUB_CLIENT_ID),
        ("client_secret", GITHUB_CLIENT_SECRET),
    ];
    let own = |name: &str| fields.iter().any(|(field, _)| *field == name);
    let pairs: Vec<(&str, &str)> = base
        .into_iter()
        .filter(|(name, _)| !own(name))
        .chain(fields.iter().copied())
        .collect();
    let headers = [
        ("accept", accept),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    request(
        "POST",
        "/github/login/oauth/access_token",
        &headers,
        encode(&pairs),
    )
}

/// The whole web flow with PKCE, up to the access token.
pub fn sign_in(sandbox: &mut Sandbox, persona: &str, now: i64) -> String {
    let challenge = challenge(VERIFIER);
    let back = choose(
        sandbox,
        persona,
        &[
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ],
        now,
    );
    let code = value_of(&back, "code");
    let token = exchange(
        sandbox,
        &[
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", CALLBACK),
        ],
        now,
    );
    token["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("no token: {token}"))
        .to_owned()
}

pub fn github_user(token: &str) -> Request {
    let authorization = format!("Bearer {token}");
    request(
        "GET",
        "/github-api/user",
        &[
            ("authorization", &authorization),
            ("accept", "application/vnd.github+json"),
        ],
        "",
    )
}

pub fn github_basic(method: &str, target: &str, body: &str) -> Request {
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{GITHUB_CLIENT_ID}:{GITHUB_CLIENT_SECRET}"))
    );
    request(method, target, &[("authorization", &basic)], body)
}
