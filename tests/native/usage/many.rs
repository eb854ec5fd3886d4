//! Many keys: a day with more rows than one answer, a month of a hundredth of 100,000 keys, and what they cost.

use keycap::ports::DbError;
use sandbox::Reports;
use serde_json::json;

use super::*;
use crate::support::TEN_MINUTES;

/// Makes so many keys by hand: their rows, and the keys at OpenRouter. Returns the hashes.
fn crowd(world: &World, keys: usize) -> Vec<String> {
    let (_, _) = holder(world, "member");
    world.db.leave_bystanders();
    let instance = world.db.text("SELECT name FROM instance");
    let now = world.upstream_now_ms();
    let mut hashes = Vec::with_capacity(keys);
    let mut listed = Vec::with_capacity(keys);
    for n in 0..keys {
        let name = format!("keycap/{instance}/gen_{n:024}");
        let new = sandbox::NewKey {
            name: name.clone(),
            limit: Some(Usd::from_dollars(5.0)),
            limit_reset: Some(sandbox::Period::Daily),
            expires_at: Some(String::from("2027-02-19T12:00:00Z")),
            ..sandbox::NewKey::default()
        };
        let hash = world.sandbox.borrow_mut().add_foreign_key(new, now).hash;
        let disabled = json!({ "disabled": true });
        world.by_hand("PATCH", &format!("/keys/{hash}"), &disabled);
        listed.push(json!([name, hash]));
        hashes.push(hash);
    }
    let connection = world.db.connection();
    let connection = connection.borrow();
    for trigger in [
        "generations_insert_audited",
        "keys_within_plan",
        "seats_taken",
    ] {
        connection
            .execute_batch(&format!("DROP TRIGGER {trigger}"))
            .unwrap();
    }
    let rows = serde_json::Value::Array(listed).to_string();
    connection
        .execute(
            "INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name, upstream_hash, secret_sha256, plan_rev,
               workspace_id, limit_nano, limit_reset, created_at, expires_at, recorded_at, ended_at, erase_at, usage_read_at, change_id)
             SELECT 'gen_of_a_crowd_' || c.key, n.key_id, n.owner_id, 0, 'revoked', 'x', c.value ->> 0, c.value ->> 1, 'secret ' || c.key, 0,
               n.workspace_id, n.limit_nano, n.limit_reset, n.created_at, n.expires_at, n.recorded_at, n.expires_at, n.expires_at + 1, n.expires_at, n.change_id
             FROM json_each(?1) c JOIN generations n ON n.id = 1",
            [rows],
        )
        .unwrap();
    hashes
}

/// Every key of the crowd uses three models that day.
fn all_use(world: &World, hashes: &[String], day: i64) {
    for (n, hash) in hashes.iter().enumerate() {
        for (m, model) in ["a/first", "b/second", "c/third"].into_iter().enumerate() {
            let n = i64::try_from(n).unwrap();
            uses(
                world,
                hash,
                model,
                1_000_003 + 7 * n + 13 * i64::try_from(m).unwrap() + day,
                0,
            );
        }
    }
}

fn ledger(world: &World) -> i64 {
    let sandbox = world.sandbox.borrow();
    sandbox
        .ledger()
        .keys
        .iter()
        .map(|key| key.usage.lifetime.nanos)
        .sum()
}

/// The bytes of the table of usage, in all pages that it has.
fn bytes(world: &World) -> i64 {
    world
        .db
        .number("SELECT SUM(pgsize) FROM dbstat WHERE name = 'usage_days'")
}

