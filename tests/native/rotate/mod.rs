//! A key's next secret: at once, with grace, after a leak, or with a renewal. Which conditions refuse it, and what
//! becomes of it when OpenRouter, the database or somebody else interferes.

mod at_once;
mod before_the_mint;
mod found_secret;
mod leak;
mod meanwhile;
mod refused;
mod renewal;
mod with_grace;

use crate::support::browser::Response;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const DAY: i64 = 86_400;

const FOUR_HOURS: &str = r#"{"grace_hours":4}"#;

/// Makes a member with a key. Returns the member and the key's address.
fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

fn asks(member: &Browser<'_>, key: &str, verb: &str, body: &str) -> Response {
    let response = member.post(&format!("{key}/{verb}"), body);
    oracle::always(member.world);
    response
}

fn rotates(member: &Browser<'_>, key: &str) -> Response {
    asks(member, key, "rotate", "{}")
}

fn is(response: &Response, status: u16, code: &str) {
    assert_eq!(
        (response.status, response.code().as_str()),
        (status, code),
        "{response:?}"
    );
}

/// Checks that an answer delivers a secret that works, and that exactly `working` keys work. Returns the hash of the
/// new key.
fn delivered(world: &World, response: &Response, working: usize) -> String {
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.header("cache-control"), "no-store, no-transform");
    let hash = sandbox::sha256_hex(response.secret().unwrap().as_bytes());
    let usable = world.usable();
    assert_eq!(usable.len(), working);
    assert!(usable.iter().any(|key| key.hash == hash));
    hash
}

/// Lets the key with the newest secret spend this many dollars.
fn spends(world: &World, dollars: f64) {
    let secret = world.delivered.borrow().last().unwrap().clone();
    let hash = sandbox::sha256_hex(secret.as_bytes());
    let (now, amount) = (world.upstream_now_ms(), sandbox::Usd::from_dollars(dollars));
    assert!(world.sandbox.borrow_mut().book_usage(&hash, amount, now));
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

/// The limits of all working keys in cents, oldest first.
fn limits(world: &World) -> Vec<i64> {
    let keys = world.usable();
    keys.iter()
        .map(|key| key.limit.unwrap().nanos / 10_000_000)
        .collect()
}

fn hold(world: &World, reason: &str) {
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t{reason}', 'key_t', 'hold_put', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, '{reason}', 't', 1, 't{reason}' FROM keys"
    ));
}

fn holds(world: &World) -> Vec<String> {
    world.db.texts("SELECT reason FROM holds ORDER BY reason")
}

/// Lists the effects of a rotation request, by name.
fn effects_of(
    world: &World,
    member: &Browser<'_>,
    key: &str,
    verb: &str,
    body: &str,
) -> Vec<String> {
    let dry = world.copied();
    dry.effects.plan(&[]);
    Browser::with(&dry, &member.cookies.borrow()).post(&format!("{key}/{verb}"), body);
    dry.effects.names()
}

/// Holds a rotation at each of its effects in turn, before and after it, while `act` runs. Then three sweeps follow.
fn meanwhile(
    verb: &str,
    body: &str,
    act: impl Fn(&World, &Browser<'_>, &str),
    after: impl Fn(&World, &Response, &str),
) {
    let start = World::new();
    let (member, key) = holder(&start);
    let effects = effects_of(&start, &member, &key, verb, body);
    for (k, effect) in effects.iter().enumerate() {
        for fate in [Fate::HeldBefore, Fate::HeldAfter] {
            let world = start.forked();
            let member = Browser::with(&world, &member.cookies.borrow());
            world.effects.plan(&[(k, fate)]);
            let held = member.start("POST", &format!("{key}/{verb}"), body);
            world.effects.plan(&[]);
            act(&world, &member, &key);
            oracle::always(&world);
            let response = held.release();
            oracle::always(&world);
            assert!(response.status != 500, "{effect}: {response:?}");
            sweeps(&world, 3);
            oracle::settled(&world);
            after(&world, &response, &format!("{k} {effect} {fate:?}"));
        }
    }
}

const WAYS: [(&str, &str); 3] = [("rotate", "{}"), ("rotate", FOUR_HOURS), ("leaked", "{}")];
