//! Idempotency-Keys: one request has one effect, and a repeat of it gets the first answer. Another request under the
//! same key is refused.

use keycap::http::routes::{ROUTES, Who};
use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::support::browser::{CLAIM, Response};
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const ORIGIN: &str = crate::support::world::ORIGIN;
const JSON: &str = "application/json";

/// Sends a request under an Idempotency-Key.
fn keyed(who: &Browser<'_>, method: &str, target: &str, key: &str, body: &str) -> Response {
    try_keyed(who, method, target, key, body).expect("an isolate that lives to answer")
}

fn try_keyed(
    who: &Browser<'_>,
    method: &str,
    target: &str,
    key: &str,
    body: &str,
) -> Option<Response> {
    let headers = [
        ("origin", ORIGIN),
        ("content-type", JSON),
        ("idempotency-key", key),
    ];
    let response = who.try_send(method, target, &headers, Body::Bytes(body.into()));
    oracle::always(who.world);
    response
}

fn claims(who: &Browser<'_>, key: &str) -> Response {
    keyed(who, "POST", "/api/v1/claim", key, CLAIM)
}

/// Makes a member with a key. Returns the member and the key's address.
fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

fn is(response: &Response, status: u16, code: &str) {
    assert_eq!(
        (response.status, response.code().as_str()),
        (status, code),
        "{response:?}"
    );
}

