//! A rotation with grace: both secrets work for a time, for no more than one limit together.

use serde_json::{Value, json};

use super::{
    DAY, FOUR_HOURS, asks, delivered, effects_of, holder, is, limits, meanwhile, rotates, spends,
    sweeps,
};
use crate::support::{Browser, Fate, World, oracle};

#[test]
fn with_grace_both_secrets_work_and_share_what_is_left_until_it_is_over() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 1.0);
    let response = asks(&member, &key, "rotate", FOUR_HOURS);
    delivered(&world, &response, 2);
    assert_eq!(limits(&world), [300, 200]);
    let shown = response.json()["key"].clone();
    assert_eq!(
        (&shown["limit_usd"], &shown["grace_until"]),
        (&json!("2.00"), &json!("2026-11-21T16:00:00Z"))
    );
    let until = world.now().plus(4 * 3_600).secs();
    assert_eq!(
        world
            .db
            .number("SELECT grace_until FROM generations WHERE slot = 0"),
        until
    );
    for body in ["{}", FOUR_HOURS] {
        let shown = asks(&member, &key, "rotate", body);
        is(&shown, 409, "in_grace");
        assert_eq!(shown.json()["retry_at"], "2026-11-21T16:00:00Z");
    }
    sweeps(&world, 23);
    assert_eq!(world.usable().len(), 2);
    assert_eq!(limits(&world), [300, 200], "half of what is left to each");
    sweeps(&world, 1);
    assert_eq!(
        limits(&world),
        [400],
        "the older one went with its time, and what it had is its heir's, in one run"
    );
    sweeps(&world, 1);
    oracle::settled(&world);
}

#[test]
fn a_reset_within_a_grace_raises_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(
        &world,
        &asks(&member, &key, "rotate", r#"{"grace_hours":168}"#),
        2,
    );
    for _ in 0..3 {
        world.pass(DAY);
        sweeps(&world, 1);
        assert_eq!(limits(&world).iter().sum::<i64>(), 500);
    }
}

#[test]
fn nothing_is_minted_until_the_lower_limit_is_confirmed() {
    for (operation, kind) in [
        ("openrouter.keys.update", "reset_before"),
        ("openrouter.keys.update", "reset_after"),
        ("openrouter.keys.update", "error_before"),
        ("openrouter.keys.get", "reset_before"),
        ("openrouter.keys.get", "usage_missing"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        if kind == "usage_missing" {
            world.bend.set(Some(|call, body| {
                if call.method == "GET" {
                    body["data"]["usage_daily"] = Value::Null;
                }
            }));
        } else {
            world.add_fault(operation, kind, json!({ "times": 0 }));
        }
        is(
            &asks(&member, &key, "rotate", FOUR_HOURS),
            503,
            "old_unconfirmed",
        );
        assert_eq!(
            world.calls("openrouter.keys.create"),
            1,
            "{operation} {kind}"
        );
        assert_eq!(world.usable().len(), 1);
        assert_eq!(world.states(), ["active", "void"]);
        world.sandbox.borrow_mut().clear_faults();
        world.bend.set(None);
        if operation.ends_with("update") {
            // The limit that was sent may still take effect, so no other limit relies on the one before it.
            is(
                &asks(&member, &key, "rotate", FOUR_HOURS),
                503,
                "old_unconfirmed",
            );
            assert_eq!(
                world.calls("openrouter.keys.create"),
                1,
                "{operation} {kind}"
            );
        }
        let due = world
            .db
            .number("SELECT cap_due_at FROM generations WHERE state = 'active'");
        assert!(
            due >= world.now().secs() - 60,
            "somebody looks at its limit again"
        );
    }
}

#[test]
fn after_a_refused_successor_in_a_grace_the_old_limit_is_raised_again() {
    for (kind, status) in [("refuse", 502), ("reset_after", 503)] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 400 })
        } else {
            json!({})
        };
        world.add_fault("openrouter.keys.create", kind, more);
        assert_eq!(asks(&member, &key, "rotate", FOUR_HOURS).status, status);
        assert_eq!(
            world
                .db
                .number("SELECT cap_due_at FROM generations WHERE slot = 0"),
            world.now().secs()
        );
        assert_eq!(
            world
                .db
                .number("SELECT COUNT(*) FROM generations WHERE grace_until IS NOT NULL"),
            0
        );
        sweeps(&world, 3);
        oracle::settled(&world);
    }
}

#[test]
fn no_successor_is_recorded_if_the_lowered_limit_has_changed_since() {
    // Raises the old generation's limit only until its successor is recorded.
    let raises = |world: &World, _: &Browser<'_>, _: &str| {
        let old = "SELECT upstream_hash FROM generations WHERE slot = 0 AND grace_until IS NULL";
        for hash in world.db.texts(old) {
            world.by_hand("PATCH", &format!("/keys/{hash}"), &json!({ "limit": 5 }));
            world.db.run("UPDATE generations SET limit_nano = 5000000000, op_nonce = 'raised' WHERE slot = 0");
        }
    };
    meanwhile("rotate", FOUR_HOURS, raises, |_, response, at| {
        let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
        assert!(!minting || response.status == 409, "{at}: {response:?}");
    });
}

#[test]
fn after_a_grace_whose_request_died_the_limit_is_computed_again() {
    let world = World::new();
    let (member, key) = holder(&world);
    let names = effects_of(&world, &member, &key, "rotate", FOUR_HOURS);
    let mint = names
        .iter()
        .position(|name| name.starts_with("http POST"))
        .unwrap();
    world.effects.plan(&[(mint, Fate::CutBefore)]);
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
    ];
    let body = keycap::http::server::message::Body::Bytes(FOUR_HOURS.into());
    assert!(
        member
            .try_send("POST", &format!("{key}/rotate"), &headers, body)
            .is_none()
    );
    world.effects.plan(&[]);
    assert_eq!(limits(&world), [250]);
    let due = world
        .db
        .number("SELECT cap_due_at FROM generations WHERE slot = 0");
    assert_eq!(
        due,
        world.now().secs() + 120,
        "once no mint can be recorded any more"
    );
}

#[test]
fn a_limit_that_counts_another_window_than_the_plans_is_not_split() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'plan', 'plan_changed', 't', 1);
         UPDATE plans SET limit_reset = 'monthly', rev = rev + 1, change_id = 'c' WHERE is_default = 1",
    );
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        409,
        "nothing_to_split",
    );
    assert_eq!(limits(&world), [500]);
    let response = rotates(&member, &key);
    assert_eq!(response.json()["key"]["limit_reset"], "monthly");
}
