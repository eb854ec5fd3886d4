//! A key that is removed: it is gone at OpenRouter, and removing it gives no more money.

use keycap::http::server::message::Body;
use serde_json::json;

use super::{OFF, ON, changed, holder, key_of, nothing_left, sweeps, under_way};
use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, World, oracle};

#[test]
fn a_removed_key_is_gone_upstream_and_stays_as_a_tombstone() {
    let world = World::new();
    let (member, key) = holder(&world);
    let gone = key_of(&member.delete(&key));
    assert_eq!(gone["state"], "revoked");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.states(), ["revoked"]);
    assert_eq!(member.get("/api/v1/keys").json()["keys"], json!([]));
    oracle::settled(&world);

    // Deleting it again gives the same answer, and nothing enables it again.
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    for body in [ON, OFF, r#"{"name":"late"}"#] {
        let response = member.patch(&key, body);
        assert_eq!(
            (response.status, response.code().as_str()),
            (409, "key_ended")
        );
    }
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
    assert_eq!(
        world.calls("openrouter.keys.update"),
        1,
        "off, before its figures"
    );
    let response = member.claim();
    assert_eq!(response.status, 201);
    let next = response.json()["key"]["id"].clone();
    assert!(!key.ends_with(next.as_str().unwrap()), "another key");
    assert_eq!(world.states(), ["revoked", "active"]);
    sweeps(&world, 2);
    assert_eq!(world.calls("openrouter.keys.delete"), 1);
    oracle::settled(&world);
}

#[test]
fn a_removal_that_breaks_at_any_point_is_finished_cleanly() {
    let mut scenarios = 0;
    for off_before in [false, true] {
        let start = World::new();
        let (member, key) = holder(&start);
        if off_before {
            assert_eq!(changed(&member, &key, OFF).0, "disabled");
        }
        let cookies = member.cookies.take();
        drop(member);
        let dry = start.copied();
        dry.effects.plan(&[]);
        Browser::with(&dry, &cookies).delete(&key);
        for k in 0..dry.effects.count() {
            for fate in Fate::ALL
                .into_iter()
                .chain([Fate::Late, Fate::RefusedAfter])
            {
                if fate == Fate::RefusedAfter && !dry.effects.names()[k].starts_with("db") {
                    continue;
                }
                let world = start.forked();
                let member = Browser::with(&world, &cookies);
                world.effects.plan(&[(k, fate)]);
                let headers = [("origin", ORIGIN), ("content-type", "application/json")];
                member.try_send("DELETE", &key, &headers, Body::Bytes(b"{}".to_vec()));
                world.effects.plan(&[]);
                oracle::always(&world);
                let what = format!("{k} {fate:?}");
                if world.states() == ["revoking"] {
                    let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
                    assert_eq!(listed["state"], "revoking", "visible meanwhile: {what}");
                    assert_eq!(member.claim().code(), "key_being_removed", "{what}");
                    assert_eq!(member.patch(&key, ON).code(), "key_being_removed");
                    assert_eq!(under_way(&member.delete(&key))["state"], "revoking");
                }
                world.effects.land();
                sweeps(&world, 2);
                assert!(world.effects.land() == 0);
                let ended = key_of(&member.delete(&key));
                assert_eq!(ended["state"], "revoked", "{what}");
                oracle::settled(&world);
                assert_eq!(world.usable().len(), 0, "{what}");
                scenarios += 1;
            }
        }
    }
    println!("counted: {scenarios} scenarios of a removal that breaks");
    assert!(scenarios > 40, "{scenarios}");
}

#[test]
fn removing_a_key_and_claiming_again_gives_no_more_money() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.spends(2.0);
    world.pass(60);
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    assert_eq!(
        world.db.text(
            "SELECT usage_lifetime_nano || ' ' || (usage_read_at >= ended_at) FROM generations"
        ),
        "2000000000 1"
    );
    world.pass(60);
    let next = member.claim();
    assert_eq!(
        (next.status, next.json()["key"]["limit_usd"].clone()),
        (201, json!("3.00"))
    );
    world.spends(3.0);
    world.pass(60);
    let id = next.json()["key"]["id"].as_str().unwrap().to_owned();
    key_of(&member.delete(&format!("/api/v1/keys/{id}")));
    // What was in flight for two keys in a row must be counted before the next claim.
    let response = member.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "rotation_unsettled")
    );
    for _ in 0..2 {
        world.pass(600);
        assert!(world.sweep());
    }
    nothing_left(&member.claim());
    world.pass(86_400);
    assert!(world.sweep());
    let response = Browser::signed_in(&world, "member").claim();
    assert_eq!(response.json()["key"]["limit_usd"], "5.00", "the next day");
}

#[test]
fn figures_that_cannot_be_read_count_as_the_whole_cap() {
    let world = World::new();
    let (member, key) = holder(&world);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.get", "reset_before", more);
    assert_eq!(under_way(&member.delete(&key))["state"], "revoking");
    assert_eq!(world.usable().len(), 0, "off, though not removed");
    // The retry is postponed further each time, and the walk that sees the key meanwhile leaves it to that retry.
    let mut sweeps_taken = 0;
    while world.states() == ["revoking"] {
        assert_eq!(world.calls("openrouter.keys.delete"), 0);
        sweeps(&world, 1);
        sweeps_taken += 1;
    }
    assert!((5..=8).contains(&sweeps_taken), "{sweeps_taken}");
    assert_eq!(world.states(), ["revoked"]);
    nothing_left(&member.claim());
}

#[test]
fn while_an_enable_is_in_flight_a_removed_key_is_deleted_at_once_and_its_whole_cap_counts() {
    let world = World::new();
    let (member, key) = holder(&world);
    assert_eq!(changed(&member, &key, OFF).0, "disabled");
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    let shown = under_way(&member.patch(&key, ON));
    assert_eq!(
        (&shown["state"], &shown["holds"]),
        (&json!("disabled"), &json!([]))
    );
    let figures = world.calls("openrouter.keys.get");
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    assert_eq!(world.calls("openrouter.keys.get"), figures);
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().land_late(now);
    assert_eq!(world.usable().len(), 0);
    nothing_left(&member.claim());
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_key_whose_mint_is_under_way_is_not_removed_and_one_that_ended_is_not_recorded() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    // The claim is held just before its create is sent.
    world.effects.plan(&[(1, Fate::HeldBefore)]);
    let claim = member.start_claim();
    world.effects.plan(&[]);
    let id = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    assert_eq!(member.delete(&key).code(), "claim_in_progress");
    assert_eq!(member.patch(&key, OFF).code(), "claim_in_progress");
    assert_eq!(claim.release().status, 201);

    // A key whose mint was refused does not exist for its owner.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().status, 502);
    let key = format!(
        "/api/v1/keys/{}",
        world.db.text("SELECT public_id FROM keys")
    );
    let before = world.db.dump();
    for response in [
        member.delete(&key),
        member.patch(&key, r#"{"name":"x"}"#),
        member.patch(&key, OFF),
    ] {
        assert_eq!(response.status, 404);
        assert_eq!(world.db.dump(), before);
    }

    let world = World::new();
    world.db.run(
        "CREATE TRIGGER ends AFTER INSERT ON generations BEGIN
           INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'key_ended', 't', 1);
           UPDATE keys SET ended_at = 1, change_id = 't' WHERE id = NEW.key_id;
         END",
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}
