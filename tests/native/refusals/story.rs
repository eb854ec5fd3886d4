//! What the story in `conformance.rs` leaves out: steps in which every other statement that writes changes something.

use keycap::http::server::message::Body;
use serde_json::json;

use crate::support::browser::CLAIM;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, TEN_MINUTES, World};

const DAY: i64 = 86_400;
const SETTINGS: &str = "/api/v1/admin/settings";

pub fn tell(world: &World) {
    let operator = Browser::signed_in(world, "operator");
    idempotency_keys(world);
    due_now(world, &operator);
    budgets(world);
    quotas(world, &operator);
    leaving(world, &operator);
    logins(world);
    what_sweeps_finish(world);
    unknown_outcomes(world);
    a_finding(world);
    old_age(world);
    what_was_read(world);
}

pub fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let key = made(&member.claim());
    (member, key)
}

/// The path of the key that an answer has.
fn made(response: &crate::support::browser::Response) -> String {
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].clone();
    format!("/api/v1/keys/{}", id.as_str().unwrap())
}

/// Sends a request with an Idempotency-Key.
pub fn keyed(browser: &Browser<'_>, method: &str, target: &str, body: &str) -> u16 {
    let headers = [
        ("origin", ORIGIN),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let body = Body::Bytes(body.into());
    browser.send(method, target, &headers, body).status
}

/// Two sweeps, ten minutes apart.
fn sweeps(world: &World) {
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
}

/// Sends a request, or runs a sweep, in an isolate that dies just before the batch with this first statement.
fn dies_before(world: &World, statement: &str, act: impl Fn(&World)) {
    let names = {
        let dry = world.forked();
        dry.effects.plan(&[]);
        act(&dry);
        dry.effects.names()
    };
    let k = names.iter().position(|name| name.ends_with(statement));
    world.effects.plan(&[(k.unwrap(), Fate::CutBefore)]);
    act(world);
    world.effects.plan(&[]);
}

fn idempotency_keys(world: &World) {
    let (member, key) = holder(world, "member");
    for name in ["first", "second"] {
        let body = json!({ "name": name }).to_string();
        assert_eq!(keyed(&member, "PATCH", &key, &body), 200);
        // After a day another request may have the same Idempotency-Key.
        world.pass(2 * DAY);
    }
    // A request that fails gives its Idempotency-Key back.
    world.add_fault("openrouter.keys.get", "error_before", json!({ "times": 0 }));
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 0 }),
    );
    let status = keyed(&member, "POST", &format!("{key}/rotate"), "{}");
    assert_eq!(status, 503);
    world.sandbox.borrow_mut().clear_faults();
    sweeps(world);
}

/// Switches while an earlier failure has postponed the next attempt.
fn due_now(world: &World, operator: &Browser<'_>) {
    let (member, key) = holder(world, "second");
    let postponed = "UPDATE generations SET next_attempt_at = 1 WHERE live = 1";
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        world.db.run(postponed);
        assert_eq!(member.patch(&key, body).status, 200);
    }
    for body in [r#"{"keys":"off","confirm":2}"#, r#"{"keys":"on"}"#] {
        world.db.run(postponed);
        assert_eq!(operator.patch(SETTINGS, body).status, 200);
        sweeps(world);
    }
    let open = r#"{"minting":"open"}"#;
    assert_eq!(operator.patch(SETTINGS, open).status, 200);
}

/// Claims of somebody who has nothing left, and of somebody who has something again.
fn budgets(world: &World) {
    let (member, key) = holder(world, "load-1");
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
    world.spent_by(&hash, 5.0);
    assert_eq!(member.delete(&key).status, 200);
    made(&member.claim());
    let member = Browser::signed_in(world, "load-2");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().status, 502);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('leftover', 'a key', 'hold_put', 'test', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT MAX(id), 'budget', 'test', 1, 'leftover' FROM keys",
    );
    made(&member.claim());
}

/// Further keys of an owner: in the place of one that was never made, and when another one has ended.
fn quotas(world: &World, operator: &Browser<'_>) {
    let member = Browser::signed_in(world, "load-3");
    let plan = format!("/api/v1/admin/members/{}/plan", world.member("load-3"));
    let assign = |plan_name: &str| {
        let body = json!({ "plan": plan_name }).to_string();
        assert_eq!(operator.post(&plan, &body).status, 200);
    };
    let further = |name: &str| member.post("/api/v1/keys", &json!({ "name": name }).to_string());
    assign("basic");
    made(&member.claim());
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(further("second").status, 502);
    let second = made(&further("third"));
    assert_eq!(member.post(&format!("{second}/prefer"), "{}").status, 200);
    assign("free");
    sweeps(world);
    assert_eq!(member.delete(&second).status, 200);
    sweeps(world);
}

