//! The whole way of a device grant, and each way of not finishing it.

use super::*;
use crate::support::oracle;

#[test]
fn a_terminal_gets_one_key_after_its_person_has_typed_the_code() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    let waiting = terminal.asks(&begun);
    assert_eq!(
        (waiting.status, error(&waiting)),
        (400, String::from("authorization_pending"))
    );
    assert_eq!(mints(&world), 0, "nothing is made before the approval");
    // Capitals, blanks and dashes make no difference.
    let spelt = begun.user_code.to_lowercase().replace('-', " ");
    let found = looks_up(&member, &spelt).json()["grant"].clone();
    assert_eq!(
        (&found["client"], &found["device"], &found["state"]),
        (&json!("shell"), &json!("build-box"), &json!("pending"))
    );
    assert_eq!(approves(&member, &spelt).status, 200);
    assert_eq!(mints(&world), 0, "the approval makes nothing either");
    world.pass(5);
    let answer = terminal.asks(&begun);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store, no-transform");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 90 * 86_400);
    let usable = world.usable();
    assert_eq!(usable.len(), 1);
    assert_eq!(usable[0].limit.unwrap().nanos, 5_000_000_000);
    assert_eq!(usable[0].limit_reset, Some(sandbox::Period::Daily));
    let listed = member.get("/api/v1/keys").json();
    assert_eq!(listed["keys"], json!([body["key"]]));
    world.pass(5);
    let again = terminal.asks(&begun);
    assert_eq!(
        (again.status, error(&again), again.code()),
        (
            400,
            String::from("invalid_grant"),
            String::from("device_redeemed")
        )
    );
    assert_eq!(
        (mints(&world), state(&world)),
        (1, String::from("redeemed"))
    );
    oracle::settled(&world);
}

#[test]
fn the_answer_to_a_beginning_says_where_how_long_and_how_often() {
    let world = World::new();
    let terminal = Terminal::new(&world);
    let body = terminal
        .send("/api/v1/device/code", &[("client_id", "shell")])
        .json();
    let code = body["user_code"].as_str().unwrap();
    assert_eq!(body["verification_uri"], format!("{ORIGIN}/device"));
    assert_eq!(
        body["verification_uri_complete"],
        format!("{ORIGIN}/device#{code}")
    );
    assert_eq!(
        (&body["expires_in"], &body["interval"]),
        (&json!(600), &json!(5))
    );
    assert_eq!(code.len(), 9);
    assert!(code.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ-".contains(c)));
    assert!(body["device_code"].as_str().unwrap().len() >= 43);
    // The page is there for everybody, and tells nobody anything by itself.
    let page = Browser::new(&world).get("/device");
    assert_eq!(page.status, 200);
    assert!(!page.body.contains(code));
}

#[test]
fn each_question_that_comes_too_early_makes_the_terminal_wait_five_seconds_longer() {
    let world = World::new();
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    for (wait, expected) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        // Both times are whole seconds, so one second less is not too early.
        (4, "authorization_pending"),
        (3, "slow_down"),
        (10, "authorization_pending"),
        (8, "slow_down"),
        (13, "slow_down"),
        (19, "authorization_pending"),
    ] {
        world.pass(wait);
        assert_eq!(error(&terminal.asks(&begun)), expected, "after {wait}");
    }
    assert_eq!(
        world.db.number("SELECT interval_secs FROM device_grants"),
        20
    );
    // Also the key waits for a question that comes in time.
    let member = Browser::signed_in(&world, "member");
    assert_eq!(approves(&member, &begun.user_code).status, 200);
    world.pass(18);
    assert_eq!(error(&terminal.asks(&begun)), "slow_down");
    world.pass(24);
    assert_eq!(terminal.asks(&begun).status, 200);
}

