//! What describes the deployment as a whole: the credit of its account, the limits of its keys, and its database.

use keycap::ports::Call;
use serde_json::{Value, json};

use super::*;
use crate::support::TEN_MINUTES;

/// A snapshot, and then what the overview says: the figures, and the kinds of what waits.
fn overview(world: &World) -> (Value, Vec<String>) {
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    let operator = Browser::signed_in(world, "operator");
    let overview = operator.get("/api/v1/admin/overview").json();
    let waits = overview["attention"].as_array().unwrap().iter();
    let kinds = waits.map(|item| item["kind"].as_str().unwrap().to_owned());
    (overview["figures"].clone(), kinds.collect())
}

/// An account that has bought credit for so many cents.
fn bought<const CENTS: i32>(call: &Call, body: &mut Value) {
    if call.url.path().ends_with("/credits") {
        body["data"]["total_credits"] = json!(f64::from(CENTS) / 100.0);
    }
}

#[test]
fn the_credit_left_the_limits_together_and_the_size_are_read_and_shown_with_their_age() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let figures = &operator.get("/api/v1/admin/overview").json()["figures"];
    for unknown in [
        "credit_usd",
        "credit_read_at",
        "limits_usd",
        "limits_read_at",
        "database_bytes",
        "database_read_at",
    ] {
        assert_eq!(figures[unknown], Value::Null, "{unknown}");
    }
    let (_, key) = holder(&world, "member");
    holder(&world, "second");
    world.bend.set(Some(bought::<5_000>));
    uses(&world, &hash_of(&world, &key), "m", 250_000_000, 0);
    let (figures, waits) = overview(&world);
    assert_eq!(figures["credit_usd"], "49.75");
    assert_eq!(figures["limits_usd"], "10.00");
    assert!(figures["database_bytes"].as_i64().unwrap() > 100_000);
    for read in ["credit_read_at", "limits_read_at", "database_read_at"] {
        assert!(figures[read].is_string(), "{read}");
    }
    assert!(
        !waits
            .iter()
            .any(|kind| kind == "credit_low" || kind == "database_large")
    );
}

#[test]
fn credit_of_zero_beside_known_usage_is_not_known_and_an_answer_that_does_not_come_keeps_the_last()
{
    let world = World::new();
    let (_, key) = holder(&world, "member");
    world.bend.set(Some(bought::<5_000>));
    assert_eq!(overview(&world).0["credit_usd"], "50.00");
    uses(&world, &hash_of(&world, &key), "m", 1_000, 0);
    world.bend.set(None);
    reports(
        &world,
        Reports {
            no_credits: true,
            ..Reports::default()
        },
    );
    let (figures, waits) = overview(&world);
    assert_eq!(figures["credit_usd"], Value::Null);
    assert!(figures["credit_read_at"].is_string());
    assert!(
        !waits.iter().any(|kind| kind == "credit_low"),
        "what is not known is no alarm"
    );
    reports(&world, Reports::default());
    world.bend.set(Some(bought::<5_000>));
    let (known, _) = overview(&world);
    assert_eq!(known["credit_usd"], "49.999999");
    world.add_fault(
        "openrouter.credits.get",
        "error_before",
        json!({ "times": 0 }),
    );
    assert_eq!(overview(&world).0["credit_usd"], known["credit_usd"]);
    assert_eq!(taken_outcome(&world), "done");
    world.sandbox.borrow_mut().clear_faults();
    // An amount that is none is no amount.
    world.bend.set(Some(|call, body| {
        if call.url.path().ends_with("/credits") {
            body["data"]["total_usage"] = json!(-1);
        }
    }));
    assert_eq!(overview(&world).0["credit_usd"], known["credit_usd"]);
    world.bend.set(None);
}

fn taken_outcome(world: &World) -> String {
    world
        .db
        .text("SELECT outcome FROM runs WHERE job = 'spend_snapshot' ORDER BY id DESC LIMIT 1")
}

#[test]
fn low_credit_and_a_large_database_wait_for_an_administrator() {
    let world = World::new();
    holder(&world, "member");
    world.bend.set(Some(bought::<99>));
    assert!(overview(&world).1.iter().any(|kind| kind == "credit_low"));
    // At the pace of seven dollars in seven days, three dollars last for three days.
    let (from, _) = keycap::store::ops::figures::pace_days(world.now());
    world.db.run(&format!("INSERT INTO usage_days_read (day, writing, shown, ours_nano, unattributed_nano) VALUES ({from}, 1, 1, 4000000000, 3000000000), ({from} - 1, 1, 1, 900000000000, 0)"));
    let short: fn(&Call, &mut Value) = bought::<299>;
    for (credit, is_low) in [(short, true), (bought::<300>, false)] {
        world.bend.set(Some(credit));
        let (figures, waits) = overview(&world);
        assert_eq!(figures["week_usd"], "7.00");
        assert_eq!(
            waits.iter().any(|kind| kind == "credit_low"),
            is_low,
            "{figures}"
        );
    }
    // The database of a test is small; what is stored of it is not.
    for (bytes, is_large) in [(8_000_000_000_i64, false), (8_000_000_001, true)] {
        world.db.run(&format!(
            "UPDATE deployment_figures SET database_bytes = {bytes}"
        ));
        let operator = Browser::signed_in(&world, "operator");
        let overview = operator.get("/api/v1/admin/overview").json();
        let waits = overview["attention"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["kind"] == "database_large");
        assert_eq!(
            (waits, &overview["figures"]["database_bytes"]),
            (is_large, &json!(bytes))
        );
    }
}
