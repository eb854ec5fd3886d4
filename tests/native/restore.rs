//! A database that was restored to an earlier time: keycap must not undo at OpenRouter what that database has
//! forgotten.

use std::future::Future;

use serde_json::json;

use crate::support::database::Sqlite;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";
const ACCEPT: &str = r#"{"restore":"accept"}"#;

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
}

/// Copies the database as it is now, to be restored later.
fn snapshot(world: &World) -> Sqlite {
    world.db.copied(world.effects.clone())
}

/// Puts the other database in the place of this one, and keeps this one so that it can be put back.
fn swap(world: &World, other: &Sqlite) {
    std::mem::swap(
        &mut *world.db.connection().borrow_mut(),
        &mut *other.connection().borrow_mut(),
    );
}

fn restore(world: &World) -> String {
    world.db.text("SELECT restore FROM settings")
}

/// Makes a deployment in which a key was made since the snapshot, and a mismatched one was deleted at OpenRouter.
/// Returns the snapshot.
fn lived_on(world: &World) -> Sqlite {
    for (persona, status) in [("load-1", 201), ("load-2", 201), ("load-3", 201)] {
        assert_eq!(Browser::signed_in(world, persona).claim().status, status);
    }
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "times": 3 });
    world.add_fault("openrouter.keys.delete", "error_before", more);
    assert_eq!(
        Browser::signed_in(world, "load-5").claim().code(),
        "openrouter_mismatch"
    );
    sweeps(world, 1);
    let before = snapshot(world);
    assert_eq!(Browser::signed_in(world, "load-4").claim().status, 201);
    sweeps(world, 2);
    before
}

#[test]
fn a_restored_database_mints_nothing_and_deletes_nothing_until_an_admin_accepts_it() {
    let world = World::new();
    Browser::signed_in(&world, "operator");
    let before = lived_on(&world);
    let usable = world.usable().len();
    swap(&world, &before);

    // There is a generation to revoke and a key that the database has forgotten.
    let deletes = world.calls("openrouter.keys.delete");
    let updates = world.calls("openrouter.keys.update");
    sweeps(&world, 3);
    assert_eq!(world.last_run(), "stopped database_restored");
    assert_eq!(restore(&world), "suspected");
    assert_eq!(world.usable().len(), usable);
    assert_eq!(world.calls("openrouter.keys.delete"), deletes);
    assert_eq!(world.calls("openrouter.keys.update"), updates);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM findings"), 0);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "stopped database_restored");
    let logged = |line: &String| line.contains("restore_suspected") && line.contains("error");
    assert_eq!(
        world
            .log
            .borrow()
            .iter()
            .filter(|line| logged(line))
            .count(),
        1
    );
    let member = Browser::signed_in(&world, "member");
    let response = member.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "database_restored")
    );
    let health = member.get("/healthz").json();
    assert_eq!(health["claims_open"], false);
    assert_eq!(health["closed_by"][0]["setting"], "restore");
    let owner = Browser::signed_in(&world, "load-1");
    let key = owner.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let rotates = |verb: &str, body: &str| {
        let target = format!("/api/v1/keys/{}/{verb}", key.as_str().unwrap());
        let response = owner.post(&target, body);
        assert_eq!(response.secret(), None, "{response:?}");
        response.code()
    };
    assert_eq!(rotates("rotate", "{}"), "minting_stopped");
    assert_eq!(rotates("rotate", r#"{"grace_hours":1}"#), "minting_stopped");
    assert_eq!(world.usable().len(), usable);
    assert_eq!(
        member.patch(SETTINGS, ACCEPT).status,
        404,
        "an admin's alone"
    );

    // The admin has accepted the restore: the jobs go on, and a stale value of KV changes nothing.
    let operator = Browser::signed_in(&world, "operator");
    let is = operator.patch(SETTINGS, ACCEPT).json();
    assert_eq!(is["restore"], "none");
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM audit WHERE action = 'restore_accepted'"),
        1
    );
    for behind in [0, 1, 2, 0] {
        world.kv.behind.set(behind);
        sweeps(&world, 1);
        assert_eq!(world.last_run(), "done");
        assert_eq!(restore(&world), "none");
    }
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM findings"),
        1,
        "the forgotten key is quarantined, not deleted"
    );
    assert_eq!(member.claim().status, 201);
    std::mem::forget(world);
}

#[test]
fn no_key_ends_while_the_database_is_an_older_copy() {
    let world = World::new();
    let before = lived_on(&world);
    swap(&world, &before);
    sweeps(&world, 6);
    assert_eq!(world.last_run(), "stopped database_restored");
    // The original database is back: everything goes on as if nothing had happened.
    swap(&world, &before);
    sweeps(&world, 2);
    assert_eq!(world.last_run(), "done");
    oracle::settled(&world);
    assert_eq!(world.usable().len(), 4);
}

