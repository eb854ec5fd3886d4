//! A key that OpenRouter does not have any more, or does not list.

use serde_json::{Value, json};

use super::{by_hand, holder, kinds, only_hash, reconciled};
use crate::support::{TEN_MINUTES, World, oracle};

#[test]
fn a_key_that_vanished_is_shown_as_missing_and_can_be_removed() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    holder(&world, "second");
    let shown = || member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(shown()["missing"], false);
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id LIMIT 1");
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    for night in 0..2 {
        assert_eq!(reconciled(&world)["missing"], 1, "night {night}");
        assert_eq!(
            (&shown()["state"], &shown()["missing"]),
            (&json!("active"), &json!(true))
        );
    }
    assert_eq!(kinds(&world), ["missing"]);
    assert_eq!(
        world
            .db
            .texts("SELECT action FROM audit WHERE action LIKE 'key_%' AND actor = 'reconcile'"),
        ["key_missed"]
    );
    assert_eq!(member.claim().status, 200, "it holds its seat");
    assert_eq!(member.delete(&key).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active"]);
    let next = member.claim().json()["key"].clone();
    assert_eq!(
        (&next["state"], &next["holds"]),
        (&json!("disabled"), &json!(["budget"])),
        "what it spent is not known"
    );
    assert_eq!(world.usable().len(), 1, "the other member's");
    world.pass(86_400);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active", "active"]);
    assert_eq!(reconciled(&world)["missing"], 0);
    assert_eq!(kinds(&world).len(), 0);
}

#[test]
fn a_listing_alone_makes_nothing_missing() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    // OpenRouter lists nothing, but still finds the key by its hash.
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            body["data"] = json!([]);
        }
    }));
    assert_eq!(reconciled(&world)["missing"], 0);
    world.bend.set(None);
    // A refusal, or no answer, does not mean that the key is missing either.
    for (kind, more) in [
        ("refuse", json!({ "status": 400, "times": 0 })),
        ("error_before", json!({ "times": 0 })),
    ] {
        let hash = only_hash(&world);
        world.bend.set(Some(|call, body| {
            if call.method == "GET" && call.url.path().ends_with("/keys") {
                body["data"] = json!([]);
            }
        }));
        world.add_fault("openrouter.keys.get", kind, more);
        let counts = reconciled(&world);
        assert_eq!(
            (&counts["missing"], &counts["errors"]),
            (&json!(0), &json!(1)),
            "{hash}"
        );
        world.sandbox.borrow_mut().clear_faults();
        world.bend.set(None);
    }
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    assert_eq!(kinds(&world).len(), 0);
}

#[test]
fn a_missing_key_that_exists_again_is_found() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    world.add_fault(
        "openrouter.keys.get",
        "refuse",
        json!({ "status": 404, "times": 0 }),
    );
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            body["data"] = json!([]);
        }
    }));
    assert_eq!(reconciled(&world)["missing"], 1);
    world.sandbox.borrow_mut().clear_faults();
    world.bend.set(None);
    assert_eq!(reconciled(&world)["found"], 1);
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    oracle::settled(&world);
}

#[test]
fn keys_outside_the_default_workspace_are_seen_switched_and_removed_by_their_hash() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let elsewhere = world.workspace();
    by_hand(&world, &json!({ "workspace_id": elsewhere }));
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["ours"], &counts["missing"]),
        (&json!(1), &json!(0))
    );
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        assert_eq!(member.patch(&key, body).status, 200);
    }
    assert_eq!(world.usable().len(), 1);
    assert_eq!(member.delete(&key).status, 200);
    assert_eq!(world.usable().len(), 0);
}
