//! An owner disables and enables a key: at once, or by the sweep if OpenRouter does not confirm it.

use serde_json::{Value, json};

use super::{OFF, ON, admin_hold, changed, holder, key_of, sweeps, under_way};
use crate::support::{Browser, Fate, World, oracle};

#[test]
fn an_owner_disables_and_enables_a_key_at_once() {
    let world = World::new();
    let (member, key) = holder(&world);
    for _ in 0..2 {
        assert_eq!(
            changed(&member, &key, OFF),
            (json!("disabled"), json!(["owner"]))
        );
        assert_eq!(world.usable().len(), 0);
        let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
        assert_eq!(
            (&listed["state"], &listed["holds"]),
            (&json!("disabled"), &json!(["owner"]))
        );
    }
    assert_eq!(world.calls("openrouter.keys.update"), 1, "again is nothing");
    for _ in 0..2 {
        assert_eq!(changed(&member, &key, ON), (json!("active"), json!([])));
        assert_eq!(world.usable().len(), 1);
    }
    assert_eq!(world.calls("openrouter.keys.update"), 2);
    let audit = world
        .db
        .texts("SELECT action || ' ' || (actor LIKE 'mem_%') FROM audit ORDER BY id DESC LIMIT 4");
    assert_eq!(
        audit,
        ["enabled 1", "hold_lifted 1", "disabled 1", "hold_put 1"]
    );
    oracle::settled(&world);
}

#[test]
fn a_change_that_could_not_be_carried_out_at_once_is_shown_so_and_the_sweep_finishes_it() {
    for kind in ["reset_before", "reset_after", "error_before", "refuse"] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 403, "times": 0 })
        } else {
            json!({ "times": 0 })
        };
        for (body, before, after, holds) in [
            (OFF, "active", "disabled", json!(["owner"])),
            (ON, "disabled", "active", json!([])),
        ] {
            world.add_fault("openrouter.keys.update", kind, more.clone());
            let shown = under_way(&member.patch(&key, body));
            assert_eq!(
                (&shown["state"], &shown["holds"]),
                (&json!(before), &holds),
                "{kind}"
            );
            oracle::always(&world);
            world.sandbox.borrow_mut().clear_faults();
            sweeps(&world, 2);
            assert_eq!(world.states(), [after], "{kind}");
            oracle::settled(&world);
        }
    }
}

#[test]
fn an_owner_lifts_only_their_own_hold_and_sees_the_others() {
    let world = World::new();
    let (member, key) = holder(&world);
    admin_hold(&world);
    sweeps(&world, 1);
    assert_eq!(world.states(), ["disabled"]);
    let said = world.calls("openrouter.keys.update");
    let disabled = json!("disabled");
    assert_eq!(member.patch(&key, ON).code(), "key_held");
    assert_eq!(
        changed(&member, &key, OFF),
        (disabled.clone(), json!(["admin", "owner"]))
    );
    let before = world.db.dump();
    let refused = member.patch(&key, r#"{"disabled":false,"name":"mine"}"#);
    assert_eq!((refused.status, refused.code().as_str()), (403, "key_held"));
    assert_eq!(world.db.dump(), before, "a name that comes with it too");
    assert_eq!(
        world.calls("openrouter.keys.update"),
        said,
        "nothing to say"
    );
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn nobody_enables_a_key_that_the_operator_holds_and_its_owner_may_still_disable_it() {
    for (reason, owner_may, admin_may) in [
        ("admin", false, true),
        ("offboarding", false, false),
        ("leak", true, true),
        ("switch", false, false),
        ("idle", true, true),
        ("budget", true, true),
        ("plan", true, true),
        ("rotation", true, true),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let operator = Browser::signed_in(&world, "operator");
        for who in [&member, &operator] {
            assert_eq!(changed(who, &key, OFF).0, "disabled");
        }
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
             INSERT OR IGNORE INTO holds (key_id, reason, actor, since, change_id) SELECT id, '{reason}', 't', 1, 't' FROM keys"
        ));
        let said = world.calls("openrouter.keys.update");
        // The admin's hold keeps the owner from enabling the key in every case.
        let before = world.db.dump();
        assert_eq!(member.patch(&key, ON).code(), "key_held", "{reason}");
        assert_eq!(world.db.dump(), before);
        let response = operator.patch(&key, ON);
        if admin_may {
            let own = json!(["admin", "owner", reason]);
            let left = own.as_array().unwrap().iter().filter(|r| **r != "admin");
            let mut response: Vec<Value> = key_of(&response)["holds"].as_array().unwrap().clone();
            response.sort_by_key(ToString::to_string);
            let mut left: Vec<Value> = left.cloned().collect();
            left.sort_by_key(ToString::to_string);
            assert_eq!(response, left, "{reason}");
        } else {
            assert_eq!(
                (response.status, response.code().as_str()),
                (403, "key_held")
            );
            assert_eq!(world.db.dump(), before, "{reason}");
        }
        if reason != "admin" {
            world.db.run("DELETE FROM holds WHERE reason = 'admin'");
            let response = member.patch(&key, ON);
            assert_eq!(response.status == 200, owner_may, "{reason}: {response:?}");
            assert_eq!(changed(&member, &key, OFF).0, "disabled");
        }
        assert_eq!(world.calls("openrouter.keys.update"), said, "{reason}");
        assert_eq!(world.usable().len(), 0);
    }
}

