//! What has to be certain of the old secret before another one is made, and that it works again if none is.

use serde_json::{Value, json};

use super::{DAY, FOUR_HOURS, asks, delivered, holder, holds, is, limits, rotates, spends, sweeps};
use crate::support::{Browser, World, oracle};

#[test]
fn without_a_confirmed_disable_and_its_figures_nothing_is_minted_and_the_old_secret_works_again() {
    type Bend = fn(&keycap::ports::Call, &mut Value);
    let bends: [Bend; 4] = [
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["disabled"] = json!(false)
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["usage_daily"] = Value::Null
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["byok_usage"] = json!("0")
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]
                    .as_object_mut()
                    .unwrap()
                    .remove("usage")
                    .unwrap();
            }
        },
    ];
    for bend in bends {
        let world = World::new();
        let (member, key) = holder(&world);
        world.bend.set(Some(bend));
        is(&rotates(&member, &key), 503, "old_unconfirmed");
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        assert_eq!(holds(&world), [""; 0]);
        world.bend.set(None);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 1);
        oracle::settled(&world);
    }
    for kind in ["reset_before", "reset_after", "error_before", "refuse"] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 403, "times": 0 })
        } else {
            json!({ "times": 0 })
        };
        world.add_fault("openrouter.keys.update", kind, more);
        is(&rotates(&member, &key), 503, "old_unconfirmed");
        assert_eq!(world.calls("openrouter.keys.create"), 1, "{kind}");
        world.sandbox.borrow_mut().clear_faults();
        sweeps(&world, 2);
        assert_eq!(
            (world.usable().len(), world.states()),
            (1, vec![String::from("active")])
        );
        oracle::settled(&world);
    }
}

#[test]
fn the_used_part_of_the_limit_counts_if_the_figures_of_spend_are_behind() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.bend.set(Some(|call, body| {
        if call.method == "PATCH" {
            body["data"]["limit_remaining"] = json!(1.25);
        }
    }));
    let response = rotates(&member, &key);
    assert_eq!(response.json()["key"]["limit_usd"], "1.25");
}

#[test]
fn after_a_failed_mint_the_old_secret_works_again_at_once() {
    for (kind, more, status, states) in [
        ("refuse", json!({ "status": 400 }), 502, ["active", "void"]),
        ("refuse", json!({ "status": 429 }), 503, ["active", "void"]),
        ("refuse", json!({ "status": 401 }), 503, ["active", "void"]),
        ("reset_after", json!({}), 503, ["active", "verifying"]),
        ("error_before", json!({}), 503, ["active", "verifying"]),
        ("echo_limit_larger", json!({}), 502, ["active", "revoked"]),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let first = world.usable()[0].hash.clone();
        world.add_fault("openrouter.keys.create", kind, more);
        assert_eq!(rotates(&member, &key).status, status, "{kind}");
        assert_eq!(world.states(), states, "{kind}");
        assert!(world.usable().iter().any(|key| key.hash == first), "{kind}");
        sweeps(&world, 3);
        assert_eq!(world.usable().len(), 1);
        oracle::settled(&world);
        world.pass(DAY);
        delivered(
            &world,
            &rotates(&Browser::signed_in(&world, "member"), &key),
            1,
        );
    }
}

#[test]
fn a_spent_key_is_not_replaced_by_a_fresh_limit() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 5.0);
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        409,
        "nothing_to_split",
    );
    // The refused rotation made no key, so it does not count.
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    let response = rotates(&member, &key);
    assert_eq!((response.status, response.secret().is_some()), (201, true));
    let made = &response.json()["key"];
    assert_eq!(
        (&made["state"], &made["limit_usd"], &made["holds"]),
        (&json!("disabled"), &json!("5.00"), &json!(["budget"]))
    );
    assert_eq!(world.usable().len(), 0, "nothing is left of the day");
    sweeps(&world, 3);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
    // The sweep enables it at the earliest two minutes after midnight.
    world.pass(DAY);
    assert!(world.sweep());
    assert_eq!(limits(&world).last(), Some(&500));
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn while_an_enable_is_in_flight_nothing_is_minted() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"disabled":true}"#);
    world.add_fault(
        "openrouter.keys.update",
        "reset_before",
        json!({ "times": 0 }),
    );
    member.patch(&key, r#"{"disabled":false}"#);
    world.sandbox.borrow_mut().clear_faults();
    is(&rotates(&member, &key), 503, "old_unconfirmed");
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    world.pass(301);
    assert!(world.sweep());
    delivered(&world, &rotates(&member, &key), 1);
}
