//! The keys that sign ID tokens: they are read when they are needed, kept as long as Google says, and replaced while
//! people sign in.

use sandbox::{GoogleTokens, TokenLie};
use serde_json::json;

use super::lies;
use crate::support::{Browser, World};

/// Signs in at this browser's isolate. Returns where it led.
fn enters(browser: &Browser<'_>) -> String {
    browser.cookies.borrow_mut().clear();
    browser
        .sign_in_at("google", "employee")
        .header("location")
        .to_owned()
}

const UNPROVED: &str = "/?auth_error=google_unproved";
const SILENT: &str = "/?auth_error=google_unavailable";

#[test]
fn keys_are_read_once_and_again_when_their_answer_is_old() {
    let world = World::new();
    let browser = Browser::new(&world);
    for (passed, asked) in [(0, 1), (17_999, 1), (1, 2), (60, 2)] {
        world.pass(passed);
        assert_eq!(enters(&browser), "/keys");
        assert_eq!(world.calls("google.certs"), asked, "{passed}");
    }
    assert_eq!(
        enters(&Browser::new(&world)),
        "/keys",
        "each isolate reads them for itself"
    );
    assert_eq!(world.calls("google.certs"), 3);
}

#[test]
fn a_rotation_in_the_middle_of_the_day_signs_nobody_out_and_refuses_nobody() {
    let world = World::new();
    let browser = Browser::new(&world);
    assert_eq!(enters(&browser), "/keys");
    world.pass(61);
    world.sandbox.borrow_mut().rotate_google_keys();
    assert_eq!(enters(&browser), "/keys", "the new key is asked for");
    assert_eq!(world.calls("google.certs"), 2);
    world.sandbox.borrow_mut().retire_google_keys();
    assert_eq!(enters(&browser), "/keys");
    assert_eq!(world.calls("google.certs"), 2, "it is known by now");
    // Between the page and the callback.
    world.pass(61);
    let started = browser.get("/auth/google");
    let callback = browser.approve(started.header("location"), "employee");
    world.sandbox.borrow_mut().rotate_google_keys();
    assert_eq!(browser.get(&callback).header("location"), "/keys");
}

#[test]
fn a_key_that_google_does_not_publish_is_asked_for_at_most_once_a_minute() {
    let world = World::new();
    let browser = Browser::new(&world);
    assert_eq!(enters(&browser), "/keys");
    lies(&world, TokenLie::UnknownKid);
    for (passed, asked) in [(1, 1), (58, 1), (1, 2), (59, 2), (1, 3)] {
        world.pass(passed);
        assert_eq!(enters(&browser), UNPROVED);
        assert_eq!(world.calls("google.certs"), asked, "{passed}");
    }
    world
        .sandbox
        .borrow_mut()
        .set_google_tokens(GoogleTokens::default());
    assert_eq!(enters(&browser), "/keys", "the known key is still good");
}

#[test]
fn while_google_does_not_publish_its_keys_the_last_ones_are_used_for_a_day() {
    let world = World::new();
    let browser = Browser::new(&world);
    assert_eq!(enters(&browser), "/keys");
    world.add_fault(
        "google.certs",
        "error_before",
        json!({ "status": 500, "times": 0 }),
    );
    world.pass(18_000);
    assert_eq!(enters(&browser), "/keys");
    let asked = world.calls("google.certs");
    assert_eq!(enters(&browser), "/keys");
    assert_eq!(
        world.calls("google.certs"),
        asked,
        "it is not asked again within the minute"
    );
    world.pass(86_400 - 60);
    assert_eq!(enters(&browser), "/keys");
    world.pass(60);
    assert_eq!(
        enters(&browser),
        SILENT,
        "after a day it is not believed any more"
    );
    assert_eq!(
        enters(&Browser::new(&world)),
        SILENT,
        "an isolate without keys believes nothing"
    );
    world.sandbox.borrow_mut().clear_faults();
    world.pass(60);
    assert_eq!(enters(&browser), "/keys");
}

#[test]
fn an_answer_without_keys_refuses_everybody_and_is_not_believed_for_long() {
    let world = World::new();
    let browser = Browser::new(&world);
    let none = GoogleTokens {
        no_keys: true,
        ..GoogleTokens::default()
    };
    world.sandbox.borrow_mut().set_google_tokens(none);
    assert_eq!(enters(&browser), UNPROVED);
    world
        .sandbox
        .borrow_mut()
        .set_google_tokens(GoogleTokens::default());
    world.pass(60);
    assert_eq!(enters(&browser), "/keys");
}
