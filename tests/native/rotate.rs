//! A key's next secret: at once, with grace, after a leak, or with a renewal. Which conditions refuse it, and what
//! becomes of it when OpenRouter, the database or somebody else interferes.

use serde_json::{Value, json};

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

#[test]
fn a_rotated_key_has_another_secret_and_everything_else_stays() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"name":"laptop"}"#);
    let before = member.get("/api/v1/keys").json()["keys"][0].clone();
    let first = world.usable()[0].clone();
    spends(&world, 2.0);
    let response = rotates(&member, &key);
    let hash = delivered(&world, &response, 1);
    assert_ne!(hash, first.hash);
    let after = response.json()["key"].clone();
    for same in [
        "id",
        "name",
        "created_at",
        "expires_at",
        "limit_reset",
        "state",
        "holds",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(
        (&before["generation"], &after["generation"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(before["issued_at"], before["created_at"]);
    assert_eq!(after["issued_at"], json!(world.now()));
    assert_eq!(
        world.usable()[0].name.len(),
        first.name.len(),
        "no growing suffix"
    );
    // What was spent stays spent, and a new secret does not give it back.
    assert_eq!(after["limit_usd"], "3.00");
    assert_eq!(world.states(), ["revoking", "active"]);
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["limit_usd"],
        "3.00"
    );
    assert_eq!(member.claim().status, 200, "it is the claimed key still");
    sweeps(&world, 1);
    assert_eq!(world.states(), ["revoked", "active"]);
    oracle::settled(&world);
    let response = world
        .db
        .texts("SELECT action FROM audit WHERE target LIKE 'key_%' ORDER BY id");
    assert_eq!(
        response,
        ["key_renamed", "rotation_begun", "rotation_ended"]
    );
}

#[test]
fn the_name_upstream_leads_to_its_owner_and_never_grows() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"name":"laptop"}"#);
    for _ in 0..2 {
        world.pass(3_600);
        delivered(&world, &rotates(&member, &key), 1);
        sweeps(&world, 3);
    }
    let instance = world.db.text("SELECT name FROM instance");
    let sandbox = world.sandbox.borrow();
    let names: Vec<String> = sandbox
        .ledger()
        .keys
        .iter()
        .map(|key| key.name.clone())
        .collect();
    drop(sandbox);
    assert_eq!(names.len(), 3);
    let mut ids = Vec::new();
    for name in &names {
        let id = name
            .strip_prefix(&format!("keycap/{instance}/gen_"))
            .unwrap();
        assert!(
            id.len() == 24 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{name}"
        );
        let owners = world.db.texts(&format!(
            "SELECT m.login FROM generations g JOIN members m ON m.owner_id = g.owner_id WHERE g.upstream_name = '{name}'"
        ));
        assert_eq!(owners, ["member"]);
        ids.push(format!("gen_{id}"));
    }
    // The key's data lists which generation is which and since when, newest first.
    let kept = member.get("/api/v1/me/export").json()["generations"].clone();
    let kept = kept.as_array().unwrap();
    let listed: Vec<&str> = kept
        .iter()
        .rev()
        .map(|made| made["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ids);
    let dates: Vec<&str> = kept
        .iter()
        .map(|made| made["created_at"].as_str().unwrap())
        .collect();
    assert!(
        dates.is_sorted_by(|newer, older| newer > older),
        "{dates:?}"
    );
}

#[test]
fn the_two_slots_alternate_and_an_upstream_name_is_never_used_again() {
    let world = World::new();
    let (member, key) = holder(&world);
    for n in 1..=6 {
        delivered(&world, &rotates(&member, &key), 1);
        sweeps(&world, 3);
        let slot = world
            .db
            .number("SELECT slot FROM generations WHERE state = 'active'");
        assert_eq!(slot, n % 2);
    }
    // The number of rotations begins anew with the next day.
    let said = world.calls("openrouter.keys.update");
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        429,
        "rotations_used_up",
    );
    let response = rotates(&member, &key);
    assert_eq!(world.calls("openrouter.keys.update"), said);
    is(&response, 429, "rotations_used_up");
    assert_eq!(response.json()["retry_at"], "2026-11-22T00:00:00Z");
    assert_eq!(world.usable().len(), 1, "nothing was put off for it");
    world.pass(12 * 3_600);
    delivered(&world, &rotates(&member, &key), 1);
    oracle::always(&world);
}

#[test]
fn there_is_no_second_rotation_while_the_last_one_is_unsettled() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(&world, &rotates(&member, &key), 1);
    for body in ["{}", FOUR_HOURS] {
        is(
            &asks(&member, &key, "rotate", body),
            409,
            "rotation_unsettled",
        );
    }
    assert_eq!(
        world.calls("openrouter.keys.update"),
        1,
        "nothing was put off for it"
    );
    // A generation that is disabled, but not yet read a second time, is not settled either.
    sweeps(&world, 1);
    let erased =
        "UPDATE generations SET erased_at = NULL, readings_since_off = 1 WHERE state = 'revoked'";
    world.db.run(erased);
    is(&rotates(&member, &key), 409, "rotation_unsettled");
    world
        .db
        .run("UPDATE generations SET readings_since_off = 2 WHERE state = 'revoked'");
    delivered(&world, &rotates(&member, &key), 1);
}

