//! Caps that follow the plan, the siblings and the reset. They are computed from scratch, lowered at once, and raised
//! only on evidence.

use serde_json::{Value, json};

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

/// Sends an admin's request that changes something and must succeed. Returns the JSON of the answer.
pub fn admin(world: &World, method: &str, target: &str, body: &str) -> Value {
    let operator = Browser::signed_in(world, "operator");
    let response = match method {
        "POST" => operator.post(target, body),
        "PATCH" => operator.patch(target, body),
        _ => operator.delete(target),
    };
    assert!([200, 201, 204].contains(&response.status), "{response:?}");
    if response.body.is_empty() {
        Value::Null
    } else {
        response.json()
    }
}

/// The path of a member in the admin API.
pub fn address(member: &Browser<'_>) -> String {
    let me = member.get("/api/v1/me").json();
    format!(
        "/api/v1/admin/members/{}",
        me["member"]["id"].as_str().unwrap()
    )
}

pub fn assign(world: &World, member: &Browser<'_>, plan: &str) {
    let body = json!({ "plan": plan }).to_string();
    admin(world, "POST", &format!("{}/plan", address(member)), &body);
}

/// The limits at OpenRouter of all live keys, in dollars, oldest first.
pub fn limits(world: &World) -> Vec<f64> {
    let ended = world.db.texts(
        "SELECT upstream_hash FROM generations WHERE live = 0 AND upstream_hash IS NOT NULL",
    );
    let sandbox = world.sandbox.borrow();
    let keys = sandbox.ledger().keys.iter();
    let ours = keys
        .filter(|key| !key.foreign && key.deleted_at_ms.is_none() && !ended.contains(&key.hash));
    #[expect(clippy::cast_precision_loss, reason = "dollars")]
    ours.map(|key| key.limit.unwrap().nanos as f64 / 1e9)
        .collect()
}

/// Books this spend on the newest key.
pub fn spends(world: &World, dollars: f64) {
    let now = world.upstream_now_ms();
    let mut sandbox = world.sandbox.borrow_mut();
    let hash = sandbox.ledger().keys.last().unwrap().hash.clone();
    assert!(sandbox.book_usage(&hash, sandbox::Usd::from_dollars(dollars), now));
}

pub fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

fn key_of(member: &Browser<'_>) -> Value {
    member.get("/api/v1/keys").json()["keys"][0].clone()
}

/// A member whose second key has what the first key left of the day.
fn carried<'a>(world: &'a World, spent: f64) -> Browser<'a> {
    let member = Browser::signed_in(world, "member");
    let first = member.claim().json();
    spends(world, spent);
    let id = first["key"]["id"].as_str().unwrap();
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    assert_eq!(member.claim().status, 201);
    member
}

/// Passes to the next day, this many seconds after midnight, and sweeps.
fn next_day(world: &World, secs: i64) {
    world.pass(12 * 3_600 + secs);
    assert!(world.sweep());
    oracle::always(world);
}

#[test]
fn a_lowered_cap_rises_after_the_reset_once_openrouter_shows_it_and_not_before() {
    let world = World::new();
    let _member = carried(&world, 2.0);
    assert_eq!(limits(&world), [3.0]);
    spends(&world, 1.0);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [3.0], "the day goes on");
    world.pass(-TEN_MINUTES);
    next_day(&world, 60);
    assert_eq!(
        limits(&world),
        [3.0],
        "a minute after midnight is too early"
    );
    world.pass(60);
    assert!(world.sweep());
    assert_eq!(limits(&world), [5.0]);
    oracle::settled(&world);
}

#[test]
fn no_cap_rises_while_openrouters_day_has_not_ended() {
    let world = World::new();
    let _member = carried(&world, 2.0);
    spends(&world, 1.0);
    world.upstream_ahead_ms.set(-10 * 60_000);
    next_day(&world, 150);
    assert_eq!(limits(&world), [3.0], "upstream's figure has not fallen");
    sweeps(&world, 1);
    assert_eq!(limits(&world), [5.0]);
}

#[test]
fn the_cap_of_a_key_that_spends_right_after_the_reset_rises_all_the_same() {
    let world = World::new();
    let member = carried(&world, 2.0);
    spends(&world, 0.5);
    assert_eq!(member.post("/api/v1/keys/refresh", "{}").status, 200);
    world.pass(12 * 3_600 + 5);
    spends(&world, 2.5);
    world.pass(120);
    assert!(world.sweep());
    assert_eq!(
        limits(&world),
        [5.0],
        "more lies before the window than did"
    );
}

#[test]
fn a_job_replayed_for_a_past_time_raises_no_cap_early() {
    let world = World::new();
    let _member = carried(&world, 2.0);
    assert!(world.sweep_at(world.now().plus(86_400)));
    assert_eq!(limits(&world), [3.0]);
}

