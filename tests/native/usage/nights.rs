//! The nightly reading of completed days: which days, which rows, and what happens when something is wrong.

use sandbox::{NewKey, NewUse, Reports, Usd};
use serde_json::json;

use super::*;
use crate::support::TEN_MINUTES;

#[test]
fn the_day_that_has_just_ended_is_read_for_every_key_and_model_and_belongs_to_its_owner() {
    let world = World::new();
    let (_, first) = holder(&world, "member");
    let (_, second) = holder(&world, "second");
    let hashes = [hash_of(&world, &first), hash_of(&world, &second)];
    uses(
        &world,
        &hashes[0],
        "anthropic/claude-sonnet-4.5",
        12_300_000,
        0,
    );
    uses(&world, &hashes[0], "anthropic/claude-sonnet-4.5", 1, 60);
    uses(&world, &hashes[0], "openai/gpt-5.6", 7, 0);
    uses(&world, &hashes[1], "openai/gpt-5.6", 9, 0);
    let counts = night(&world);
    assert_eq!((&counts["days"], &counts["rows"]), (&json!(30), &json!(3)));
    let today = day("2026-11-21");
    let tokens = |nanos: i64| {
        format!(
            "{} {} {} {}",
            nanos / 2_000,
            nanos / 8_000,
            nanos / 40_000,
            nanos / 4_000
        )
    };
    assert_eq!(
        rows(&world),
        [
            format!(
                "{today} 1 anthropic/claude-sonnet-4.5 12300001 0 2 {}",
                tokens(12_300_000)
            ),
            format!("{today} 1 openai/gpt-5.6 7 0 1 {}", tokens(7)),
            format!("{today} 2 openai/gpt-5.6 9 0 1 {}", tokens(9)),
        ]
    );
    let owners = world.db.texts("SELECT DISTINCT u.owner_id || ' ' || m.login FROM usage_days u JOIN members m ON m.owner_id = u.owner_id ORDER BY 1");
    assert_eq!(owners.len(), 2, "{owners:?}");
    // The model's own name is kept beside the one that people are shown.
    let names = world
        .db
        .texts("SELECT slug || ' ' || name FROM models ORDER BY slug");
    assert_eq!(
        names,
        [
            "anthropic/claude-sonnet-4.5 Claude Sonnet 4.5",
            "openai/gpt-5.6 GPT-5.6"
        ]
    );
}

#[test]
fn a_day_is_read_in_three_nights_a_second_run_on_one_day_asks_nothing_and_syncing_again_changes_nothing()
 {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    uses(&world, &hash, "m", 100, 0);
    night(&world);
    let (before, asked) = (rows(&world), world.calls("openrouter.analytics.query"));
    world.pass(TEN_MINUTES);
    assert_eq!(synced(&world)["days"], 0);
    assert_eq!(
        world.calls("openrouter.analytics.query"),
        asked,
        "already done"
    );
    // What is counted late is read in the second night and in the third, and not in the fourth.
    for (lag_days, expected) in [(1, 101), (2, 103), (3, 103)] {
        let nanos = 1 << (lag_days - 1);
        uses_late(&world, &hash, "m", nanos, DAY, lag_days * DAY);
        let counts = night(&world);
        assert_eq!(counts["days"], 3, "the new one, and the last two again");
        let of_day = format!(
            "SELECT SUM(u.cost_nano) FROM usage_days u JOIN usage_days_read d ON d.day = u.day AND d.shown = u.revision WHERE u.day = {}",
            day("2026-11-21")
        );
        let late = world.db.number(&of_day);
        assert!(late <= expected + 1, "{lag_days}: {late}");
        // The uses of the following days are theirs.
        let _ = &before;
    }
    let days = world
        .db
        .number("SELECT COUNT(*) FROM usage_days_read WHERE shown > 0");
    assert_eq!(days, 33);
    let through = world.db.number("SELECT usage_through FROM settings");
    assert_eq!(through, day("2026-11-24"), "never today");
    // Asked for by an administrator, all days are read again, and nothing changes.
    let before = rows(&world);
    let operator = Browser::signed_in(&world, "operator");
    let asked = operator.post(
        "/api/v1/admin/jobs/usage_sync",
        r#"{"dry_run":false,"days":30}"#,
    );
    assert_eq!(asked.status, 202, "{asked:?}");
    // A run that a request began has twenty seconds; the ten-minute trigger continues it.
    for _ in 0..4 {
        world.pass(TEN_MINUTES);
        assert!(world.tick());
    }
    assert_eq!(counts(&world)["days"], 30);
    assert_eq!(rows(&world), before);
}

