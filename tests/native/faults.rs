//! Every fault of the sandbox on the create of a key, and what the member and the promises see of it.

use serde_json::{Value, json};

use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// A fault, its options, and the status and code of the claim's answer.
fn faults() -> Vec<(&'static str, Value, u16, &'static str)> {
    vec![
        (
            "refuse",
            json!({ "status": 400 }),
            502,
            "openrouter_refused",
        ),
        (
            "refuse",
            json!({ "status": 401 }),
            503,
            "credential_refused",
        ),
        (
            "refuse",
            json!({ "status": 403 }),
            503,
            "credential_refused",
        ),
        ("rate_limited", json!({}), 503, "openrouter_busy"),
        (
            "rate_limited",
            json!({ "retry_after": 7 }),
            503,
            "openrouter_busy",
        ),
        ("reset_before", json!({}), 503, "claim_unknown"),
        ("reset_after", json!({}), 503, "claim_unknown"),
        (
            "error_before",
            json!({ "status": 500 }),
            503,
            "claim_unknown",
        ),
        (
            "error_after",
            json!({ "status": 500 }),
            503,
            "claim_unknown",
        ),
        (
            "error_after",
            json!({ "status": 502 }),
            503,
            "claim_unknown",
        ),
        ("truncated", json!({}), 503, "claim_unknown"),
        ("html", json!({}), 503, "claim_unknown"),
        ("html_error", json!({}), 503, "claim_unknown"),
        (
            "html_refuse",
            json!({ "status": 401 }),
            503,
            "claim_unknown",
        ),
        (
            "html_refuse",
            json!({ "status": 403 }),
            503,
            "claim_unknown",
        ),
        (
            "html_refuse",
            json!({ "status": 404 }),
            503,
            "claim_unknown",
        ),
        ("stall_before", json!({}), 503, "claim_unknown"),
        ("stall_after", json!({}), 503, "claim_unknown"),
        ("late", json!({}), 503, "claim_unknown"),
        ("echo_limit_missing", json!({}), 502, "openrouter_mismatch"),
        ("echo_limit_larger", json!({}), 502, "openrouter_mismatch"),
        ("echo_reset_wrong", json!({}), 502, "openrouter_mismatch"),
        ("echo_expiry_later", json!({}), 502, "openrouter_mismatch"),
        ("echo_name_wrong", json!({}), 502, "openrouter_mismatch"),
        ("hash_missing", json!({}), 502, "openrouter_mismatch"),
        ("key_missing", json!({}), 502, "openrouter_mismatch"),
    ]
}

#[test]
fn the_text_of_an_upstream_error_is_neither_shown_nor_logged() {
    const CANARY: &str = "canary-of-upstreams-own-words";
    for (operation, status) in [
        ("openrouter.keys.create", 400),
        ("openrouter.keys.create", 401),
        ("openrouter.keys.create", 402),
        ("openrouter.keys.create", 403),
        ("openrouter.keys.create", 500),
        ("github.token", 400),
        ("github.user", 401),
        ("github.user", 500),
    ] {
        let world = World::new();
        let member = Browser::new(&world);
        let ours = operation.starts_with("openrouter");
        if ours {
            member.sign_in("member");
        }
        let kind = if status < 500 {
            "refuse"
        } else {
            "error_before"
        };
        world.add_fault(operation, kind, json!({ "status": status, "times": 0 }));
        world.bend.set(Some(|_, answer| {
            for name in ["error", "message", "error_description"] {
                if answer[name].is_object() {
                    answer[name]["message"] = json!(CANARY);
                } else {
                    answer[name] = json!(CANARY);
                }
            }
        }));
        let response = if ours {
            member.claim()
        } else {
            member.sign_in("member")
        };
        assert!(
            !ours || response.json()["instance"].is_string(),
            "{response:?}"
        );
        let headers = format!("{:?}", response.headers);
        assert!(
            !response.body.contains(CANARY) && !headers.contains(CANARY),
            "{response:?}"
        );
        let log = world.log.borrow().join("\n");
        assert!(!log.contains(CANARY), "{log}");
        assert!(!world.db.dump().contains(CANARY));
    }
}

