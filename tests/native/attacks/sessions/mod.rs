//! Forged and stale sessions: tokens made from a valid one without the signing key, and tokens that are signed with the
//! key and must still be refused.

mod forged;
mod headers;
mod signed_but_refused;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use keycap::crypto::keyring::{Keyring, Purpose};
use keycap::domain::key::secret::Secret;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::{Caller, SECRET, SESSION, cookie_of};
use crate::support::{Browser, World, oracle};

/// What was done, and the resulting token or `Cookie` header.
type Forged = (String, Vec<u8>);

const WEEK: i64 = 7 * 86_400;

macro_rules! signer {
    ($name:ident, $hash:ty) => {
        fn $name(key: &[u8], text: &str) -> String {
            let mut mac = Hmac::<$hash>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        }
    };
}

signer!(hs256, Sha256);

signer!(hs384, Sha384);

signer!(hs512, Sha512);

fn session_key(secret: &str) -> Vec<u8> {
    purpose_key(secret, Purpose::Session)
}

fn purpose_key(secret: &str, purpose: Purpose) -> Vec<u8> {
    let secrets = [Secret::new(secret.to_owned())];
    Keyring::new(&secrets).newest(purpose).unwrap().to_vec()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(key: &[u8], header: &Value, payload: &str) -> String {
    let text = format!("{}.{}", encoded(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{text}.{}", hs256(key, &text))
}

fn hs256_header() -> Value {
    json!({ "alg": "HS256" })
}

/// A valid token, taken apart.
struct Token {
    text: String,
    parts: [String; 3],
    payload: Value,
}

impl Token {
    fn of(browser: &Browser<'_>) -> Self {
        let text = browser.cookies.borrow()[SESSION].clone();
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        let parts = parts.try_into().unwrap();
        Self {
            text,
            parts,
            payload,
        }
    }

    fn with_part(&self, n: usize, part: &str) -> String {
        let mut parts = self.parts.clone();
        part.clone_into(&mut parts[n]);
        parts.join(".")
    }

    /// The payload with one member changed, or removed if `value` is `None`.
    fn payload_with(&self, name: &str, value: Option<Value>) -> String {
        let mut payload = self.payload.clone();
        let members = payload.as_object_mut().unwrap();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        payload.to_string()
    }
}

/// Sends the session in other places than its cookie. Returns how many requests were sent.
fn elsewhere(caller: &Caller<'_>, token: &str) -> u32 {
    let bearer = format!("Bearer {token}");
    let pair = format!("{SESSION}={token}");
    let mut count = 0;
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("authorization", token),
        ("cookie2", pair.as_str()),
        ("set-cookie", pair.as_str()),
        ("x-session", token),
        ("x-forwarded-user", "member"),
        ("cf-access-jwt-assertion", token),
    ] {
        let response = caller.get("/api/v1/me", &[(name, value.as_bytes())]);
        assert_eq!(response.status, 401, "{name}");
        count += 1;
    }
    for query in [
        pair.clone(),
        format!("token={token}"),
        format!("session={token}"),
    ] {
        let response = caller.get(&format!("/api/v1/me?{query}"), &[]);
        assert_eq!(response.status, 401, "{query}");
        count += 1;
    }
    count
}

#[test]
fn every_forged_or_expired_session_belongs_to_nobody_and_mints_nothing() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let ended = Token::of(&member);
    // The epoch is raised above zero, so that lower epochs exist.
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    member.sign_in("member");
    let other = Token::of(&Browser::signed_in(&world, "second"));
    let valid = Token::of(&member);
    let now = world.now().secs();
    let caller = Caller::new(&world);

    let tokens = [
        forged::segments_bent(&valid),
        forged::characters_changed(&valid),
        forged::changed_without_the_key(&valid, other.payload["sub"].as_str().unwrap()),
        forged::signed_by_other_keys(&valid),
        signed_but_refused::signed_and_wrong(&valid, now),
        vec![(String::from("ended by signing out everywhere"), ended.text)],
    ];
    let tokens = tokens
        .into_iter()
        .flatten()
        .filter(|(_, token)| token.trim() != valid.text);
    let as_headers = tokens.map(|(what, token)| (what, format!("{SESSION}={token}").into_bytes()));
    let forms: Vec<Forged> = as_headers
        .chain(headers::cookie_headers(
            &valid.text,
            "__Host-keycap_attempt_00000000",
        ))
        .collect();

    let before = world.db.dump();
    for (what, cookie) in &forms {
        assert!(http::HeaderValue::from_bytes(cookie).is_ok(), "{what}");
        let response = caller.me(cookie);
        assert_eq!(
            (response.status, response.code().as_str()),
            (401, "sign_in_required"),
            "{what}"
        );
        let response = caller.post("/api/v1/claim", cookie, b"{}");
        assert_eq!(
            (response.status, response.code().as_str()),
            (401, "sign_in_required"),
            "{what}"
        );
    }
    let more = elsewhere(&caller, &valid.text);
    assert_eq!(world.db.dump(), before, "no forged session writes");
    assert_eq!(world.calls("openrouter.keys.create"), 0);

    let works = [
        format!("{SESSION}={}", valid.text),
        format!("a=1; {SESSION}={}; b=2", valid.text),
        format!("a=1;{SESSION}={};b=2", valid.text),
        format!("a; =; ;; {SESSION}={}", valid.text),
        format!("{SESSION}={}; {SESSION}=x", valid.text),
        format!("a={}; {SESSION}={}", "A".repeat(4_096), valid.text),
        format!("{SESSION}x=1; x{SESSION}=2; {SESSION}={}", valid.text),
    ];
    for cookie in &works {
        assert_eq!(caller.me(cookie.as_bytes()).status, 200, "{cookie}");
    }
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    oracle::always(&world);
    println!(
        "counted: {} forged or stale sessions, beside {} good ones",
        forms.len() + usize::try_from(more).unwrap(),
        works.len()
    );
    assert!(forms.len() >= 60);
}

#[test]
fn a_removed_session_secret_signs_nobody_in() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let old = Token::of(&member);
    let new = "another-session-secret-not-for-production";
    let payload = old.payload.to_string();
    let by_new = signed(&session_key(new), &hs256_header(), &payload);
    let by_list = signed(
        &session_key(&format!("{new},{SECRET}")),
        &hs256_header(),
        &payload,
    );
    let mut count = 0;
    for (setting, old_works, new_works) in [
        (SECRET.to_owned(), true, false),
        (format!("{new},{SECRET}"), true, true),
        (format!("{SECRET},{new}"), true, true),
        (new.to_owned(), false, true),
    ] {
        world.set("AUTH_SESSION_SECRET", &setting);
        let caller = Caller::new(&world);
        let status = |token: &str| caller.me(format!("{SESSION}={token}").as_bytes()).status;
        assert_eq!(status(&old.text) == 200, old_works, "{setting}");
        assert_eq!(status(&by_new) == 200, new_works, "{setting}");
        assert_eq!(status(&by_list), 401, "the list is no secret: {setting}");
        count += 3;
    }
    oracle::always(&world);
    println!("counted: {count} sessions of rotated secrets");
}