#[test]
fn a_repeated_rotation_gives_no_second_secret_and_another_request_is_refused() {
    let world = World::new();
    let (member, key) = holder(&world);
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let send = |verb: &str, body: &str| {
        let body = keycap::http::server::message::Body::Bytes(body.into());
        member.send("POST", &format!("{key}/{verb}"), &headers, body)
    };
    delivered(&world, &send("rotate", "{}"), 1);
    for _ in 0..2 {
        let response = send("rotate", "{}");
        assert_eq!((response.status, response.secret()), (201, None));
        assert_eq!(response.json()["replayed"], true);
        assert_eq!(world.usable().len(), 1);
        assert_eq!(holds(&world), [""; 0]);
        sweeps(&world, 1);
    }
    for (verb, body) in [("rotate", FOUR_HOURS), ("renew", "{}"), ("leaked", "{}")] {
        is(&send(verb, body), 422, "idempotency_mismatch");
    }
    assert_eq!(
        (world.usable().len(), world.calls("openrouter.keys.create")),
        (1, 2)
    );
    assert_eq!(holds(&world), [""; 0]);
}

#[test]
fn gates_for_new_keys_stop_no_rotation_and_the_admins_switches_stop_all() {
    for (name, value) in [
        ("PROJECT_STATUS", "development"),
        ("PROVISIONING_ENABLED", "false"),
        ("MAX_TOTAL_KEYS", "1"),
        ("MIN_ACCOUNT_AGE_DAYS", "9999"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        world.set(name, value);
        delivered(&world, &rotates(&member, &key), 1);
    }
    for (change, code) in [
        (
            "UPDATE settings SET minting = 'stopped', change_id = 'c'",
            "minting_stopped",
        ),
        (
            "UPDATE instance SET public_origin = 'https://elsewhere.example', change_id = 'c'",
            "minting_stopped",
        ),
        (
            "UPDATE settings SET pause_until = 9999999999",
            "openrouter_busy",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members",
            "key_held",
        ),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        world.db.run(
            "INSERT INTO audit (change_id, target, action, actor, at)
             VALUES ('c', 'settings', 'minting_switched', 't', 1), ('c', 'instance', 'instance_bound', 't', 1)",
        );
        world.db.run(change);
        for (verb, body) in [("rotate", "{}"), ("rotate", FOUR_HOURS)] {
            assert_eq!(asks(&member, &key, verb, body).code(), code);
        }
        assert_eq!(
            (world.usable().len(), world.calls("openrouter.keys.update")),
            (1, 0)
        );
    }
}

#[test]
fn a_held_or_disabled_key_is_not_replaced() {
    for (reason, status, code) in [
        ("admin", 403, "key_held"),
        ("offboarding", 403, "key_held"),
        ("switch", 403, "key_held"),
        ("owner", 409, "key_off"),
        ("plan", 409, "key_off"),
        ("budget", 409, "key_off"),
        ("idle", 409, "key_off"),
        ("rotation", 409, "claim_in_progress"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        hold(&world, reason);
        for verb in ["rotate", "renew"] {
            for body in ["{}", FOUR_HOURS] {
                is(&asks(&member, &key, verb, body), status, code);
            }
        }
        assert_eq!(
            world.calls("openrouter.keys.update"),
            0,
            "nothing was put off for it"
        );
        // The replacement after a reported leak waits as well.
        let response = asks(&member, &key, "leaked", "{}");
        if reason == "rotation" {
            assert_eq!(response.status, 201, "whoever began that is out");
        } else {
            assert_eq!(
                (response.status, response.secret()),
                (200, None),
                "{reason}"
            );
            assert_eq!(world.usable().len(), 0);
            assert_eq!(world.calls("openrouter.keys.create"), 1, "{reason}");
        }
    }
}

#[test]
fn rotating_another_members_key_an_ended_key_or_with_a_bad_body_is_refused() {
    let world = World::new();
    let (member, key) = holder(&world);
    let other = Browser::signed_in(&world, "second");
    let before = world.db.dump();
    for verb in ["rotate", "leaked", "renew"] {
        let unknown = "/api/v1/keys/key_000000000000000000000000";
        for target in [key.as_str(), unknown, "/api/v1/keys/%27"] {
            world.effects.plan(&[]);
            is(&asks(&other, target, verb, "{}"), 404, "not_found");
            assert_eq!(world.effects.names().len(), 1);
        }
        for body in [
            r#"{"grace_hours":0}"#,
            r#"{"grace_hours":169}"#,
            r#"{"grace_hours":"1"}"#,
            r#"{"limit":9}"#,
            "[]",
        ] {
            assert_eq!(asks(&member, &key, verb, body).status, 400, "{verb} {body}");
        }
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    // A session that has ended gets nothing.
    let cookies = member.cookies.borrow().clone();
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    let before = world.db.dump();
    for (verb, body) in WAYS {
        let stale = Browser::with(&world, &cookies);
        assert_eq!(asks(&stale, &key, verb, body).status, 401);
    }
    assert_eq!(world.db.dump(), before);
    member.sign_in("member");
    assert_eq!(member.delete(&key).status, 200);
    for verb in ["rotate", "leaked", "renew"] {
        is(&asks(&member, &key, verb, "{}"), 409, "key_ended");
    }
}

#[test]
fn without_a_confirmed_disable_and_its_figures_nothing_is_minted_and_the_old_secret_works_again() {
    type Bend = fn(&keycap::ports::Call, &mut Value);
    let bends: [Bend; 4] = [
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["disabled"] = json!(false)
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["usage_daily"] = Value::Null
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]["byok_usage"] = json!("0")
            }
        },
        |call, body| {
            if call.method == "PATCH" {
                body["data"]
                    .as_object_mut()
                    .unwrap()
                    .remove("usage")
                    .unwrap();
            }
        },
    ];
    for bend in bends {
        let world = World::new();
        let (member, key) = holder(&world);
        world.bend.set(Some(bend));
        is(&rotates(&member, &key), 503, "old_unconfirmed");
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        assert_eq!(holds(&world), [""; 0]);
        world.bend.set(None);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 1);
        oracle::settled(&world);
    }
    for kind in ["reset_before", "reset_after", "error_before", "refuse"] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 403, "times": 0 })
        } else {
            json!({ "times": 0 })
        };
        world.add_fault("openrouter.keys.update", kind, more);
        is(&rotates(&member, &key), 503, "old_unconfirmed");
        assert_eq!(world.calls("openrouter.keys.create"), 1, "{kind}");
        world.sandbox.borrow_mut().clear_faults();
        sweeps(&world, 2);
        assert_eq!(
            (world.usable().len(), world.states()),
            (1, vec![String::from("active")])
        );
        oracle::settled(&world);
    }
}

