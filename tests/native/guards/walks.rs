//! What a walk over OpenRouter's list of keys may conclude, and where it has to look.

use std::future::Future;
use std::task::{Context, Waker};

use serde_json::json;

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

fn mint_in(world: &World, workspace: &str) {
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_seeded', 't', 1);
         UPDATE plans SET workspace_id = '{workspace}', change_id = 't' WHERE is_default = 1"
    ));
}

#[test]
fn a_walk_frees_only_mints_of_its_own_workspace() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    mint_in(&world, &world.workspace());
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    // The other workspace does not answer. The default workspace answers, to the end of its list.
    world.add_fault(
        "openrouter.keys.list",
        "error_before",
        json!({ "times": 3 }),
    );
    for state in ["verifying", "void"] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["active", state], "{}", world.last_run());
    }
    oracle::settled(&world);
}

#[test]
fn of_many_workspaces_each_is_walked() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    for n in 10..70 {
        let body = json!({ "name": format!("plan-{n}"), "limit_usd": "5", "limit_reset": "monthly", "expiry_days": 30,
            "max_active_keys": 1 });
        let made = operator.post("/api/v1/admin/plans", &body.to_string());
        assert_eq!(made.status, 201, "{made:?}");
        // The workspaces existed when the plans were written.
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('w{n}', 'plan:plan-{n}', 'plan_changed', 'test', 1);
             UPDATE plans SET workspace_id = '5a4db0c5-0000-4000-8000-0000000000{n}', change_id = 'w{n}' WHERE name = 'plan-{n}'"
        ));
    }
    // A request for one workspace takes so long that a run has no time for all of them.
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.list", "stall_before", more);
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.last_run(), "partial");
    }
    let next = "SELECT substr(json_extract(cursor, '$.workspace_id'), -2) FROM runs ORDER BY id";
    assert_eq!(world.db.texts(next), ["35", "61", "26"]);
    // A run that has the time asks for all of them.
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    let before = world.calls("openrouter.keys.list");
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    assert_eq!(world.calls("openrouter.keys.list") - before, 61);
}

#[test]
fn pages_that_do_not_overlap_prove_no_absence() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    world.somebodys_keys(150);
    // The list looks as if twenty keys had been deleted during each walk.
    world.bend.set(Some(|call, answer| {
        if call
            .url
            .query()
            .is_some_and(|query| query.contains("offset=90&"))
        {
            let rows = answer["data"].as_array_mut().unwrap();
            rows.drain(..20);
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["verifying"]);
    assert_eq!(world.last_run(), "failed openrouter_unavailable");
    world.bend.set(None);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
}

#[test]
fn a_walk_that_was_resumed_concludes_as_of_its_beginning() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.somebodys_keys(150);
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    world.pass(100);
    let more = json!({ "nth": 2, "retry_after": 30 });
    world.add_fault("openrouter.keys.list", "rate_limited", more);
    for (outcome, state) in [
        ("partial", "verifying"),
        ("done", "verifying"),
        ("done", "void"),
    ] {
        assert!(world.sweep());
        assert_eq!(
            (world.last_run().as_str(), world.states()),
            (outcome, vec![state.to_owned()])
        );
        world.pass(TEN_MINUTES);
    }
}

#[test]
fn a_stray_that_someone_disabled_is_found_and_deleted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    let path = format!("/keys/{}", world.usable()[0].hash);
    world.by_hand("PATCH", &path, &json!({ "disabled": true }));
    assert_eq!(world.usable().len(), 0);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
    assert_eq!(world.calls("openrouter.keys.delete"), 1);
}

#[test]
fn a_listed_key_whose_time_cannot_be_read_is_never_old() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    world.somebodys_keys(150);
    for _ in 0..2 {
        world.pass(7_200);
        assert!(world.sweep());
    }
    let lists = || world.calls("openrouter.keys.list");
    let (before, pages) = (lists(), |from| lists() - from);
    world.pass(7_200);
    assert!(world.sweep());
    assert_eq!(pages(before), 1, "all of the first page is old");
    world.bend.set(Some(|call, answer| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            for row in answer["data"].as_array_mut().unwrap() {
                row["created_at"] = json!("yesterday");
            }
        }
    }));
    let before = lists();
    world.pass(7_200);
    assert!(world.sweep());
    assert!(pages(before) > 1);
}

#[test]
fn a_key_that_a_walk_has_seen_is_not_absent() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    // The key is listed, and cannot be deleted.
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        json!({ "times": 0 }),
    );
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["verifying"]);
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
    oracle::settled(&world);
}

#[test]
fn a_workspace_with_recent_keys_is_walked_even_if_no_plan_uses_it_any_more() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    mint_in(&world, &world.workspace());
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "late", json!({}));
    assert_eq!(member.claim().status, 503);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active", "void"]);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('back', 'plan:default', 'plan_seeded', 't', 1);
         UPDATE plans SET workspace_id = NULL, change_id = 'back' WHERE is_default = 1",
    );
    let now = world.now_ms.get();
    assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1, "the stray is gone");
    oracle::settled(&world);
}

#[test]
fn the_account_is_also_recognised_by_a_key_in_a_plans_own_workspace() {
    let world = World::new();
    world.set("OPENROUTER_WORKSPACE_ID", &world.workspace());
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    let ours = world.swap_account();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
    assert_eq!(world.states(), ["active", "verifying"]);
    world.sandbox.replace(ours);
}

#[test]
fn a_list_that_became_shorter_than_the_next_offset_is_walked_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    world.somebodys_keys(104);
    world.pass(TEN_MINUTES);
    // The run is held between the first page and the second.
    world.effects.plan(&[(7, Fate::HeldAfter)]);
    let (service, now) = (world.service(), world.now());
    let run = keycap::jobs::sweep_and_go_on(service.app(), now);
    let (mut run, mut context) = (std::pin::pin!(run), Context::from_waker(Waker::noop()));
    assert!(run.as_mut().poll(&mut context).is_pending());
    assert!(world.effects.names()[7].starts_with("http GET"));
    world.somebody_deletes(20);
    assert!(run.as_mut().poll(&mut context).is_ready());
    assert_eq!(world.states(), ["void"]);
    assert_eq!(world.usable().len(), 0, "it was seen, and deleted");
}
