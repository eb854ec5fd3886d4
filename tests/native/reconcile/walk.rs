//! The walk over all pages of all workspaces: lists that shrink, are long or repeat themselves.

use serde_json::{Value, json};

use super::{by_hand, counts, holder, only_hash, reconciled};
use crate::support::{Browser, Fate, TEN_MINUTES, World};

/// Makes 250 keys of ours in two workspaces, between keys of others.
fn crowd(world: &World) -> String {
    let elsewhere = world.workspace();
    for n in 0..250 {
        let response = Browser::signed_in(world, &format!("load-{n}")).claim();
        assert_eq!(response.status, 201);
        let hash = world
            .db
            .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
        if n % 2 == 0 {
            let change = json!({ "workspace_id": elsewhere });
            world.by_hand("PATCH", &format!("/keys/{hash}"), &change);
        }
    }
    world.somebodys_keys(120);
    elsewhere
}

#[test]
fn all_pages_of_all_workspaces_are_read_also_while_the_list_shrinks() {
    let world = World::new();
    crowd(&world);
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["ours"], &counts["others"], &counts["missing"]),
        (&json!(250), &json!(120), &json!(0))
    );
    assert!(counts["pages"].as_u64().unwrap() >= 6);
    // Somebody deletes keys between two pages.
    world.pass(TEN_MINUTES);
    let service = world.service();
    let now = world.now();
    world.effects.plan(&[]);
    let first = world.calls("openrouter.keys.list");
    let mut k = 0;
    for held in [9, 12] {
        let world = world.copied();
        world.effects.plan(&[(held, Fate::HeldAfter)]);
        let service = world.service();
        let run = keycap::jobs::run(service.app(), keycap::jobs::EVERY_NIGHT, now);
        let mut run = std::pin::pin!(run);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(run.as_mut(), &mut context).is_pending());
        world.somebody_deletes(60);
        assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
        let text = world
            .db
            .text("SELECT counts FROM runs ORDER BY id DESC LIMIT 1");
        let counts: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&counts["missing"], &counts["drift"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM drift"), 0);
        k += 1;
    }
    assert_eq!((k, world.calls("openrouter.keys.list")), (2, first));
    drop(service);
}

#[test]
fn the_next_trigger_continues_what_a_run_did_not_finish() {
    let world = World::new();
    holder(&world, "member");
    let hash = only_hash(&world);
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    world.somebodys_keys(2_000);
    world.pass(TEN_MINUTES);
    let began = world.now();
    // The third group of pages gets no answer, and then the isolate dies.
    world.add_fault(
        "openrouter.keys.list",
        "error_before",
        json!({ "nth": 13, "times": 30 }),
    );
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "failed openrouter_unavailable");
    world.sandbox.borrow_mut().clear_faults();
    let listed = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let runs = world
        .db
        .texts("SELECT job || ' ' || outcome FROM runs ORDER BY id");
    assert_eq!(runs, ["reconcile failed", "sweep done", "reconcile done"]);
    assert_eq!(
        (&counts(&world)["missing"], &counts(&world)["others"]),
        (&json!(1), &json!(2_000))
    );
    let swept = "SELECT json_extract(counts, '$.pages') FROM runs WHERE job = 'sweep'";
    let swept = u64::try_from(world.db.number(swept)).unwrap();
    assert!(
        world.calls("openrouter.keys.list") - listed - swept < 16,
        "not from the beginning"
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM runs WHERE job = 'reconcile'"),
        2,
        "once"
    );
    assert!(began < world.now());
}

#[test]
fn a_run_whose_isolate_dies_is_continued_where_it_stopped() {
    let world = World::new();
    holder(&world, "member");
    world.somebodys_keys(1_500);
    world.pass(TEN_MINUTES);
    world.effects.plan(&[(30, Fate::CutBefore)]);
    assert!(!world.reconcile());
    world.effects.plan(&[]);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let runs = world
        .db
        .texts("SELECT outcome FROM runs WHERE job = 'reconcile' ORDER BY id");
    assert_eq!(runs, ["abandoned", "done"]);
    assert_eq!(counts(&world)["others"], 1_500);
}

#[test]
fn a_list_of_workspaces_that_repeats_itself_does_not_fail_the_comparison() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    let elsewhere = world.workspace();
    by_hand(&world, &json!({ "workspace_id": elsewhere }));
    // The list claims more entries than it shows, and every page is the same.
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/workspaces") {
            body["total_count"] = json!(250);
            body["data"].as_array_mut().unwrap().truncate(1);
        }
    }));
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.workspaces.list", "offset_ignored", more);
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done list_repeats");
    assert_eq!(world.calls("openrouter.workspaces.list"), 2);
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("list_repeats"))
    );
    let counts = counts(&world);
    assert_eq!(
        (
            &counts["lists_cut_short"],
            &counts["missing"],
            &counts["errors"]
        ),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    world.bend.set(None);
}

#[test]
fn a_list_of_workspaces_is_complete_when_it_has_as_many_as_openrouter_says() {
    let world = World::new();
    holder(&world, "member");
    world.workspace();
    assert_eq!(reconciled(&world)["workspaces"], 2);
    assert_eq!(world.calls("openrouter.workspaces.list"), 1);
}

#[test]
fn a_list_of_keys_that_repeats_itself_ends_the_walk_and_is_reported() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    world.somebodys_keys(150);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.list", "offset_ignored", more);
    let before = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done list_repeats");
    assert_eq!(world.calls("openrouter.keys.list") - before, 2);
    let counts = counts(&world);
    assert_eq!(
        (&counts["missing"], &counts["errors"]),
        (&json!(0), &json!(0)),
        "what was not listed was asked for by itself"
    );
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    // The sweep concludes nothing from such a list either.
    let second = Browser::signed_in(&world, "second");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(second.claim().status, 503);
    let before = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "failed list_repeats");
    assert_eq!(world.calls("openrouter.keys.list") - before, 2);
    assert_eq!(world.states(), ["active", "verifying"]);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active", "void"]);
}