#[test]
fn the_used_part_of_the_limit_counts_if_the_figures_of_spend_are_behind() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.bend.set(Some(|call, body| {
        if call.method == "PATCH" {
            body["data"]["limit_remaining"] = json!(1.25);
        }
    }));
    let response = rotates(&member, &key);
    assert_eq!(response.json()["key"]["limit_usd"], "1.25");
}

#[test]
fn after_a_failed_mint_the_old_secret_works_again_at_once() {
    for (kind, more, status, states) in [
        ("refuse", json!({ "status": 400 }), 502, ["active", "void"]),
        ("refuse", json!({ "status": 429 }), 503, ["active", "void"]),
        ("refuse", json!({ "status": 401 }), 503, ["active", "void"]),
        ("reset_after", json!({}), 503, ["active", "verifying"]),
        ("error_before", json!({}), 503, ["active", "verifying"]),
        ("echo_limit_larger", json!({}), 502, ["active", "revoked"]),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let first = world.usable()[0].hash.clone();
        world.add_fault("openrouter.keys.create", kind, more);
        assert_eq!(rotates(&member, &key).status, status, "{kind}");
        assert_eq!(world.states(), states, "{kind}");
        assert!(world.usable().iter().any(|key| key.hash == first), "{kind}");
        sweeps(&world, 3);
        assert_eq!(world.usable().len(), 1);
        oracle::settled(&world);
        world.pass(DAY);
        delivered(
            &world,
            &rotates(&Browser::signed_in(&world, "member"), &key),
            1,
        );
    }
}

#[test]
fn a_spent_key_is_not_replaced_by_a_fresh_limit() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 5.0);
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        409,
        "nothing_to_split",
    );
    // The refused rotation made no key, so it does not count.
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    let response = rotates(&member, &key);
    assert_eq!((response.status, response.secret().is_some()), (201, true));
    let made = &response.json()["key"];
    assert_eq!(
        (&made["state"], &made["limit_usd"], &made["holds"]),
        (&json!("disabled"), &json!("5.00"), &json!(["budget"]))
    );
    assert_eq!(world.usable().len(), 0, "nothing is left of the day");
    sweeps(&world, 3);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
    // The sweep enables it at the earliest two minutes after midnight.
    world.pass(DAY);
    assert!(world.sweep());
    assert_eq!(limits(&world).last(), Some(&500));
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn with_grace_both_secrets_work_and_share_what_is_left_until_it_is_over() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 1.0);
    let response = asks(&member, &key, "rotate", FOUR_HOURS);
    delivered(&world, &response, 2);
    assert_eq!(limits(&world), [300, 200]);
    let shown = response.json()["key"].clone();
    assert_eq!(
        (&shown["limit_usd"], &shown["grace_until"]),
        (&json!("2.00"), &json!("2026-11-21T16:00:00Z"))
    );
    let until = world.now().plus(4 * 3_600).secs();
    assert_eq!(
        world
            .db
            .number("SELECT grace_until FROM generations WHERE slot = 0"),
        until
    );
    for body in ["{}", FOUR_HOURS] {
        let shown = asks(&member, &key, "rotate", body);
        is(&shown, 409, "in_grace");
        assert_eq!(shown.json()["retry_at"], "2026-11-21T16:00:00Z");
    }
    sweeps(&world, 23);
    assert_eq!(world.usable().len(), 2);
    assert_eq!(limits(&world), [300, 200], "half of what is left to each");
    sweeps(&world, 1);
    assert_eq!(
        limits(&world),
        [400],
        "the older one went with its time, and what it had is its heir's, in one run"
    );
    sweeps(&world, 1);
    oracle::settled(&world);
}

#[test]
fn a_reset_within_a_grace_raises_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(
        &world,
        &asks(&member, &key, "rotate", r#"{"grace_hours":168}"#),
        2,
    );
    for _ in 0..3 {
        world.pass(DAY);
        sweeps(&world, 1);
        assert_eq!(limits(&world).iter().sum::<i64>(), 500);
    }
}

