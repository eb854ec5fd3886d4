//! A management key that belongs to another account, and other deployments on our account.

use std::rc::Rc;

use crate::support::{Browser, TEN_MINUTES, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";
const ACCEPT: &str = r#"{"account":"accept"}"#;

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
}

fn account(world: &World) -> String {
    world.db.text("SELECT account FROM settings")
}

#[test]
fn another_account_stops_minting_and_deleting_until_our_account_is_back() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let gone = Browser::signed_in(&world, "load-1");
    let key = gone.claim().json()["key"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    sweeps(&world, 1);
    let ours = world.swap_account();
    assert_eq!(gone.delete(&format!("/api/v1/keys/{key}")).status, 202);
    sweeps(&world, 2);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "stopped foreign_account");
    assert_eq!(account(&world), "foreign");
    assert_eq!(world.states(), ["active", "revoking"]);
    let second = Browser::signed_in(&world, "second");
    let response = second.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "foreign_account")
    );
    assert_eq!(
        second.get("/healthz").json()["closed_by"][0]["setting"],
        "account"
    );
    assert_eq!(world.calls("openrouter.keys.create"), 0);

    world.sandbox.replace(ours);
    sweeps(&world, 2);
    assert_eq!(account(&world), "known");
    assert_eq!(
        world
            .db
            .texts("SELECT action FROM audit WHERE action LIKE 'account_%' ORDER BY id"),
        ["account_lost", "account_found"]
    );
    assert_eq!(second.claim().status, 201);
    sweeps(&world, 1);
    oracle::settled(&world);
}

#[test]
fn an_admin_accepts_another_account_and_the_next_mint_remembers_it() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "load-1").claim().status, 201);
    let ours = world.swap_account();
    sweeps(&world, 1);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.get(SETTINGS).json()["account"], "foreign");
    let is = operator.patch(SETTINGS, ACCEPT).json();
    assert_eq!(is["account"], "known");
    sweeps(&world, 2);
    assert_eq!(account(&world), "known", "nothing is known of it yet");
    let home = "SELECT COALESCE(home_workspace_id, 'none') FROM settings";
    assert_eq!(world.db.text(home), "none");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    assert!(world.db.text(home).ends_with("ffff"));
    sweeps(&world, 2);
    assert_eq!(
        (world.last_run().as_str(), account(&world).as_str()),
        ("done", "known")
    );
    // The reconcile run asks for the key of the former account by its hash, and does not conclude that it is missing.
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done");
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM generations WHERE missing_since IS NOT NULL"),
        0
    );
    drop(ours);
    std::mem::forget(world);
}

#[test]
fn two_deployments_on_one_account_do_not_touch_each_others_keys() {
    let world = World::new();
    let mut second = World::new();
    second.sandbox = Rc::clone(&world.sandbox);
    second.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'instance', 'instance_bound', 't', 1);
         UPDATE instance SET name = 'ffffffffffff', change_id = 't'",
    );
    for deployment in [&world, &second] {
        let persona = if std::ptr::eq(deployment, &world) {
            "member"
        } else {
            "second"
        };
        let member = Browser::signed_in(deployment, persona);
        member.claim();
    }
    assert_eq!(world.usable().len(), 2);
    for _ in 0..3 {
        for deployment in [&world, &second] {
            sweeps(deployment, 1);
            assert_eq!(deployment.last_run(), "done");
            assert!(deployment.reconcile());
            assert_eq!(deployment.last_run(), "done");
            assert_eq!(deployment.db.number("SELECT COUNT(*) FROM findings"), 0);
            assert_eq!(deployment.db.number("SELECT COUNT(*) FROM drift"), 0);
        }
    }
    assert_eq!(world.usable().len(), 2);
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    std::mem::forget(second);
}

#[test]
fn a_copy_of_our_database_under_another_origin_stops() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    sweeps(&world, 1);
    let mut copy = world.copied();
    copy.sandbox = Rc::clone(&world.sandbox);
    copy.set("PUBLIC_ORIGIN", "https://copy.example");
    // Only the original deployment knows this key.
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    let before = world.calls("openrouter.keys.list");
    for job in [World::sweep, World::reconcile] {
        copy.pass(TEN_MINUTES);
        assert!(job(&copy));
        assert_eq!(copy.last_run(), "stopped foreign_instance");
    }
    assert_eq!(world.calls("openrouter.keys.list"), before);
    assert_eq!(world.usable().len(), 2);
    std::mem::forget(copy);
}