#[test]
fn a_key_with_nothing_left_is_made_disabled_and_works_after_the_reset() {
    let world = World::new();
    let member = carried(&world, 5.0);
    let key = key_of(&member);
    assert_eq!(
        (&key["state"], &key["holds"], &key["limit_usd"]),
        (&json!("disabled"), &json!(["budget"]), &json!("5.00"))
    );
    assert_eq!(world.usable().len(), 0);
    // Neither the key's owner nor a sweep enables it.
    let address = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
    assert_eq!(member.patch(&address, r#"{"disabled":false}"#).status, 200);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    world.pass(-TEN_MINUTES);
    next_day(&world, 120);
    assert_eq!(limits(&world), [5.0]);
    assert_eq!(world.usable().len(), 1, "on again in the same run");
    oracle::settled(&world);
}

#[test]
fn a_new_key_whose_disabling_is_not_confirmed_is_deleted() {
    for kind in ["error_before", "reset_after", "refuse"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let first = member.claim().json();
        spends(&world, 5.0);
        let id = first["key"]["id"].as_str().unwrap();
        member.delete(&format!("/api/v1/keys/{id}"));
        let more = json!({ "times": 3, "status": 403 });
        let more = if kind == "refuse" {
            more
        } else {
            json!({ "times": 3 })
        };
        world.add_fault("openrouter.keys.update", kind, more);
        let response = member.claim();
        assert_eq!(
            (response.status, response.code()),
            (503, "claim_unknown".into()),
            "{kind}"
        );
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0, "{kind}");
        world.sandbox.borrow_mut().clear_faults();
        sweeps(&world, 2);
        oracle::settled(&world);
        assert_eq!(world.states(), ["revoked", "revoked"], "{kind}");
    }
}

#[test]
fn a_limit_whose_answer_is_lost_counts_with_the_higher_value_until_it_is_confirmed() {
    for kind in ["reset_before", "reset_after", "late"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        assert_eq!(member.claim().status, 201);
        world.add_fault("openrouter.keys.update", kind, json!({ "times": 3 }));
        assign(&world, &member, "pro");
        assert_eq!(
            world
                .db
                .text("SELECT limit_nano || ' ' || limit_sent_nano FROM generations"),
            "5000000000 20000000000",
            "{kind}"
        );
        oracle::always(&world);
        // The member is assigned another plan before the outcome is known.
        assign(&world, &member, "free");
        let now = world.now_ms.get();
        world.sandbox.borrow_mut().land_late(now);
        oracle::always(&world);
        sweeps(&world, 3);
        assert_eq!(limits(&world), [1.0], "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn spend_just_before_our_midnight_may_belong_to_openrouters_next_day() {
    for (ahead_ms, left_at_first, left_then) in [(60_000, 0.01, 0.01), (0, 0.01, 5.0)] {
        let world = World::new();
        world.upstream_ahead_ms.set(ahead_ms);
        world.pass(12 * 3_600 - 30);
        let member = Browser::signed_in(&world, "member");
        let first = member.claim().json();
        spends(&world, 4.99);
        let id = first["key"]["id"].as_str().unwrap();
        assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
        assert_eq!(member.claim().status, 201);
        assert_eq!(limits(&world), [left_at_first]);
        sweeps(&world, 2);
        world.pass(3_600);
        sweeps(&world, 1);
        assert_eq!(limits(&world), [left_then], "{ahead_ms}");
        oracle::settled(&world);
    }
}

#[test]
fn a_window_whose_answer_is_lost_is_sent_again_with_the_next_limit() {
    for kind in ["reset_before", "reset_after", "late"] {
        let world = World::new();
        world.set("KEY_LIMIT_RESET", "monthly");
        let member = Browser::signed_in(&world, "member");
        assert_eq!(member.claim().status, 201);
        let daily = r#"{"name":"daily","limit_usd":"5","limit_reset":"daily","max_active_keys":1,"expiry_days":90}"#;
        admin(&world, "POST", "/api/v1/admin/plans", daily);
        world.add_fault("openrouter.keys.update", kind, json!({ "times": 3 }));
        assign(&world, &member, "daily");
        // The member is assigned the earlier plan again before the outcome is known.
        assign(&world, &member, "default");
        let now = world.now_ms.get();
        world.sandbox.borrow_mut().land_late(now);
        sweeps(&world, 2);
        let key = world.usable().remove(0);
        assert_eq!(key.limit_reset, Some(sandbox::Period::Monthly), "{kind}");
        assert_eq!(limits(&world), [5.0], "{kind}");
        let in_flight = "SELECT COUNT(*) FROM generations WHERE limit_sent_at IS NOT NULL";
        assert_eq!(world.db.number(in_flight), 0, "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn a_limit_that_a_switch_has_overtaken_stays_due_until_it_is_known() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let id = member.claim().json()["key"]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    let operator = Browser::signed_in(&world, "operator");
    let (target, body) = (format!("{}/plan", address(&member)), r#"{"plan":"basic"}"#);
    let dry = world.copied();
    dry.effects.plan(&[]);
    Browser::with(&dry, &operator.cookies.borrow()).post(&target, body);
    let names = dry.effects.names();
    let sent = names.iter().position(|name| name.contains("PATCH"));
    world.effects.plan(&[(sent.unwrap(), Fate::HeldBefore)]);
    let held = operator.start("POST", &target, body);
    world.effects.plan(&[]);
    assert_eq!(member.patch(&key, r#"{"disabled":true}"#).status, 200);
    assert_eq!(held.release().status, 200);
    let due = "SELECT limit_sent_nano IS NOT NULL AND cap_due_at IS NOT NULL FROM generations";
    assert_eq!(world.db.number(due), 1);
    sweeps(&world, 1);
    let basic =
        "SELECT g.limit_reset = p.limit_reset FROM generations g JOIN plans p ON p.name = 'basic'";
    assert_eq!(world.db.number(basic), 1);
    oracle::settled(&world);
}

#[test]
fn an_amount_withheld_for_a_siblings_unread_spend_is_given_back_when_it_is_read() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let first = member.claim().json();
    spends(&world, 1.0);
    let id = first["key"]["id"].as_str().unwrap();
    member.delete(&format!("/api/v1/keys/{id}"));
    world
        .db
        .run("UPDATE generations SET usage_read_at = ended_at - 1");
    assert_eq!(member.claim().json()["key"]["holds"], json!(["budget"]));
    // A new reading shows more than the last one, and less than the limit.
    world.db.run(
        "UPDATE generations SET usage_daily_nano = 2000000000, usage_read_at = ended_at WHERE state = 'revoked'",
    );
    sweeps(&world, 1);
    assert_eq!(limits(&world), [3.0]);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_cap_without_an_answer_stays_due_and_does_not_hold_up_others() {
    let world = World::new();
    for person in ["member", "second"] {
        assert_eq!(Browser::signed_in(&world, person).claim().status, 201);
    }
    let body = r#"{"limit_usd":"2"}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/default", body);
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 3 }),
    );
    sweeps(&world, 1);
    assert_eq!(limits(&world), [2.0, 5.0]);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [2.0, 2.0]);
    oracle::settled(&world);
}

#[test]
fn a_limit_whose_basis_has_changed_in_the_meantime_is_not_sent() {
    let target = |member: &Browser<'_>| {
        let id = member.claim().json()["key"]["id"].clone();
        format!("/api/v1/admin/keys/{}/raises", id.as_str().unwrap())
    };
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let raises = target(&member);
    let dry = world.copied();
    dry.effects.plan(&[]);
    let copy = Browser::with(&dry, &operator.cookies.borrow());
    assert_eq!(copy.post(&raises, r#"{"amount_usd":"1"}"#).status, 201);
    let names = dry.effects.names();
    let about_to = names.iter().position(|name| name.ends_with("limits::SENT"));
    world.effects.plan(&[(about_to.unwrap(), Fate::HeldBefore)]);
    let held = operator.start("POST", &raises, r#"{"amount_usd":"1"}"#);
    world.effects.plan(&[]);
    assert_eq!(operator.post(&raises, r#"{"amount_usd":"2"}"#).status, 201);
    assert_eq!(limits(&world), [8.0]);
    assert_eq!(held.release().status, 201);
    assert_eq!(limits(&world), [8.0]);
    oracle::settled(&world);
}

#[test]
fn a_cap_that_is_written_a_second_time_neither_lifts_nor_sets_a_hold() {
    let raise = |world: &World, operator: &Browser<'_>, key: &str| {
        let target = format!("/api/v1/admin/keys/{key}/raises");
        let response = operator.post(&target, r#"{"amount_usd":"3"}"#);
        assert_eq!(response.status, 201, "{response:?}");
        oracle::always(world);
    };
    let end = |world: &World, operator: &Browser<'_>, _: &str| {
        let raise = world
            .db
            .text("SELECT public_id FROM raises ORDER BY id DESC LIMIT 1");
        let response = operator.delete(&format!("/api/v1/admin/raises/{raise}"));
        assert_eq!(response.status, 204, "{response:?}");
        oracle::always(world);
    };
    type Act<'a> = &'a dyn Fn(&World, &Browser<'_>, &str);
    // One request lifts the hold `budget`, and the other sets it. Each takes effect a second time after the other.
    for (first, late, then) in [
        (None, &raise as Act<'_>, &end as Act<'_>),
        (Some(&raise as Act<'_>), &end, &raise),
    ] {
        let world = World::new();
        let member = carried(&world, 5.0);
        let operator = Browser::signed_in(&world, "operator");
        let key = key_of(&member);
        let key = key["id"].as_str().unwrap();
        if let Some(first) = first {
            first(&world, &operator, key);
        }
        let dry = world.copied();
        dry.effects.plan(&[]);
        late(&dry, &Browser::with(&dry, &operator.cookies.borrow()), key);
        let names = dry.effects.names();
        let confirmed = names
            .iter()
            .position(|name| name.ends_with("limits::CONFIRMED_GUARD"));
        world.effects.plan(&[(confirmed.unwrap(), Fate::Late)]);
        late(&world, &operator, key);
        world.effects.plan(&[]);
        then(&world, &operator, key);
        let rows = "SELECT json_array(state, limit_nano, change_id, (SELECT json_group_array(reason) FROM holds)) FROM generations";
        let before = world.db.texts(rows);
        assert_eq!(world.effects.land(), 1);
        assert_eq!(world.db.texts(rows), before);
        sweeps(&world, 3);
        oracle::settled(&world);
    }
}
