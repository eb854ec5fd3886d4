//! A rotation at once: the key gets another secret, and everything else of it stays.

use serde_json::json;

use super::{FOUR_HOURS, asks, delivered, holder, holds, is, rotates, spends, sweeps};
use crate::support::{World, oracle};

#[test]
fn a_rotated_key_has_another_secret_and_everything_else_stays() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"name":"laptop"}"#);
    let before = member.get("/api/v1/keys").json()["keys"][0].clone();
    let first = world.usable()[0].clone();
    spends(&world, 2.0);
    let response = rotates(&member, &key);
    let hash = delivered(&world, &response, 1);
    assert_ne!(hash, first.hash);
    let after = response.json()["key"].clone();
    for same in [
        "id",
        "name",
        "created_at",
        "expires_at",
        "limit_reset",
        "state",
        "holds",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(
        (&before["generation"], &after["generation"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(before["issued_at"], before["created_at"]);
    assert_eq!(after["issued_at"], json!(world.now()));
    assert_eq!(
        world.usable()[0].name.len(),
        first.name.len(),
        "no growing suffix"
    );
    // What was spent stays spent, and a new secret does not give it back.
    assert_eq!(after["limit_usd"], "3.00");
    assert_eq!(world.states(), ["revoking", "active"]);
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["limit_usd"],
        "3.00"
    );
    assert_eq!(member.claim().status, 200, "it is the claimed key still");
    sweeps(&world, 1);
    assert_eq!(world.states(), ["revoked", "active"]);
    oracle::settled(&world);
    let response = world
        .db
        .texts("SELECT action FROM audit WHERE target LIKE 'key_%' ORDER BY id");
    assert_eq!(
        response,
        ["key_renamed", "rotation_begun", "rotation_ended"]
    );
}

#[test]
fn the_name_upstream_leads_to_its_owner_and_never_grows() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"name":"laptop"}"#);
    for _ in 0..2 {
        world.pass(3_600);
        delivered(&world, &rotates(&member, &key), 1);
        sweeps(&world, 3);
    }
    let instance = world.db.text("SELECT name FROM instance");
    let sandbox = world.sandbox.borrow();
    let names: Vec<String> = sandbox
        .ledger()
        .keys
        .iter()
        .map(|key| key.name.clone())
        .collect();
    drop(sandbox);
    assert_eq!(names.len(), 3);
    let mut ids = Vec::new();
    for name in &names {
        let id = name
            .strip_prefix(&format!("keycap/{instance}/gen_"))
            .unwrap();
        assert!(
            id.len() == 24 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{name}"
        );
        let owners = world.db.texts(&format!(
            "SELECT m.login FROM generations g JOIN members m ON m.owner_id = g.owner_id WHERE g.upstream_name = '{name}'"
        ));
        assert_eq!(owners, ["member"]);
        ids.push(format!("gen_{id}"));
    }
    // The key's data lists which generation is which and since when, newest first.
    let kept = member.get("/api/v1/me/export").json()["generations"].clone();
    let kept = kept.as_array().unwrap();
    let listed: Vec<&str> = kept
        .iter()
        .rev()
        .map(|made| made["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ids);
    let dates: Vec<&str> = kept
        .iter()
        .map(|made| made["created_at"].as_str().unwrap())
        .collect();
    assert!(
        dates.is_sorted_by(|newer, older| newer > older),
        "{dates:?}"
    );
}

#[test]
fn the_two_slots_alternate_and_an_upstream_name_is_never_used_again() {
    let world = World::new();
    let (member, key) = holder(&world);
    for n in 1..=6 {
        delivered(&world, &rotates(&member, &key), 1);
        sweeps(&world, 3);
        let slot = world
            .db
            .number("SELECT slot FROM generations WHERE state = 'active'");
        assert_eq!(slot, n % 2);
    }
    // The number of rotations begins anew with the next day.
    let said = world.calls("openrouter.keys.update");
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        429,
        "rotations_used_up",
    );
    let response = rotates(&member, &key);
    assert_eq!(world.calls("openrouter.keys.update"), said);
    is(&response, 429, "rotations_used_up");
    assert_eq!(response.json()["retry_at"], "2026-11-22T00:00:00Z");
    assert_eq!(world.usable().len(), 1, "nothing was put off for it");
    world.pass(12 * 3_600);
    delivered(&world, &rotates(&member, &key), 1);
    oracle::always(&world);
}

#[test]
fn there_is_no_second_rotation_while_the_last_one_is_unsettled() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(&world, &rotates(&member, &key), 1);
    for body in ["{}", FOUR_HOURS] {
        is(
            &asks(&member, &key, "rotate", body),
            409,
            "rotation_unsettled",
        );
    }
    assert_eq!(
        world.calls("openrouter.keys.update"),
        1,
        "nothing was put off for it"
    );
    // A generation that is disabled, but not yet read a second time, is not settled either.
    sweeps(&world, 1);
    let erased =
        "UPDATE generations SET erased_at = NULL, readings_since_off = 1 WHERE state = 'revoked'";
    world.db.run(erased);
    is(&rotates(&member, &key), 409, "rotation_unsettled");
    world
        .db
        .run("UPDATE generations SET readings_since_off = 2 WHERE state = 'revoked'");
    delivered(&world, &rotates(&member, &key), 1);
}

#[test]
fn a_repeated_rotation_gives_no_second_secret_and_another_request_is_refused() {
    let world = World::new();
    let (member, key) = holder(&world);
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let send = |verb: &str, body: &str| {
        let body = keycap::http::server::message::Body::Bytes(body.into());
        member.send("POST", &format!("{key}/{verb}"), &headers, body)
    };
    delivered(&world, &send("rotate", "{}"), 1);
    for _ in 0..2 {
        let response = send("rotate", "{}");
        assert_eq!((response.status, response.secret()), (201, None));
        assert_eq!(response.json()["replayed"], true);
        assert_eq!(world.usable().len(), 1);
        assert_eq!(holds(&world), [""; 0]);
        sweeps(&world, 1);
    }
    for (verb, body) in [("rotate", FOUR_HOURS), ("renew", "{}"), ("leaked", "{}")] {
        is(&send(verb, body), 422, "idempotency_mismatch");
    }
    assert_eq!(
        (world.usable().len(), world.calls("openrouter.keys.create")),
        (1, 2)
    );
    assert_eq!(holds(&world), [""; 0]);
}

#[test]
fn a_rotation_that_disabled_nothing_enables_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    // So shortly after a change of ours, nothing is concluded from a reading.
    world.pass(60);
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": true }),
    );
    let changes = world.calls("openrouter.keys.update");
    is(&rotates(&member, &key), 503, "old_unconfirmed");
    assert_eq!(world.calls("openrouter.keys.update"), changes);
    assert_eq!(world.usable().len(), 0);
    assert!(holds(&world).is_empty());
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
    assert_eq!(holds(&world), ["upstream"]);
    oracle::settled(&world);
}