#[test]
fn nothing_is_minted_until_the_lower_limit_is_confirmed() {
    for (operation, kind) in [
        ("openrouter.keys.update", "reset_before"),
        ("openrouter.keys.update", "reset_after"),
        ("openrouter.keys.update", "error_before"),
        ("openrouter.keys.get", "reset_before"),
        ("openrouter.keys.get", "usage_missing"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        if kind == "usage_missing" {
            world.bend.set(Some(|call, body| {
                if call.method == "GET" {
                    body["data"]["usage_daily"] = Value::Null;
                }
            }));
        } else {
            world.add_fault(operation, kind, json!({ "times": 0 }));
        }
        is(
            &asks(&member, &key, "rotate", FOUR_HOURS),
            503,
            "old_unconfirmed",
        );
        assert_eq!(
            world.calls("openrouter.keys.create"),
            1,
            "{operation} {kind}"
        );
        assert_eq!(world.usable().len(), 1);
        assert_eq!(world.states(), ["active", "void"]);
        world.sandbox.borrow_mut().clear_faults();
        world.bend.set(None);
        if operation.ends_with("update") {
            // The limit that was sent may still take effect, so no other limit relies on the one before it.
            is(
                &asks(&member, &key, "rotate", FOUR_HOURS),
                503,
                "old_unconfirmed",
            );
            assert_eq!(
                world.calls("openrouter.keys.create"),
                1,
                "{operation} {kind}"
            );
        }
        let due = world
            .db
            .number("SELECT cap_due_at FROM generations WHERE state = 'active'");
        assert!(
            due >= world.now().secs() - 60,
            "somebody looks at its limit again"
        );
    }
}

#[test]
fn after_a_refused_successor_in_a_grace_the_old_limit_is_raised_again() {
    for (kind, status) in [("refuse", 502), ("reset_after", 503)] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 400 })
        } else {
            json!({})
        };
        world.add_fault("openrouter.keys.create", kind, more);
        assert_eq!(asks(&member, &key, "rotate", FOUR_HOURS).status, status);
        assert_eq!(
            world
                .db
                .number("SELECT cap_due_at FROM generations WHERE slot = 0"),
            world.now().secs()
        );
        assert_eq!(
            world
                .db
                .number("SELECT COUNT(*) FROM generations WHERE grace_until IS NOT NULL"),
            0
        );
        sweeps(&world, 3);
        oracle::settled(&world);
    }
}

#[test]
fn a_renewal_is_possible_near_the_end_of_a_life_and_gives_a_new_one() {
    let world = World::new();
    let (member, key) = holder(&world);
    let response = asks(&member, &key, "renew", "{}");
    is(&response, 409, "too_early");
    assert_eq!(response.json()["retry_at"], "2027-02-05T12:00:00Z");
    world.pass(76 * DAY - 1);
    let member = Browser::signed_in(&world, "member");
    is(&asks(&member, &key, "renew", "{}"), 409, "too_early");
    world.pass(1);
    let response = asks(&member, &key, "renew", "{}");
    delivered(&world, &response, 2);
    assert_eq!(response.json()["key"]["expires_at"], "2027-05-06T12:00:00Z");
    let grace = world
        .db
        .number("SELECT grace_until FROM generations WHERE slot = 0");
    assert_eq!(grace, world.now().plus(DAY).secs(), "a day");
    world.pass(DAY);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_renewals_grace_ends_with_the_old_life_and_without_enough_money_there_is_none() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY - 3_600);
    let member = Browser::signed_in(&world, "member");
    let expiry = world.db.number("SELECT expires_at FROM generations");
    delivered(&world, &asks(&member, &key, "renew", "{}"), 2);
    assert_eq!(
        world
            .db
            .number("SELECT grace_until FROM generations WHERE slot = 0"),
        expiry
    );
    world.pass(3_600);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active"]);
    oracle::settled(&world);

    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(80 * DAY);
    let member = Browser::signed_in(&world, "member");
    spends(&world, 4.985);
    let response = asks(&member, &key, "renew", "{}");
    delivered(&world, &response, 1);
    assert_eq!(limits(&world), [1]);
}

#[test]
fn an_expired_key_is_claimed_again_and_not_rotated() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY);
    let member = Browser::signed_in(&world, "member");
    for verb in ["rotate", "renew"] {
        for body in ["{}", FOUR_HOURS] {
            is(&asks(&member, &key, verb, body), 409, "key_ended");
        }
    }
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    sweeps(&world, 1);
    is(&asks(&member, &key, "leaked", "{}"), 409, "key_ended");
    assert_eq!(member.claim().status, 201);
}

#[test]
fn a_leaked_key_is_disabled_at_once_and_gets_another_secret_in_the_same_answer() {
    let world = World::new();
    let (member, key) = holder(&world);
    spends(&world, 4.0);
    let response = asks(&member, &key, "leaked", "{}");
    delivered(&world, &response, 1);
    assert_eq!(response.json()["key"]["limit_usd"], "1.00");
    assert_eq!(holds(&world), [""; 0]);
    sweeps(&world, 2);
    oracle::settled(&world);
    let actions = world
        .db
        .texts("SELECT action FROM audit WHERE target LIKE 'key_%' ORDER BY id");
    assert_eq!(actions, ["hold_put", "rotation_ended"]);
}

