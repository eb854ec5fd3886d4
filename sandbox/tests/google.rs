//! Google's sign-in, token endpoint and published keys, as upstream describes them.

use crate::common::*;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rsa::{
    BigUint, RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    signature::Verifier,
};
use sandbox::{
    DAY_MS, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GoogleTokens, Response, Sandbox, TokenLie,
};
use serde_json::{Value, json};
use sha2::Sha256;

const GOOGLE_CALLBACK: &str = "http://localhost:8787/auth/google/callback";

fn target(changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let mut query = vec![
        ("client_id", GOOGLE_CLIENT_ID),
        ("redirect_uri", GOOGLE_CALLBACK),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "st/ate"),
        ("nonce", "a nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        query.retain(|(known, _)| known != name);
        query.push((name, value));
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("/google/o/oauth2/v2/auth?{query}")
}

fn challenge() -> String {
    use sha2::Digest;
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()))
}

fn chosen(sandbox: &mut Sandbox, persona: &str, changes: &[(&str, &str)], now: i64) -> String {
    let body = format!("persona={persona}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let back = answer(
        sandbox,
        &request("POST", &target(changes), &form, body),
        now,
    );
    assert_eq!(back.status, 302, "{back:?}");
    back.header("location").unwrap().to_owned()
}

fn in_query(address: &str, name: &str) -> String {
    let query = address.split_once('?').unwrap().1;
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    value_of(&pairs, name)
}

fn exchange(sandbox: &mut Sandbox, code: &str, changes: &[(&str, &str)], now: i64) -> Response {
    let mut fields = vec![
        ("code", code),
        ("client_id", GOOGLE_CLIENT_ID),
        ("client_secret", GOOGLE_CLIENT_SECRET),
        ("redirect_uri", GOOGLE_CALLBACK),
        ("grant_type", "authorization_code"),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    answer(
        sandbox,
        &request("POST", "/google-oauth/token", &form, body),
        now,
    )
}

fn signed_in(sandbox: &mut Sandbox, persona: &str) -> Value {
    let code = in_query(&chosen(sandbox, persona, &[], NOON), "code");
    let tokens = exchange(sandbox, &code, &[], NOON);
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens.value()
}

fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn keys(sandbox: &mut Sandbox) -> Response {
    answer(
        sandbox,
        &request("GET", "/google-apis/oauth2/v3/certs", &[], ""),
        NOON,
    )
}

/// Answers whether one of the published keys has signed the token.
fn is_signed(sandbox: &mut Sandbox, token: &str) -> bool {
    let kid = part(token, 0)["kid"].clone();
    let published = keys(sandbox).value();
    let list = published["keys"].as_array().unwrap();
    let Some(key) = list.iter().find(|key| key["kid"] == kid) else {
        return false;
    };
    let number = |name: &str| {
        BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap())
    };
    let key = VerifyingKey::<Sha256>::new(RsaPublicKey::new(number("n"), number("e")).unwrap());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signature = Signature::try_from(signature.as_slice()).unwrap();
    key.verify(signed.as_bytes(), &signature).is_ok()
}

#[test]
fn the_authorize_page_shows_each_persona_and_says_that_it_is_a_sandbox() {
    let mut sandbox = Sandbox::default();
    let page = answer(&mut sandbox, &request("GET", &target(&[]), &[], ""), NOON);
    let html = String::from_utf8(page.body).unwrap();
    assert_eq!(page.status, 200);
    assert!(html.contains("This is a sandbox on your own machine, not Google."));
    for persona in sandbox::GOOGLE_PERSONAS {
        let id = &persona.id;
        assert!(
            html.contains(&format!("name=\"persona\" value=\"{id}\"")),
            "{id}"
        );
    }
    assert!(!html.contains("<script") && !html.contains("style="));
    let style = answer(
        &mut sandbox,
        &request("GET", "/google/style.css", &[], ""),
        NOON,
    );
    assert_eq!(style.status, 200);
    assert!(sandbox.ledger().violations.is_empty());
}

