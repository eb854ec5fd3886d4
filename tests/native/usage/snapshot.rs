//! The counters of keys, which are read between two nights.

use serde_json::{Value, json};

use super::*;
use crate::support::TEN_MINUTES;

fn known(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT COALESCE(usage_daily_nano, -1) FROM generations ORDER BY id")
}

fn taken(world: &World) -> Value {
    let text = "SELECT counts FROM runs WHERE job = 'spend_snapshot' ORDER BY id DESC LIMIT 1";
    serde_json::from_str(&world.db.text(text)).unwrap()
}

#[test]
fn every_tick_reads_the_counters_of_all_keys_and_writes_what_has_changed() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    holder(&world, "second");
    uses(&world, &hash_of(&world, &key), "m", 77, 0);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["77", "0"]);
    let at = world
        .db
        .texts("SELECT usage_read_at FROM generations ORDER BY id");
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(
        world
            .db
            .texts("SELECT usage_read_at FROM generations ORDER BY id"),
        at,
        "nothing has changed"
    );
    uses(&world, &hash_of(&world, &key), "m", 3, 0);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["80", "0"]);
    // The page shows the figure with its age, and asks OpenRouter nothing.
    let member = Browser::signed_in(&world, "member");
    let asked = world.calls("openrouter.keys.get");
    let spend = &member.get("/api/v1/keys").json()["keys"][0]["spend"];
    assert_eq!(
        (nano(&spend["day_usd"]), world.calls("openrouter.keys.get")),
        (80, asked)
    );
    assert_eq!(at.len(), 2);
}

#[test]
fn the_keys_that_spent_most_are_read_first_and_their_own_counter_decides() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    uses(&world, &hash, "m", 900, 0);
    // The list of keys does not answer.
    world.add_fault(
        "openrouter.keys.list",
        "error_before",
        json!({ "times": 0 }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["900"]);
    assert_eq!(taken(&world)["spenders"], 1);
    world.sandbox.borrow_mut().clear_faults();
    // Analytics says more than the counter: the counter holds.
    world.bend.set(Some(|call, body| {
        if call.url.path().ends_with("/analytics/query") {
            body["data"]["data"][0]["total_usage"] = json!(400.0);
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["900"]);
    world.bend.set(None);
}

#[test]
fn without_analytics_the_walk_goes_on_and_a_new_day_begins_with_zero() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 5, 0);
    world.add_fault(
        "openrouter.analytics.query",
        "refuse",
        json!({ "status": 400, "times": 0 }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["5"]);
    assert_eq!(world.last_run(), "partial errors");
    world.pass(DAY);
    assert!(world.tick());
    assert_eq!(known(&world), ["0"]);
    world.sandbox.borrow_mut().clear_faults();
}

#[test]
fn a_walk_that_is_too_long_for_one_run_is_continued_by_the_next() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    let now = world.upstream_now_ms();
    // The oldest key of the account is behind 45 pages of others.
    for n in 0..4_200 {
        let other = sandbox::NewKey {
            name: format!("somebody's {n}"),
            ..sandbox::NewKey::default()
        };
        world.sandbox.borrow_mut().add_foreign_key(other, now);
    }
    uses(&world, &hash, "m", 8, 0);
    world.add_fault(
        "openrouter.analytics.query",
        "refuse",
        json!({ "status": 400, "times": 0 }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(
        (known(&world), &taken(&world)["pages"]),
        (vec![String::from("-1")], &json!(40))
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(known(&world), ["8"]);
    world.sandbox.borrow_mut().clear_faults();
}
