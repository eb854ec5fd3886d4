//! A secret that is reported as leaked: it never works again, whatever its replacement waits for.

use serde_json::json;

use super::{
    FOUR_HOURS, asks, delivered, hold, holder, holds, is, meanwhile, rotates, spends, sweeps,
};
use crate::support::{Browser, World, oracle};

#[test]
fn a_leaked_key_is_disabled_at_once_and_gets_another_secret_in_the_same_answer() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 4.0);
    let response = asks(&member, &key, "leaked", "{}");
    delivered(&world, &response, 1);
    assert_eq!(response.json()["key"]["limit_usd"], "1.00");
    assert_eq!(holds(&world), [""; 0]);
    sweeps(&world, 2);
    oracle::settled(&world);
    let actions = world
        .db
        .texts("SELECT action FROM audit WHERE target LIKE 'key_%' ORDER BY id");
    assert_eq!(actions, ["hold_put", "rotation_ended"]);
}

#[test]
fn a_leaked_secret_is_disabled_whatever_its_replacement_waits_for_and_never_enabled_again() {
    type Spoil = fn(&World);
    let spoils: [(&str, Spoil, Spoil); 3] = [
        (
            "minting is stopped",
            |w| {
                w.db.run("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'settings', 'minting_switched', 't', 1);
                    UPDATE settings SET minting = 'stopped', change_id = 'c'");
            },
            |w| {
                w.db.run("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('d', 'settings', 'minting_switched', 't', 1);
                    UPDATE settings SET minting = 'open', change_id = 'd'");
            },
        ),
        (
            "not confirmed",
            |w| {
                w.add_fault(
                    "openrouter.keys.update",
                    "reset_before",
                    json!({ "times": 0 }),
                )
            },
            |w| w.sandbox.borrow_mut().clear_faults(),
        ),
        (
            "refused",
            |w| {
                w.add_fault(
                    "openrouter.keys.create",
                    "refuse",
                    json!({ "status": 400, "times": 0 }),
                )
            },
            |w| w.sandbox.borrow_mut().clear_faults(),
        ),
    ];
    for (what, spoil, mend) in spoils {
        let world = World::new();
        let (member, key) = holder(&world);
        spoil(&world);
        let response = asks(&member, &key, "leaked", "{}");
        let confirmed = what != "not confirmed";
        assert_eq!(
            (response.status, response.secret()),
            (if confirmed { 200 } else { 202 }, None),
            "{what}: {response:?}"
        );
        let note = response.json()["note"].as_str().unwrap().to_owned();
        assert!(
            note.to_lowercase().contains("rotate the key"),
            "{what}: {note}"
        );
        assert_eq!(
            (
                note.contains("no longer works"),
                note.contains("still works")
            ),
            (confirmed, !confirmed),
            "{what}: {note}"
        );
        assert_eq!(world.usable().is_empty(), confirmed, "{what}");
        assert_eq!(response.json()["key"]["holds"], json!(["leak"]));
        assert_eq!(holds(&world), ["leak"]);
        is(
            &asks(&member, &key, "rotate", FOUR_HOURS),
            if what == "minting is stopped" {
                403
            } else {
                409
            },
            if what == "minting is stopped" {
                "minting_stopped"
            } else {
                "key_off"
            },
        );
        mend(&world);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0, "{what}");
        let on = member.patch(&key, r#"{"disabled":false}"#);
        assert_eq!((on.status, on.code().as_str()), (403, "key_held"));
        let member = Browser::signed_in(&world, "member");
        delivered(&world, &rotates(&member, &key), 1);
        assert_eq!(holds(&world), [""; 0], "{what}");
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn an_admin_disables_a_leaked_key_and_its_owner_replaces_it() {
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    is(&asks(&operator, &key, "rotate", "{}"), 404, "not_found");
    is(
        &asks(&operator, "/api/v1/keys/key_0", "leaked", "{}"),
        404,
        "not_found",
    );
    let response = asks(&operator, &key, "leaked", "{}");
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(response.json()["key"]["state"], "disabled");
    assert_eq!(world.usable().len(), 0);
    delivered(&world, &rotates(&member, &key), 1);
    oracle::always(&world);
}

#[test]
fn during_a_leak_everyone_can_lift_their_own_hold_and_the_key_stays_disabled() {
    const ON: &str = r#"{"disabled":false}"#;
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    for who in [&operator, &member] {
        assert_eq!(who.patch(&key, r#"{"disabled":true}"#).status, 200);
    }
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!(
        response.json()["key"]["holds"],
        json!(["admin", "leak", "owner"])
    );
    is(&rotates(&member, &key), 403, "key_held");
    is(&member.patch(&key, ON), 403, "key_held");
    for (who, left) in [(&operator, &["leak", "owner"][..]), (&member, &["leak"])] {
        let response = who.patch(&key, ON);
        assert_eq!(
            (response.status, &response.json()["key"]["state"]),
            (200, &json!("disabled"))
        );
        assert_eq!(response.json()["key"]["holds"], json!(left));
        is(&who.patch(&key, ON), 403, "key_held");
        sweeps(&world, 1);
        assert_eq!(world.usable().len(), 0);
    }
    let named = r#"{"disabled":false,"name":"mine"}"#;
    let before = world.db.dump();
    is(&member.patch(&key, named), 403, "key_held");
    assert_eq!(world.db.dump(), before, "a name that comes with it too");
    delivered(&world, &rotates(&member, &key), 1);
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_leak_within_a_grace_disables_both_secrets() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(&world, &asks(&member, &key, "rotate", FOUR_HOURS), 2);
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!((response.status, response.secret()), (200, None));
    assert_eq!(world.usable().len(), 0, "both, within the request");
    sweeps(&world, 3);
    delivered(&world, &rotates(&member, &key), 1);
}

#[test]
fn a_second_report_of_a_leak_does_not_stop_its_replacement() {
    let again = |_: &World, member: &Browser<'_>, key: &str| {
        let response = asks(member, key, "leaked", "{}");
        assert!([200, 201, 202].contains(&response.status), "{response:?}");
    };
    meanwhile("leaked", "{}", again, |_, response, at| {
        let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
        assert!(!minting || response.status == 201, "{at}: {response:?}");
    });
}

#[test]
fn a_leak_that_is_only_written_down_prevents_any_other_successor() {
    for body in ["{}", FOUR_HOURS] {
        let leaks = |world: &World, _: &Browser<'_>, _: &str| hold(world, "leak");
        meanwhile("rotate", body, leaks, |_, response, at| {
            let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            assert!(!minting || response.status == 409, "{at}: {response:?}");
        });
    }
}