#[test]
fn days_begin_and_end_at_utc_midnight_whatever_the_hour_of_the_run() {
    for (now, last) in [
        ("2027-12-31T23:59:00Z", "2027-12-30"),
        ("2028-01-01T00:00:00Z", "2027-12-31"),
        ("2028-01-01T00:31:00Z", "2027-12-31"),
        ("2028-02-29T23:59:59Z", "2028-02-28"),
        ("2028-03-01T00:31:00Z", "2028-02-29"),
    ] {
        let world = World::new();
        world.pass(at(now).since(world.now()) - 3 * DAY);
        let (_, key) = holder(&world, "member");
        let hash = hash_of(&world, &key);
        world.pass(3 * DAY);
        let midnight = UtcDay::of(at(now)).start();
        let ago = at(now).since(midnight);
        // The last second of the day before, and the first one of this day.
        uses(&world, &hash, "m", 5, ago + 1);
        uses(&world, &hash, "m", 7, ago);
        synced(&world);
        let read = world
            .db
            .texts("SELECT day || ' ' || cost_nano FROM usage_days WHERE generation_id = 1");
        assert_eq!(read, [format!("{} 5", day(last))], "{now}");
        assert_eq!(
            world.db.number("SELECT usage_through FROM settings"),
            day(last),
            "{now}"
        );
    }
}

#[test]
fn three_days_without_a_run_leave_no_hole_and_are_noticed() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    night(&world);
    for n in 1..=4 {
        uses(&world, &hash, "m", 10_i64.pow(n), 0);
        world.pass(DAY);
    }
    // No trigger came for four nights; the ten-minute one does it.
    assert!(world.tick());
    let late = world
        .log
        .borrow()
        .iter()
        .any(|line| line.contains("run_late"));
    assert!(late, "it is in the log");
    assert_eq!(cost(&world), 11_110);
    assert_eq!(
        world.db.number("SELECT usage_through FROM settings"),
        UtcDay::of(world.now()).number() - 1
    );
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM runs WHERE job = 'usage_sync'"),
        2
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM runs WHERE job = 'usage_sync'"),
        2,
        "once"
    );
}

#[test]
fn usage_of_keys_that_ended_or_were_deleted_keeps_its_day() {
    for forgets_deleted in [false, true] {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        let hash = hash_of(&world, &key);
        night(&world);
        uses(&world, &hash, "m", 50, 0);
        assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
        for _ in 0..3 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
        }
        to_next_night(&world);
        // It is not deleted before its last day is read.
        world.pass(2 * 3_600);
        assert!(world.sweep());
        assert_eq!(world.calls("openrouter.keys.delete"), 0);
        synced(&world);
        for _ in 0..3 {
            world.pass(3_600);
            assert!(world.sweep());
        }
        assert_eq!(world.calls("openrouter.keys.delete"), 1);
        let before = rows(&world);
        assert_eq!(cost(&world), 50);
        reports(
            &world,
            Reports {
                forgets_deleted,
                ..Reports::default()
            },
        );
        for _ in 0..2 {
            night(&world);
            assert_eq!(rows(&world), before, "{forgets_deleted}");
        }
    }
}

