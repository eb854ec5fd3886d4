//! `MAX_TOTAL_KEYS` times a key's limit is a ceiling for every window: an ended key that spent something keeps its
//! seat.

use keycap::domain::time::Timestamp;
use sandbox::{Spent, Usd};
use serde_json::json;

use crate::caps::{address, admin, assign, sweeps};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

fn with_seats(seats: &str) -> World {
    let world = World::new();
    world.set("MAX_TOTAL_KEYS", seats);
    world
}

/// Spends as much of `dollars` as the key's limit lets through. Returns the amount in dollars.
fn spend(world: &World, secret: &str, dollars: f64) -> f64 {
    let now = world.upstream_now_ms();
    let mut sandbox = world.sandbox.borrow_mut();
    #[expect(clippy::cast_precision_loss, reason = "dollars")]
    match sandbox.spend(secret, Usd::from_dollars(dollars), now) {
        Spent::Booked(usd) => usd.nanos as f64 / 1e9,
        _ => 0.0,
    }
}

fn remove(member: &Browser<'_>) -> Response {
    let keys = member.get("/api/v1/keys").json();
    let id = keys["keys"][0]["id"].as_str().unwrap();
    member.delete(&format!("/api/v1/keys/{id}"))
}

/// Claims, spends all that the key may spend, and deletes it. Returns the dollars that were spent.
fn play(world: &World, member: &Browser<'_>) -> f64 {
    let response = member.claim();
    let spent = response
        .secret()
        .map_or(0.0, |secret| spend(world, &secret, 9.0));
    if response.status == 201 {
        assert_eq!(remove(member).status, 200);
    } else {
        let codes = ["seats_full", "rotation_unsettled"];
        assert!(codes.contains(&response.code().as_str()), "{response:?}");
    }
    spent
}

fn seats(world: &World) -> (i64, i64) {
    (
        world.db.number("SELECT live FROM seats"),
        world.db.number("SELECT retained FROM seats"),
    )
}

/// Moves the clock to this moment, and sweeps.
fn until(world: &World, moment: &str) {
    let then = Timestamp::parse(moment).unwrap();
    world.pass(then.since(world.now()));
    assert!(world.sweep());
}

#[test]
fn ten_accounts_that_claim_spend_and_delete_get_no_more_than_two_seats_of_five_dollars_a_day() {
    let world = with_seats("2");
    let crowd: Vec<_> = (0..10)
        .map(|n| Browser::signed_in(&world, &format!("load-{n}")))
        .collect();
    // The moments are around two midnights. A member who spent yesterday gets nothing in the first two minutes of a
    // day.
    for (moment, expected) in [
        ("2026-11-21T12:00:00Z", 10.0),
        ("2026-11-21T23:59:50Z", 0.0),
        ("2026-11-22T00:00:10Z", 10.0),
        ("2026-11-22T00:10:00Z", 0.0),
        ("2026-11-22T23:59:50Z", 0.0),
        ("2026-11-23T00:00:10Z", 10.0),
        ("2026-11-23T12:00:00Z", 0.0),
    ] {
        until(&world, moment);
        let all = crowd
            .iter()
            .map(|member| play(&world, &member.at_fresh_isolate()));
        let spent: f64 = all.sum();
        assert!((spent - expected).abs() < 1e-9, "{moment}: {spent}");
    }
    oracle::settled(&world);
}

#[test]
fn the_refusal_and_the_page_say_when_seats_free_up() {
    let world = with_seats("1");
    let (member, other) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    let secret = member.claim().secret().unwrap();
    spend(&world, &secret, 1.0);
    let response = other.claim();
    assert_eq!(
        (response.code(), response.json()["retry_at"].clone()),
        ("seats_full".into(), json!(null))
    );
    assert_eq!(
        response.header("retry-after"),
        "",
        "nobody knows when a live key ends"
    );
    assert_eq!(remove(&member).status, 200);
    let response = other.claim();
    assert_eq!(
        (response.status, response.code()),
        (403, "seats_full".into())
    );
    assert_eq!(response.header("retry-after"), "43200");
    let detail = response.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.ends_with("The next seat becomes free at 00:00 UTC on 2026-11-22."),
        "{detail}"
    );
    let gate = other.get("/api/v1/me").json()["claim"].clone();
    assert_eq!(gate["refusal"]["code"], "seats_full");
    assert_eq!(gate["refusal"]["retry_at"], "2026-11-22T00:00:00Z");
    assert_eq!(gate["seats_left"], 0);
    until(&world, "2026-11-22T00:00:00Z");
    let freed = "SELECT json_extract(counts, '$.seats_freed') FROM runs ORDER BY id DESC LIMIT 1";
    assert_eq!(world.db.number(freed), 1);
    assert_eq!(other.at_fresh_isolate().claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_member_who_removes_a_key_and_claims_again_reuses_their_seat_and_gets_only_the_rest() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    let mut spent = 0.0;
    for price in [3.0, 9.0, 9.0] {
        let response = member.at_fresh_isolate().claim();
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(seats(&world), (1, 0));
        spent += spend(&world, &response.secret().unwrap(), price);
        assert_eq!(remove(&member).status, 200);
        assert_eq!(seats(&world), (0, 1), "after ${spent}");
        sweeps(&world, 2);
    }
    assert!((spent - 5.0).abs() < 1e-9, "{spent}");
    let other = Browser::signed_in(&world, "second");
    assert_eq!(other.claim().code(), "seats_full");
    oracle::settled(&world);
}

