//! The sign-in with Google from its start to the session, its errors, and the two providers side by side.

use serde_json::json;

use super::{members, query};
use crate::support::{Browser, World, oracle};

const STATE: &str = "/?auth_error=state";

#[test]
fn a_sign_in_asks_for_the_address_only_and_uses_pkce_and_a_nonce() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/google?next=keys");
    assert_eq!(started.status, 302);
    let location = started.header("location").to_owned();
    let url = url::Url::parse(&location).unwrap();
    let asked: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let names: Vec<&str> = asked.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert_eq!(asked["scope"], "openid email");
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(
        asked["redirect_uri"],
        "http://localhost:8787/auth/google/callback"
    );
    assert_eq!(
        (asked["nonce"].len(), asked["code_challenge"].len()),
        (64, 43)
    );
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM used_states"),
        0,
        "starting writes nothing"
    );

    let back = browser.get(&browser.approve(&location, "employee"));
    assert_eq!((back.status, back.header("location")), (303, "/keys"));
    let me = browser.get("/api/v1/me").json();
    assert_eq!(
        (&me["member"]["provider"], &me["member"]["login"]),
        (&json!("google"), &json!("employee@company.example")),
        "the address is in lower case"
    );
    assert_eq!(
        world
            .db
            .texts("SELECT subject || ' ' || hosted_domain FROM members"),
        ["110000000000000000100 company.example"]
    );
    assert_eq!(
        (world.calls("google.token"), world.calls("google.certs")),
        (1, 1)
    );
    assert_eq!(world.calls("github.token"), 0);
}

#[test]
fn each_sign_in_has_a_nonce_a_state_and_a_challenge_of_its_own() {
    let world = World::new();
    let browser = Browser::new(&world);
    let one = browser.get("/auth/google").header("location").to_owned();
    let two = browser.get("/auth/google").header("location").to_owned();
    for name in ["nonce", "state", "code_challenge"] {
        assert_ne!(query(&one, name), query(&two, name), "{name}");
    }
}

#[test]
fn a_person_is_the_number_of_the_account_and_never_the_address() {
    let world = World::new();
    Browser::with_google(&world, "employee");
    let renamed = Browser::with_google(&world, "renamed");
    assert_eq!(members(&world), 1);
    assert_eq!(
        renamed.get("/api/v1/me").json()["member"]["login"],
        "renamed@company.example"
    );
    // Another account under an address that a member has is another member, and the address becomes a former login.
    let world = World::new();
    Browser::with_google(&world, "operator");
    Browser::with_google(&world, "successor");
    assert_eq!(members(&world), 2);
    assert_eq!(
        world
            .db
            .texts("SELECT subject FROM members WHERE login_passed_on_at IS NOT NULL"),
        ["110000000000000000001"]
    );
}