#[test]
fn after_a_restore_held_keys_are_still_disabled_and_none_is_enabled() {
    let world = World::new();
    let (held, off) = (
        Browser::signed_in(&world, "load-1"),
        Browser::signed_in(&world, "load-2"),
    );
    let id = |response: crate::support::browser::Response| {
        response.json()["key"]["id"].as_str().unwrap().to_owned()
    };
    let (_, off_key) = (id(held.claim()), id(off.claim()));
    let off_key = format!("/api/v1/keys/{off_key}");
    assert_eq!(off.patch(&off_key, r#"{"disabled":true}"#).status, 200);
    let before = snapshot(&world);
    assert_eq!(Browser::signed_in(&world, "load-3").claim().status, 201);
    sweeps(&world, 1);
    swap(&world, &before);
    sweeps(&world, 1);
    assert_eq!(restore(&world), "suspected");
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT key_id, 'admin', 't', 1, 't' FROM generations WHERE state = 'active'",
    );
    let on = world.usable().len();
    let response = off.patch(&off_key, r#"{"disabled":false}"#);
    assert_eq!(response.json()["key"]["state"], "disabled", "not yet");
    sweeps(&world, 2);
    assert_eq!(
        world.usable().len(),
        on - 1,
        "the held one is off, and no other is on"
    );
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.patch(SETTINGS, ACCEPT).status, 200);
    sweeps(&world, 1);
    assert_eq!(off.get("/api/v1/keys").json()["keys"][0]["state"], "active");
    std::mem::forget(world);
}

#[test]
fn after_a_restore_keys_to_be_removed_are_disabled_and_not_deleted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let key = member.claim().json()["key"]["id"].clone();
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.update", "error_before", more);
    member.delete(&format!("/api/v1/keys/{}", key.as_str().unwrap()));
    let before = snapshot(&world);
    Browser::signed_in(&world, "load-1");
    sweeps(&world, 1);
    swap(&world, &before);
    assert_eq!(world.usable().len(), 1);
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    assert_eq!(restore(&world), "suspected");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
    assert_eq!(world.states(), ["revoking"]);
    std::mem::forget(world);
}

#[test]
fn another_history_of_the_same_length_is_recognised() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    sweeps(&world, 1);
    let before = snapshot(&world);
    Browser::signed_in(&world, "load-1");
    sweeps(&world, 1);
    swap(&world, &before);
    for n in 2..6 {
        Browser::signed_in(&world, &format!("load-{n}"));
    }
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "stopped database_restored");
}

#[test]
fn a_late_empty_or_unavailable_kv_raises_no_alarm_and_hides_none() {
    let world = World::new();
    for n in 0..4 {
        Browser::signed_in(&world, &format!("load-{n}"));
        sweeps(&world, 1);
    }
    let writes = world.kv.values().len();
    assert_eq!(writes, 4, "one for each sweep that found something new");
    sweeps(&world, 3);
    assert_eq!(world.kv.values().len(), writes, "nothing changed");
    for behind in 0..6 {
        world.kv.behind.set(behind);
        sweeps(&world, 1);
        assert_eq!(
            (world.last_run().as_str(), restore(&world).as_str()),
            ("done", "none")
        );
    }
    world.kv.behind.set(0);
    for odd in ["", "{}", "null", r#"{"since":"x"}"#] {
        world.kv.overwrite(odd);
        sweeps(&world, 1);
        assert_eq!(world.last_run(), "done", "{odd}");
    }
    // While KV does not answer, a restored database is not noticed. KV keeps its value, which shows the restore
    // afterwards.
    let before = snapshot(&world);
    Browser::signed_in(&world, "load-9");
    sweeps(&world, 1);
    swap(&world, &before);
    world.kv.down.set(true);
    sweeps(&world, 2);
    assert_eq!(world.last_run(), "done");
    world.kv.down.set(false);
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "stopped database_restored");
    // When KV has lost everything, nothing can be compared.
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.patch(SETTINGS, ACCEPT).status, 200);
    world.kv.forget();
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "done");
    assert_eq!(world.kv.values().len(), 1);
}

#[test]
fn a_database_restored_to_before_an_acceptance_is_suspected_again() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    sweeps(&world, 1);
    let before = snapshot(&world);
    assert_eq!(operator.patch(SETTINGS, ACCEPT).status, 200);
    sweeps(&world, 1);
    swap(&world, &before);
    for n in 0..5 {
        Browser::signed_in(&world, &format!("load-{n}"));
    }
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "stopped database_restored");
}

#[test]
fn a_restore_while_a_sweep_runs_is_not_overwritten_by_its_end() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    sweeps(&world, 1);
    let before = snapshot(&world);
    Browser::signed_in(&world, "load-1");
    sweeps(&world, 1);
    Browser::signed_in(&world, "load-2");
    // The sweep is held after it has checked the database, and then goes on with a restored one.
    world.pass(TEN_MINUTES);
    let service = world.service();
    world.effects.plan(&[(3, Fate::HeldBefore)]);
    let run = keycap::jobs::sweep_and_go_on(service.app(), world.now());
    let mut run = std::pin::pin!(run);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(run.as_mut().poll(&mut context).is_pending());
    let writes = world.kv.values().len();
    swap(&world, &before);
    assert!(run.as_mut().poll(&mut context).is_ready());
    assert_eq!(world.kv.values().len(), writes);
    world.effects.plan(&[]);
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "stopped database_restored");
}
