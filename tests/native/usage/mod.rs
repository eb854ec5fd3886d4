//! Usage: what the jobs read of it, and what is answered.

mod account;
mod cuts;
mod file;
mod many;
mod nights;
mod page;
mod snapshot;
mod workspaces;

use keycap::domain::time::Timestamp;
use keycap::domain::usage::day::UtcDay;
use sandbox::{NewUse, Reports, Usd};
use serde_json::Value;

use crate::support::{Browser, World, oracle};

const DAY: i64 = 86_400;
/// Half an hour after midnight, when usage is read.
const HALF_PAST: i64 = 1_800;

/// A member with a key. Returns the browser and the key's path.
fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, id)
}

fn hash_of(world: &World, key: &str) -> String {
    world.db.text(&format!(
        "SELECT n.upstream_hash FROM generations n JOIN keys k ON k.id = n.key_id WHERE k.public_id = '{key}' ORDER BY n.id DESC LIMIT 1"
    ))
}

/// Books the use of a key so many seconds ago.
fn uses(world: &World, hash: &str, model: &str, nanos: i64, ago_secs: i64) {
    uses_late(world, hash, model, nanos, ago_secs, 0);
}

/// The same, which analytics has only so many seconds after the use.
fn uses_late(world: &World, hash: &str, model: &str, nanos: i64, ago_secs: i64, lag_secs: i64) {
    let booked = world.sandbox.borrow_mut().use_model(&NewUse {
        hash,
        model,
        usd: Usd { nanos },
        byok: false,
        at_ms: world.upstream_now_ms() - ago_secs * 1_000,
        lag_ms: lag_secs * 1_000,
    });
    assert!(booked);
}

fn reports(world: &World, reports: Reports) {
    world.sandbox.borrow_mut().set_reports(reports);
}

/// Goes on to half past midnight of the next UTC day.
fn to_next_night(world: &World) {
    let now = world.now();
    let next = UtcDay::of(now).plus(1).start().plus(HALF_PAST);
    world.pass(next.since(now));
}

/// Goes on to the next night, and reads usage.
fn night(world: &World) -> Value {
    to_next_night(world);
    synced(world)
}

/// Reads usage now, which must succeed. Returns what the run counted.
fn synced(world: &World) -> Value {
    assert!(world.sync_usage());
    assert_eq!(world.last_run(), "done");
    oracle::always(world);
    counts(world)
}

fn counts(world: &World) -> Value {
    let text = "SELECT counts FROM runs WHERE job = 'usage_sync' ORDER BY id DESC LIMIT 1";
    serde_json::from_str(&world.db.text(text)).unwrap()
}

/// All shown rows: day, key's generation, model, and figures.
fn rows(world: &World) -> Vec<String> {
    world.db.texts(
        "SELECT u.day || ' ' || u.generation_id || ' ' || m.slug || ' ' || u.cost_nano || ' ' || u.byok_nano || ' ' || u.requests || ' '
           || u.prompt || ' ' || u.completion || ' ' || u.reasoning || ' ' || u.cached
         FROM usage_days u JOIN usage_days_read d ON d.day = u.day AND d.shown = u.revision JOIN models m ON m.id = u.model_id
         ORDER BY u.day, u.generation_id, m.slug",
    )
}

/// The shown cost of keys of ours, in nano-USD.
fn cost(world: &World) -> i64 {
    world.db.number(
        "SELECT COALESCE(SUM(u.cost_nano), 0) FROM usage_days u JOIN usage_days_read d ON d.day = u.day AND d.shown = u.revision
         WHERE u.generation_id > 0",
    )
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn day(text: &str) -> i64 {
    UtcDay::parse(text).unwrap().number()
}

/// An amount of the answer in nano-USD.
fn nano(value: &Value) -> i64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no amount: {value}"));
    let (whole, fraction) = text.split_once('.').unwrap();
    let fraction: i64 = format!("{fraction:0<9}").parse().unwrap();
    whole.parse::<i64>().unwrap() * 1_000_000_000 + fraction
}

fn usage(browser: &Browser<'_>, query: &str) -> Value {
    let response = browser.get(&format!("/api/v1/usage{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    let body = response.json();
    adds_up(&body);
    body
}

/// The buckets, the series and the total of an answer are the same sum, in every figure.
fn adds_up(body: &Value) {
    let money = ["spend_usd", "cost_usd", "not_broken_down_usd", "byok_usd"];
    let counts = [
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "cached_tokens",
    ];
    let buckets = body["buckets"].as_array().unwrap();
    let series = body["series"].as_array().unwrap();
    let figure = |amounts: &Value, name: &str| match amounts {
        Value::Null => 0,
        amounts if money.contains(&name) => nano(&amounts[name]),
        amounts => amounts[name].as_i64().unwrap(),
    };
    for name in money.into_iter().chain(counts) {
        let total = figure(&body["totals"], name);
        let of_buckets: i64 = buckets
            .iter()
            .map(|bucket| figure(&bucket["totals"], name))
            .sum();
        let of_series: i64 = series.iter().map(|one| figure(&one["totals"], name)).sum();
        let of_values: i64 = series
            .iter()
            .flat_map(|one| one["values"].as_array().unwrap())
            .map(|value| figure(value, name))
            .sum();
        assert_eq!(
            [of_buckets, of_series, of_values],
            [total; 3],
            "{name}: {body}"
        );
    }
    let parts = nano(&body["totals"]["cost_usd"]) + nano(&body["totals"]["not_broken_down_usd"]);
    assert_eq!(nano(&body["totals"]["spend_usd"]), parts);
}