#[test]
fn a_month_of_many_keys_equals_the_ledger_and_keeps_to_its_budgets() {
    let is_whole = std::env::var_os("KEYCAP_SCALE").is_some();
    let (keys, days) = if is_whole { (100_000, 2) } else { (1_000, 30) };
    let world = World::new();
    let hashes = crowd(&world, keys);
    let (mut calls, mut trips, mut rows) = (0, 0, 0);
    for day in 0..days {
        all_use(&world, &hashes, day);
        to_next_night(&world);
        world.effects.plan(&[]);
        let asked = world.calls("openrouter.analytics.query");
        assert!(world.sync_usage());
        while world.last_run() != "done" {
            assert_eq!(world.last_run(), "partial", "{}", counts(&world));
            world.pass(TEN_MINUTES);
            assert!(world.sync_usage());
        }
        if day >= 3 || is_whole {
            let names = world.effects.names();
            trips += names.iter().filter(|name| name.starts_with("db ")).count();
            calls += world.calls("openrouter.analytics.query") - asked;
            rows += usize::try_from(counts(&world)["rows"].as_i64().unwrap()).unwrap();
        }
    }
    assert_eq!(cost(&world), ledger(&world), "to the nano-dollar");
    let shown = world
        .db
        .number("SELECT COUNT(*) FROM usage_days WHERE generation_id > 0");
    assert_eq!(shown, i64::try_from(keys * 3).unwrap() * days);
    let read = u64::try_from(days).unwrap() * 3;
    let budget = read * 2 + 3 * u64::try_from(rows).unwrap() / 10_000;
    assert!(calls <= budget, "{calls} calls, and {budget} are allowed");
    if is_whole {
        assert!(trips <= rows / 500, "{trips} trips for {rows} rows");
    }
    let size = bytes(&world) / shown;
    assert!(size <= 70, "{size} bytes a row");
    println!(
        "counted: usage of {keys} keys on {days} days: {rows} rows read with {calls} calls and {trips} trips to the database, {size} bytes a row"
    );
}

#[test]
fn a_day_with_more_rows_than_one_answer_is_read_by_lists_of_keys() {
    let world = World::new();
    let hashes = crowd(&world, 400);
    all_use(&world, &hashes, 0);
    to_next_night(&world);
    for (most_rows, most_in_list) in [(500, 10_000), (500, 90), (1_199, 7)] {
        let world = world.copied();
        reports(
            &world,
            Reports {
                most_rows,
                most_in_list,
                ..Reports::default()
            },
        );
        assert!(world.sync_usage());
        while world.last_run() != "done" {
            assert!(
                world.last_run().starts_with("partial")
                    || world.last_run() == "failed openrouter_busy",
                "{}",
                world.last_run()
            );
            world.pass(TEN_MINUTES);
            assert!(world.sync_usage());
        }
        assert_eq!(cost(&world), ledger(&world), "{most_rows} {most_in_list}");
        assert_eq!(
            world
                .db
                .number("SELECT COUNT(*) FROM usage_days WHERE generation_id = 0"),
            0
        );
        let counted = counts(&world);
        assert!(
            counted["lists"].as_i64().unwrap() > 1 && counted["truncated"].as_i64().unwrap() > 0,
            "{counted}"
        );
    }
}

#[test]
fn rows_of_a_revision_that_another_run_has_taken_over_are_not_written() {
    use keycap::domain::money::NanoUsd;
    use keycap::domain::usage::amounts::Used;
    use keycap::store::usage::{days, figures::Written};
    let world = World::new();
    let (_, _) = holder(&world, "member");
    let name = world.db.text("SELECT upstream_name FROM generations");
    let day = UtcDay::parse("2026-11-20").unwrap();
    let begins = || world.run(days::begin(&world.db, &[day])).unwrap().unwrap()[0];
    let (old, new) = (begins(), begins());
    let row = |at: days::DayRevision, nano| Written {
        day: at.day,
        revision: at.revision,
        key: name.clone(),
        slug: String::from("m"),
        used: Used {
            cost: NanoUsd::from_nano(nano).unwrap(),
            ..Used::NOTHING
        },
    };
    let writes = |row| world.run(days::write(&world.db, &[row])).unwrap();
    assert_eq!(writes(row(new, 5)), Ok::<(), DbError>(()));
    assert_eq!(writes(row(old, 7)), Ok(()));
    let shows = |at, account: &[Written]| {
        let shown = days::Shown {
            at,
            source: "analytics",
            run: "run_t",
            as_of: world.now(),
            kept: &[],
            failed_keys: 0,
            account,
        };
        world.run(days::show(&world.db, &shown)).unwrap().unwrap();
    };
    shows(new, &[row(new, 9)]);
    shows(old, &[row(old, 100)]);
    writes(row(new, 6)).unwrap();
    assert_eq!(cost(&world), 5);
    assert_eq!(
        world
            .db
            .texts("SELECT cost_nano FROM usage_days ORDER BY generation_id"),
        ["4", "5"],
        "and what is left of the account"
    );
}