#[test]
fn a_terminal_is_told_each_error_of_oauth() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    let code = begun.device_code.as_str();
    let whole = [
        ("grant_type", GRANT_TYPE),
        ("device_code", code),
        ("client_id", "shell"),
    ];
    let with = |name: &'static str, value: &'static str| {
        whole.map(|(n, v)| if n == name { (name, value) } else { (n, v) })
    };
    let twice = [whole[0], whole[1], whole[2], ("client_id", "shell")];
    let long = "x".repeat(65);
    for (fields, expected) in [
        (whole.to_vec(), "authorization_pending"),
        (
            with("grant_type", "password").to_vec(),
            "unsupported_grant_type",
        ),
        (with("grant_type", "").to_vec(), "invalid_request"),
        (with("device_code", "").to_vec(), "invalid_request"),
        (with("client_id", "").to_vec(), "invalid_request"),
        (with("device_code", "unknown").to_vec(), "invalid_grant"),
        (with("client_id", "another").to_vec(), "invalid_grant"),
        (twice.to_vec(), "invalid_request"),
    ] {
        let response = terminal.send("/api/v1/device/token", &fields);
        assert_eq!(error(&response), expected, "{response:?}");
        assert_eq!(response.status, 400);
        assert_eq!(response.header("content-type"), "application/json");
        assert!(response.header("cache-control").contains("no-store"));
    }
    for fields in [
        vec![],
        vec![("client_id", " \u{200f} ")],
        vec![("client_id", long.as_str())],
        vec![("client_id", "shell"), ("device_name", long.as_str())],
    ] {
        let response = terminal.send("/api/v1/device/code", &fields);
        assert_eq!(error(&response), "invalid_request", "{response:?}");
    }
    assert_eq!(denies(&member, &begun.user_code).status, 200);
    world.pass(5);
    assert_eq!(error(&terminal.asks(&begun)), "access_denied");
    let late = terminal.begins();
    world.pass(599);
    assert_eq!(error(&terminal.asks(&late)), "authorization_pending");
    world.pass(1);
    assert_eq!(error(&terminal.asks(&late)), "expired_token");
    world
        .refusing
        .borrow_mut()
        .push(keycap::ports::rate_limit::Limit::ClaimAddress);
    let limited = terminal.asks(&late);
    assert_eq!(
        (limited.status, error(&limited)),
        (429, String::from("slow_down"))
    );
    assert_eq!(limited.header("retry-after"), "60");
}

#[test]
fn what_was_approved_too_late_or_taken_back_makes_no_key() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let late = terminal.begins();
    world.pass(600);
    assert_eq!(looks_up(&member, &late.user_code).code(), "device_expired");
    assert_eq!(approves(&member, &late.user_code).code(), "device_expired");
    assert_eq!(denies(&member, &late.user_code).code(), "device_expired");
    let begun = approved(&terminal, &member);
    world.pass(600);
    assert_eq!(error(&terminal.asks(&begun)), "expired_token");
    let begun = approved(&terminal, &member);
    assert_eq!(approves(&member, &begun.user_code).code(), "device_decided");
    assert_eq!(denies(&member, &begun.user_code).status, 200);
    assert_eq!(error(&terminal.asks(&begun)), "access_denied");
    assert_eq!(denies(&member, &begun.user_code).code(), "device_decided");
    assert_eq!(approves(&member, &begun.user_code).code(), "device_decided");
    assert_eq!(mints(&world), 0);
}

#[test]
fn a_grant_is_forgotten_a_day_after_its_end_and_with_the_member_who_leaves() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = approved(&terminal, &member);
    let exported = member.get("/api/v1/me/export").json()["device_grants"].clone();
    assert_eq!(exported[0]["device"], "build-box");
    assert_eq!(exported[0]["state"], "approved");
    world.pass(86_400 + 600);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM device_grants"), 1);
    world.pass(1);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM device_grants"), 0);
    assert_eq!(error(&terminal.asks(&begun)), "invalid_grant");
    let leaver = Browser::signed_in(&world, "second");
    let theirs = approved(&terminal, &leaver);
    let open = terminal.begins();
    assert!(leaver.leave("second").status < 300);
    assert_eq!(error(&terminal.asks(&theirs)), "invalid_grant");
    assert_eq!(error(&terminal.asks(&open)), "authorization_pending");
}

#[test]
fn a_code_is_found_under_a_secret_that_was_replaced_meanwhile() {
    let world = World::new();
    let old = world.settings()["AUTH_SESSION_SECRET"].clone();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    let new = "another secret of at least thirty-two bytes";
    world.set("AUTH_SESSION_SECRET", &format!("{new},{old}"));
    let member = member.at_fresh_isolate();
    assert_eq!(approves(&member, &begun.user_code).status, 200);
    assert_eq!(Terminal::new(&world).asks(&begun).status, 200);
}

#[test]
fn the_members_history_says_what_they_decided() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let denied = terminal.begins();
    assert_eq!(denies(&member, &denied.user_code).status, 200);
    let begun = approved(&terminal, &member);
    assert_eq!(terminal.asks(&begun).status, 200);
    let history = member.get("/api/v1/me/history").json();
    let events: Vec<&str> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["event"].as_str())
        .filter(|event| event.starts_with("terminal"))
        .collect();
    assert_eq!(
        events,
        ["terminal_asked", "terminal_approved", "terminal_denied"]
    );
}