#[test]
fn an_address_that_google_would_refuse_is_never_redirected_to() {
    let mut sandbox = Sandbox::default();
    for change in [
        ("client_id", "another"),
        ("redirect_uri", "https://evil.example/auth/google/callback"),
        (
            "redirect_uri",
            "http://localhost:8787/auth/google/callback/",
        ),
        (
            "redirect_uri",
            "http://localhost.evil.example/auth/google/callback",
        ),
        ("response_type", "token"),
        ("scope", "email"),
        ("code_challenge_method", "plain"),
        ("code_challenge", "short"),
        ("access_type", "offline"),
    ] {
        let page = answer(
            &mut sandbox,
            &request("GET", &target(&[change]), &[], ""),
            NOON,
        );
        assert_eq!(
            (page.status, page.header("location")),
            (400, None),
            "{change:?}"
        );
    }
    let other_port = "http://127.0.0.1:1234/auth/google/callback";
    let back = chosen(
        &mut sandbox,
        "employee",
        &[("redirect_uri", other_port)],
        NOON,
    );
    assert!(back.starts_with(other_port), "{back}");
}

#[test]
fn a_code_becomes_an_id_token_with_the_claims_of_the_person() {
    let mut sandbox = Sandbox::default();
    let tokens = signed_in(&mut sandbox, "employee");
    assert_eq!(
        (&tokens["expires_in"], &tokens["token_type"]),
        (&json!(3599), &json!("Bearer"))
    );
    let token = tokens["id_token"].as_str().unwrap();
    let claims = part(token, 1);
    let now = NOON / 1000;
    assert_eq!(
        claims,
        json!({
            "iss": "https://accounts.google.com", "azp": GOOGLE_CLIENT_ID, "aud": GOOGLE_CLIENT_ID,
            "sub": "110000000000000000100", "email": "Employee@company.example", "email_verified": true,
            "hd": "company.example", "nonce": "a nonce", "at_hash": "c2FuZGJveC1hdC1oYXNo",
            "iat": now, "exp": now + 3600,
        })
    );
    assert!(is_signed(&mut sandbox, token));
    let consumer = signed_in(&mut sandbox, "consumer");
    assert_eq!(
        part(consumer["id_token"].as_str().unwrap(), 1).get("hd"),
        None
    );
    let unverified = signed_in(&mut sandbox, "unverified");
    let claims = part(unverified["id_token"].as_str().unwrap(), 1);
    assert_eq!(claims["email_verified"], false);
}

#[test]
fn what_is_wrong_with_an_exchange_is_answered_as_google_does() {
    let mut sandbox = Sandbox::default();
    for (change, status, error) in [
        (("client_id", "x"), 401, "invalid_client"),
        (("client_secret", "x"), 401, "invalid_client"),
        (("grant_type", "x"), 400, "unsupported_grant_type"),
        (("code", "4/none"), 400, "invalid_grant"),
        (
            ("redirect_uri", "http://localhost/x"),
            400,
            "redirect_uri_mismatch",
        ),
        (("code_verifier", "x"), 400, "invalid_grant"),
    ] {
        let code = in_query(&chosen(&mut sandbox, "employee", &[], NOON), "code");
        let refused = exchange(&mut sandbox, &code, &[change], NOON);
        assert_eq!(
            (refused.status, &refused.value()["error"]),
            (status, &json!(error))
        );
    }
    let code = in_query(&chosen(&mut sandbox, "employee", &[], NOON), "code");
    assert_eq!(exchange(&mut sandbox, &code, &[], NOON).status, 200);
    assert_eq!(exchange(&mut sandbox, &code, &[], NOON).status, 400, "used");
    let code = in_query(&chosen(&mut sandbox, "employee", &[], NOON), "code");
    assert_eq!(
        exchange(&mut sandbox, &code, &[], NOON + 600_000).status,
        400,
        "expired"
    );
    let back = chosen(&mut sandbox, "refuser", &[], NOON);
    assert_eq!(
        (
            in_query(&back, "error").as_str(),
            in_query(&back, "state").as_str()
        ),
        ("access_denied", "st/ate")
    );
}

