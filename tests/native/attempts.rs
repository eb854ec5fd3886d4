//! Sign-in attempts in a browser: how many there may be, what a repeated callback gets, and which account GitHub is
//! asked for.

use keycap::domain::policy::return_target::ReturnTarget;
use keycap::http::routes::{ROUTES, Shows};
use keycap::http::server::cookies::SIGNED_OUT;
use keycap::http::server::message::Body;

use crate::support::{Browser, Cookies, World, oracle};

fn attempts(browser: &Browser<'_>) -> Vec<String> {
    let cookies = browser.cookies.borrow();
    let names = cookies.keys().filter(|name| name.contains("attempt"));
    names.cloned().collect()
}

fn starts(browser: &Browser<'_>, query: &str) -> String {
    let response = browser.get(&format!("/auth/github{query}"));
    assert_eq!(response.status, 302, "{response:?}");
    response.header("location").to_owned()
}

#[test]
fn a_callback_that_a_browser_opens_again_redirects_and_exchanges_no_code() {
    for target in ReturnTarget::ALL {
        let world = World::new();
        let browser = Browser::new(&world);
        let location = starts(&browser, &format!("?next={}", target.name()));
        let callback = browser.approve(&location, "member");
        for times in 1..=3 {
            let response = browser.get(&callback);
            assert_eq!(
                (response.status, response.header("location")),
                (303, target.path(true)),
                "time {times}"
            );
            assert_eq!(
                browser.get(response.header("location")).status,
                200,
                "no loop"
            );
        }
        assert_eq!(world.calls("github.token"), 1, "exchanged once");
        assert_eq!(browser.get("/api/v1/me").status, 200, "and still signed in");
        // After a sign-out, from this browser or from everywhere, the repeated callback is refused with the error
        // `state`.
        assert_eq!(browser.post("/auth/logout", "{}").status, 303);
        let response = browser.get(&callback);
        assert_eq!(response.header("location"), "/?auth_error=state");
        assert_eq!(
            browser.get(response.header("location")).status,
            200,
            "no loop"
        );
        browser.sign_in("member");
        let ended = browser.cookies.borrow().clone();
        assert_eq!(
            browser.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
        let response = Browser::with(&world, &ended).get(&callback);
        assert_eq!(response.header("location"), "/?auth_error=state");
        oracle::always(&world);
    }
}

#[test]
fn a_state_that_names_no_page_leads_to_the_page_of_keys_and_never_elsewhere() {
    let world = World::new();
    let browser = Browser::signed_in(&world, "member");
    for state in [
        "",
        "x",
        "00000000.x.//evil.example",
        "00000000.x.https://evil",
        "00000000.x.admin",
        "00000000.x.%0d%0alocation:%20x",
    ] {
        let response = browser.get(&format!("/auth/github/callback?code=x&state={state}"));
        assert_eq!(
            (response.status, response.header("location")),
            (303, "/keys"),
            "{state}"
        );
    }
    assert_eq!(world.calls("github.token"), 1, "that of the sign-in");
}

#[test]
fn unfinished_sign_ins_do_not_pile_up_and_the_newest_five_can_be_finished() {
    let world = World::new();
    let browser = Browser::signed_in(&world, "member");
    let mut locations = Vec::new();
    for n in 0..200 {
        locations.push(starts(&browser, ""));
        assert!(attempts(&browser).len() <= 5, "after {n}");
        world.pass(1);
    }
    assert_eq!(attempts(&browser).len(), 5);
    assert_eq!(
        browser.get("/api/v1/me").status,
        200,
        "nobody is signed out"
    );
    let newest = locations.split_off(195);
    for location in &newest {
        // Each attempt continues in its own copy of the browser, because the first that succeeds ends the others.
        let tab = browser.at_fresh_isolate();
        tab.cookies.borrow_mut().remove("__Host-keycap_session");
        let callback = tab.approve(location, "member");
        assert_eq!(tab.get(&callback).header("location"), "/keys");
        assert_eq!(attempts(&tab), [""; 0], "a sign-in ends every attempt");
    }
    let tab = browser.at_fresh_isolate();
    tab.cookies.borrow_mut().remove("__Host-keycap_session");
    let callback = tab.approve(&locations[194], "member");
    assert_eq!(tab.get(&callback).header("location"), "/?auth_error=state");
}

#[test]
fn a_new_attempt_ends_the_oldest_one_and_every_invalid_cookie() {
    let world = World::new();
    let browser = Browser::new(&world);
    for _ in 0..5 {
        starts(&browser, "");
        world.pass(100);
    }
    let before = attempts(&browser);
    // A browser sends cookies in any order, and one of them may contain anything.
    let strange = "__Host-keycap_attempt_00000000";
    browser
        .cookies
        .borrow_mut()
        .insert(strange.to_owned(), String::from("x"));
    starts(&browser, "");
    let after = attempts(&browser);
    assert_eq!(after.len(), 5);
    assert!(!after.contains(&strange.to_owned()));
    let ended = before.iter().filter(|name| !after.contains(name)).count();
    assert_eq!(ended, 1, "the oldest of five");
    // Ten minutes later all of these attempts have ended.
    world.pass(600);
    starts(&browser, "");
    assert_eq!(attempts(&browser).len(), 1);
}

#[test]
fn signing_out_ends_every_attempt_too() {
    for (method, target, body) in [
        ("POST", "/auth/logout", "{}"),
        ("POST", "/api/v1/me/sign-out-everywhere", "{}"),
        ("DELETE", "/api/v1/me", r#"{"confirm":"member"}"#),
    ] {
        let world = World::new();
        let browser = Browser::signed_in(&world, "member");
        starts(&browser, "");
        starts(&browser, "");
        let headers = [
            ("origin", "http://localhost:8787"),
            ("content-type", "application/json"),
        ];
        let response = browser.send(method, target, &headers, Body::Bytes(body.into()));
        assert!(
            [204, 303].contains(&response.status),
            "{target} {response:?}"
        );
        let left: Vec<String> = browser.cookies.borrow().keys().cloned().collect();
        assert_eq!(left, [SIGNED_OUT], "{target}");
    }
}

#[test]
fn github_asks_for_the_account_after_a_sign_out_and_on_request() {
    let asks = |location: &str| {
        let url = url::Url::parse(location).unwrap();
        let prompts = url.query_pairs().filter(|(name, _)| name == "prompt");
        prompts
            .map(|(_, value)| value.into_owned())
            .collect::<Vec<_>>()
    };
    let world = World::new();
    let browser = Browser::signed_in(&world, "member");
    let none = [""; 0];
    assert_eq!(asks(&starts(&browser, "")), none);
    assert_eq!(
        asks(&starts(&browser, "?account=another")),
        ["select_account"]
    );
    // No other spelling by the caller reaches GitHub.
    for query in [
        "?prompt=select_account",
        "?prompt=none",
        "?account=select_account",
        "?account=",
        "?account=another%20consent",
        "?account=ANOTHER",
        "?account=x&account=another",
    ] {
        assert_eq!(asks(&starts(&browser, query)), none, "{query}");
    }
    for target in ["/auth/logout", "/api/v1/me/sign-out-everywhere"] {
        assert!(browser.post(target, "{}").status < 400);
        assert_eq!(asks(&starts(&browser, "")), ["select_account"], "{target}");
        assert_eq!(asks(&starts(&browser, "")), none, "the first one only");
        browser.sign_in("member");
    }
    // GitHub's page was asked to let the person select an account, and was asked for nothing else.
    let callback = browser.approve(&starts(&browser, "?account=another"), "second");
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    assert_eq!(
        browser.get("/api/v1/me").json()["member"]["login"],
        "second"
    );
    let prompts = world.sandbox.borrow().ledger().github_prompts.clone();
    assert_eq!(prompts.last().unwrap().as_deref(), Some("select_account"));
    assert_eq!(prompts.iter().flatten().count(), 1, "{prompts:?}");
}

#[test]
fn beside_every_refusal_of_an_account_the_page_offers_another_one() {
    for (persona, offers) in [
        ("bot", true),
        ("suspended", true),
        ("unverified", true),
        ("refuser", true),
        ("app-suspended", false),
    ] {
        let world = World::new();
        let browser = Browser::new(&world);
        let response = browser.sign_in(persona);
        let page = browser.get(response.header("location"));
        let link = "href=\"/auth/github?next=keys&amp;account=another\"";
        assert_eq!(page.body.contains(link), offers, "{persona}");
    }
}

#[test]
fn a_prefetch_of_a_sign_in_starts_nothing() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = starts(&browser, "");
    let callback = browser.approve(&started, "member");
    let cookies: Cookies = browser.cookies.borrow().clone();
    let before = world.db.dump();
    for (header, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        for target in ["/auth/github", callback.as_str()] {
            let response = browser.send("GET", target, &[(header, value)], Body::Empty);
            assert_eq!(
                (response.status, response.body.as_str()),
                (503, ""),
                "{target}"
            );
            assert!(!response.headers.contains_key("set-cookie"), "{target}");
            assert!(!response.headers.contains_key("location"), "{target}");
        }
    }
    assert_eq!(*browser.cookies.borrow(), cookies);
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("github.token"), 0);
    // A real press then works. Other values of the header are ignored.
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    let response = browser.send(
        "GET",
        "/auth/github",
        &[("sec-purpose", "prefetching")],
        Body::Empty,
    );
    assert_eq!(response.status, 302);
}

#[test]
fn every_target_of_a_sign_in_is_a_page_that_exists() {
    for keys_page in ["true", "false"] {
        let world = World::new();
        world.set("API_KEYS_PAGE", keys_page);
        for name in ["keys", "docs", "usage", "admin", "nothing", ""] {
            let browser = Browser::new(&world);
            let callback = browser.approve(&starts(&browser, &format!("?next={name}")), "member");
            let response = browser.get(&callback);
            let page = response.header("location");
            assert!(
                ROUTES
                    .iter()
                    .any(|route| route.path == page && route.shows == Shows::Document)
            );
            assert_eq!(browser.get(page).status, 200, "{name} {keys_page}: {page}");
        }
    }
}