#[test]
fn an_owners_hold_ends_with_its_generation_and_the_next_one_begins_enabled() {
    let world = World::new();
    let (member, key) = holder(&world);
    assert_eq!(changed(&member, &key, OFF).0, "disabled");
    world.pass(91 * 86_400);
    assert!(world.sweep());
    let response = Browser::signed_in(&world, "member").claim();
    assert_eq!(response.status, 201);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn of_two_switches_in_flight_the_first_answer_does_not_settle_the_other() {
    let world = World::new();
    let (member, key) = holder(&world);
    admin_hold(&world);
    // The owner's disable is held just before it is sent, and meanwhile the sweep disables the key.
    let off = member.at_fresh_isolate();
    world.effects.plan(&[(4, Fate::HeldBefore)]);
    let held = off.start("PATCH", &key, OFF);
    assert!(world.effects.names()[4].starts_with("http PATCH"));
    world.effects.plan(&[]);
    assert!(world.sweep());
    assert_eq!(world.states(), ["disabled"]);
    let in_flight = "SELECT COUNT(*) FROM generations WHERE switch_doubted_at IS NOT NULL";
    assert_eq!(
        world.db.number(in_flight),
        1,
        "what is on its way may land yet"
    );
    assert_eq!(held.release().status, 202);
    assert_eq!(
        world.db.number(in_flight),
        1,
        "overtaken: the sweep ends it"
    );
    sweeps(&world, 2);
    assert_eq!(world.db.number(in_flight), 0);
    oracle::settled(&world);
}

#[test]
fn a_repeated_attempt_may_take_effect_after_the_next_switch_and_changes_nothing() {
    for (before, first, then, left) in [(OFF, ON, OFF, 0), (ON, OFF, ON, 1)] {
        let world = World::new();
        let (member, key) = holder(&world);
        changed(&member, &key, before);
        world.add_fault("openrouter.keys.update", "late", json!({}));
        changed(&member, &key, first);
        changed(&member, &key, then);
        let now = world.now_ms.get();
        assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
        assert_ne!(world.usable().len(), left, "it has landed");
        oracle::always(&world);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), left);
        oracle::settled(&world);
    }
}

#[test]
fn a_batch_that_takes_effect_late_reverts_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    let mut late = Vec::new();
    for body in [OFF, ON, r#"{"name":"first"}"#, r#"{"name":"second"}"#, OFF] {
        *world.db.trace.borrow_mut() = Some(Vec::new());
        key_of(&member.patch(&key, body));
        let trace = world.db.trace.borrow_mut().take().unwrap();
        late.push(trace[0].stmts.clone());
    }
    let before = world.db.dump();
    use keycap::ports::Database;
    for stmts in late {
        world.run(world.db.batch(stmts)).unwrap().unwrap();
        assert_eq!(world.db.dump(), before);
    }
}
