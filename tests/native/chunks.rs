//! Many keys at once: how many statements and calls a run takes for them, and what the trouble of one means for the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::caps::admin;
use crate::support::{Browser, TEN_MINUTES, World, oracle};

const DEFAULT: &str = "/api/v1/admin/plans/default";
const SETTINGS: &str = "/api/v1/admin/settings";

/// A world in which this many people have a key.
fn holders(count: usize) -> World {
    let world = World::new();
    for n in 0..count {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    world
}

fn disables_all(world: &World, count: usize) {
    let body = json!({ "keys": "off", "confirm": count }).to_string();
    admin(world, "PATCH", SETTINGS, &body);
}

/// Runs a sweep ten minutes later, and returns what it counted.
fn swept(world: &World) -> Value {
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let counts = world
        .db
        .text("SELECT counts FROM runs ORDER BY id DESC LIMIT 1");
    serde_json::from_str(&counts).unwrap()
}

fn number(counts: &Value, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_else(|| panic!("{counts}"))
}

fn limits(world: &World) -> Vec<f64> {
    let usable = world.usable();
    let limits = usable.iter().map(|key| key.limit.unwrap().dollars());
    limits.collect()
}

#[test]
fn two_hundred_keys_take_few_statements_and_one_call_each() {
    let world = holders(200);
    let idle = swept(&world);
    disables_all(&world, 200);
    let off = swept(&world);
    assert_eq!(number(&off, "disabled"), 200);
    let more = |counts: &Value, what: &str| number(counts, what) - number(&idle, what);
    assert!(more(&off, "statements") <= 24, "{off} {idle}");
    assert_eq!(more(&off, "calls"), 200 + 2, "with two pages of the list");
    admin(&world, "PATCH", SETTINGS, r#"{"keys":"on"}"#);
    let on = swept(&world);
    assert_eq!(number(&on, "enabled"), 200);
    assert!(more(&on, "statements") <= 24, "{on} {idle}");
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"2"}"#);
    let limited = swept(&world);
    assert_eq!(number(&limited, "capped"), 200);
    assert!(more(&limited, "statements") <= 24, "{limited} {idle}");
    assert_eq!(limits(&world), [2.0; 200]);
    println!(
        "counted: statements for 200 keys: {} to disable, {} to enable, {} to limit",
        more(&off, "statements"),
        more(&on, "statements"),
        more(&limited, "statements")
    );
    oracle::settled(&world);
}

#[test]
fn a_later_chunk_begins_where_the_one_before_it_ended() {
    let world = holders(450);
    disables_all(&world, 450);
    assert_eq!(number(&swept(&world), "disabled"), 450);
    assert!(world.usable().is_empty());
    oracle::settled(&world);
}

#[test]
fn a_service_that_asks_for_patience_gets_it_once_from_all() {
    let world = holders(40);
    disables_all(&world, 40);
    world.pass(TEN_MINUTES);
    let busy = json!({ "times": 1, "retry_after": 20 });
    world.add_fault("openrouter.keys.update", "rate_limited", busy);
    let began = world.now_ms.get();
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    assert!(world.usable().is_empty());
    let waited = world.now_ms.get() - began;
    assert!((20_000..30_000).contains(&waited), "{waited} ms");
    oracle::settled(&world);
}

#[test]
fn a_service_that_refuses_three_times_is_not_asked_for_the_other_keys() {
    let world = holders(40);
    disables_all(&world, 40);
    world.pass(TEN_MINUTES);
    let refused = json!({ "times": 0, "status": 401 });
    world.add_fault("openrouter.keys.update", "refuse", refused);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "failed credential_refused");
    assert_eq!(world.calls("openrouter.keys.update"), 3);
    world.sandbox.borrow_mut().clear_faults();
    assert_eq!(number(&swept(&world), "disabled"), 40);
    oracle::settled(&world);
}