fn leaving(world: &World, operator: &Browser<'_>) {
    let (member, first) = holder(world, "load-4");
    let subject = world
        .db
        .text("SELECT subject FROM members WHERE login = 'load-4'");
    let person = json!({ "provider": "github", "subject": subject }).to_string();
    assert_eq!(
        operator.post("/api/v1/admin/allotments", &person).status,
        201
    );
    assert_eq!(member.patch(&first, r#"{"name":"laptop"}"#).status, 200);
    assert_eq!(member.delete(&first).status, 200);
    assert_eq!(keyed(&member, "POST", "/api/v1/claim", CLAIM), 201);
    assert_eq!(operator.post("/api/v1/admin/blocks", &person).status, 200);
    let last = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let last = format!("/api/v1/keys/{}", last.as_str().unwrap());
    assert_eq!(member.patch(&last, r#"{"project":"mine"}"#).status, 200);
    let appeal = r#"{"kind":"appeal","note":"Why?"}"#;
    assert_eq!(member.post("/api/v1/requests", appeal).status, 201);
    let more = json!({ "kind": "limit", "key": last.rsplit('/').next(), "amount_usd": "1" });
    for verdict in [true, false] {
        let asked = member.post("/api/v1/requests", &more.to_string());
        assert_eq!(asked.status, 201, "{asked:?}");
        let id = asked.json()["request"]["id"].clone();
        let target = format!("/api/v1/requests/{}", id.as_str().unwrap());
        let response = if verdict {
            let target = target.replace("/api/v1/", "/api/v1/admin/");
            operator.patch(&target, r#"{"state":"approved"}"#)
        } else {
            member.delete(&target)
        };
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(member.leave("load-4").status, 204);

    let (_, key) = holder(world, "load-5");
    let off = operator.patch(&key, r#"{"disabled":true}"#);
    assert_eq!(off.status, 200);
    for status in ["banned", "active"] {
        assert_eq!(operator.set_status("load-5", status).status, 200);
    }
}

/// Somebody signs in with a login that another member had before.
fn logins(world: &World) {
    Browser::signed_in(world, "load-6");
    world
        .db
        .run("UPDATE members SET login = 'load-7' WHERE login = 'load-6'");
    Browser::signed_in(world, "load-7");
}

/// A dead rotation, the end of a grace, a dead run, and a finding of long ago.
fn what_sweeps_finish(world: &World) {
    let (member, key) = holder(world, "load-8");
    let cookies = member.cookies.borrow().clone();
    dies_before(world, "::RESERVE_GUARD", |world| {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        let member = Browser::with(world, &cookies);
        member.try_send(
            "POST",
            &format!("{key}/rotate"),
            &headers,
            Body::Bytes(b"{}".to_vec()),
        );
    });
    sweeps(world);
    let (member, key) = holder(world, "load-9");
    let rotated = member.post(&format!("{key}/rotate"), r#"{"grace_hours":1}"#);
    assert_eq!(rotated.status, 201, "{rotated:?}");
    world.pass(3_600);
    sweeps(world);
    world.pass(TEN_MINUTES);
    dies_before(world, "runs::END", |world| {
        world.sweep();
    });
    let running = world
        .db
        .text("SELECT public_id FROM runs WHERE ended_at IS NULL");
    let stop = format!("/api/v1/admin/runs/{running}/stop");
    let operator = Browser::signed_in(world, "operator");
    assert_eq!(operator.post(&stop, "{}").status, 202);
    world.db.run(
        "INSERT INTO findings (public_id, upstream_hash, upstream_name, workspace_id, first_seen_at, last_seen_at)
         VALUES ('fnd_of_long_ago', 'gone', 'gone', 'w', 1, 1)",
    );
    sweeps(world);
}

/// Five claims at the same time whose outcome nobody knows.
fn unknown_outcomes(world: &World) {
    world.add_fault(
        "openrouter.keys.create",
        "reset_before",
        json!({ "times": 5 }),
    );
    for n in 10..15 {
        let claimed = Browser::signed_in(world, &format!("load-{n}")).claim();
        assert_eq!(claimed.status, 503, "{claimed:?}");
    }
    sweeps(world);
}

/// Anyone reports a secret during its grace, while an earlier failure has postponed the next attempt.
fn a_finding(world: &World) {
    let (member, key) = holder(world, "load-30");
    let rotated = member.post(&format!("{key}/rotate"), r#"{"grace_hours":1}"#);
    assert_eq!(rotated.status, 201, "{rotated:?}");
    world
        .db
        .run("UPDATE generations SET next_attempt_at = 1 WHERE live = 1");
    let found = keycap::crypto::sha256_hex(rotated.secret().unwrap().as_bytes());
    let body = json!({ "sha256": found }).to_string();
    assert_eq!(Browser::new(world).post("/api/v1/leaks", &body).status, 202);
    sweeps(world);
}

/// A key that expires while its owner has disabled it, and an audit with rows that need not be retained any longer.
fn old_age(world: &World) {
    let key = world.db.text(
        "SELECT public_id FROM keys WHERE ended_at IS NULL AND owner_id = (SELECT owner_id FROM members WHERE login = 'load-9')",
    );
    let member = Browser::signed_in(world, "load-9");
    let off = member.patch(&format!("/api/v1/keys/{key}"), r#"{"disabled":true}"#);
    assert_eq!(off.status, 200, "{off:?}");
    world.pass(90 * DAY);
    sweeps(world);
    world.pass(320 * DAY);
    sweeps(world);
    assert!(world.reconcile());
}

/// A member marks a notice as read, and another one long after; then they leave.
fn what_was_read(world: &World) {
    let (_, key) = holder(world, "load-31");
    let raises = format!("{}/raises", key.replace("/api/v1/", "/api/v1/admin/"));
    for wait in [0, 121 * DAY] {
        world.pass(wait);
        let operator = Browser::signed_in(world, "operator");
        let raised = operator.post(&raises, r#"{"amount_usd":"1"}"#);
        assert_eq!(raised.status, 201, "{raised:?}");
        let member = Browser::signed_in(world, "load-31");
        let told = member.get("/api/v1/notices").json()["notices"][0]["id"].clone();
        let read = json!({ "ids": [told] }).to_string();
        assert_eq!(member.post("/api/v1/notices/read", &read).status, 200);
    }
    let member = Browser::signed_in(world, "load-31");
    assert!(member.leave("load-31").status < 300);
}
