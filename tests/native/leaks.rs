//! Leaks that anyone reports: a key of ours is disabled and its owner told, and the reporter learns nothing.

use keycap::crypto::sha256_hex;
use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, World, oracle};

const LEAKS: &str = "/api/v1/leaks";

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (
        member,
        format!("/api/v1/keys/{id}"),
        response.secret().unwrap(),
    )
}

fn finding(secret: &str) -> String {
    json!({ "sha256": sha256_hex(secret.as_bytes()) }).to_string()
}

/// Reports a secret as somebody without a session.
fn report(world: &World, secret: &str) -> Response {
    let response = Browser::new(world).post(LEAKS, &finding(secret));
    assert_eq!(response.status, 202, "{response:?}");
    response
}

fn shown(member: &Browser<'_>) -> Value {
    member.get("/api/v1/keys").json()["keys"][0].clone()
}

#[test]
fn a_found_key_is_disabled_at_once_and_never_works_again() {
    let world = World::new();
    let (member, key, secret) = holder(&world, "member");
    let (_, _, other) = holder(&world, "second");
    report(&world, &secret);
    let usable: Vec<String> = world.usable().into_iter().map(|key| key.hash).collect();
    assert_eq!(usable.len(), 1, "only the other member's key works");
    let now = shown(&member);
    assert_eq!(
        (&now["state"], &now["holds"]),
        (&json!("disabled"), &json!(["leak"]))
    );
    assert_eq!(member.patch(&key, r#"{"disabled":false}"#).status, 403);
    let history = member.get(&format!("{key}/history")).json()["events"].clone();
    let told: Vec<&Value> = history
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["reason"] == "leak")
        .collect();
    assert_eq!(told.len(), 1, "{history}");
    assert_eq!(told[0]["actor"], "finder");
    // Its owner gets another secret with one press.
    let next = member.post(&format!("{key}/rotate"), "{}");
    assert_eq!(next.status, 201, "{next:?}");
    assert_eq!(world.usable().len(), 2);
    // The old secret says nothing about the new one.
    report(&world, &secret);
    assert_eq!(world.usable().len(), 2);
    report(&world, &other);
    assert_eq!(world.usable().len(), 1);
    oracle::always(&world);
}

#[test]
fn a_reporter_learns_nothing_from_the_answer_or_from_the_work_before_it() {
    let world = World::new();
    let (member, key, secret) = holder(&world, "member");
    let (removed, its_key, ended) = holder(&world, "second");
    assert_eq!(removed.delete(&its_key).status, 200);
    let anyone = Browser::new(&world);
    let ask = |body: &str| {
        let headers = [
            ("origin", ORIGIN),
            ("content-type", "application/json"),
            ("x-request-id", "same-request-id"),
        ];
        let body = keycap::http::server::message::Body::Bytes(body.into());
        world.effects.plan(&[]);
        let response = anyone.send("POST", LEAKS, &headers, body);
        let effects = world.effects.names();
        (response.status, response.headers, response.body, effects)
    };
    let (status, headers, body, effects) = ask(&finding("sk-or-v1-nobodys"));
    assert_eq!(
        (status, effects.len()),
        (202, 1),
        "one round trip: {effects:?}"
    );
    for (what, secret) in [
        ("ended", &ended),
        ("works", &secret),
        ("reported already", &secret),
    ] {
        let again = ask(&finding(secret));
        assert_eq!(
            (again.0, &again.1, &again.2),
            (status, &headers, &body),
            "{what}"
        );
        assert_eq!(
            again.3[0], effects[0],
            "{what}: the same batch before the answer"
        );
    }
    assert_eq!(shown(&member)["holds"], json!(["leak"]));
    assert_eq!(member.delete(&key).status, 200);
    assert_eq!(world.db.number("SELECT reports FROM leak_reports"), 4);
}

#[test]
fn only_a_whole_fingerprint_is_taken_and_nothing_else_is_looked_at() {
    let world = World::new();
    let (member, _, secret) = holder(&world, "member");
    let before = world.db.dump();
    let sha256 = sha256_hex(secret.as_bytes());
    for (body, pointer) in [
        (json!({}), "/sha256"),
        (json!({ "sha256": secret }), "/sha256"),
        (json!({ "sha256": sha256.to_uppercase() }), "/sha256"),
        (json!({ "sha256": &sha256[1..] }), "/sha256"),
        (json!({ "sha256": null }), "/sha256"),
        (json!({ "sha256": sha256, "key": "key_1" }), "/key"),
    ] {
        let response = Browser::new(&world).post(LEAKS, &body.to_string());
        assert_eq!(response.status, 400, "{body}: {response:?}");
        assert_eq!(response.json()["errors"][0]["pointer"], pointer, "{body}");
        assert!(!response.body.contains(&secret));
    }
    report(&world, "sk-or-v1-nobodys");
    world.db.run("DELETE FROM leak_reports");
    assert_eq!(world.db.dump(), before, "nothing but the count was written");
    assert_eq!(shown(&member)["state"], "active");
}

#[test]
fn both_secrets_of_a_grace_end_whichever_was_found() {
    for found in 0..2 {
        let world = World::new();
        let (member, key, old) = holder(&world, "member");
        let rotated = member.post(&format!("{key}/rotate"), r#"{"grace_hours":4}"#);
        assert_eq!(rotated.status, 201, "{rotated:?}");
        assert_eq!(world.usable().len(), 2);
        report(&world, &[old, rotated.secret().unwrap()][found]);
        assert_eq!(world.usable().len(), 0, "{found}");
        oracle::always(&world);
    }
}

#[test]
fn what_openrouter_does_not_confirm_at_once_the_sweep_carries_out() {
    let world = World::new();
    let (member, _, secret) = holder(&world, "member");
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 3 }),
    );
    report(&world, &secret);
    assert_eq!(world.usable().len(), 1);
    assert_eq!(shown(&member)["holds"], json!(["leak"]));
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0);
    // A report that is not written down is not promised.
    let (_, _, other) = holder(&world, "second");
    world.effects.plan(&[(0, Fate::RefusedBefore)]);
    let response = Browser::new(&world).post(LEAKS, &finding(&other));
    assert_eq!(response.status, 500, "{response:?}");
    world.effects.plan(&[]);
    report(&world, &other);
    assert_eq!(world.usable().len(), 0);
}