#[test]
fn every_lie_but_the_harmless_ones_changes_what_can_be_believed() {
    for lie in TokenLie::ALL {
        let mut sandbox = Sandbox::default();
        let truth = signed_in(&mut sandbox, "employee");
        sandbox.set_google_tokens(GoogleTokens {
            lie: Some(*lie),
            ..GoogleTokens::default()
        });
        let lied = signed_in(&mut sandbox, "employee");
        assert_ne!(lied["id_token"], truth["id_token"], "{lie:?}");
    }
    let mut sandbox = Sandbox::default();
    for lie in [TokenLie::WrongSignature, TokenLie::UnknownKid] {
        sandbox.set_google_tokens(GoogleTokens {
            lie: Some(lie),
            ..GoogleTokens::default()
        });
        let token = signed_in(&mut sandbox, "employee");
        assert!(
            !is_signed(&mut sandbox, token["id_token"].as_str().unwrap()),
            "{lie:?}"
        );
    }
}

#[test]
fn keys_rotate_while_tokens_of_the_old_key_are_still_good() {
    let mut sandbox = Sandbox::default();
    let first = keys(&mut sandbox);
    assert_eq!(
        first.header("cache-control"),
        Some("public, max-age=18000, must-revalidate, no-transform")
    );
    assert_eq!(first.value()["keys"].as_array().unwrap().len(), 1);
    let old = signed_in(&mut sandbox, "employee");
    let old = old["id_token"].as_str().unwrap();
    sandbox.rotate_google_keys();
    let new = signed_in(&mut sandbox, "employee");
    let new = new["id_token"].as_str().unwrap();
    assert_ne!(part(old, 0)["kid"], part(new, 0)["kid"]);
    assert!(is_signed(&mut sandbox, old) && is_signed(&mut sandbox, new));
    sandbox.retire_google_keys();
    assert!(!is_signed(&mut sandbox, old) && is_signed(&mut sandbox, new));
}

#[test]
fn the_control_api_changes_tokens_and_keys() {
    let mut sandbox = Sandbox::default();
    let mut control = |path: &str, body: &str| {
        let target = format!("/_sandbox/google{path}");
        answer(
            &mut sandbox,
            &request("POST", &target, &[], body),
            NOON + DAY_MS,
        )
        .status
    };
    assert_eq!(control("", r#"{"lie":"alg_none","max_age":60}"#), 200);
    assert_eq!(control("", r#"{"lie":"no such lie"}"#), 400);
    assert_eq!(control("", r#"{"mx_age":60}"#), 400);
    assert_eq!((control("/rotate", ""), control("/retire", "")), (200, 200));
    let age = keys(&mut sandbox);
    let age = age.header("cache-control").unwrap();
    assert!(age.contains("max-age=60"), "{age}");
}

#[test]
fn the_client_secret_belongs_to_the_token_endpoint_and_an_access_token_nowhere() {
    let mut sandbox = Sandbox::default();
    let tokens = signed_in(&mut sandbox, "employee");
    assert!(sandbox.ledger().violations.is_empty());
    let token = tokens["access_token"].as_str().unwrap();
    for request in [
        request(
            "GET",
            "/google-apis/oauth2/v3/certs",
            &[("x-debug", GOOGLE_CLIENT_SECRET)],
            "",
        ),
        request(
            "GET",
            "/github-api/user",
            &[("authorization", &format!("Bearer {token}"))],
            "",
        ),
        request("POST", "/google-oauth/token", &[], token),
    ] {
        let before = sandbox.ledger().violations.len();
        sandbox.handle(&request, NOON);
        assert_eq!(
            sandbox.ledger().violations.len(),
            before + 1,
            "{}",
            request.target
        );
    }
}
