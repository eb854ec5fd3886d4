//! What the list of keys says beside each key's state: what can still be spent and until when, and the keys that have
//! ended.

use serde_json::{Value, json};

use crate::caps::{admin, assign, sweeps};
use crate::support::{Browser, TEN_MINUTES, World};

fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

/// Reads the list, which is one round trip.
fn listed(member: &Browser<'_>) -> Value {
    member.world.effects.plan(&[]);
    let body = member.get("/api/v1/keys").json();
    assert_eq!(member.world.effects.count(), 1);
    let overview = member.get("/api/v1/me/overview").json();
    assert_eq!(
        (&body["keys"], &body["ended"]),
        (&overview["keys"], &overview["ended"])
    );
    body
}

fn spendable(member: &Browser<'_>) -> Value {
    listed(member)["keys"][0]["spendable"].clone()
}

#[test]
fn what_can_still_be_spent_is_named_with_its_bound_its_end_and_what_is_not_known() {
    let world = World::new();
    let (member, key) = holder(&world);
    let unread = json!({ "amount_usd": null, "bound": "key", "until": "2026-11-22T00:00:00Z", "unknown": ["workspace", "account"] });
    assert_eq!(spendable(&member), unread);
    world.spends(1.5);
    world.pass(TEN_MINUTES);
    member.post("/api/v1/keys/refresh", "{}");
    assert_eq!(spendable(&member)["amount_usd"], "3.50");
    // A disabled key could spend as much once it is enabled.
    assert_eq!(member.patch(&key, r#"{"disabled":true}"#).status, 200);
    assert_eq!(spendable(&member)["amount_usd"], "3.50");
    let guardrail = json!({ "guardrail_id": world.guardrail("cheap/one") });
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/default",
        &guardrail.to_string(),
    );
    sweeps(&world, 2);
    assert_eq!(
        spendable(&member)["unknown"],
        json!(["guardrail", "workspace", "account"])
    );
    // In a new window the spend is not known until it was read.
    world.pass(86_400);
    assert_eq!(spendable(&member)["amount_usd"], Value::Null);
}

#[test]
fn a_spent_key_has_nothing_left_until_the_reset_and_an_expiring_one_only_until_its_end() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.spends(5.0);
    assert_eq!(member.delete(&key).status, 200);
    sweeps(&world, 2);
    assert_eq!(member.claim().status, 201);
    let spent = spendable(&member);
    assert_eq!(
        (&spent["amount_usd"], &spent["bound"]),
        (&json!("0.00"), &json!("key"))
    );
    assert_eq!(spent["until"], "2026-11-22T00:00:00Z");
    // On its last day the key ends before its limit begins anew.
    world.pass(90 * 86_400 - 3_600);
    sweeps(&world, 2);
    let member = Browser::signed_in(&world, "member");
    let key = listed(&member)["keys"][0].clone();
    assert_eq!(key["spendable"]["until"], key["expires_at"]);
    world.pass(3_600);
    assert_eq!(spendable(&member), Value::Null, "it has expired");
}

#[test]
fn what_a_prepaid_key_can_spend_is_bounded_by_what_was_paid() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    let payments = format!("/api/v1/admin/members/{}/payments", world.member("member"));
    admin(
        &world,
        "POST",
        &payments,
        r#"{"payment_id":"p","amount_usd":"9"}"#,
    );
    assert_eq!(member.claim().status, 201);
    world.pass(TEN_MINUTES);
    member.post("/api/v1/keys/refresh", "{}");
    let key = listed(&member)["keys"][0].clone();
    assert_eq!(
        (&key["spendable"]["amount_usd"], &key["spendable"]["bound"]),
        (&json!("9.00"), &json!("credit"))
    );
    assert_eq!(key["spendable"]["until"], key["expires_at"]);
}

#[test]
fn ended_keys_are_listed_apart_with_their_dates_and_what_they_spent() {
    let world = World::new();
    let (member, key) = holder(&world);
    assert_eq!(member.patch(&key, r#"{"name":"old laptop"}"#).status, 200);
    assert_eq!(listed(&member)["ended"], json!([]));
    world.spends(1.0);
    world.pass(TEN_MINUTES);
    assert_eq!(member.post(&format!("{key}/rotate"), "{}").status, 201);
    sweeps(&world, 2);
    assert_eq!(member.delete(&key).status, 200);
    let ended_at = world.now().rfc3339();
    let body = listed(&member);
    assert_eq!(body["keys"], json!([]));
    let ended = &body["ended"][0];
    assert_eq!(
        (&ended["name"], &ended["state"], &ended["generations"]),
        (&json!("old laptop"), &json!("revoked"), &json!(2))
    );
    assert_eq!(
        (&ended["ended_at"], &ended["off_at"]),
        (&json!(ended_at), &json!(ended_at))
    );
    assert_eq!(ended["spent_usd"], "1.00");
    sweeps(&world, 2);
    assert_eq!(member.claim().status, 201);
    let body = listed(&member);
    assert_eq!(
        (
            body["keys"].as_array().unwrap().len(),
            body["ended"].as_array().unwrap().len()
        ),
        (1, 1)
    );
    let other = Browser::signed_in(&world, "second");
    assert_eq!(listed(&other)["ended"], json!([]));
}

#[test]
fn a_key_that_is_still_being_removed_is_not_among_the_ended_ones() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 3 }),
    );
    assert_eq!(member.delete(&key).status, 202);
    let body = listed(&member);
    assert_eq!(
        (&body["keys"][0]["state"], &body["ended"]),
        (&json!("revoking"), &json!([]))
    );
    assert_eq!(body["keys"][0]["spendable"], Value::Null);
    sweeps(&world, 1);
    assert_eq!(listed(&member)["ended"].as_array().unwrap().len(), 1);
}
