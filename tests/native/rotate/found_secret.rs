//! A secret that somebody found: an administrator reports it by its fingerprint.

use serde_json::json;

use super::{delivered, holder, holds, is, rotates, sweeps};
use crate::support::{Browser, World, oracle};

#[test]
fn an_admin_reports_a_found_secret_by_its_fingerprint_and_its_key_is_disabled() {
    const LEAKS: &str = "/api/v1/admin/leaks";
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let found = |secret: &str| {
        let fingerprint = sandbox::sha256_hex(secret.as_bytes());
        operator.post(LEAKS, &json!({ "secret_sha256": fingerprint }).to_string())
    };
    let first = world.delivered.borrow()[0].clone();
    for body in [
        r#"{"secret_sha256":"x"}"#.to_owned(),
        json!({ "secret_sha256": first }).to_string(),
        json!({ "secret_sha256": "A".repeat(64) }).to_string(),
    ] {
        assert_eq!(operator.post(LEAKS, &body).status, 400);
    }
    is(&found("sk-or-v1-nobodys"), 404, "not_found");
    is(
        &member.post(LEAKS, r#"{"secret_sha256":"x"}"#),
        404,
        "not_found",
    );
    // The hash of a replaced secret neither opens nor ends anything.
    let response = rotates(&member, &key);
    let second = response.secret().unwrap();
    sweeps(&world, 3);
    let response = found(&first);
    assert_eq!(
        (response.status, world.usable().len()),
        (200, 1),
        "{response:?}"
    );
    assert!(
        response.json()["note"]
            .as_str()
            .unwrap()
            .contains("had ended")
    );
    assert_eq!(holds(&world), [""; 0]);
    // A working secret is disabled at once, and its owner asks for the next one.
    let response = found(&second);
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(
        (world.usable().len(), holds(&world)),
        (0, vec![String::from("leak")])
    );
    delivered(&world, &rotates(&member, &key), 1);
    // This holds for an admin's own key too, and the answer has no secret.
    let own = operator.claim().secret().unwrap();
    let response = found(&own);
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
}

#[test]
fn a_found_secret_that_is_being_removed_is_recognised_and_removed_at_once_if_possible() {
    type Act = fn(&World, &Browser<'_>, &str);
    let removes: Act = |_, member, key| {
        assert_eq!(member.delete(key).status, 202);
    };
    let is_suspended: Act = |world, _, _| {
        let response = Browser::signed_in(world, "operator").set_status("member", "suspended");
        assert_eq!(response.status, 202, "{response:?}");
    };
    let is_stuck: Act = |world, member, key| {
        assert_eq!(member.delete(key).status, 202);
        sweeps(world, 8);
        assert_eq!(world.states(), ["stuck"]);
    };
    for (name, act) in [
        ("removed", removes),
        ("suspended", is_suspended),
        ("stuck", is_stuck),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let secret = world.delivered.borrow()[0].clone();
        let fingerprint = sandbox::sha256_hex(secret.as_bytes());
        let down = json!({ "status": 500, "times": 0 });
        for operation in ["openrouter.keys.update", "openrouter.keys.delete"] {
            world.add_fault(operation, "error_before", down.clone());
        }
        act(&world, &member, &key);
        let operator = Browser::signed_in(&world, "operator");
        let report = || {
            let body = json!({ "secret_sha256": fingerprint }).to_string();
            operator.post("/api/v1/admin/leaks", &body)
        };
        let response = report();
        assert_eq!(response.status, 202, "{name} {response:?}");
        let id = key.rsplit('/').next().unwrap();
        assert_eq!(
            (&response.json()["key"]["id"], response.secret()),
            (&json!(id), None)
        );
        let note = response.json()["note"].as_str().unwrap().to_owned();
        assert!(note.contains("is being removed"), "{name} {note}");
        // On the route of the key itself, the operator gets the same answer as its owner.
        is(
            &operator.post(&format!("{key}/leaked"), "{}"),
            409,
            "key_being_removed",
        );
        // The report does not wait for a sweep.
        world.sandbox.borrow_mut().clear_faults();
        let response = report();
        assert_eq!(
            (response.status, world.usable().len()),
            (200, 0),
            "{name} {response:?}"
        );
        assert_eq!(world.states(), ["revoked"], "{name}");
        let response = report();
        assert_eq!(response.status, 200, "{name} {response:?}");
        assert!(
            response.json()["note"]
                .as_str()
                .unwrap()
                .contains("had ended")
        );
        is(
            &operator.post(&format!("{key}/leaked"), "{}"),
            409,
            "key_ended",
        );
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn a_found_secret_that_was_replaced_does_not_end_its_successor() {
    let world = World::new();
    let (member, key) = holder(&world);
    let first = world.delivered.borrow()[0].clone();
    rotates(&member, &key);
    assert_eq!(world.states(), ["revoking", "active"]);
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "secret_sha256": sandbox::sha256_hex(first.as_bytes()) }).to_string();
    let response = operator.post("/api/v1/admin/leaks", &body);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!((world.usable().len(), holds(&world)), (1, vec![]));
    assert_eq!(world.states(), ["revoked", "active"]);
}
