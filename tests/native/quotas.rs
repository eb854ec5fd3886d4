//! How often a member may change their own keys in a day: often enough for a person, and little for a script. A change
//! that makes a key safer is always allowed.

use serde_json::{Value, json};

use crate::caps::{address, admin, assign, spends, sweeps};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

struct Holder<'a> {
    member: Browser<'a>,
    key: String,
}

impl<'a> Holder<'a> {
    fn new(world: &'a World) -> Self {
        let member = Browser::signed_in(world, "member");
        let made = member.claim();
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["key"]["id"].as_str().unwrap().to_owned();
        let key = format!("/api/v1/keys/{id}");
        Self { member, key }
    }

    fn change(&self, body: &Value) -> Response {
        self.member
            .at_fresh_isolate()
            .patch(&self.key, &body.to_string())
    }

    fn post(&self, what: &str, body: &Value) -> Response {
        let target = format!("{}/{what}", self.key);
        self.member
            .at_fresh_isolate()
            .post(&target, &body.to_string())
    }

    fn key(&self) -> Value {
        self.member.get("/api/v1/keys").json()["keys"][0].clone()
    }
}

fn written(world: &World, action: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit WHERE action = '{action}'");
    world.db.number(&sql)
}

/// Checks that a change is refused until the next day, and that nothing is written.
fn used_up(world: &World, response: &Response, action: &str, quota: i64) {
    assert_eq!(
        (response.status, response.code()),
        (429, "daily_quota".into()),
        "{action}"
    );
    assert_eq!(response.header("retry-after"), "43200", "{action}");
    assert_eq!(response.json()["retry_at"], "2026-11-22T00:00:00Z");
    assert_eq!(written(world, action), quota, "{action}");
}