#[test]
fn a_leaked_secret_is_disabled_whatever_its_replacement_waits_for_and_never_enabled_again() {
    type Spoil = fn(&World);
    let spoils: [(&str, Spoil, Spoil); 3] = [
        (
            "minting is stopped",
            |w| {
                w.db.run("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'settings', 'minting_switched', 't', 1);
                    UPDATE settings SET minting = 'stopped', change_id = 'c'");
            },
            |w| {
                w.db.run("INSERT INTO audit (change_id, target, action, actor, at) VALUES ('d', 'settings', 'minting_switched', 't', 1);
                    UPDATE settings SET minting = 'open', change_id = 'd'");
            },
        ),
        (
            "not confirmed",
            |w| {
                w.add_fault(
                    "openrouter.keys.update",
                    "reset_before",
                    json!({ "times": 0 }),
                )
            },
            |w| w.sandbox.borrow_mut().clear_faults(),
        ),
        (
            "refused",
            |w| {
                w.add_fault(
                    "openrouter.keys.create",
                    "refuse",
                    json!({ "status": 400, "times": 0 }),
                )
            },
            |w| w.sandbox.borrow_mut().clear_faults(),
        ),
    ];
    for (what, spoil, mend) in spoils {
        let world = World::new();
        let (member, key) = holder(&world);
        spoil(&world);
        let response = asks(&member, &key, "leaked", "{}");
        let confirmed = what != "not confirmed";
        assert_eq!(
            (response.status, response.secret()),
            (if confirmed { 200 } else { 202 }, None),
            "{what}: {response:?}"
        );
        let note = response.json()["note"].as_str().unwrap().to_owned();
        assert!(
            note.to_lowercase().contains("rotate the key"),
            "{what}: {note}"
        );
        assert_eq!(
            (
                note.contains("no longer works"),
                note.contains("still works")
            ),
            (confirmed, !confirmed),
            "{what}: {note}"
        );
        assert_eq!(world.usable().is_empty(), confirmed, "{what}");
        assert_eq!(response.json()["key"]["holds"], json!(["leak"]));
        assert_eq!(holds(&world), ["leak"]);
        is(
            &asks(&member, &key, "rotate", FOUR_HOURS),
            if what == "minting is stopped" {
                403
            } else {
                409
            },
            if what == "minting is stopped" {
                "minting_stopped"
            } else {
                "key_off"
            },
        );
        mend(&world);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0, "{what}");
        let on = member.patch(&key, r#"{"disabled":false}"#);
        assert_eq!((on.status, on.code().as_str()), (403, "key_held"));
        let member = Browser::signed_in(&world, "member");
        delivered(&world, &rotates(&member, &key), 1);
        assert_eq!(holds(&world), [""; 0], "{what}");
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn an_admin_disables_a_leaked_key_and_its_owner_replaces_it() {
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    is(&asks(&operator, &key, "rotate", "{}"), 404, "not_found");
    is(
        &asks(&operator, "/api/v1/keys/key_0", "leaked", "{}"),
        404,
        "not_found",
    );
    let response = asks(&operator, &key, "leaked", "{}");
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(response.json()["key"]["state"], "disabled");
    assert_eq!(world.usable().len(), 0);
    delivered(&world, &rotates(&member, &key), 1);
    oracle::always(&world);
}

#[test]
fn during_a_leak_everyone_can_lift_their_own_hold_and_the_key_stays_disabled() {
    const ON: &str = r#"{"disabled":false}"#;
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    for who in [&operator, &member] {
        assert_eq!(who.patch(&key, r#"{"disabled":true}"#).status, 200);
    }
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!(
        response.json()["key"]["holds"],
        json!(["admin", "leak", "owner"])
    );
    is(&rotates(&member, &key), 403, "key_held");
    is(&member.patch(&key, ON), 403, "key_held");
    for (who, left) in [(&operator, &["leak", "owner"][..]), (&member, &["leak"])] {
        let response = who.patch(&key, ON);
        assert_eq!(
            (response.status, &response.json()["key"]["state"]),
            (200, &json!("disabled"))
        );
        assert_eq!(response.json()["key"]["holds"], json!(left));
        is(&who.patch(&key, ON), 403, "key_held");
        sweeps(&world, 1);
        assert_eq!(world.usable().len(), 0);
    }
    let named = r#"{"disabled":false,"name":"mine"}"#;
    let before = world.db.dump();
    is(&member.patch(&key, named), 403, "key_held");
    assert_eq!(world.db.dump(), before, "a name that comes with it too");
    delivered(&world, &rotates(&member, &key), 1);
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_leak_within_a_grace_disables_both_secrets() {
    let world = World::new();
    let (member, key) = holder(&world);
    delivered(&world, &asks(&member, &key, "rotate", FOUR_HOURS), 2);
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!((response.status, response.secret()), (200, None));
    assert_eq!(world.usable().len(), 0, "both, within the request");
    sweeps(&world, 3);
    delivered(&world, &rotates(&member, &key), 1);
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

#[test]
fn of_fifty_rotations_at_once_one_gives_a_secret_wherever_the_first_one_is_paused() {
    for body in ["{}", FOUR_HOURS] {
        let start = World::new();
        let (member, key) = holder(&start);
        for k in 0..effects_of(&start, &member, &key, "rotate", body).len() {
            let world = start.forked();
            let member = Browser::with(&world, &member.cookies.borrow());
            world.effects.plan(&[(k, Fate::HeldBefore)]);
            let held = member.start("POST", &format!("{key}/rotate"), body);
            world.effects.plan(&[]);
            let mut made = 0;
            for _ in 1..50 {
                let response = member.post(&format!("{key}/rotate"), body);
                assert!([201, 409].contains(&response.status), "{response:?}");
                made += usize::from(response.status == 201);
            }
            let response = held.release();
            oracle::always(&world);
            assert!([201, 409, 503].contains(&response.status), "{response:?}");
            made += usize::from(response.status == 201);
            assert_eq!(made, 1, "{body} {k}");
            sweeps(&world, 3);
            assert_eq!(world.usable().len(), if body == "{}" { 1 } else { 2 });
            oracle::settled(&world);
        }
    }
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

#[test]
fn a_key_that_ends_while_it_is_rotated_stays_ended() {
    for (verb, body) in WAYS {
        let ends = |_: &World, member: &Browser<'_>, key: &str| {
            let response = member.delete(key);
            assert!([200, 202, 409].contains(&response.status), "{response:?}");
        };
        meanwhile(verb, body, ends, |world, response, at| {
            if world
                .db
                .number("SELECT COUNT(*) FROM keys WHERE ended_at IS NULL")
                == 0
            {
                assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
            }
        });
    }
}

#[test]
fn a_member_who_is_blocked_or_disabled_during_a_rotation_gets_no_new_secret() {
    for (verb, body) in WAYS {
        let blocks = |world: &World, _: &Browser<'_>, _: &str| {
            world.db.run("INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members");
        };
        meanwhile(verb, body, blocks, |world, response, at| {
            assert_eq!(
                response.status == 201,
                world.delivered.borrow().len() == 2,
                "{at}"
            );
            // Only a successor that was recorded before the block is delivered.
            assert!(
                response.status != 201 || at.contains("RECORD_GUARD HeldAfter"),
                "{at}: {response:?}"
            );
        });
        let switches = |world: &World, _: &Browser<'_>, _: &str| {
            let operator = Browser::signed_in(world, "operator");
            let response =
                operator.patch("/api/v1/admin/settings", r#"{"keys":"off","confirm":9}"#);
            assert_eq!(response.status, 200, "{response:?}");
        };
        meanwhile(verb, body, switches, |world, response, at| {
            assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
        });
        let puts_off = |_: &World, member: &Browser<'_>, key: &str| {
            member.patch(key, r#"{"disabled":true}"#);
        };
        meanwhile(verb, body, puts_off, |world, response, at| {
            if holds(world).contains(&String::from("owner")) {
                assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
            }
        });
    }
}

#[test]
fn a_changed_plan_or_an_ended_session_before_the_record_undoes_the_rotation() {
    for (verb, body) in WAYS {
        for change in [
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'plan', 'plan_changed', 't', 1);
             UPDATE plans SET rev = rev + 1, change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'c', public_id, 'sessions_ended', 't', 1 FROM members;
             UPDATE members SET epoch = epoch + 1, change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'settings', 'minting_switched', 't', 1);
             UPDATE settings SET minting = 'stopped', change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'key_t', 'hold_put', 't', 1);
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'owner', 't', 1, 'c' FROM keys",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'key_t', 'hold_put', 't', 1);
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 'c' FROM keys",
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members",
        ] {
            let acts = |world: &World, _: &Browser<'_>, _: &str| world.db.run(change);
            let reserved = |at: &str| at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            meanwhile(verb, body, acts, |world, response, at| {
                if reserved(at) {
                    assert_ne!(response.status, 201, "{at}");
                    assert_eq!(world.delivered.borrow().len(), 1, "{at}");
                }
            });
        }
    }
}

#[test]
fn a_leak_reported_during_a_rotation_ends_the_old_secret_for_good() {
    for (verb, body) in WAYS {
        let reports = |world: &World, _: &Browser<'_>, key: &str| {
            let operator = Browser::signed_in(world, "operator");
            asks(&operator, key, "leaked", "{}");
        };
        meanwhile(verb, body, reports, |world, response, at| {
            let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            assert!(
                verb == "leaked" || !minting || response.status != 201,
                "{at}: {response:?}"
            );
            let old = world
                .db
                .text("SELECT upstream_hash FROM generations ORDER BY id LIMIT 1");
            assert!(
                world.usable().iter().all(|key| key.hash != old),
                "{at}: {response:?}"
            );
        });
    }
}

#[test]
fn whatever_effect_breaks_one_secret_works_and_the_next_rotation_succeeds() {
    for (verb, body) in WAYS {
        let start = World::new();
        let (member, key) = holder(&start);
        for k in 0..effects_of(&start, &member, &key, verb, body).len() {
            for fate in Fate::ALL
                .into_iter()
                .chain([Fate::RefusedAfter, Fate::Late])
            {
                let world = start.forked();
                let member = Browser::with(&world, &member.cookies.borrow());
                world.effects.plan(&[(k, fate)]);
                let headers = [
                    ("origin", crate::support::world::ORIGIN),
                    ("content-type", "application/json"),
                ];
                let sent = keycap::http::server::message::Body::Bytes(body.into());
                let response = member.try_send("POST", &format!("{key}/{verb}"), &headers, sent);
                world.effects.plan(&[]);
                oracle::always(&world);
                // A late effect lands within five minutes of its sending.
                world.pass(240);
                assert!(world.sweep());
                world.effects.land();
                oracle::always(&world);
                sweeps(&world, 6);
                oracle::settled(&world);
                let what = format!("{verb} {body} {k} {fate:?} {response:?}");
                let leaked = holds(&world).contains(&String::from("leak"));
                assert_eq!(world.usable().is_empty(), leaked, "{what}");
                if world.usable().len() == 1 {
                    let response = rotates(&member, &key);
                    assert_eq!(response.status, 201, "{what}: {response:?}");
                }
            }
        }
    }
}

#[test]
fn a_leaked_key_that_expires_can_be_claimed_anew() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY - 60);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(member.claim().secret(), None);
    sweeps(&world, 1);
    assert_eq!(world.states(), ["expired", "void"]);
    assert_eq!(member.claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_sweep_does_not_disturb_a_rotation_under_way() {
    for (verb, body) in WAYS {
        let sweep = |world: &World, _: &Browser<'_>, _: &str| {
            world.pass(1);
            assert!(world.sweep());
        };
        meanwhile(verb, body, sweep, |_, response, at| {
            // The sweep and the rotation may both want to disable the old generation. Then one of them does it, and the
            // other learns that.
            let contended =
                at.contains("ABOUT_TO") || at.contains("PATCH") || at.contains("holds::");
            assert!(
                response.status == 201 || contended || at.contains("::HOLD"),
                "{at}: {response:?}"
            );
        });
    }
}

#[test]
fn a_second_report_of_a_leak_does_not_stop_its_replacement() {
    let again = |_: &World, member: &Browser<'_>, key: &str| {
        let response = asks(member, key, "leaked", "{}");
        assert!([200, 201, 202].contains(&response.status), "{response:?}");
    };
    meanwhile("leaked", "{}", again, |_, response, at| {
        let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
        assert!(!minting || response.status == 201, "{at}: {response:?}");
    });
}

#[test]
fn while_an_enable_is_in_flight_nothing_is_minted() {
    let world = World::new();
    let (member, key) = holder(&world);
    member.patch(&key, r#"{"disabled":true}"#);
    world.add_fault(
        "openrouter.keys.update",
        "reset_before",
        json!({ "times": 0 }),
    );
    member.patch(&key, r#"{"disabled":false}"#);
    world.sandbox.borrow_mut().clear_faults();
    is(&rotates(&member, &key), 503, "old_unconfirmed");
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    world.pass(301);
    assert!(world.sweep());
    delivered(&world, &rotates(&member, &key), 1);
}

#[test]
fn no_successor_is_recorded_if_the_lowered_limit_has_changed_since() {
    // Raises the old generation's limit only until its successor is recorded.
    let raises = |world: &World, _: &Browser<'_>, _: &str| {
        let old = "SELECT upstream_hash FROM generations WHERE slot = 0 AND grace_until IS NULL";
        for hash in world.db.texts(old) {
            world.by_hand("PATCH", &format!("/keys/{hash}"), &json!({ "limit": 5 }));
            world.db.run("UPDATE generations SET limit_nano = 5000000000, op_nonce = 'raised' WHERE slot = 0");
        }
    };
    meanwhile("rotate", FOUR_HOURS, raises, |_, response, at| {
        let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
        assert!(!minting || response.status == 409, "{at}: {response:?}");
    });
}

#[test]
fn after_a_grace_whose_request_died_the_limit_is_computed_again() {
    let world = World::new();
    let (member, key) = holder(&world);
    let names = effects_of(&world, &member, &key, "rotate", FOUR_HOURS);
    let mint = names
        .iter()
        .position(|name| name.starts_with("http POST"))
        .unwrap();
    world.effects.plan(&[(mint, Fate::CutBefore)]);
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
    ];
    let body = keycap::http::server::message::Body::Bytes(FOUR_HOURS.into());
    assert!(
        member
            .try_send("POST", &format!("{key}/rotate"), &headers, body)
            .is_none()
    );
    world.effects.plan(&[]);
    assert_eq!(limits(&world), [250]);
    let due = world
        .db
        .number("SELECT cap_due_at FROM generations WHERE slot = 0");
    assert_eq!(
        due,
        world.now().secs() + 120,
        "once no mint can be recorded any more"
    );
}

#[test]
fn a_leak_that_is_only_written_down_prevents_any_other_successor() {
    for body in ["{}", FOUR_HOURS] {
        let leaks = |world: &World, _: &Browser<'_>, _: &str| hold(world, "leak");
        meanwhile("rotate", body, leaks, |_, response, at| {
            let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            assert!(!minting || response.status == 409, "{at}: {response:?}");
        });
    }
}

#[test]
fn a_limit_that_counts_another_window_than_the_plans_is_not_split() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'plan', 'plan_changed', 't', 1);
         UPDATE plans SET limit_reset = 'monthly', rev = rev + 1, change_id = 'c' WHERE is_default = 1",
    );
    is(
        &asks(&member, &key, "rotate", FOUR_HOURS),
        409,
        "nothing_to_split",
    );
    assert_eq!(limits(&world), [500]);
    let response = rotates(&member, &key);
    assert_eq!(response.json()["key"]["limit_reset"], "monthly");
}

