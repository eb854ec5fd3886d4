//! The nightly comparison of all keys with all rows.

mod drift;
mod missing;
mod runs;
mod walk;

use serde_json::Value;

use crate::support::{Browser, TEN_MINUTES, World, oracle};

const OFF: &str = r#"{"disabled":true}"#;

const JOBS: &str = "/api/v1/admin/jobs";

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

fn counts(world: &World) -> Value {
    let text = world
        .db
        .text("SELECT counts FROM runs WHERE job = 'reconcile' ORDER BY id DESC LIMIT 1");
    serde_json::from_str(&text).unwrap()
}

/// Runs one reconcile to its end. Returns its counts.
fn reconciled(world: &World) -> Value {
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done");
    oracle::always(world);
    counts(world)
}

fn kinds(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT kind FROM drift ORDER BY generation_id, kind")
}

fn only_hash(world: &World) -> String {
    world.db.text("SELECT upstream_hash FROM generations")
}

fn by_hand(world: &World, change: &Value) {
    world.by_hand("PATCH", &format!("/keys/{}", only_hash(world)), change);
}
