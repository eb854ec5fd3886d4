//! The cookie of an attempt: it is sealed for its own purpose and lasts ten minutes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keycap::crypto::keyring::{Keyring, Purpose};
use keycap::crypto::seal;
use keycap::domain::key::secret::Secret;
use keycap::ports::{NoRandomness, Random};

use super::{Attempt, OWN, STATE, come_back, cookies_set, gives_a_session};
use crate::attacks::{Caller, SECRET, SESSION};
use crate::support::{World, oracle};

#[test]
fn an_attempt_cookie_that_was_changed_opens_nothing() {
    let world = World::new();
    let caller = Caller::new(&world);
    let attempt = Attempt::approved(&caller, "keys", "member");
    let bytes = URL_SAFE_NO_PAD.decode(&attempt.sealed).unwrap();
    let mut forms = Vec::new();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        forms.push(URL_SAFE_NO_PAD.encode(&flipped));
        forms.push(URL_SAFE_NO_PAD.encode(&bytes[..at]));
        if at % 5 == 0 {
            let mut longer = bytes.clone();
            longer.insert(at, 0);
            forms.push(URL_SAFE_NO_PAD.encode(&longer));
            forms.push(attempt.sealed[at..].to_owned());
        }
    }
    forms.push(attempt.sealed.to_uppercase());
    forms.push(attempt.sealed.chars().rev().collect());
    forms.push("A".repeat(attempt.sealed.len()));
    forms.push("A".repeat(65_536));
    let forms: Vec<String> = forms
        .into_iter()
        .filter(|form| *form != attempt.sealed)
        .collect();
    let before = world.db.dump();
    for form in &forms {
        let cookie = format!("{}={form}", attempt.name);
        let response = come_back(&caller, &attempt.query(), &cookie);
        assert_eq!(response.header("location"), STATE, "{form}");
        assert!(!gives_a_session(&response));
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("github.token"), 0);
    let response = come_back(&caller, &attempt.query(), &attempt.cookie());
    assert_eq!(response.header("location"), OWN);
    oracle::always(&world);
    println!("counted: {} broken attempt cookies", forms.len());
}

struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill(7);
        Ok(())
    }
}

#[test]
fn a_value_sealed_for_another_purpose_is_no_attempt() {
    let world = World::new();
    let caller = Caller::new(&world);
    let state = "0badcafe.state";
    let name = "__Host-keycap_attempt_0badcafe";
    let soon = world.now().plus(60).secs();
    let keyring = |secret: &str| Keyring::new(&[Secret::new(secret.to_owned())]);
    let key = |secret: &str, purpose| keyring(secret).newest(purpose).unwrap().clone();
    let good = serde_json::json!({ "provider": "github", "relay": null, "state": state, "verifier": "v", "next": "//evil.example", "expires_at": soon });
    let with = |member: &str, value: serde_json::Value| {
        let mut pending = good.clone();
        pending[member] = value;
        pending.to_string()
    };
    let ours = || key(SECRET, Purpose::SignInAttempt);
    let now = world.now().secs();
    let all = [
        (
            "the session's key",
            key(SECRET, Purpose::Session),
            name,
            good.to_string(),
        ),
        (
            "the rate limit's key",
            key(SECRET, Purpose::RateLimit),
            name,
            good.to_string(),
        ),
        (
            "another secret",
            key(
                "another-session-secret-not-for-production",
                Purpose::SignInAttempt,
            ),
            name,
            good.to_string(),
        ),
        (
            "another name",
            ours(),
            "__Host-keycap_attempt_0badcaff",
            good.to_string(),
        ),
        ("no name", ours(), "", good.to_string()),
        ("the session's name", ours(), SESSION, good.to_string()),
        (
            "another state",
            ours(),
            name,
            with("state", "0badcafe.other".into()),
        ),
        (
            "no state",
            ours(),
            name,
            with("state", serde_json::Value::Null),
        ),
        ("over", ours(), name, with("expires_at", now.into())),
        ("long over", ours(), name, with("expires_at", 0.into())),
        (
            "a text as its end",
            ours(),
            name,
            with("expires_at", soon.to_string().into()),
        ),
        (
            "no verifier",
            ours(),
            name,
            with("verifier", serde_json::Value::Null),
        ),
        ("no JSON", ours(), name, String::from("{")),
        ("nothing", ours(), name, String::new()),
    ];
    for (what, key, sealed_for, pending) in &all {
        let sealed = seal::seal(key, sealed_for, pending.as_bytes(), &Fixed).unwrap();
        let response = come_back(
            &caller,
            &format!("code=x&state={state}"),
            &format!("{name}={sealed}"),
        );
        assert_eq!(response.header("location"), STATE, "{what}");
    }
    assert_eq!(world.calls("github.token"), 0);

    // The seal here is valid, and the `next` inside it is hostile. It is still not used as an address.
    let attempt = Attempt::approved(&caller, "keys", "member");
    let plain = seal::open(&[ours()], &attempt.name, &attempt.sealed).unwrap();
    let mut pending: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    pending["next"] = "//evil.example".into();
    let sealed = seal::seal(
        &ours(),
        &attempt.name,
        pending.to_string().as_bytes(),
        &Fixed,
    )
    .unwrap();
    let response = come_back(
        &caller,
        &attempt.query(),
        &format!("{}={sealed}", attempt.name),
    );
    assert_eq!(response.header("location"), OWN);
    oracle::always(&world);
    println!("counted: {} cookies sealed for something else", all.len());
}

#[test]
fn an_attempt_lasts_ten_minutes_to_the_second() {
    for (after, leads_to) in [
        (0, OWN),
        (599, OWN),
        (600, STATE),
        (601, STATE),
        (86_400, STATE),
    ] {
        let world = World::new();
        let caller = Caller::new(&world);
        let attempt = Attempt::approved(&caller, "keys", "member");
        world.pass(after);
        let response = come_back(&caller, &attempt.query(), &attempt.cookie());
        assert_eq!(response.header("location"), leads_to, "after {after} s");
        assert!(
            cookies_set(&response)
                .iter()
                .any(|set| set.starts_with(&attempt.name))
        );
        oracle::always(&world);
    }
    println!("counted: 5 ends of attempts");
}
