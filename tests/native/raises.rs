//! Raises: a higher limit for one key, until a moment or for good.

use serde_json::{Value, json};

use crate::caps::{admin, limits, sweeps};
use crate::support::{Browser, World, oracle};

fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let body = member.claim().json();
    let key = body["key"]["id"].as_str().unwrap().to_owned();
    (member, key)
}

fn raised(world: &World, key: &str, body: &Value) -> Value {
    let target = format!("/api/v1/admin/keys/{key}/raises");
    admin(world, "POST", &target, &body.to_string())
}

#[test]
fn a_raise_adds_to_the_limit_in_place_and_answers_the_old_and_the_new_limit() {
    let world = World::new();
    let (_member, key) = holder(&world);
    let body = raised(&world, &key, &json!({ "amount_usd": "2.50" }));
    assert_eq!(
        (&body["old_limit_usd"], &body["new_limit_usd"]),
        (&json!("5.00"), &json!("7.50"))
    );
    let again = raised(&world, &key, &json!({ "amount_usd": "1" }));
    assert_eq!(
        (&again["old_limit_usd"], &again["new_limit_usd"]),
        (&json!("7.50"), &json!("8.50"))
    );
    assert_eq!(limits(&world), [8.5]);
    assert_eq!(world.calls("openrouter.keys.create"), 1, "the same key");
    let end = format!(
        "/api/v1/admin/raises/{}",
        body["raise"]["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        admin(&world, "DELETE", &end, "{}");
        assert_eq!(limits(&world), [6.0]);
    }
    let ended = "SELECT COUNT(*) FROM audit WHERE action = 'raise_ended'";
    assert_eq!(world.db.number(ended), 1);
    oracle::settled(&world);
}

#[test]
fn a_temporary_raise_ends_by_itself() {
    let world = World::new();
    let (_member, key) = holder(&world);
    let until = world.now().plus(3_600).rfc3339();
    raised(&world, &key, &json!({ "amount_usd": "5", "until": until }));
    assert_eq!(limits(&world), [10.0]);
    sweeps(&world, 5);
    assert_eq!(limits(&world), [10.0]);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [5.0]);
    oracle::settled(&world);
}

#[test]
fn a_temporary_raise_ends_for_the_secret_that_was_made_meanwhile_too() {
    for expires in [false, true] {
        let world = World::new();
        let (mut member, key) = holder(&world);
        if expires {
            world.pass(90 * 86_400 - 1_800);
            member = Browser::signed_in(&world, "member");
        }
        let until = world.now().plus(3_600).rfc3339();
        raised(&world, &key, &json!({ "amount_usd": "5", "until": until }));
        let response = if expires {
            world.pass(1_800 + 301);
            assert!(world.sweep());
            assert_eq!(world.states(), ["expired"]);
            member.claim()
        } else {
            member.post(&format!("/api/v1/keys/{key}/rotate"), "{}")
        };
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(response.json()["key"]["id"], key);
        assert_eq!(response.json()["key"]["limit_usd"], "10.00");
        world.pass(3_600);
        sweeps(&world, 2);
        assert_eq!(limits(&world), [5.0]);
        oracle::settled(&world);
    }
}

#[test]
fn only_an_admin_raises_a_limit_and_only_of_an_existing_key() {
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let target = format!("/api/v1/admin/keys/{key}/raises");
    let body = r#"{"amount_usd":"1"}"#;
    assert_eq!(member.post(&target, body).status, 404);
    let nobody = "/api/v1/admin/keys/key_000000000000000000000000/raises";
    assert_eq!(operator.post(nobody, body).status, 404);
    for bad in [
        "{}",
        r#"{"amount_usd":"0"}"#,
        r#"{"amount_usd":"1.001"}"#,
        r#"{"amount_usd":"1","until":"2020-01-01T00:00:00Z"}"#,
        r#"{"amount_usd":"1","until":"tomorrow"}"#,
    ] {
        assert_eq!(operator.post(&target, bad).status, 400, "{bad}");
    }
    assert_eq!(limits(&world), [5.0]);
}
