//! Who is let in: sessions, sign-ins, and the pages from which an admin's switches may be used.

use keycap::crypto::keyring::{Keyring, Purpose};
use keycap::crypto::session;
use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::key::secret::Secret;
use serde_json::json;

use crate::support::{Browser, World};

#[test]
fn a_session_that_would_last_longer_than_seven_days_belongs_to_nobody() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::Mac;
    let secrets = [Secret::new("a".repeat(32))];
    let keyring = Keyring::new(&secrets);
    let keys = keyring.keys(Purpose::Session);
    let world = World::new();
    let now = world.now();
    let member = PublicId::new(IdKind::Member, [9; 12]);
    for (days, valid) in [(7, true), (8, false)] {
        let claims = json!({ "sub": member.as_str(), "epoch": 0, "iat": now.secs(), "exp": now.plus(days * 86_400).secs() });
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            part(r#"{"alg":"HS256"}"#),
            part(&claims.to_string())
        );
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(keys[0].as_slice()).unwrap();
        mac.update(signed.as_bytes());
        let token = format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        );
        assert_eq!(
            session::verify(keys, &token, now).is_some(),
            valid,
            "{days}"
        );
    }
}

#[test]
fn a_session_that_has_ended_ends_no_other() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    // Each browser has its own copy of the cookies, because an answer that refuses a session clears its cookie.
    let (ended, everywhere) = (member.at_fresh_isolate(), "/api/v1/me/sign-out-everywhere");
    assert_eq!(member.post(everywhere, "{}").status, 204);
    let again = Browser::signed_in(&world, "member");
    assert_eq!(ended.post(everywhere, "{}").status, 401);
    assert_eq!(again.get("/api/v1/me").status, 200);
}

#[test]
fn a_state_with_a_changed_second_half_signs_nobody_in() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    let (before, state) = callback.split_once("state=").unwrap();
    let (suffix, _) = state.split_once('.').unwrap();
    let response = browser.get(&format!("{before}state={suffix}.{}", "x".repeat(43)));
    assert_eq!(response.header("location"), "/?auth_error=state");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 0);
}

#[test]
fn only_our_own_pages_use_an_admins_switches() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let ours = "http://localhost:8787";
    for (origin, site, status) in [
        (ours, "same-origin", 200),
        (ours, "same-site", 403),
        ("https://elsewhere.example", "same-origin", 403),
        ("null", "cross-site", 403),
    ] {
        let headers = [
            ("origin", origin),
            ("sec-fetch-site", site),
            ("content-type", "application/json"),
        ];
        let body = keycap::http::server::message::Body::Bytes(br#"{"minting":"open"}"#.to_vec());
        let response = operator.send("PATCH", "/api/v1/admin/settings", &headers, body);
        assert_eq!(response.status, status, "{origin} {site}");
    }
}