#[test]
fn a_session_ends_after_seven_days_and_when_its_member_is_suspended() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    world.pass(WEEK - 1);
    assert_eq!(caller.me(cookie.as_bytes()).status, 200);
    world.pass(1);
    for _ in 0..3 {
        assert_eq!(caller.me(cookie.as_bytes()).code(), "sign_in_required");
        let response = caller.post("/api/v1/claim", cookie.as_bytes(), b"{}");
        assert_eq!(
            response.code(),
            "sign_in_required",
            "refused before any call"
        );
        assert!(response.header("set-cookie").contains("Max-Age=0"));
        world.pass(WEEK);
    }
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    for status in ["suspended", "banned", "left"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let id = member.get("/api/v1/me").json()["member"]["id"].clone();
        let cookies = member.cookies.borrow().clone();
        if status == "left" {
            assert_eq!(member.leave("member").status, 204);
        } else {
            let of = format!("/api/v1/admin/members/{}", id.as_str().unwrap());
            let body = format!(r#"{{"status":"{status}"}}"#);
            let operator = Browser::signed_in(&world, "operator");
            assert_eq!(operator.patch(&of, &body).status, 200);
        }
        // These are the cookies of a tab that was open meanwhile.
        let member = Browser::with(&world, &cookies);
        let caller = Caller::new(&world);
        let cookie = cookie_of(&member);
        assert_eq!(caller.me(cookie.as_bytes()).status, 403, "{status}");
        assert_eq!(
            caller
                .post("/api/v1/claim", cookie.as_bytes(), b"{}")
                .status,
            403,
            "{status}"
        );
        assert_eq!(world.calls("openrouter.keys.create"), 0);
        oracle::always(&world);
    }
    println!("counted: 10 ends of sessions");
}

#[test]
fn a_cookie_of_another_application_with_any_bytes_signs_nobody_out() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let ours = cookie_of(&member);
    let caller = Caller::new(&world);
    for neighbour in [
        "name=J\u{fc}rgen".as_bytes(),
        b"name=J\xfcrgen",
        "\u{1f36a}=1".as_bytes(),
    ] {
        for cookie in [
            [neighbour, b"; ", ours.as_bytes()].concat(),
            [ours.as_bytes(), b"; ", neighbour].concat(),
        ] {
            assert_eq!(caller.me(&cookie).status, 200, "{neighbour:?}");
        }
    }
    println!("counted: 6 cookies of neighbours");
}