#[test]
fn the_errors_of_google_are_explained_in_words_and_leave_no_member_behind() {
    for (operation, kind, more, code) in [
        (
            "google.token",
            "html_error",
            json!({}),
            "google_unavailable",
        ),
        (
            "google.token",
            "reset_after",
            json!({}),
            "google_unavailable",
        ),
        ("google.token", "truncated", json!({}), "google_unavailable"),
        (
            "google.token",
            "html_refuse",
            json!({ "status": 403 }),
            "google_unavailable",
        ),
        (
            "google.token",
            "html_refuse",
            json!({ "status": 400 }),
            "google_unavailable",
        ),
        (
            "google.token",
            "error_before",
            json!({ "status": 500 }),
            "google_unavailable",
        ),
        (
            "google.token",
            "refuse",
            json!({ "status": 401 }),
            "google_misconfigured",
        ),
        (
            "google.token",
            "refuse",
            json!({ "status": 400 }),
            "google_misconfigured",
        ),
        (
            "google.token",
            "rate_limited",
            json!({}),
            "google_rate_limited",
        ),
        (
            "google.certs",
            "html_error",
            json!({ "times": 3 }),
            "google_unavailable",
        ),
        (
            "google.certs",
            "stall_before",
            json!({ "times": 3 }),
            "google_unavailable",
        ),
        (
            "google.certs",
            "html",
            json!({ "times": 3 }),
            "google_unavailable",
        ),
    ] {
        let world = World::new();
        world.add_fault(operation, kind, more);
        let browser = Browser::new(&world);
        let response = browser.sign_in_at("google", "employee");
        assert_eq!(
            response.header("location"),
            format!("/?auth_error={code}"),
            "{operation} {kind}"
        );
        assert_eq!(members(&world), 0);
        assert_eq!(world.calls("google.token"), 1, "a code is exchanged once");
        let page = browser.get(response.header("location"));
        assert!(page.body.contains("data-auth-error") && !page.body.contains(&format!(">{code}<")));
        assert!(page.body.contains("Google"), "{code}: {}", page.body);
        oracle::always(&world);
    }
    for (persona, code) in [
        ("refuser", "google_denied"),
        ("unverified", "google_unverified_email"),
    ] {
        let world = World::new();
        let response = Browser::new(&world).sign_in_at("google", persona);
        assert_eq!(response.header("location"), format!("/?auth_error={code}"));
        assert_eq!(members(&world), 0);
    }
}

#[test]
fn the_state_of_one_provider_is_refused_at_the_callback_of_the_other() {
    for (from, to, persona) in [
        ("google", "github", "employee"),
        ("github", "google", "member"),
    ] {
        let world = World::new();
        let browser = Browser::new(&world);
        let started = browser.get(&format!("/auth/{from}"));
        let callback = browser.approve(started.header("location"), persona);
        let crossed = callback.replace(&format!("/auth/{from}/"), &format!("/auth/{to}/"));
        assert_ne!(crossed, callback);
        let cookies = browser.cookies.borrow().clone();
        assert_eq!(
            browser.get(&crossed).header("location"),
            STATE,
            "{from} at {to}"
        );
        assert_eq!(
            world.calls("google.token") + world.calls("github.token"),
            0,
            "nobody is asked"
        );
        assert_eq!(members(&world), 0);
        // The attempt itself is none the worse.
        let again = Browser::with(&world, &cookies);
        assert_eq!(again.get(&callback).header("location"), "/keys");
    }
}

#[test]
fn one_person_with_two_providers_is_two_members() {
    let world = World::new();
    // The account number at Google is that of another person at GitHub.
    let google = Browser::with_google(&world, "employee");
    let github = Browser::signed_in(&world, "member");
    assert_eq!(members(&world), 2);
    assert_eq!(google.claim().status, 201);
    assert_eq!(github.claim().status, 201);
    for (browser, with) in [(&google, "Google"), (&github, "GitHub")] {
        let page = browser.get("/account");
        assert!(
            page.body.contains("two accounts here"),
            "{with}: {}",
            page.body
        );
    }
    world.set("GOOGLE_OAUTH_CLIENT_ID", "");
    world.set("GOOGLE_OAUTH_CLIENT_SECRET", "");
    let github = github.at_fresh_isolate();
    assert!(
        !github.get("/account").body.contains("two accounts here"),
        "there is one provider"
    );
}

#[test]
fn the_page_offers_google_only_where_it_is_configured() {
    let world = World::new();
    let page = Browser::new(&world).get("/").body;
    assert!(
        page.contains("href=\"/auth/google?next=keys\"") && page.contains("Continue with Google")
    );
    assert!(page.contains("href=\"/auth/github?next=keys\""));
    for setting in ["GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET"] {
        let world = World::new();
        world.set(setting, "");
        let browser = Browser::new(&world);
        let page = browser.get("/").body;
        assert!(!page.contains("/auth/google") && page.contains("Continue with GitHub"));
        let refused = browser.get("/auth/google");
        assert_eq!(
            refused.header("location"),
            "/?auth_error=google_not_configured"
        );
        assert!(
            browser
                .get("/auth/github")
                .header("location")
                .contains("/login/oauth/")
        );
    }
    let world = World::new();
    world.set("GITHUB_OAUTH_CLIENT_ID", "");
    let browser = Browser::new(&world);
    let page = browser.get("/").body;
    assert!(!page.contains("href=\"/auth/github") && page.contains("Continue with Google"));
    assert_eq!(
        browser.get("/auth/github").header("location"),
        "/?auth_error=not_configured"
    );
    Browser::with_google(&world, "employee");
}