#[test]
fn a_member_renames_fifty_times_a_day() {
    let world = World::new();
    let holder = Holder::new(&world);
    let rename = |n: i64| holder.change(&json!({ "name": format!("n{n}") }));
    for n in 0..50 {
        assert_eq!(rename(n).status, 200, "{n}");
    }
    used_up(&world, &rename(50), "key_renamed", 50);
    assert_eq!(rename(49).status, 200, "it has that name already");
    assert_eq!(holder.key()["name"], "n49");
    // An admin's change of the same key does not count, and the next day the quota is free again.
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(
        operator
            .patch(&holder.key, r#"{"name":"by an admin"}"#)
            .status,
        200
    );
    world.pass(43_200);
    assert_eq!(rename(51).status, 200);
    oracle::settled(&world);
}

#[test]
fn a_key_is_enabled_a_hundred_times_a_day_and_disabled_whenever_it_is_on() {
    let world = World::new();
    let holder = Holder::new(&world);
    let switch = |disabled: bool| holder.change(&json!({ "disabled": disabled }));
    for n in 0..100 {
        assert_eq!(switch(true).status, 200, "{n}");
        assert_eq!(switch(false).status, 200, "{n}");
    }
    assert_eq!(switch(true).json()["key"]["state"], "disabled");
    let sent = world.calls("openrouter.keys.update");
    used_up(&world, &switch(false), "hold_lifted", 100);
    let both = holder.change(&json!({ "disabled": false, "name": "both" }));
    used_up(&world, &both, "hold_lifted", 100);
    assert_eq!(holder.key()["name"], json!(null), "both or neither");
    assert_eq!(world.calls("openrouter.keys.update"), sent);
    assert_eq!(holder.member.delete(&holder.key).status, 200);
    oracle::settled(&world);
}

#[test]
fn a_name_that_comes_too_often_enables_nothing_and_stops_no_disabling() {
    let world = World::new();
    let holder = Holder::new(&world);
    assert_eq!(holder.change(&json!({ "disabled": true })).status, 200);
    world.db.run("INSERT INTO daily_uses SELECT owner_id, 'key_renamed', unixepoch('2026-11-21') / 86400, 50 FROM members WHERE login <> 'operator'");
    let response = holder.change(&json!({ "disabled": false, "name": "x" }));
    assert_eq!(response.code(), "daily_quota");
    assert_eq!(holder.key()["holds"], json!(["owner"]));
    assert_eq!(holder.change(&json!({ "disabled": false })).status, 200);
    let response = holder.change(&json!({ "disabled": true, "name": "x" }));
    assert_eq!(response.code(), "daily_quota", "the name");
    assert_eq!(holder.key()["state"], "disabled", "goes always");
}

#[test]
fn own_limits_and_preferences_have_fifty_a_day_each() {
    let world = World::new();
    let holder = Holder::new(&world);
    let limit = |n: i64| {
        holder.post(
            "limit",
            &json!({ "limit_usd": format!("{}.{:02}", 1 + n / 100, n % 100) }),
        )
    };
    let prefer = || holder.post("prefer", &json!({}));
    for n in 0..50 {
        assert_eq!(limit(n).status, 200, "{n}");
        assert_eq!(prefer().status, 200, "{n}");
    }
    used_up(&world, &limit(50), "own_limit_set", 50);
    used_up(&world, &prefer(), "key_preferred", 50);
    let response = holder.post("limit", &json!({ "limit_usd": "6.00" }));
    assert_eq!(
        response.code(),
        "daily_quota",
        "whatever else is wrong with it"
    );
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_leaked_prepaid_key_without_credit_makes_no_mint_row_and_takes_twenty_reports_a_day() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    let paid = r#"{"payment_id":"p-1","amount_usd":"10"}"#;
    admin(
        &world,
        "POST",
        &format!("{}/payments", address(&member)),
        paid,
    );
    let holder = Holder::new(&world);
    spends(&world, 10.0);
    for n in 0..20 {
        let response = holder.post("leaked", &json!({}));
        assert_eq!(response.status, 200, "{n}: {response:?}");
        assert_eq!(holder.key()["state"], "disabled", "{n}");
    }
    used_up(&world, &holder.post("leaked", &json!({})), "hold_put", 20);
    assert_eq!(holder.post("rotate", &json!({})).code(), "credit_spent");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM generations"), 1);
    // A payment adds credit, and the key goes on.
    let paid = paid.replace("p-1", "p-2");
    admin(
        &world,
        "POST",
        &format!("{}/payments", address(&member)),
        &paid,
    );
    assert_eq!(holder.post("rotate", &json!({})).status, 201);
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn failed_rotations_are_bounded_too() {
    let world = World::new();
    let holder = Holder::new(&world);
    spends(&world, 4.99);
    let grace = || holder.post("rotate", &json!({ "grace_hours": 1 }));
    for n in 0..24 {
        assert_eq!(grace().code(), "nothing_to_split", "{n}");
    }
    assert_eq!(grace().code(), "rotations_used_up");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM generations"), 25);
    oracle::settled(&world);
}

#[test]
fn attempts_that_openrouter_asks_to_postpone_are_bounded_too() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault(
        "openrouter.keys.create",
        "rate_limited",
        json!({ "retry_after": 1, "times": 50 }),
    );
    for n in 0..50 {
        let response = member.at_fresh_isolate().claim();
        assert_eq!(response.code(), "openrouter_busy", "{n}");
        world.pass(2);
    }
    assert_eq!(
        member.at_fresh_isolate().claim().code(),
        "too_many_attempts"
    );
    assert_eq!(world.db.number("SELECT COUNT(*) FROM generations"), 50);
    oracle::settled(&world);
}

#[test]
fn while_openrouter_asks_to_wait_a_key_can_be_disabled_and_removed_and_nothing_else_is_sent() {
    let world = World::new();
    let holder = Holder::new(&world);
    world
        .db
        .run("UPDATE settings SET pause_until = unixepoch('2026-11-21 12:05:00')");
    assert_eq!(
        holder.change(&json!({ "disabled": true })).json()["key"]["state"],
        "disabled"
    );
    let sent = world.calls("openrouter.keys.update");
    for response in [
        holder.change(&json!({ "disabled": false })),
        holder.change(&json!({ "disabled": false, "name": "x" })),
        holder.post("limit", &json!({ "limit_usd": "1" })),
        holder.post("prefer", &json!({})),
    ] {
        assert_eq!(
            (response.status, response.code()),
            (503, "openrouter_busy".into())
        );
        assert_eq!(response.header("retry-after"), "300");
    }
    assert_eq!(world.calls("openrouter.keys.update"), sent);
    assert_eq!(holder.key()["name"], json!(null));
    assert_eq!(
        holder.member.delete(&holder.key).json()["key"]["state"],
        "revoked"
    );
    oracle::settled(&world);
}

#[test]
fn five_hundred_idempotency_keys_a_day_are_remembered() {
    let world = World::new();
    let holder = Holder::new(&world);
    let send = |method: &str, path: &str, key: &str, body: &serde_json::Value| {
        let headers = [
            ("origin", "http://localhost:8787"),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let body = keycap::http::server::message::Body::Bytes(body.to_string().into());
        let browser = holder.member.at_fresh_isolate();
        browser.send(method, path, &headers, body)
    };
    let rename = |key: &str, name: &str| send("PATCH", &holder.key, key, &json!({ "name": name }));
    world.db.run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
         INSERT INTO idempotency_keys (owner_id, key_sha256, request_sha256, nonce, seed, taken_at, status, created_at)
         SELECT k.owner_id, 'key' || i, 'request', 'nonce', 'nonce', k.created_at, 204, k.created_at FROM n JOIN keys k",
    );
    assert_eq!(rename("last", "one").status, 200);
    // A change that makes nothing twice is done, and is not remembered.
    let response = rename("beyond", "two");
    assert_eq!(
        (response.status, response.header("idempotency-replayed")),
        (200, "")
    );
    assert_eq!(rename("beyond", "three").status, 200);
    let rotate = format!("{}/rotate", holder.key);
    let response = send("POST", &rotate, "beyond", &json!({}));
    assert_eq!(
        (response.status, response.code()),
        (429, "daily_quota".into())
    );
    assert_eq!(response.header("retry-after"), "43200");
    let again = rename("last", "one");
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (200, "true")
    );
    assert_eq!(holder.key()["name"], "three");
    let off = holder.change(&json!({ "disabled": true }));
    assert_eq!(off.status, 200, "without a key it goes on");
    world.pass(43_200);
    assert_eq!(rename("beyond", "two").status, 200);
}
