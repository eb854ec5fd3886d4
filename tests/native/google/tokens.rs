//! ID tokens: everything that is wrong with one is refused, and what is only odd is not.

use sandbox::TokenLie;

use super::{lies, members, query};
use crate::support::{Browser, World, oracle};

#[test]
fn every_token_that_is_not_googles_for_this_sign_in_is_refused() {
    for lie in TokenLie::ALL {
        let world = World::new();
        lies(&world, *lie);
        let browser = Browser::new(&world);
        let location = browser
            .sign_in_at("google", "employee")
            .header("location")
            .to_owned();
        if lie.is_harmless() {
            assert_eq!(location, "/keys", "{lie:?}");
            continue;
        }
        let code = match lie {
            TokenLie::EmailUnverified => "google_unverified_email",
            _ => "google_unproved",
        };
        assert_eq!(location, format!("/?auth_error={code}"), "{lie:?}");
        assert_eq!(
            (members(&world), browser.get("/api/v1/me").status),
            (0, 401),
            "{lie:?}"
        );
        oracle::always(&world);
    }
}

#[test]
fn the_times_of_a_token_are_exact_within_five_minutes() {
    // Google's clock is ahead of ours, or behind it. A token lasts an hour from Google's now.
    for (ahead_secs, accepted) in [(300, true), (301, false), (-3_899, true), (-3_900, false)] {
        let world = World::new();
        world.upstream_ahead_ms.set(ahead_secs * 1_000);
        let response = Browser::new(&world).sign_in_at("google", "employee");
        let location = response.header("location");
        assert_eq!(location == "/keys", accepted, "{ahead_secs}: {location}");
    }
}

#[test]
fn a_nonce_is_worth_nothing_in_another_sign_in() {
    let world = World::new();
    let browser = Browser::new(&world);
    let one = browser.get("/auth/google").header("location").to_owned();
    let two = browser.get("/auth/google").header("location").to_owned();
    let with = |name: &str| two.replace(&query(&two, name), &query(&one, name));
    for (name, code) in [
        ("nonce", "google_unproved"),
        ("code_challenge", "google_expired"),
    ] {
        // Everything but this is of the second attempt.
        let callback = browser.approve(&with(name), "employee");
        let back = Browser::with(&world, &browser.cookies.borrow()).get(&callback);
        assert_eq!(
            back.header("location"),
            format!("/?auth_error={code}"),
            "{name}"
        );
    }
    assert_eq!(members(&world), 0);
    assert_eq!(
        browser
            .get(&browser.approve(&two, "employee"))
            .header("location"),
        "/keys"
    );
}