#[test]
fn an_admin_reports_a_found_secret_by_its_fingerprint_and_its_key_is_disabled() {
    const LEAKS: &str = "/api/v1/admin/leaks";
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let found = |secret: &str| {
        let fingerprint = sandbox::sha256_hex(secret.as_bytes());
        operator.post(LEAKS, &json!({ "secret_sha256": fingerprint }).to_string())
    };
    let first = world.delivered.borrow()[0].clone();
    for body in [
        r#"{"secret_sha256":"x"}"#.to_owned(),
        json!({ "secret_sha256": first }).to_string(),
        json!({ "secret_sha256": "A".repeat(64) }).to_string(),
    ] {
        assert_eq!(operator.post(LEAKS, &body).status, 400);
    }
    is(&found("sk-or-v1-nobodys"), 404, "not_found");
    is(
        &member.post(LEAKS, r#"{"secret_sha256":"x"}"#),
        404,
        "not_found",
    );
    // The hash of a replaced secret neither opens nor ends anything.
    let response = rotates(&member, &key);
    let second = response.secret().unwrap();
    sweeps(&world, 3);
    let response = found(&first);
    assert_eq!(
        (response.status, world.usable().len()),
        (200, 1),
        "{response:?}"
    );
    assert!(
        response.json()["note"]
            .as_str()
            .unwrap()
            .contains("had ended")
    );
    assert_eq!(holds(&world), [""; 0]);
    // A working secret is disabled at once, and its owner asks for the next one.
    let response = found(&second);
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(
        (world.usable().len(), holds(&world)),
        (0, vec![String::from("leak")])
    );
    delivered(&world, &rotates(&member, &key), 1);
    // This holds for an admin's own key too, and the answer has no secret.
    let own = operator.claim().secret().unwrap();
    let response = found(&own);
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
}

#[test]
fn a_rotation_that_disabled_nothing_enables_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    // So shortly after a change of ours, nothing is concluded from a reading.
    world.pass(60);
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": true }),
    );
    let changes = world.calls("openrouter.keys.update");
    is(&rotates(&member, &key), 503, "old_unconfirmed");
    assert_eq!(world.calls("openrouter.keys.update"), changes);
    assert_eq!(world.usable().len(), 0);
    assert!(holds(&world).is_empty());
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
    assert_eq!(holds(&world), ["upstream"]);
    oracle::settled(&world);
}