#[test]
fn usage_of_keys_that_are_not_ours_is_unattributed_and_moves_nothing_else() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    let now = world.upstream_now_ms();
    let foreign = NewKey {
        name: String::from("somebody's"),
        ..NewKey::default()
    };
    let foreign = world
        .sandbox
        .borrow_mut()
        .add_foreign_key(foreign, now)
        .hash;
    uses(&world, &hash, "a/both", 100, 0);
    uses(&world, &foreign, "a/both", 40, 0);
    uses(&world, &foreign, "a/theirs", 2, 0);
    night(&world);
    let unattributed = world.db.texts("SELECT m.slug || ' ' || u.cost_nano || ' ' || u.requests FROM usage_days u JOIN models m ON m.id = u.model_id WHERE u.generation_id = 0 ORDER BY 1");
    assert_eq!(unattributed, ["a/both 40 1", "a/theirs 2 1"]);
    assert_eq!(cost(&world), 100);
    let member = Browser::with(&world, &member.cookies.borrow());
    assert_eq!(
        nano(&usage(&member, "?group=model")["totals"]["spend_usd"]),
        100
    );
    let operator = Browser::signed_in(&world, "operator");
    for group in ["", "&group=model", "&group=key", "&group=member,model"] {
        let all = usage(&operator, &format!("?scope=all{group}"));
        assert_eq!(nano(&all["totals"]["spend_usd"]), 142, "{group}");
        let series = all["series"].as_array().unwrap();
        let unattributed = series
            .iter()
            .find(|one| one["kind"] == "unattributed")
            .unwrap();
        assert_eq!(nano(&unattributed["totals"]["spend_usd"]), 42, "{group}");
    }
}

#[test]
fn own_provider_keys_are_kept_apart_from_credits() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    for (byok, nanos) in [(false, 30), (true, 500)] {
        world.sandbox.borrow_mut().use_model(&NewUse {
            hash: &hash,
            model: "m",
            usd: Usd { nanos },
            byok,
            at_ms: world.upstream_now_ms(),
            lag_ms: 0,
        });
    }
    night(&world);
    let body = usage(&member, "?group=model");
    assert_eq!(
        (
            nano(&body["totals"]["cost_usd"]),
            nano(&body["totals"]["byok_usd"])
        ),
        (30, 500)
    );
    assert_eq!(body["totals"]["requests"], 2);
}

#[test]
fn every_form_of_an_answer_is_read_and_renamed_metrics_are_found() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    uses(&world, &hash, "m", 123_456_789, 0);
    to_next_night(&world);
    let mut expected = None;
    for (other, metric) in [
        (false, "credits_usage"),
        (true, "credits_usage"),
        (true, "credit_cost"),
    ] {
        let world = world.copied();
        reports(
            &world,
            Reports {
                created_at_column: other,
                times: other,
                numeric_counts: other,
                credits_metric: metric.to_owned(),
                ..Reports::default()
            },
        );
        synced(&world);
        let read = rows(&world);
        assert_eq!(
            *expected.get_or_insert_with(|| read.clone()),
            read,
            "{other} {metric}"
        );
        assert_eq!(cost(&world), 123_456_789);
    }
}

#[test]
fn a_rate_limit_ends_the_run_and_the_next_tick_goes_on() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    uses(&world, &hash, "m", 11, 0);
    uses(&world, &hash, "m", 22, -DAY);
    to_next_night(&world);
    world.pass(DAY);
    let busy = json!({ "nth": 20, "retry_after": 60 });
    world.add_fault("openrouter.analytics.query", "rate_limited", busy);
    assert!(world.sync_usage());
    assert_eq!(world.last_run(), "failed openrouter_busy");
    let done = counts(&world)["days"].as_i64().unwrap();
    assert!((15..25).contains(&done), "what was read is kept: {done}");
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(counts(&world)["days"], 30, "counted on");
    assert_eq!(cost(&world), 33);
}