#[test]
fn a_key_known_to_have_spent_nothing_gives_its_seat_back_at_once() {
    let world = with_seats("1");
    for person in ["member", "second"] {
        let member = Browser::signed_in(&world, person);
        assert_eq!(member.claim().status, 201, "{person}");
        assert_eq!(remove(&member).status, 200);
        assert_eq!(seats(&world), (0, 0));
    }
    oracle::settled(&world);
}

#[test]
fn a_key_whose_spend_is_not_known_keeps_its_seat_until_it_is() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    remove(&member);
    // It is the same where no figure was read after the end, or where the last spend is counted late.
    for (figure, expected) in [("NULL", 1), ("1000000000", 1), ("0", 0), ("2000000000", 1)] {
        world.db.run(&format!(
            "UPDATE generations SET usage_daily_nano = {figure}"
        ));
        assert_eq!(seats(&world), (0, expected), "{figure}");
    }
    world
        .db
        .run("UPDATE generations SET usage_daily_nano = 0, usage_read_at = ended_at - 1");
    assert_eq!(seats(&world), (0, 1), "it was read before the end");
    world
        .db
        .run("UPDATE generations SET usage_read_at = ended_at");
    assert_eq!(seats(&world), (0, 0));
}

#[test]
fn a_seat_that_another_key_reused_is_not_freed_when_the_first_keys_spend_is_read() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    let response = member.claim();
    spend(&world, &response.secret().unwrap(), 1.0);
    remove(&member);
    let response = member.at_fresh_isolate().claim();
    spend(&world, &response.secret().unwrap(), 1.0);
    remove(&member);
    world
        .db
        .run("UPDATE generations SET usage_daily_nano = 0 WHERE id = 1");
    assert_eq!(seats(&world), (0, 1));
    world
        .db
        .run("UPDATE generations SET usage_daily_nano = 2000000000 WHERE id = 2");
    assert_eq!(seats(&world), (0, 1), "its seat is that one");
}

#[test]
fn a_rotation_takes_no_second_seat_and_what_the_replaced_secret_spent_keeps_it() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    let made = member.claim();
    spend(&world, &made.secret().unwrap(), 1.0);
    let id = made.json()["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        member
            .post(&format!("/api/v1/keys/{id}/rotate"), "{}")
            .status,
        201
    );
    assert_eq!(seats(&world), (1, 0));
    sweeps(&world, 2);
    assert_eq!(remove(&member).status, 200);
    assert_eq!(seats(&world), (0, 1));
    oracle::settled(&world);
}

#[test]
fn a_seat_is_retained_until_the_end_of_the_keys_own_window() {
    // The test's clock begins on a Saturday.
    for (reset, freed) in [
        ("daily", "2026-11-22T00:00:00Z"),
        ("weekly", "2026-11-23T00:00:00Z"),
        ("monthly", "2026-12-01T00:00:00Z"),
    ] {
        let world = with_seats("1");
        let body = json!({ "limit_reset": reset }).to_string();
        let member = Browser::signed_in(&world, "member");
        admin(&world, "PATCH", "/api/v1/admin/plans/default", &body);
        let response = member.claim();
        spend(&world, &response.secret().unwrap(), 1.0);
        remove(&member);
        let until = world.db.number("SELECT until FROM retained_seats");
        assert_eq!(Timestamp::from_secs(until).rfc3339(), freed, "{reset}");
    }
}

#[test]
fn a_prepaid_key_gives_its_seat_back_whatever_it_spent() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    let paid = r#"{"payment_id":"p-1","amount_usd":"10"}"#;
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(
        operator
            .post(&format!("{}/payments", address(&member)), paid)
            .status,
        201
    );
    let response = member.claim();
    spend(&world, &response.secret().unwrap(), 4.0);
    remove(&member);
    assert_eq!(seats(&world), (0, 0));
    oracle::settled(&world);
}

#[test]
fn an_expired_key_that_is_claimed_again_reuses_its_own_seat() {
    let world = with_seats("1");
    let member = Browser::signed_in(&world, "member");
    let two = r#"{"max_active_keys":2,"expiry_days":1}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/default", two);
    let response = member.claim();
    world.pass(86_400 - 60);
    spend(&world, &response.secret().unwrap(), 1.0);
    sweeps(&world, 2);
    assert_eq!(
        (world.states(), seats(&world)),
        (vec!["expired".into()], (0, 1))
    );
    let again = member.at_fresh_isolate().claim();
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(seats(&world), (1, 0));
    oracle::settled(&world);
}

#[test]
fn nobody_reuses_the_seat_of_another_owner() {
    let world = with_seats("3");
    let (member, other) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    assign(&world, &member, "basic");
    for _ in 0..2 {
        let response = member.at_fresh_isolate().claim();
        spend(&world, &response.secret().unwrap(), 1.0);
        remove(&member);
    }
    assign(&world, &member, "free");
    assert_eq!(seats(&world), (0, 2));
    assert_eq!(other.claim().status, 201);
    assert_eq!(seats(&world), (1, 2));
    oracle::settled(&world);
}

#[test]
fn with_room_in_the_plan_a_further_key_takes_a_seat_of_its_own() {
    let world = with_seats("3");
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "basic");
    let response = member.claim();
    spend(&world, &response.secret().unwrap(), 9.0);
    remove(&member);
    assert_eq!(seats(&world), (0, 1));
    // The plan's total is ten dollars. This key may spend five more, so it takes a second seat.
    assert_eq!(member.at_fresh_isolate().claim().status, 201);
    assert_eq!(seats(&world), (1, 1));
    // The plan allows no more than that, so the third key takes the retained seat of the first one.
    let made = member
        .at_fresh_isolate()
        .post("/api/v1/keys", r#"{"name":"third"}"#);
    assert_eq!(made.status, 201);
    assert_eq!(seats(&world), (2, 0));
    oracle::settled(&world);
}