#[test]
fn a_state_of_google_is_for_one_browser_one_use_and_ten_minutes() {
    let world = World::new();
    let browser = Browser::new(&world);
    let location = browser.get("/auth/google").header("location").to_owned();
    let attempt = browser.cookies.borrow().clone();
    let callback = browser.approve(&location, "employee");
    assert_eq!(
        Browser::new(&world).get(&callback).header("location"),
        STATE,
        "another browser"
    );
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    let thief = Browser::with(&world, &attempt);
    assert_eq!(
        thief.get(&callback).header("location"),
        "/?auth_error=google_expired",
        "the code is used"
    );
    // Google gives a second code for the same state and nonce. Only our own record of used states refuses it.
    let second = browser.approve(&location, "colleague");
    let thief = Browser::with(&world, &attempt);
    assert_eq!(thief.get(&second).header("location"), STATE);
    assert_eq!(members(&world), 1);
    let late = browser.approve(&location, "colleague");
    world.pass(600);
    assert_eq!(
        Browser::with(&world, &attempt)
            .get(&late)
            .header("location"),
        STATE
    );
}

#[test]
fn a_head_or_a_prefetch_of_a_step_spends_nothing() {
    let world = World::new();
    let browser = Browser::new(&world);
    let location = browser.get("/auth/google").header("location").to_owned();
    let callback = browser.approve(&location, "employee");
    let body = || keycap::http::server::message::Body::Empty;
    for target in ["/auth/google", callback.as_str()] {
        let head = browser.send("HEAD", target, &[], body());
        assert_eq!((head.status, head.header("set-cookie")), (200, ""));
        let ahead = browser.send("GET", target, &[("sec-purpose", "prefetch")], body());
        assert_eq!((ahead.status, ahead.header("set-cookie")), (503, ""));
    }
    assert_eq!(world.calls("google.token"), 0);
    assert_eq!(browser.get(&callback).header("location"), "/keys");
}

#[test]
fn an_answer_of_another_issuer_is_refused_before_google_is_asked() {
    for (issuer, location) in [
        ("https%3A%2F%2Faccounts.google.com", "/keys"),
        ("https%3A%2F%2Faccounts.evil.example", STATE),
        ("", STATE),
    ] {
        let world = World::new();
        let browser = Browser::new(&world);
        let started = browser.get("/auth/google");
        let callback = browser.approve(started.header("location"), "employee");
        let back = browser.get(&format!("{callback}&iss={issuer}"));
        assert_eq!(back.header("location"), location, "{issuer}");
    }
}

#[test]
fn who_leaves_is_erased_and_recognised_when_they_come_back() {
    let world = World::new();
    let browser = Browser::with_google(&world, "employee");
    assert_eq!(browser.claim().status, 201);
    let exported = browser.get("/api/v1/me/export").json()["member"].clone();
    assert_eq!(
        (
            &exported["login"],
            &exported["hosted_domain"],
            &exported["account_created_at"]
        ),
        (
            &json!("employee@company.example"),
            &json!("company.example"),
            &json!(null)
        )
    );
    let left = browser.leave("employee@company.example");
    assert!([202, 204].contains(&left.status), "{left:?}");
    let rest = world.db.dump();
    for trace in ["110000000000000000100", "employee", "company.example"] {
        assert!(!rest.contains(trace), "{trace}");
    }
    Browser::with_google(&world, "employee");
    assert_eq!(members(&world), 1, "the same member");
}