#[test]
fn after_every_fault_the_promises_hold_and_the_member_can_claim() {
    for (kind, more, status, code) in faults() {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.add_fault("openrouter.keys.create", kind, more.clone());
        let response = member.claim();
        assert_eq!(
            (response.status, response.code().as_str()),
            (status, code),
            "{kind} {more}"
        );
        assert!(
            !response.body.contains("sk-or-v1"),
            "{kind}: a secret in an error"
        );
        oracle::always(&world);
        for _ in 0..2 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
            oracle::always(&world);
        }
        oracle::settled(&world);
        assert_eq!(world.usable().len(), 0, "{kind}: a stray");
        assert_eq!(member.claim().status, 201, "{kind}: the member can claim");
        oracle::settled(&world);
    }
}

#[test]
fn an_echo_without_expiry_is_completed_by_one_read() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_expiry_missing", json!({}));
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.calls("openrouter.keys.get"), 1);
    oracle::settled(&world);

    let other = Browser::signed_in(&world, "second");
    world.add_fault("openrouter.keys.create", "echo_expiry_missing", json!({}));
    world.add_fault("openrouter.keys.get", "echo_expiry_missing", json!({}));
    assert_eq!(other.claim().code(), "openrouter_mismatch");
    oracle::settled(&world);
}

#[test]
fn a_transport_that_repeats_the_create_leaves_one_key() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "duplicate", json!({}));
    let response = member.claim();
    assert_eq!(response.status, 201);
    assert_eq!(world.usable().len(), 2);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let left = world.usable();
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0].secret,
        response.secret().unwrap(),
        "the delivered one"
    );
    oracle::settled(&world);
}

#[test]
fn unusual_times_and_unknown_members_are_understood() {
    for kind in ["odd_timestamps", "extra_members"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.add_fault("openrouter.keys.create", kind, json!({}));
        assert_eq!(member.claim().status, 201, "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn a_wait_that_openrouter_asks_for_is_passed_on_and_applies_to_everybody() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    world.add_fault(
        "openrouter.keys.create",
        "rate_limited",
        json!({ "retry_after": 7 }),
    );
    let response = member.claim();
    assert_eq!(
        (response.status, response.header("retry-after")),
        (503, "7")
    );
    let waiting = second.claim();
    assert_eq!(
        (waiting.status, waiting.code().as_str()),
        (503, "openrouter_busy")
    );
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    world.pass(8);
    assert_eq!(second.claim().status, 201);
}

#[test]
fn a_stalled_create_is_answered_within_its_deadline_and_never_repeated() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "stall_after", json!({}));
    let before = world.now_ms.get();
    assert_eq!(member.claim().status, 503);
    assert_eq!(world.now_ms.get() - before, 10_000);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
}

#[test]
fn repeated_unknown_outcomes_pause_claims_for_everybody_for_a_minute() {
    let world = World::new();
    let people: Vec<Browser<'_>> = (0..7)
        .map(|n| Browser::signed_in(&world, &format!("load-{n}")))
        .collect();
    world.add_fault(
        "openrouter.keys.create",
        "reset_before",
        json!({ "times": 5 }),
    );
    for person in &people[..5] {
        assert_eq!(person.claim().code(), "claim_unknown");
    }
    let paused = people[5].claim();
    assert_eq!(
        (paused.status, paused.code().as_str()),
        (503, "openrouter_busy")
    );
    world.pass(61);
    assert_eq!(people[6].claim().status, 201);
    oracle::always(&world);
}

#[test]
fn an_upstream_that_echoes_our_credential_is_not_passed_on() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    let response = member.claim();
    for secret in [sandbox::MANAGEMENT_KEY, "Invalid request"] {
        assert!(!response.body.contains(secret), "{}", response.body);
    }
}

#[test]
fn a_refused_credential_is_explained_to_the_member_and_logged_as_an_error() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 403 }));
    let response = member.claim();
    assert_eq!(response.header("retry-after"), "600");
    let body = response.json();
    assert_ne!(body["title"], "Something went wrong here");
    assert!(
        body["detail"]
            .as_str()
            .unwrap()
            .contains("people who run this service")
    );
    let log = world.log.borrow();
    let line = log.iter().find(|line| line.contains("credential_refused"));
    assert!(line.unwrap().contains("\"level\":\"error\""), "{line:?}");
}

#[test]
fn an_error_page_of_a_proxy_does_not_prove_that_a_key_is_gone() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let key = member.claim().json()["key"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for operation in ["openrouter.keys.update", "openrouter.keys.delete"] {
        let more = json!({ "status": 404, "times": 0 });
        world.add_fault(operation, "html_refuse", more);
    }
    assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 202);
    for _ in 0..4 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["revoking"]);
        assert_eq!(
            world.usable().len(),
            1,
            "it works, and nothing says otherwise"
        );
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0);
}