#[test]
fn a_found_secret_that_is_being_removed_is_recognised_and_removed_at_once_if_possible() {
    type Act = fn(&World, &Browser<'_>, &str);
    let removes: Act = |_, member, key| {
        assert_eq!(member.delete(key).status, 202);
    };
    let is_suspended: Act = |world, _, _| {
        let response = Browser::signed_in(world, "operator").set_status("member", "suspended");
        assert_eq!(response.status, 202, "{response:?}");
    };
    let is_stuck: Act = |world, member, key| {
        assert_eq!(member.delete(key).status, 202);
        sweeps(world, 8);
        assert_eq!(world.states(), ["stuck"]);
    };
    for (name, act) in [
        ("removed", removes),
        ("suspended", is_suspended),
        ("stuck", is_stuck),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let secret = world.delivered.borrow()[0].clone();
        let fingerprint = sandbox::sha256_hex(secret.as_bytes());
        let down = json!({ "status": 500, "times": 0 });
        for operation in ["openrouter.keys.update", "openrouter.keys.delete"] {
            world.add_fault(operation, "error_before", down.clone());
        }
        act(&world, &member, &key);
        let operator = Browser::signed_in(&world, "operator");
        let report = || {
            let body = json!({ "secret_sha256": fingerprint }).to_string();
            operator.post("/api/v1/admin/leaks", &body)
        };
        let response = report();
        assert_eq!(response.status, 202, "{name} {response:?}");
        let id = key.rsplit('/').next().unwrap();
        assert_eq!(
            (&response.json()["key"]["id"], response.secret()),
            (&json!(id), None)
        );
        let note = response.json()["note"].as_str().unwrap().to_owned();
        assert!(note.contains("is being removed"), "{name} {note}");
        // On the route of the key itself, the operator gets the same answer as its owner.
        is(
            &operator.post(&format!("{key}/leaked"), "{}"),
            409,
            "key_being_removed",
        );
        // The report does not wait for a sweep.
        world.sandbox.borrow_mut().clear_faults();
        let response = report();
        assert_eq!(
            (response.status, world.usable().len()),
            (200, 0),
            "{name} {response:?}"
        );
        assert_eq!(world.states(), ["revoked"], "{name}");
        let response = report();
        assert_eq!(response.status, 200, "{name} {response:?}");
        assert!(
            response.json()["note"]
                .as_str()
                .unwrap()
                .contains("had ended")
        );
        is(
            &operator.post(&format!("{key}/leaked"), "{}"),
            409,
            "key_ended",
        );
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn a_found_secret_that_was_replaced_does_not_end_its_successor() {
    let world = World::new();
    let (member, key) = holder(&world);
    let first = world.delivered.borrow()[0].clone();
    rotates(&member, &key);
    assert_eq!(world.states(), ["revoking", "active"]);
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "secret_sha256": sandbox::sha256_hex(first.as_bytes()) }).to_string();
    let response = operator.post("/api/v1/admin/leaks", &body);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!((world.usable().len(), holds(&world)), (1, vec![]));
    assert_eq!(world.states(), ["revoked", "active"]);
}
