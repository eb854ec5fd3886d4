//! Keys that are to be revoked or purged: when they count as gone, when a request is retried, and what is never
//! deleted.

use serde_json::json;

use super::generation;
use crate::support::{Browser, TEN_MINUTES, World, oracle};

#[test]
fn each_failed_revoke_waits_longer_before_the_next_try() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "status": 400, "times": 0 });
    world.add_fault("openrouter.keys.delete", "refuse", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    let mut attempts = Vec::new();
    for _ in 0..8 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        attempts.push(world.db.number("SELECT attempts FROM generations"));
    }
    assert_eq!(attempts, [1, 2, 2, 3, 3, 3, 3, 4]);
}

#[test]
fn a_revoke_whose_answer_is_lost_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.delete", "reset_before", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["revoking"]);
        oracle::always(&world);
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(7_200);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked"]);
    oracle::settled(&world);
}

#[test]
fn a_row_that_openrouter_refuses_waits_and_that_counts_as_no_attempt() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "status": 403, "times": 0 });
    world.add_fault("openrouter.keys.delete", "refuse", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let waits = format!(
        "SELECT attempts || ' ' || (next_attempt_at - {}) FROM generations",
        world.now().secs()
    );
    assert_eq!(world.db.text(&waits), "0 540");
}

#[test]
fn many_keys_of_recorded_names_at_once_stop_the_sweep() {
    let world = World::new();
    for n in 0..11 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        world.add_fault("openrouter.keys.create", "duplicate", json!({}));
        assert_eq!(person.claim().status, 201);
    }
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped brake");
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
}

#[test]
fn an_answer_that_shows_another_state_does_not_confirm_the_change() {
    // An empty secret is not a secret.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.bend.set(Some(|call, answer| {
        if call.method == "POST" && call.url.path().ends_with("/keys") {
            answer["key"] = json!("");
        }
    }));
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    oracle::settled(&world);

    // A label that contains the secret is neither stored nor shown.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.bend.set(Some(|call, answer| {
        if call.method == "POST" && call.url.path().ends_with("/keys") {
            answer["data"]["label"] = answer["key"].clone();
        }
    }));
    let response = member.claim();
    assert_eq!(response.json()["key"]["mask"], json!(null));
    oracle::settled(&world);

    // OpenRouter answers a delete without having deleted the key.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    world.add_fault("openrouter.keys.delete", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    world.bend.set(Some(|call, answer| {
        if call.method == "DELETE" {
            *answer = json!({ "deleted": false });
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoking"]);

    // OpenRouter answers a switch without having switched the key.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
    world.bend.set(Some(|call, answer| {
        if call.method == "PATCH" {
            answer["data"]["disabled"] = json!(false);
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);

    // OpenRouter answers with another workspace than the one that was asked for.
    world.bend.set(Some(|call, answer| {
        if call.url.path().contains("/workspaces/") {
            answer["data"]["id"] = json!("another");
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
}

#[test]
fn a_marked_key_whose_row_appears_after_the_listing_is_not_disabled() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let name = format!(
        "keycap/{}/gen_t",
        world.db.text("SELECT name FROM instance")
    );
    world.somebodys_key(&name);
    world.db.run(&format!(
        "CREATE TRIGGER late AFTER INSERT ON findings BEGIN
           INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'gen_t', 'reserved', 't', 'minting', 1);
           {};
         END",
        generation("minting", "NEW.upstream_name", "NULL")
    ));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    let sandbox = world.sandbox.borrow();
    assert!(sandbox.ledger().keys_named(&name).all(|key| !key.disabled));
}
