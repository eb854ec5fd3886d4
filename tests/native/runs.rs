//! Runs of jobs: what an administrator sees of one while it works, and how it is stopped.

use serde_json::{Value, json};

use crate::caps::admin;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";
const SWEEP: &str = "/api/v1/admin/jobs/sweep";

/// A world with so many keys that have to be disabled.
fn many_to_disable(count: usize) -> World {
    let world = World::new();
    for n in 0..count {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    let body = json!({ "keys": "off", "confirm": count }).to_string();
    admin(&world, "PATCH", SETTINGS, &body);
    world.pass(TEN_MINUTES);
    world
}

/// The number of the effect with which the second chunk of a sweep begins.
fn second_chunk(world: &World) -> usize {
    let dry = world.copied();
    let operator = Browser::signed_in(&dry, "operator");
    dry.effects.plan(&[]);
    assert_eq!(operator.post(SWEEP, r#"{"dry_run":false}"#).status, 202);
    let names = dry.effects.names();
    let chunks = names.iter().enumerate();
    let mut chunks = chunks.filter(|(_, name)| name.ends_with("holds::WANTED"));
    chunks.nth(1).expect("two chunks").0
}

/// The newest run.
fn newest(world: &World) -> String {
    let id = "SELECT public_id FROM runs ORDER BY id DESC LIMIT 1";
    format!("/api/v1/admin/runs/{}", world.db.text(id))
}

#[test]
fn an_administrator_sees_what_a_run_has_done_so_far_and_stops_it_before_its_next_chunk() {
    let world = many_to_disable(450);
    let second = second_chunk(&world);
    let operator = Browser::signed_in(&world, "operator");
    // The first chunk takes longer than the time after which a run stores what it has counted.
    let clock = world.now_ms.clone();
    let mut is_first = true;
    world.effects.plan(&[(second, Fate::HeldBefore)]);
    world.effects.between(Some(Box::new(move |name| {
        if name.ends_with("holds::WANTED") && std::mem::take(&mut is_first) {
            clock.set(clock.get() + 6_000);
        }
    })));
    let held = operator.start("POST", SWEEP, r#"{"dry_run":false}"#);
    world.effects.plan(&[]);
    world.effects.between(None);
    let run = newest(&world);
    let report = operator.get(&run).json()["run"].clone();
    assert_eq!(report["outcome"], "running", "{report}");
    assert_eq!(report["counts"]["disabled"], 200, "{report}");
    let stopped = operator.post(&format!("{run}/stop"), "{}");
    assert_eq!(stopped.status, 202, "{stopped:?}");
    let again = operator.post(&format!("{run}/stop"), "{}");
    assert_eq!(again.status, 202, "a second request changes nothing");
    world.pass(6);
    assert_eq!(held.release().status, 202);
    let report = operator.get(&run).json()["run"].clone();
    assert_eq!(
        (&report["outcome"], &report["code"]),
        (&json!("stopped"), &json!("stop_asked")),
    );
    // The chunk that had begun was finished, and no further one was begun.
    assert_eq!(report["counts"]["disabled"], 400, "{report}");
    assert_eq!(operator.post(&format!("{run}/stop"), "{}").status, 200);
    let asked = "SELECT COUNT(*) FROM audit WHERE action = 'stop_asked'";
    assert_eq!(world.db.number(asked), 1);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert!(world.usable().is_empty());
    oracle::settled(&world);
}

#[test]
fn a_stopped_comparison_is_not_continued() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let dry = world.copied();
    dry.effects.plan(&[]);
    let asks = Browser::with(&dry, &operator.cookies.borrow());
    let compare = "/api/v1/admin/jobs/reconcile";
    assert_eq!(asks.post(compare, r#"{"dry_run":true}"#).status, 202);
    let names = dry.effects.names();
    let page = names.iter().position(|name| name.ends_with("/keys"));
    world.effects.plan(&[(page.unwrap(), Fate::HeldBefore)]);
    let held = operator.start("POST", compare, r#"{"dry_run":true}"#);
    world.effects.plan(&[]);
    let run = newest(&world);
    assert_eq!(operator.post(&format!("{run}/stop"), "{}").status, 202);
    world.pass(6);
    assert_eq!(held.release().status, 202);
    let report = operator.get(&run).json()["run"].clone();
    assert_eq!(report["code"], "stop_asked", "{report}");
    assert_eq!(report["unfinished"], Value::Bool(false));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let runs = "SELECT COUNT(*) FROM runs WHERE job = 'reconcile'";
    assert_eq!(world.db.number(runs), 1);
}

#[test]
fn a_run_that_is_not_there_cannot_be_shown_or_stopped() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    for id in [
        "run_000000000000000000000000",
        "run_",
        "key_000000000000000000000000",
    ] {
        let of = format!("/api/v1/admin/runs/{id}");
        assert_eq!(operator.get(&of).code(), "not_found", "{id}");
        let stop = operator.post(&format!("{of}/stop"), "{}");
        assert_eq!(stop.code(), "not_found", "{id}");
    }
}
