//! What a member's keys have spent: the answer comes from the database at once, OpenRouter is asked at most once a
//! minute, and these reads are the first to be left out when it is overloaded.

use serde_json::{Value, json};

use crate::support::{Browser, TEN_MINUTES, World, oracle};

const REFRESH: &str = "/api/v1/keys/refresh";

fn holder(world: &World) -> Browser<'_> {
    let member = Browser::signed_in(world, "member");
    assert_eq!(member.claim().status, 201);
    member
}

fn spend_of(body: &Value) -> Value {
    body["keys"][0]["spend"].clone()
}

fn refreshed(member: &Browser<'_>) -> Value {
    let response = member.post(REFRESH, "{}");
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn spends(world: &World, dollars: f64, byok: f64) {
    let now = world.now_ms.get();
    let mut sandbox = world.sandbox.borrow_mut();
    let hash = sandbox
        .ledger()
        .usable_keys(now)
        .next()
        .unwrap()
        .hash
        .clone();
    assert!(sandbox.book_usage(&hash, sandbox::Usd::from_dollars(dollars), now));
    assert!(sandbox.book_byok_usage(&hash, sandbox::Usd::from_dollars(byok), now));
}

#[test]
fn a_page_asks_openrouter_once_a_minute_and_the_database_answers_otherwise() {
    let world = World::new();
    let member = holder(&world);
    assert_eq!(spend_of(&member.get("/api/v1/keys").json()), Value::Null);
    let first = refreshed(&member);
    assert_eq!(spend_of(&first)["used_usd"], "0.00");
    assert_eq!(first["openrouter"]["answers"], true);

    spends(&world, 1.25, 0.25);
    world.pass(59);
    assert_eq!(
        spend_of(&refreshed(&member))["used_usd"],
        "0.00",
        "too soon"
    );
    assert_eq!(world.calls("openrouter.keys.get"), 1);
    world.pass(1);
    let spend = spend_of(&refreshed(&member));
    assert_eq!(world.calls("openrouter.keys.get"), 2);
    assert_eq!(
        spend,
        json!({
            "used_usd": "1.50", "left_usd": "3.50", "day_usd": "1.50", "week_usd": "1.50", "month_usd": "1.50",
            "total_usd": "1.50", "read_at": world.now().rfc3339(),
        })
    );
    assert_eq!(spend_of(&member.get("/api/v1/keys").json()), spend);
    oracle::settled(&world);
}

#[test]
fn spend_in_a_window_that_began_since_the_reading_is_unknown() {
    let world = World::new();
    let member = holder(&world);
    spends(&world, 2.0, 0.0);
    refreshed(&member);
    world.pass(86_400);
    let spend = spend_of(
        &Browser::signed_in(&world, "member")
            .get("/api/v1/keys")
            .json(),
    );
    assert_eq!(
        (&spend["used_usd"], &spend["left_usd"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&spend["week_usd"], &spend["total_usd"]),
        (&json!("2.00"), &json!("2.00"))
    );
}

#[test]
fn while_openrouter_asks_to_wait_no_page_asks() {
    let world = World::new();
    let member = holder(&world);
    let second = Browser::signed_in(&world, "second");
    world.add_fault(
        "openrouter.keys.create",
        "rate_limited",
        json!({ "retry_after": 90 }),
    );
    assert_eq!(second.claim().status, 503);
    assert_eq!(spend_of(&refreshed(&member)), Value::Null);
    assert_eq!(world.calls("openrouter.keys.get"), 0);
    world.pass(91);
    assert_eq!(spend_of(&refreshed(&member))["used_usd"], "0.00");
}

#[test]
fn the_whole_deployment_asks_openrouter_sixty_times_a_minute() {
    let world = World::new();
    let people: Vec<Browser<'_>> = (0..61)
        .map(|n| Browser::signed_in(&world, &format!("load-{n}")))
        .collect();
    for person in &people {
        assert_eq!(person.claim().status, 201);
        refreshed(person);
    }
    assert_eq!(world.calls("openrouter.keys.get"), 60);
    world.pass(60);
    assert_eq!(spend_of(&refreshed(&people[60]))["used_usd"], "0.00");
}

#[test]
fn when_openrouter_does_not_answer_the_page_shows_the_last_figures_and_says_so() {
    let world = World::new();
    let member = holder(&world);
    spends(&world, 1.0, 0.0);
    let known = spend_of(&refreshed(&member));
    for kind in [
        "reset_before",
        "stall_before",
        "error_before",
        "html",
        "rate_limited",
    ] {
        world.pass(60);
        let fault = if kind == "error_before" {
            json!({ "status": 500 })
        } else {
            json!({})
        };
        world.add_fault("openrouter.keys.get", kind, fault);
        let body = refreshed(&member);
        assert_eq!(spend_of(&body), known, "{kind}");
        assert_eq!(body["openrouter"]["answers"], false, "{kind}");
        world.sandbox.borrow_mut().clear_faults();
    }
    world.pass(60);
    assert_eq!(refreshed(&member)["openrouter"]["answers"], true);
}

#[test]
fn a_list_says_whether_upstream_answered_the_last_sweep() {
    let world = World::new();
    let member = holder(&world);
    let upstream = || member.get("/api/v1/keys").json()["openrouter"].clone();
    assert_eq!(upstream(), json!({ "answers": true, "as_of": null }));
    world.add_fault(
        "openrouter.keys.list",
        "reset_before",
        json!({ "times": 0 }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(
        upstream(),
        json!({ "answers": false, "as_of": world.now().rfc3339() })
    );
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(upstream()["answers"], true);
}

#[test]
fn only_the_callers_own_live_keys_are_asked_about_and_only_in_a_current_session() {
    let world = World::new();
    let member = holder(&world);
    let second = Browser::signed_in(&world, "second");
    assert_eq!(refreshed(&second)["keys"], json!([]));
    let elsewhere = member.at_fresh_isolate();
    member.post("/api/v1/me/sign-out-everywhere", "{}");
    assert_eq!(elsewhere.post(REFRESH, "{}").code(), "sign_in_required");
    assert_eq!(world.calls("openrouter.keys.get"), 0);

    world.pass(90 * 86_400);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(spend_of(&refreshed(&member)), Value::Null, "expired");
    assert_eq!(world.calls("openrouter.keys.get"), 0);
}

#[test]
fn openrouter_is_not_asked_for_a_banned_member() {
    let world = World::new();
    let member = holder(&world);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at)
             SELECT 't', public_id, 'sessions_ended', 'test', 1 FROM members;
         UPDATE members SET status = 'banned', change_id = 't'",
    );
    assert_eq!(member.post(REFRESH, "{}").code(), "member_banned");
    assert_eq!(world.calls("openrouter.keys.get"), 0);
}

#[test]
fn figures_that_are_no_amounts_leave_the_known_ones() {
    let world = World::new();
    let member = holder(&world);
    world.add_fault("openrouter.keys.get", "truncated", json!({}));
    assert_eq!(spend_of(&refreshed(&member)), Value::Null);
    world.pass(60);
    assert_eq!(spend_of(&refreshed(&member))["used_usd"], "0.00");
}

#[test]
fn whether_a_key_is_disabled_is_what_openrouter_says_and_the_list_says_as_of_when() {
    let world = World::new();
    let member = holder(&world);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let response = |member: &Browser<'_>| {
        let list = member.get("/api/v1/keys").json();
        (
            list["keys"][0]["state"].clone(),
            list["openrouter"]["as_of"].clone(),
        )
    };
    let swept = json!(world.now().rfc3339());
    assert_eq!(response(&member), (json!("active"), swept.clone()));
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": true }),
    );
    // Until somebody asks, the list shows the last known state and when it was read.
    world.pass(60);
    assert_eq!(response(&member), (json!("active"), swept));
    // The member asks.
    let elsewhere = world.copied();
    let asked = Browser::with(&elsewhere, &member.cookies.borrow());
    let list = refreshed(&asked);
    assert_eq!(list["keys"][0]["state"], "disabled");
    assert_eq!(list["openrouter"]["as_of"], elsewhere.now().rfc3339());
    assert_eq!(
        asked.get("/api/v1/keys").json()["keys"][0]["state"],
        "disabled"
    );
    // If nobody asks, the next sweep comes within ten minutes.
    world.pass(TEN_MINUTES - 60);
    assert!(world.sweep());
    assert_eq!(
        response(&member),
        (json!("disabled"), json!(world.now().rfc3339()))
    );
    // The database has no separate flag that could contradict the state: the state is all that is known.
    let columns = "SELECT COUNT(*) FROM pragma_table_info('generations') WHERE name LIKE '%disabled%' OR name LIKE '%enabled%'";
    assert_eq!(world.db.number(columns), 0);
}