#[test]
fn one_owners_keys_get_their_limits_one_after_the_other() {
    let world = World::new();
    admin(&world, "PATCH", DEFAULT, r#"{"max_active_keys":3}"#);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    for name in ["second", "third"] {
        let body = json!({ "name": name }).to_string();
        assert_eq!(member.post("/api/v1/keys", &body).status, 201);
    }
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"2"}"#);
    world.effects.plan(&[]);
    swept(&world);
    let names = world.effects.names();
    let taken_up = names.iter().filter(|name| name.ends_with("caps::TAKE"));
    assert!(taken_up.count() >= 3, "each of them on its own");
    oracle::always(&world);
    for _ in 0..2 {
        swept(&world);
        oracle::always(&world);
    }
    assert!(limits(&world).iter().all(|limit| *limit <= 2.0));
    oracle::settled(&world);
}

#[test]
fn a_run_on_the_free_plan_never_takes_more_than_fifty_statements_or_calls_and_the_next_ones_finish()
{
    let world = holders(60);
    world.set("WORKERS_PLAN", "free");
    disables_all(&world, 60);
    let mut runs = 0;
    while !world.usable().is_empty() {
        let counts = swept(&world);
        assert!(number(&counts, "statements") <= 50, "{counts}");
        assert!(number(&counts, "calls") <= 50, "{counts}");
        runs += 1;
        assert!(runs < 20, "{counts}");
    }
    println!("counted: {runs} runs on the free plan for 60 keys");
    oracle::always(&world);
}

#[test]
fn a_key_that_must_be_disabled_meanwhile_does_not_wait_for_the_limits() {
    let world = holders(201);
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"2"}"#);
    world.pass(TEN_MINUTES);
    // The hold is set by hand, on a key that bystanders do not have.
    world.db.leave_bystanders();
    let database = world.db.clone();
    world.effects.plan(&[]);
    world.effects.between(Some(Box::new(move |name| {
        if name.ends_with("caps::TAKE") {
            database.run(
                "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1) ON CONFLICT DO NOTHING;
                 INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT MIN(id), 'admin', 't', 1, 't' FROM keys WHERE true ON CONFLICT DO NOTHING",
            );
        }
    })));
    assert!(world.sweep());
    let names = world.effects.names();
    let places = |of: &str| -> Vec<usize> {
        let all = names.iter().enumerate();
        let found = all.filter(|(_, name)| name.ends_with(of));
        found.map(|(place, _)| place).collect()
    };
    let (limits, disabled) = (places("caps::TAKE"), places("holds::WANTED"));
    assert_eq!(limits.len(), 2, "two chunks");
    assert!(
        disabled[0] > limits[0] && disabled[0] < limits[1],
        "{limits:?} {disabled:?}"
    );
}

#[test]
fn a_limit_that_waited_long_for_the_rest_of_its_chunk_is_left_to_the_next_run() {
    let world = holders(12);
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"2"}"#);
    world.pass(TEN_MINUTES);
    let busy = json!({ "times": 1, "retry_after": 20 });
    world.add_fault("openrouter.keys.update", "rate_limited", busy);
    let clock = world.now_ms.clone();
    // A key is marked once it was read. Then it waits until all of them were, and until OpenRouter is ready.
    let waits = Rc::new(RefCell::new(Vec::new()));
    let (noted, mut marked) = (Rc::clone(&waits), HashMap::new());
    world.effects.between(Some(Box::new(move |name| {
        let Some((call, hash)) = name.split_once("/openrouter/api/v1/keys/") else {
            return;
        };
        if call == "http GET " {
            clock.set(clock.get() + 4_500);
            marked.insert(hash.to_owned(), clock.get());
        } else if let Some(marked_at) = marked.get(hash) {
            noted.borrow_mut().push(clock.get() - marked_at);
            clock.set(clock.get() + 1_000);
        }
    })));
    assert!(world.sweep());
    world.effects.between(None);
    let waits = waits.take();
    assert!((2..12).contains(&waits.len()), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 60_999), "{waits:?}");
    let later = swept(&world);
    assert_eq!(limits(&world), [2.0; 12], "{later}");
    oracle::settled(&world);
}