/// Checks that `again` repeats the first answer without the secret, and says that it is a replay.
fn is_replay_of(again: &Response, first: &Response) {
    assert_eq!(again.status, first.status, "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.header("idempotency-replayed"), "");
    let (mut again, mut first) = (again.json(), first.json());
    assert_eq!(again["key"], first["key"]);
    assert_eq!(
        (&again["replayed"], &first["replayed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(again["secret"], Value::Null);
    if first["secret"] != Value::Null {
        let note = again["note"].as_str().unwrap();
        assert!(note.contains("make a new one"), "{note}");
        assert!(!note.contains("shown"), "{note}");
    }
    for body in [&mut again, &mut first] {
        let members = body.as_object_mut().unwrap();
        assert_eq!(members.len(), 4, "key, secret, replayed, note");
    }
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

fn remembered(world: &World) -> i64 {
    world.db.number("SELECT COUNT(*) FROM idempotency_keys")
}

#[test]
fn every_change_of_a_signed_in_caller_takes_an_idempotency_key() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(claims(&operator, "used").status, 201);
    let before = world.db.dump();
    let changes = ROUTES
        .iter()
        .filter(|route| route.method.is_unsafe() && route.who != Who::Anyone);
    let mut walked = 0;
    for route in changes.filter(|route| route.path != "/api/v1/claim") {
        let target = route.path.replace("{id}", "x").replace("{name}", "x");
        let response = keyed(&operator, route.method.name(), &target, "used", "{}");
        is(&response, 422, "idempotency_mismatch");
        walked += 1;
    }
    assert!(walked > 20, "{walked}");
    assert_eq!(world.db.dump(), before);
}

#[test]
fn the_same_request_has_the_first_answers_status_and_body_for_every_verb() {
    let grace = r#"{"grace_hours":4}"#;
    for (verb, body) in [
        ("rotate", "{}"),
        ("rotate", grace),
        ("leaked", "{}"),
        ("limit", r#"{"limit_usd":"2"}"#),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let target = format!("{key}/{verb}");
        let ask = || keyed(&member, "POST", &target, "once", body);
        let first = ask();
        let made = world.calls("openrouter.keys.create");
        for _ in 0..2 {
            let again = ask();
            if verb == "limit" {
                assert_eq!((again.status, again.json()), (first.status, first.json()));
                assert_eq!(again.header("idempotency-replayed"), "true");
            } else {
                assert_eq!(first.status, 201, "{first:?}");
                is_replay_of(&again, &first);
            }
            sweeps(&world, 1);
        }
        assert_eq!(world.calls("openrouter.keys.create"), made, "{verb}");
    }
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let first = claims(&member, "once");
    is_replay_of(&claims(&member, "once"), &first);
    // A claim under another Idempotency-Key finds the existing key, and is not a replay.
    let other = claims(&member, "another");
    assert_eq!(
        (other.status, &other.json()["replayed"]),
        (200, &json!(false))
    );
    is_replay_of(&claims(&member, "another"), &other);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    // A day later the Idempotency-Key is free.
    world.pass(86_401);
    let response = keyed(&member, "POST", "/api/v1/claim", "once", "{}");
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn a_change_without_a_secret_is_done_once_and_answered_the_same() {
    let world = World::new();
    let (member, key) = holder(&world);
    let change = |body: &str| keyed(&member, "PATCH", &key, "once", body);
    let first = change(r#"{"name":"laptop"}"#);
    assert_eq!(member.patch(&key, r#"{"name":"desk"}"#).status, 200);
    let again = change(r#"{"name":"laptop"}"#);
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["name"],
        "desk",
        "not done again"
    );
    is(&change(r#"{"name":"desk"}"#), 422, "idempotency_mismatch");
    let response = keyed(&member, "DELETE", &key, "once", "{}");
    is(&response, 422, "idempotency_mismatch");
    // An answer without a body is replayed too.
    let operator = Browser::signed_in(&world, "operator");
    let target = format!("/api/v1/admin/members/{}/sign-out", world.member("member"));
    for replayed in ["", "true"] {
        let response = keyed(&operator, "POST", &target, "out", "{}");
        assert_eq!(
            (response.status, response.header("idempotency-replayed")),
            (204, replayed)
        );
    }
}

#[test]
fn an_admins_leak_report_needs_an_idempotency_key_of_its_own() {
    let world = World::new();
    let (_, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let leaked = format!("{key}/leaked");
    assert_eq!(claims(&operator, "used").status, 201);
    let holds = "SELECT COUNT(*) FROM holds WHERE reason = 'leak'";
    is(
        &keyed(&operator, "POST", &leaked, "used", "{}"),
        422,
        "idempotency_mismatch",
    );
    assert_eq!(world.db.number(holds), 0);
    assert_eq!(world.usable().len(), 2);
    let first = keyed(&operator, "POST", &leaked, "report", "{}");
    assert_eq!((first.status, world.db.number(holds)), (200, 1));
    assert_eq!(world.usable().len(), 1);
    is_replay_of(&keyed(&operator, "POST", &leaked, "report", "{}"), &first);
    // A key of another member is another object.
    let second = Browser::signed_in(&world, "second");
    let other = second.claim().json()["key"]["id"].clone();
    let other = format!("/api/v1/keys/{}/leaked", other.as_str().unwrap());
    is(
        &keyed(&operator, "POST", &other, "report", "{}"),
        422,
        "idempotency_mismatch",
    );
    assert_eq!(world.db.number(holds), 1);
    let response = keyed(&operator, "POST", &other, "report-2", "{}");
    assert_eq!((response.status, world.db.number(holds)), (200, 2));
}

#[test]
fn a_leak_report_that_is_confirmed_later_is_still_answered_as_it_was_first() {
    let world = World::new();
    let (_, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let leaked = format!("{key}/leaked");
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 0 }),
    );
    let first = keyed(&operator, "POST", &leaked, "report", "{}");
    assert_eq!(first.status, 202);
    assert_eq!(world.usable().len(), 1, "still on, as it says");
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
    is_replay_of(&keyed(&operator, "POST", &leaked, "report", "{}"), &first);
    // A separate report gets the current state.
    let response = operator.post(&leaked, "{}");
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn a_renewal_with_nothing_to_split_renews_under_an_idempotency_key_too() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(80 * 86_400);
    let member = Browser::signed_in(&world, "member");
    world.spends(4.99);
    let target = format!("{key}/renew");
    let first = keyed(&member, "POST", &target, "once", "{}");
    assert_eq!(
        (first.status, first.secret().is_some()),
        (201, true),
        "{first:?}"
    );
    assert_eq!(first.json()["key"]["generation"], 2);
    is_replay_of(&keyed(&member, "POST", &target, "once", "{}"), &first);
    sweeps(&world, 3);
    oracle::settled(&world);
}

#[test]
fn a_failed_attempt_is_not_remembered_and_the_same_key_tries_again() {
    for status in [400, 429] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let refuse = || {
            let kind = if status == 429 {
                "rate_limited"
            } else {
                "refuse"
            };
            let more = if status == 429 {
                json!({})
            } else {
                json!({ "status": 400 })
            };
            world.add_fault("openrouter.keys.create", kind, more);
        };
        refuse();
        assert!(claims(&member, "once").status >= 500);
        assert_eq!(remembered(&world), 0);
        world.pass(600);
        let first = claims(&member, "once");
        assert_eq!(first.status, 201, "{first:?}");
        is_replay_of(&claims(&member, "once"), &first);
        let key = first.json()["key"]["id"].as_str().unwrap().to_owned();
        let rotate = || {
            keyed(
                &member,
                "POST",
                &format!("/api/v1/keys/{key}/rotate"),
                "next",
                "{}",
            )
        };
        refuse();
        assert!(rotate().status >= 500);
        world.pass(600);
        assert!(world.sweep());
        let first = rotate();
        assert_eq!(first.status, 201, "{first:?}");
        is_replay_of(&rotate(), &first);
    }
}

#[test]
fn after_a_mint_of_unknown_outcome_is_settled_the_same_key_tries_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    is(&claims(&member, "once"), 503, "claim_unknown");
    is(&claims(&member, "once"), 409, "request_in_progress");
    sweeps(&world, 2);
    let first = claims(&member, "once");
    assert_eq!(first.status, 201, "{first:?}");
    is_replay_of(&claims(&member, "once"), &first);
    sweeps(&world, 2);
    oracle::settled(&world);
}

/// Lists the effects of a claim under an Idempotency-Key, by name.
fn effects(world: &World) -> Vec<String> {
    let dry = world.copied();
    let member = Browser::signed_in(&dry, "member");
    dry.effects.plan(&[]);
    assert_eq!(claims(&member, "once").status, 201);
    dry.effects.names()
}

#[test]
fn a_request_that_is_repeated_while_it_is_worked_on_waits_and_then_has_its_answer() {
    let world = World::new();
    for (k, name) in effects(&world).iter().enumerate() {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let repeats = member.at_fresh_isolate();
        world.effects.plan(&[(k, Fate::HeldAfter)]);
        let held = start_keyed(&member, "once");
        world.effects.plan(&[]);
        let meanwhile = claims(&repeats, "once");
        // Once the key is recorded, the repeated request is told about it.
        if meanwhile.status == 409 {
            is(&meanwhile, 409, "request_in_progress");
            assert_eq!(meanwhile.header("retry-after"), "5");
        } else {
            assert_eq!(
                (meanwhile.status, &meanwhile.json()["replayed"]),
                (201, &json!(true)),
                "{name}: {meanwhile:?}"
            );
        }
        let first = held.release();
        assert_eq!(
            (first.status, first.secret().is_some()),
            (201, true),
            "{name}"
        );
        is_replay_of(&claims(&repeats, "once"), &first);
        assert_eq!(world.calls("openrouter.keys.create"), 1, "{name}");
    }
}

fn start_keyed(who: &Browser<'_>, key: &str) -> crate::support::browser::Held {
    who.start_with("POST", "/api/v1/claim", CLAIM, &[("idempotency-key", key)])
}

#[test]
fn an_answer_lost_with_its_isolate_is_replaced_by_the_keys_present_state() {
    let start = World::new();
    let names = effects(&start);
    for (k, name) in names.iter().enumerate() {
        for fate in [Fate::CutBefore, Fate::CutAfter] {
            let world = World::new();
            let member = Browser::signed_in(&world, "member");
            world.effects.plan(&[(k, fate)]);
            let lost = try_keyed(&member, "POST", "/api/v1/claim", "once", CLAIM);
            assert!(lost.is_none(), "{name}");
            world.effects.plan(&[]);
            let member = member.at_fresh_isolate();
            let mut response = claims(&member, "once");
            for _ in 0..4 {
                if response.status != 409 {
                    break;
                }
                is(&response, 409, "request_in_progress");
                world.pass(TEN_MINUTES);
                assert!(world.sweep());
                response = claims(&member, "once");
            }
            assert_eq!(response.status, 201, "{k} {name} {fate:?}: {response:?}");
            let body = response.json();
            // Either this request made the key, or the earlier attempt made none and the key was made anew.
            assert_eq!(
                body["replayed"].as_bool().unwrap(),
                body["secret"] == Value::Null,
                "{k} {name} {fate:?}"
            );
            sweeps(&world, 2);
            oracle::settled(&world);
            assert_eq!(world.usable().len(), 1, "{k} {name} {fate:?}");
        }
    }
}

#[test]
fn an_isolate_that_continues_after_its_request_was_taken_over_makes_nothing_more() {
    // First the Idempotency-Key is taken, next the mint is reserved.
    let names = effects(&World::new());
    assert!(
        names[1].starts_with("db") && names[2].starts_with("http POST"),
        "{names:?}"
    );
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[(1, Fate::HeldBefore)]);
    let held = start_keyed(&member, "once");
    world.effects.plan(&[]);
    let repeats = member.at_fresh_isolate();
    is(&claims(&repeats, "once"), 409, "request_in_progress");
    world.pass(121);
    // Nobody has a key, so the request is done again. Its key is then deleted, so that every gate is open.
    let first = claims(&repeats, "once");
    assert_eq!(first.status, 201, "{first:?}");
    let key = first.json()["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(repeats.delete(&format!("/api/v1/keys/{key}")).status, 200);
    let late = held.release();
    is(&late, 409, "request_in_progress");
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    is_replay_of(&claims(&repeats, "once"), &first);
}

#[test]
fn an_idempotency_key_belongs_to_one_member_and_needs_a_current_session() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let ended = member.at_fresh_isolate();
    assert_eq!(claims(&member, "once").status, 201);
    assert_eq!(
        claims(&Browser::signed_in(&world, "second"), "once").status,
        201
    );
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    is(&claims(&ended, "once"), 401, "sign_in_required");
    is(&claims(&ended, "another"), 401, "sign_in_required");
    assert_eq!(remembered(&world), 2);
}

#[test]
fn leaving_deletes_stored_answers_to_the_member_and_about_them() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let other = Browser::signed_in(&world, "second");
    assert_eq!(claims(&member, "mine").status, 201);
    assert_eq!(claims(&other, "theirs").status, 201);
    let about = format!("/api/v1/admin/members/{}", world.member("member"));
    let response = keyed(
        &operator,
        "PATCH",
        &about,
        "about",
        r#"{"status":"active"}"#,
    );
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(remembered(&world), 3);
    assert_eq!(member.leave("member").status, 204);
    assert_eq!(remembered(&world), 1);
}

#[test]
fn a_claim_shows_before_and_after_it_what_is_left_and_when_the_key_works() {
    let world = World::new();
    let (member, key) = holder(&world);
    let claim = |member: &Browser<'_>| member.get("/api/v1/me").json()["claim"].clone();
    world.spends(5.0);
    assert_eq!(member.delete(&key).status, 200);
    sweeps(&world, 3);
    let before = claim(&member);
    let midnight = json!("2026-11-22T00:00:00Z");
    assert_eq!(
        (
            &before["open"],
            &before["limit_usd"],
            &before["available_usd"],
            &before["available_from"]
        ),
        (&json!(true), &json!("5.00"), &json!("0.00"), &midnight)
    );
    let response = member.claim();
    assert_eq!(response.status, 201);
    let note = response.json()["note"].as_str().unwrap().to_owned();
    assert!(note.contains("works from 2026-11-22T00:00:00Z"), "{note}");
    for key in [
        response.json()["key"].clone(),
        member.get("/api/v1/keys").json()["keys"][0].clone(),
    ] {
        assert_eq!(
            (
                &key["holds"],
                &key["limit_usd"],
                &key["plan_limit_usd"],
                &key["available_from"]
            ),
            (
                &json!(["budget"]),
                &json!("5.00"),
                &json!("5.00"),
                &midnight
            )
        );
    }
    assert!(!response.body.contains("0.01"), "{}", response.body);
    world.pass(12 * 3_600);
    sweeps(&world, 7);
    let key = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(
        (&key["state"], &key["holds"], &key["available_from"]),
        (&json!("active"), &json!([]), &Value::Null)
    );
    // A member who has a key is told nothing about a new claim.
    let after = claim(&member);
    assert_eq!(
        (&after["available_usd"], &after["available_from"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_member_with_no_credit_left_is_shown_that_before_claiming() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let about = format!("/api/v1/admin/members/{}", world.member("member"));
    let response = operator.post(&format!("{about}/plan"), r#"{"plan":"prepaid"}"#);
    assert_eq!(response.status, 200, "{response:?}");
    let claim = member.get("/api/v1/me").json()["claim"].clone();
    assert_eq!(
        (
            &claim["open"],
            &claim["refusal"]["code"],
            &claim["available_from"]
        ),
        (&json!(false), &json!("credit_spent"), &Value::Null)
    );
    let paid = r#"{"payment_id":"p-1","amount_usd":"9"}"#;
    assert_eq!(
        operator.post(&format!("{about}/payments"), paid).status,
        201
    );
    let claim = member.get("/api/v1/me").json()["claim"].clone();
    assert_eq!(
        (&claim["open"], &claim["available_usd"]),
        (&json!(true), &json!("9.00"))
    );
}

#[test]
fn a_request_whose_answers_were_lost_takes_effect_once_if_it_is_repeated() {
    let raise = (
        "/api/v1/admin/keys/{key}/raises",
        r#"{"amount_usd":"2"}"#,
        "SELECT (SELECT COUNT(*) FROM raises) || ' ' || COUNT(*) FROM audit WHERE action = 'limit_raised'",
        "1 1",
    );
    let plan = (
        "/api/v1/admin/plans",
        r#"{"name":"team","limit_usd":"7","limit_reset":"daily","expiry_days":30,"max_active_keys":2}"#,
        "SELECT COUNT(*) FROM plans WHERE name = 'team'",
        "1",
    );
    let mut scenarios = 0;
    for (target, body, counts, once) in [raise, plan] {
        let start = World::new();
        let (_member, key) = holder(&start);
        let operator = Browser::signed_in(&start, "operator");
        let cookies = operator.cookies.take();
        let target = target.replace(
            "/api/v1/admin/keys/{key}",
            &key.replace("/keys", "/admin/keys"),
        );
        let act = |world: &World, body: &str| {
            let operator = Browser::with(world, &cookies);
            try_keyed(&operator, "POST", &target, "once", body)
        };
        let dry = start.copied();
        dry.effects.plan(&[]);
        act(&dry, body);
        for k in 0..dry.effects.count() {
            for fates in [
                // The answer is lost, and so is the answer to the repeat.
                vec![(k, Fate::LostAfter), (k + 1, Fate::LostAfter)],
                vec![(k, Fate::LostBefore), (k + 1, Fate::LostAfter)],
                vec![(k, Fate::CutAfter)],
                vec![(k, Fate::Late), (k + 1, Fate::LostBefore)],
            ] {
                let world = start.forked();
                world.effects.plan(&fates);
                act(&world, body);
                world.effects.plan(&[]);
                world.pass(TEN_MINUTES);
                let response = act(&world, body).unwrap();
                assert_eq!(response.status, 201, "{target} {k} {fates:?}: {response:?}");
                world.effects.land();
                assert_eq!(world.db.text(counts), once, "{target} {k} {fates:?}");
                scenarios += 1;
            }
        }
    }
    assert!(scenarios > 30, "{scenarios}");
}

#[test]
fn an_idempotency_key_whose_request_may_have_taken_effect_serves_no_other_request() {
    let world = World::new();
    let (_member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    let target = format!("{}/raises", key.replace("/keys", "/admin/keys"));
    let ask = |body: &str| keyed(&operator, "POST", &target, "once", body);
    world.db.run(
        "CREATE TRIGGER refuses BEFORE INSERT ON raises BEGIN SELECT RAISE(ABORT, 'refused'); END",
    );
    assert_eq!(ask(r#"{"amount_usd":"2"}"#).status, 500);
    world.db.run("DROP TRIGGER refuses");
    is(&ask(r#"{"amount_usd":"3"}"#), 422, "idempotency_mismatch");
    assert_eq!(ask(r#"{"amount_usd":"2"}"#).status, 201);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM raises"), 1);
    oracle::settled(&world);
}

#[test]
fn a_repeated_request_restores_nothing_that_was_withdrawn_since() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let person = r#"{"provider":"github","subject":"4242"}"#;
    let forgotten = || {
        world
            .db
            .run("UPDATE idempotency_keys SET status = NULL, body = NULL, taken_at = 0")
    };
    let put = |target: &str| keyed(&operator, "POST", target, target, person);
    let allotments = "/api/v1/admin/allotments";
    let first = put(allotments);
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.json()["allotment"]["id"].as_str().unwrap().to_owned();
    assert_eq!(operator.delete(&format!("{allotments}/{id}")).status, 204);
    forgotten();
    is(&put(allotments), 404, "not_found");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 0);
    let blocks = "/api/v1/admin/blocks";
    assert_eq!(put(blocks).json()["added"], 1);
    let json = Body::Bytes(person.into());
    let headers = [("origin", ORIGIN), ("content-type", JSON)];
    assert_eq!(operator.send("DELETE", blocks, &headers, json).status, 204);
    forgotten();
    assert_eq!(put(blocks).json()["added"], 1);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM blocks"), 0);
}

#[test]
fn a_repeated_decision_is_answered_with_the_decision_that_was_made_since() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let by_approval = operator.patch("/api/v1/admin/settings", r#"{"claims":"by_approval"}"#);
    assert!(by_approval.status < 300, "{by_approval:?}");
    let member = Browser::signed_in(&world, "member");
    let asks = || {
        keyed(
            &member,
            "POST",
            "/api/v1/requests",
            "once",
            r#"{"kind":"claim"}"#,
        )
    };
    let first = asks();
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.json()["request"]["id"].as_str().unwrap().to_owned();
    let decided = operator.patch(
        &format!("/api/v1/admin/requests/{id}"),
        r#"{"state":"declined"}"#,
    );
    assert_eq!(decided.status, 200, "{decided:?}");
    world
        .db
        .run("UPDATE idempotency_keys SET status = NULL, body = NULL, taken_at = 0");
    let again = asks();
    assert_eq!(
        (again.status, &again.json()["request"]["state"]),
        (201, &json!("declined")),
        "{again:?}"
    );
    assert_eq!(world.db.number("SELECT COUNT(*) FROM requests"), 1);
}
