//! Signing in at billing providers: what comes back, what the exchange takes, and that each code makes one key.

use crate::common::{NOON, VERIFIER, answer, challenge, encode, request};
use sandbox::{Fault, FaultKind, Operation, Request, Response, Sandbox, ViolationKind};
use serde_json::{Value, json};

const BACK: &str = "http://localhost:8787/auth/providers/openrouter/callback?state=s";
const DAYDREAM_BACK: &str = "http://localhost:8787/auth/providers/daydream/callback";
const MINUTE: i64 = 60_000;

fn choose(sandbox: &mut Sandbox, target: &str, choice: &str) -> Response {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let posted = request("POST", target, &[form], format!("choice={choice}"));
    answer(sandbox, &posted, NOON)
}

/// The value of this parameter in the address to which the browser is sent.
fn sent_back(response: &Response, name: &str) -> String {
    assert_eq!(response.status, 302, "{response:?}");
    let location = response.header("location").unwrap();
    let query = location.split_once('?').unwrap().1;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| *key == name);
    found
        .unwrap_or_else(|| panic!("{name} in {location}"))
        .1
        .to_owned()
}

fn openrouter_page() -> String {
    let challenge = challenge(VERIFIER);
    let query = encode(&[
        ("callback_url", BACK),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("key_label", "keycap hnd_0"),
    ]);
    format!("/openrouter/auth?{query}")
}

fn exchange(body: &Value) -> Request {
    let json = ("content-type", "application/json");
    request(
        "POST",
        "/openrouter/api/v1/auth/keys",
        &[json],
        body.to_string(),
    )
}

fn daydream_page(back: &str) -> String {
    format!(
        "/daydream/sign-in/local?{}",
        encode(&[("redirect_url", back), ("state", "s")])
    )
}

fn daydream_exchange(token: &str) -> Request {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    request(
        "POST",
        "/daydream-api/v1/api-key",
        &headers,
        r#"{"name":"keycap hnd_0"}"#,
    )
}

#[test]
fn openrouter_sends_a_code_back_that_makes_one_key_with_its_verifier() {
    let mut sandbox = Sandbox::default();
    let page = openrouter_page();
    let shown = answer(&mut sandbox, &request("GET", &page, &[], ""), NOON);
    assert!(shown.status == 200 && String::from_utf8_lossy(&shown.body).contains("Sign in"));
    let code = sent_back(&choose(&mut sandbox, &page, "sign-in"), "code");
    let body = json!({ "code": code, "code_verifier": VERIFIER, "code_challenge_method": "S256" });
    let first = answer(&mut sandbox, &exchange(&body), NOON);
    assert_eq!(first.status, 200);
    assert!(
        first.value()["key"]
            .as_str()
            .unwrap()
            .starts_with("sk-or-v1-")
    );
    assert!(first.value()["user_id"].is_string());
    assert_eq!(answer(&mut sandbox, &exchange(&body), NOON).status, 403);
    let linked = &sandbox.ledger().linked_keys;
    assert_eq!((linked.len(), linked[0].name.as_str()), (1, "keycap hnd_0"));
    assert!(sandbox.ledger().keys.is_empty(), "it is in no list of ours");
    assert!(sandbox.ledger().violations.is_empty());
}

#[test]
fn a_code_is_refused_with_another_verifier_after_ten_minutes_and_with_a_credential() {
    for (verifier, after, status) in [
        (VERIFIER, 0, 200),
        ("another", 0, 403),
        (VERIFIER, 10 * MINUTE, 403),
    ] {
        let mut sandbox = Sandbox::default();
        let code = sent_back(&choose(&mut sandbox, &openrouter_page(), "sign-in"), "code");
        let body = json!({ "code": code, "code_verifier": verifier });
        let response = answer(&mut sandbox, &exchange(&body), NOON + after);
        assert_eq!(response.status, status, "{verifier} {after}");
    }
    let mut sandbox = Sandbox::default();
    let mut with_credential = exchange(&json!({ "code": "no code", "extra": 1 }));
    with_credential
        .headers
        .push((String::from("authorization"), String::from("Bearer x")));
    assert_eq!(answer(&mut sandbox, &with_credential, NOON).status, 403);
    let kinds: Vec<_> = sandbox
        .ledger()
        .violations
        .iter()
        .map(|found| found.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            ViolationKind::ForeignCredential,
            ViolationKind::UnknownField
        ]
    );
    let method = json!({ "code": "c", "code_challenge_method": "S1" });
    assert_eq!(answer(&mut sandbox, &exchange(&method), NOON).status, 400);
}