#[test]
fn where_analytics_cannot_be_used_each_key_is_asked_about_with_the_same_result() {
    let world = World::new();
    let mut hashes = Vec::new();
    for n in 0..4 {
        let (_, key) = holder(&world, &format!("load-{n}"));
        hashes.push(hash_of(&world, &key));
    }
    for (n, hash) in hashes.iter().enumerate() {
        uses(
            &world,
            hash,
            "a/first",
            1_000 * (i64::try_from(n).unwrap() + 1),
            0,
        );
        uses(&world, hash, "b/second", 7, -DAY);
    }
    to_next_night(&world);
    world.pass(DAY);
    let by_query = {
        let world = world.copied();
        synced(&world);
        rows(&world)
    };
    assert_eq!(by_query.len(), 8);
    for fault in ["openrouter.analytics.query", "openrouter.analytics.meta"] {
        world.add_fault(fault, "refuse", json!({ "status": 404, "times": 0 }));
    }
    // One key is not answered for, and another is unknown.
    let world = world.copied();
    let failing = json!({ "nth": 3, "times": 3 });
    world.add_fault("openrouter.activity.get", "error_before", failing);
    world.add_fault(
        "openrouter.activity.get",
        "refuse",
        json!({ "status": 404, "nth": 7 }),
    );
    assert!(world.sync_usage());
    assert_eq!(world.last_run(), "partial keys_failed");
    let counted = counts(&world);
    assert_eq!(
        (
            &counted["keys"],
            &counted["failed_keys"],
            &counted["vanished_keys"]
        ),
        (&json!(4), &json!(1), &json!(1))
    );
    let read = rows(&world);
    let generation = |row: &String| row.split(' ').nth(1).map(str::to_owned);
    let of: Vec<String> = read.iter().filter_map(generation).collect();
    assert_eq!(
        of,
        ["0", "1", "3", "0", "1", "3"],
        "the others are there, and the rest is nobody's"
    );
    assert!(
        world.db.texts("SELECT usage_through FROM settings")[0] == "null",
        "these days are not complete"
    );
    // The next night reads those days again.
    night(&world);
    assert_eq!(rows(&world), by_query);
    let sources = world
        .db
        .texts("SELECT DISTINCT source FROM usage_days_read WHERE shown > 0");
    assert_eq!(sources, ["activity"]);
}

#[test]
fn a_key_that_somebody_renamed_is_asked_about_by_itself() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "name": "another name" }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    uses(&world, &hash, "m", 77, 0);
    night(&world);
    assert_eq!(cost(&world), 77);
    assert_eq!(world.calls("openrouter.activity.get"), 1);
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM usage_days WHERE generation_id = 0"),
        0,
        "and is in nothing else"
    );
    drop(member);
}

#[test]
fn the_plan_of_a_row_is_the_one_that_the_owner_had_that_day() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    let operator = Browser::signed_in(&world, "operator");
    uses(&world, &hash, "m", 1, 0);
    world.pass(DAY);
    let plan = format!("/api/v1/admin/members/{}/plan", world.member("member"));
    let operator = Browser::with(&world, &operator.cookies.borrow());
    assert_eq!(operator.post(&plan, r#"{"plan":"pro"}"#).status, 200);
    uses(&world, &hash, "m", 2, 0);
    night(&world);
    let plans = world.db.texts("SELECT p.name || ' ' || u.cost_nano FROM usage_days u JOIN plans p ON p.id = u.plan_id ORDER BY u.day");
    assert_eq!(plans, ["default 1", "pro 2"]);
}

#[test]
fn without_a_management_key_the_trigger_ends_normally_and_says_so() {
    let world = World::new();
    world.set("OPENROUTER_MANAGEMENT_KEY", "");
    assert!(world.sync_usage());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM runs"), 0);
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("no_management_key"))
    );
    world.set("OPENROUTER_MANAGEMENT_KEY", sandbox::MANAGEMENT_KEY);
}

#[test]
fn another_account_ends_the_run_before_it_reads_anything() {
    let world = World::new();
    holder(&world, "member");
    let ours = world.swap_account();
    to_next_night(&world);
    assert!(world.sync_usage());
    assert_eq!(world.last_run(), "stopped foreign_account");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM usage_days_read"), 0);
    world.sandbox.replace(ours);
}

#[test]
fn a_dry_run_reads_and_writes_nothing() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 5, 0);
    world.pass(DAY);
    let operator = Browser::signed_in(&world, "operator");
    let asked = operator.post("/api/v1/admin/jobs/usage_sync", r#"{"dry_run":true}"#);
    assert_eq!(asked.status, 202, "{asked:?}");
    let counted = counts(&world);
    assert_eq!(counted["dry_run"], true);
    assert!(counted["days"].as_i64().unwrap() > 10, "{counted}");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM usage_days_read"), 0);
    for (body, pointer) in [
        (r#"{"dry_run":false,"days":31}"#, "/days"),
        (r#"{"dry_run":false,"days":0}"#, "/days"),
    ] {
        let refused = operator.post("/api/v1/admin/jobs/usage_sync", body);
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["pointer"]),
            (400, &json!(pointer))
        );
    }
    let refused = operator.post("/api/v1/admin/jobs/sweep", r#"{"dry_run":false,"days":3}"#);
    assert_eq!(refused.status, 400);
}