#[test]
fn a_person_may_decline_or_walk_away() {
    let mut sandbox = Sandbox::default();
    for page in [openrouter_page(), daydream_page(DAYDREAM_BACK)] {
        assert_eq!(
            sent_back(&choose(&mut sandbox, &page, "decline"), "error"),
            "access_denied"
        );
        assert_eq!(choose(&mut sandbox, &page, "walk-away").status, 200);
        assert_eq!(choose(&mut sandbox, &page, "other").status, 400);
    }
    let elsewhere = "/openrouter/auth?callback_url=http%3A%2F%2Felsewhere.example";
    assert_eq!(
        answer(&mut sandbox, &request("GET", elsewhere, &[], ""), NOON).status,
        400
    );
}

#[test]
fn daydream_sends_a_token_to_listed_addresses_and_each_call_makes_a_key() {
    let mut sandbox = Sandbox::default();
    let elsewhere = daydream_page("https://elsewhere.example/auth/providers/daydream/callback");
    assert_eq!(choose(&mut sandbox, &elsewhere, "sign-in").status, 400);
    let port = choose(
        &mut sandbox,
        "/daydream/sign-in/local?port=4321&state=s",
        "sign-in",
    );
    assert!(
        port.header("location")
            .unwrap()
            .starts_with("http://127.0.0.1:4321/")
    );
    let back = choose(&mut sandbox, &daydream_page(DAYDREAM_BACK), "sign-in");
    assert_eq!(sent_back(&back, "state"), "s");
    let token = sent_back(&back, "token");
    for n in 1..=2 {
        let response = answer(&mut sandbox, &daydream_exchange(&token), NOON);
        assert_eq!(response.status, 200);
        assert_eq!(sandbox.ledger().linked_keys.len(), n);
    }
    let key = sandbox.ledger().linked_keys[0].secret.clone();
    let profile = |key: &str| {
        let bearer = format!("Bearer {key}");
        request(
            "GET",
            "/daydream-api/users/profile",
            &[("authorization", &bearer)],
            "",
        )
    };
    assert_eq!(answer(&mut sandbox, &profile(&key), NOON).status, 200);
    assert_eq!(answer(&mut sandbox, &profile("unknown"), NOON).status, 401);
    let expired = answer(&mut sandbox, &daydream_exchange(&token), NOON + 10 * MINUTE);
    assert_eq!(expired.status, 401);
    assert!(sandbox.ledger().violations.is_empty());
}

#[test]
fn the_key_of_an_answer_can_have_another_name_or_be_missing() {
    let mut sandbox = Sandbox::default();
    let token = sent_back(
        &choose(&mut sandbox, &daydream_page(DAYDREAM_BACK), "sign-in"),
        "token",
    );
    let key_named = |name: &str| FaultKind::KeyNamed {
        name: name.to_owned(),
    };
    for (fault, member) in [
        (key_named("api_key"), "api_key"),
        (key_named("key"), "key"),
        (FaultKind::KeyMissing, ""),
    ] {
        sandbox.add_fault(Fault::new(Operation::DaydreamKey, fault));
        let body = answer(&mut sandbox, &daydream_exchange(&token), NOON).value();
        let names: Vec<&str> = body
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names.join(" "), member);
    }
    sandbox.add_fault(Fault::new(
        Operation::DaydreamKey,
        FaultKind::ErrorBefore { status: 500 },
    ));
    let failed = answer(&mut sandbox, &daydream_exchange(&token), NOON);
    assert!(
        failed.status == 500 && failed.value().is_null(),
        "{failed:?}"
    );
}

#[test]
fn a_token_and_a_key_of_daydream_belong_to_daydream() {
    let mut sandbox = Sandbox::default();
    let token = sent_back(
        &choose(&mut sandbox, &daydream_page(DAYDREAM_BACK), "sign-in"),
        "token",
    );
    let body = json!({ "code": token }).to_string();
    answer(
        &mut sandbox,
        &exchange(&serde_json::from_str(&body).unwrap()),
        NOON,
    );
    let found = &sandbox.ledger().violations;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, ViolationKind::ForeignCredential);
}
