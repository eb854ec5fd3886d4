//! What `GET /api/v1/usage` answers: to a member, to an administrator, and to neither.

use sandbox::Reports;
use serde_json::json;

use super::*;
use crate::support::TEN_MINUTES;

#[test]
fn a_member_sees_their_own_usage_and_only_an_administrator_that_of_all() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let (second, other) = holder(&world, "second");
    uses(&world, &hash_of(&world, &key), "m", 100, 0);
    uses(&world, &hash_of(&world, &other), "m", 23, 0);
    night(&world);
    assert_eq!(nano(&usage(&member, "")["totals"]["spend_usd"]), 100);
    assert_eq!(nano(&usage(&second, "")["totals"]["spend_usd"]), 23);
    assert_eq!(
        nano(&usage(&second, &format!("?key={other}"))["totals"]["spend_usd"]),
        23
    );
    // Somebody else's key answers like one that does not exist, and so does everybody's usage.
    for query in [
        format!("?key={key}"),
        String::from("?key=key_000000000000000000000000"),
        String::from("?scope=all"),
    ] {
        let response = second.get(&format!("/api/v1/usage{query}"));
        assert_eq!(
            (response.status, response.code().as_str()),
            (404, "not_found"),
            "{query}"
        );
    }
    let unknown = second.get("/api/v1/nothing");
    assert_eq!(unknown.status, 404);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(
        nano(&usage(&operator, "?scope=all")["totals"]["spend_usd"]),
        123
    );
    let of_one = usage(
        &operator,
        &format!("?scope=all&member={}&group=key", world.member("second")),
    );
    assert_eq!(nano(&of_one["totals"]["spend_usd"]), 23);
    let of_key = usage(&operator, &format!("?scope=all&key={key}&group=model"));
    assert_eq!(nano(&of_key["totals"]["spend_usd"]), 100);
    assert_eq!(
        nano(&usage(&operator, "")["totals"]["spend_usd"]),
        0,
        "their own"
    );
    assert_eq!(Browser::new(&world).get("/api/v1/usage").status, 401);
}

#[test]
fn days_that_are_settled_open_and_unknown_are_told_apart_and_a_gap_is_no_zero() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    for _ in 0..5 {
        uses(&world, &hash, "m", 10, 0);
        night(&world);
    }
    // Two nights without a run.
    world.pass(2 * DAY);
    let member = Browser::with(&world, &member.cookies.borrow());
    let body = usage(&member, "?from=2026-11-20&group=model");
    let certainties: Vec<&str> = body["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["certainty"].as_str().unwrap())
        .collect();
    assert_eq!(
        certainties,
        [
            "settled", "settled", "settled", "settled", "open", "open", "unknown", "unknown",
            "open"
        ]
    );
    assert_eq!(
        body["buckets"][0]["totals"]["requests"], 0,
        "a day without usage is a zero"
    );
    assert_eq!(
        body["buckets"][6]["totals"],
        serde_json::Value::Null,
        "a day that was not read is not"
    );
    assert_eq!(body["series"][0]["values"][6], serde_json::Value::Null);
    assert_eq!(
        (
            &body["progress"]["through"],
            &body["progress"]["days_behind"]
        ),
        (&json!("2026-11-25"), &json!(2))
    );
    let as_of = body["buckets"][1]["as_of"].as_str().unwrap();
    assert!(as_of.starts_with("2026-11-24T00:30:0"), "{as_of}");
    assert_eq!(body["buckets"][1]["source"], "analytics");
}

#[test]
fn the_days_of_a_range_add_up_to_it_and_what_no_row_explains_moves_when_the_late_row_comes() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    uses(&world, &hash, "m", 300, 0);
    uses_late(&world, &hash, "m", 40, 0, DAY + 3_600);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    let days = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"];
    let spends = |from: &str, to: &str| {
        let member = Browser::with(&world, &member.cookies.borrow());
        let body = usage(&member, &format!("?from={from}&to={to}&group=model"));
        [
            nano(&body["totals"]["cost_usd"]),
            nano(&body["totals"]["not_broken_down_usd"]),
        ]
    };
    assert_eq!(
        spends(days[0], days[1]),
        [0, 340],
        "today is known by the counter alone"
    );
    night(&world);
    assert_eq!(spends(days[0], days[2]), [300, 40]);
    assert_eq!(
        spends(days[1], days[1]),
        [300, 40],
        "on the day before the reading"
    );
    assert_eq!(spends(days[2], days[2]), [0, 0]);
    uses(&world, &hash, "m", 5, 0);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(spends(days[2], days[2]), [0, 5]);
    let sum = days[..3].iter().fold([0, 0], |sum, day| {
        let [cost, rest] = spends(day, day);
        [sum[0] + cost, sum[1] + rest]
    });
    assert_eq!(sum, spends(days[0], days[2]));
    night(&world);
    assert_eq!(spends(days[0], days[3]), [345, 0], "the late row has come");
    assert_eq!(spends(days[1], days[1]), [340, 0]);
}

#[test]
fn the_largest_eight_stand_by_themselves_and_the_rest_adds_up_and_can_be_opened() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    for n in 0..12_i64 {
        uses(
            &world,
            &hash,
            &format!("vendor/model-{n}x"),
            1_000 * (n + 1),
            0,
        );
    }
    // Three slugs of one model are one group.
    for slug in [
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-4.5-sonnet-20250929",
        "anthropic/claude-sonnet-4.5:beta",
    ] {
        uses(&world, &hash, slug, 10_000, 0);
    }
    night(&world);
    let body = usage(&member, "?group=model");
    let series = body["series"].as_array().unwrap();
    assert_eq!((series.len(), &body["group_count"]), (9, &json!(13)));
    assert_eq!(series[0]["one"]["name"], "Claude Sonnet 4.5");
    assert_eq!(series[0]["one"]["slugs"].as_array().unwrap().len(), 3);
    assert_eq!(nano(&series[0]["totals"]["spend_usd"]), 30_000);
    assert_eq!(
        (&series[8]["kind"], nano(&series[8]["totals"]["spend_usd"])),
        (&json!("other"), 15_000)
    );
    let next = usage(&member, "?group=model&skip=8");
    let named: Vec<i64> = next["series"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "group")
        .map(|one| nano(&one["totals"]["spend_usd"]))
        .collect();
    assert_eq!(named, [5_000, 4_000, 3_000, 2_000, 1_000]);
    assert_eq!(next["totals"], body["totals"]);
    let filtered = usage(&member, "?group=key&model=Claude+Sonnet+4.5");
    assert_eq!(nano(&filtered["totals"]["spend_usd"]), 30_000);
    let slug = usage(&member, "?model=vendor/model-3x");
    assert_eq!(nano(&slug["totals"]["spend_usd"]), 4_000);
}

#[test]
fn usage_is_grouped_by_two_of_model_key_member_plan_and_workspace() {
    let world = World::new();
    let mut total = 0;
    for n in 0..3_i64 {
        let (_, key) = holder(&world, &format!("load-{n}"));
        for (m, model) in ["a/x", "b/y"].into_iter().enumerate() {
            let nanos = 100 * (n + 1) + i64::try_from(m).unwrap();
            uses(&world, &hash_of(&world, &key), model, nanos, 0);
            total += nanos;
        }
    }
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    for (group, count) in [
        ("model", 2),
        ("key", 3),
        ("member", 3),
        ("plan", 1),
        ("workspace", 1),
        ("project", 1),
        ("source", 1),
        ("member,model", 6),
        ("plan,key", 3),
        ("model,workspace", 2),
    ] {
        let body = usage(&operator, &format!("?scope=all&group={group}"));
        assert_eq!(
            (
                body["group_count"].as_i64().unwrap(),
                nano(&body["totals"]["spend_usd"])
            ),
            (count, total),
            "{group}"
        );
    }
    let by_member = usage(&operator, "?scope=all&group=member,key");
    assert_eq!(by_member["series"][0]["one"]["name"], "load-2");
    assert!(
        by_member["series"][0]["two"]["id"]
            .as_str()
            .unwrap()
            .starts_with("key_")
    );
    assert_eq!(
        nano(&usage(&operator, "?scope=all&plan=default")["totals"]["spend_usd"]),
        total
    );
    assert_eq!(
        nano(&usage(&operator, "?scope=all&plan=pro")["totals"]["spend_usd"]),
        0
    );
    let workspace = world.db.text("SELECT workspace_id FROM usage_workspaces");
    assert_eq!(
        nano(
            &usage(&operator, &format!("?scope=all&workspace={workspace}"))["totals"]["spend_usd"]
        ),
        total
    );
}

#[test]
fn what_is_wrong_with_a_query_is_named() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    for (query, pointer) in [
        ("?from=2026-11-31", "/from"),
        ("?from=21.11.2026", "/from"),
        ("?to=30d", "/to"),
        ("?to=2026-11-22", "/to"),
        ("?from=2026-11-22", "/from"),
        ("?from=2026-11-21&to=2026-11-20", "/from"),
        ("?from=2026-01-02", "/from"),
        ("?from=2000-01-01", "/from"),
        ("?group=planet", "/group"),
        ("?group=model,model", "/group"),
        ("?group=model,key,plan", "/group"),
        ("?scope=everybody", "/scope"),
        ("?member=mem_1", "/member"),
        ("?top=0", "/top"),
        ("?top=51", "/top"),
        ("?skip=-1", "/skip"),
        ("?skip=x", "/skip"),
    ] {
        let response = member.get(&format!("/api/v1/usage{query}"));
        assert_eq!(response.status, 400, "{query}");
        assert_eq!(response.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

#[test]
fn a_running_period_is_compared_with_the_same_elapsed_part_of_the_one_before() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    night(&world);
    for nanos in [1, 2, 4, 8, 16, 32] {
        uses(&world, &hash, "m", nanos, 0);
        night(&world);
    }
    let member = Browser::with(&world, &member.cookies.borrow());
    let body = usage(&member, "?from=2026-11-26&to=2026-11-28");
    let compared = &body["compared"];
    assert_eq!(
        [
            &compared["from"],
            &compared["to"],
            &compared["previous_from"],
            &compared["previous_to"]
        ],
        ["2026-11-26", "2026-11-27", "2026-11-23", "2026-11-24"]
    );
    assert_eq!(
        (
            nano(&compared["totals"]["spend_usd"]),
            nano(&compared["previous_totals"]["spend_usd"])
        ),
        (48, 6)
    );
    let today = usage(&member, "?from=2026-11-28");
    assert_eq!(today["compared"], serde_json::Value::Null);
    let unknown = usage(&member, "?from=2026-11-01");
    assert_eq!(
        unknown["compared"]["previous_totals"],
        serde_json::Value::Null,
        "nothing is known of October's first days"
    );
}

#[test]
fn a_key_shows_its_limits_raises_and_secrets_and_its_generations_are_one_key() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 10, 0);
    let operator = Browser::signed_in(&world, "operator");
    world.pass(60);
    let raise = r#"{"amount_usd":"3","until":"2026-12-21T12:00:00Z"}"#;
    assert_eq!(
        operator
            .post(&format!("/api/v1/admin/keys/{key}/raises"), raise)
            .status,
        201
    );
    world.pass(60);
    assert_eq!(
        member
            .post(&format!("/api/v1/keys/{key}/rotate"), "{}")
            .status,
        201
    );
    uses(&world, &hash_of(&world, &key), "m", 5, 0);
    night(&world);
    let body = usage(&member, &format!("?key={key}&group=key"));
    assert_eq!(
        (
            body["series"].as_array().unwrap().len(),
            nano(&body["totals"]["spend_usd"])
        ),
        (1, 15)
    );
    let steps = body["steps"].as_array().unwrap();
    let of = |kind: &str| {
        steps
            .iter()
            .filter(|step| step["kind"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("secret").len(), 2);
    assert_eq!(
        (of("raise").len(), &of("raise")[0]["amount_usd"]),
        (1, &json!("3.00"))
    );
    let limits: Vec<&str> = of("limit")
        .iter()
        .map(|step| step["amount_usd"].as_str().unwrap())
        .collect();
    assert_eq!(&limits[..2], ["5.00", "8.00"], "{limits:?}");
    // A key that has ended keeps its name.
    assert_eq!(
        member
            .patch(&format!("/api/v1/keys/{key}"), r#"{"name":"laptop"}"#)
            .status,
        200
    );
    assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
    let ended = usage(&member, "?group=key");
    assert_eq!(
        (
            &ended["series"][0]["one"]["name"],
            &ended["series"][0]["one"]["ended"]
        ),
        (&json!("laptop"), &json!(true))
    );
}

#[test]
fn our_sums_are_compared_with_openrouters_counters_and_the_keys_that_differ_are_named() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    let (_, other) = holder(&world, "second");
    uses(&world, &hash_of(&world, &key), "m", 700, 0);
    uses_late(&world, &hash_of(&world, &other), "m", 30, 0, 40 * DAY);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    let told = usage(&operator, "?scope=all")["reconciliation"].clone();
    assert_eq!(
        (
            nano(&told["ours_usd"]),
            nano(&told["counters_above_usd"]),
            &told["keys_differing"]
        ),
        (700, 30, &json!(1))
    );
    assert_eq!(told["differing"][0]["key"], other.as_str());
    assert_eq!(
        usage(&Browser::signed_in(&world, "member"), "")["reconciliation"],
        serde_json::Value::Null
    );
}

#[test]
fn a_year_is_answered_by_months_whose_days_may_be_gone_and_keeps_every_total() {
    let world = World::new();
    world.pass(at("2027-01-01T12:00:00Z").since(world.now()));
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    let mut booked = 0;
    for month in 1..=7 {
        let at_day = at(&format!("2027-{month:02}-10T12:00:00Z"));
        world.pass(at_day.since(world.now()));
        let nanos = 10_i64.pow(month);
        uses(&world, &hash, "m", nanos, 0);
        booked += nanos;
        for _ in 0..3 {
            night(&world);
        }
        // In between, the rest of the month is read at once.
        world.pass(at(&format!("2027-{:02}-02T00:30:00Z", month + 1)).since(world.now()));
        synced(&world);
    }
    for _ in 0..3 {
        night(&world);
    }
    let rolled = world
        .db
        .number("SELECT COUNT(*) FROM usage_days_read WHERE is_rolled = 1");
    assert!(rolled > 90, "{rolled}");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM usage_days u JOIN usage_days_read d ON d.day = u.day WHERE d.is_rolled = 1"), 0);
    let member = Browser::signed_in(&world, "member");
    let body = usage(&member, "?from=2027-01-01&group=model");
    assert_eq!(body["bucket"], "month");
    assert_eq!(nano(&body["totals"]["spend_usd"]), booked);
    assert_eq!(nano(&body["buckets"][2]["totals"]["spend_usd"]), 1_000);
    assert_eq!(body["buckets"][0]["certainty"], "by_month");
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(
        nano(&usage(&operator, "?scope=all&from=2027-01-01&group=member")["totals"]["spend_usd"]),
        booked
    );
    let explained = world.db.number("SELECT explained_nano FROM generations");
    assert_eq!(explained, booked, "rolling up forgets nothing");
    reports(&world, Reports::default());
}

#[test]
fn pages_answer_while_openrouter_is_down() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 10, 0);
    night(&world);
    for operation in sandbox::Operation::ALL {
        world.add_fault(operation.as_str(), "error_before", json!({ "times": 0 }));
    }
    assert_eq!(
        nano(&usage(&member, "?group=model")["totals"]["spend_usd"]),
        10
    );
    world.sandbox.borrow_mut().clear_faults();
}

#[test]
fn usage_is_kept_apart_by_project_and_by_workspace_as_they_were_that_day() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    let workspace = world.workspace();
    let operator = Browser::signed_in(&world, "operator");
    let plan = json!({ "name": "team", "limit_usd": "5", "limit_reset": "daily", "expiry_days": 90, "max_active_keys": 1,
        "workspace_id": workspace })
    .to_string();
    assert_eq!(operator.post("/api/v1/admin/plans", &plan).status, 201);
    let second = Browser::signed_in(&world, "second");
    let assign = format!("/api/v1/admin/members/{}/plan", world.member("second"));
    let assigned = operator.post(&assign, r#"{"plan":"team"}"#);
    assert_eq!(assigned.status, 200, "{assigned:?}");
    assert_eq!(second.claim().status, 201);
    let there = world.db.text(
        "SELECT upstream_hash FROM generations WHERE state = 'active' ORDER BY id DESC LIMIT 1",
    );
    uses(&world, &hash, "m", 100, 0);
    uses(&world, &there, "m", 7, 0);
    night(&world);
    let at = format!("/api/v1/keys/{key}");
    assert_eq!(member.patch(&at, r#"{"project":"thesis"}"#).status, 200);
    uses(&world, &hash, "m", 20, 0);
    night(&world);
    let member = Browser::with(&world, &member.cookies.borrow());
    let body = usage(&member, "?group=project");
    let named: Vec<(Value, i64)> = body["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["one"]["name"].clone(),
                nano(&one["totals"]["spend_usd"]),
            )
        })
        .collect();
    let expected = [(Value::Null, 100), (json!("thesis"), 20)];
    assert_eq!(named, expected, "the day before stays where it was");
    let project = body["series"][1]["one"]["id"].as_str().unwrap().to_owned();
    let of_it = usage(&member, &format!("?project={project}"));
    assert_eq!(nano(&of_it["totals"]["spend_usd"]), 20);
    let operator = Browser::signed_in(&world, "operator");
    let all = usage(&operator, "?scope=all&group=workspace");
    assert_eq!(all["group_count"], 2);
    let of_team = usage(&operator, &format!("?scope=all&workspace={workspace}"));
    assert_eq!(nano(&of_team["totals"]["spend_usd"]), 7);
}

/// Fills a year with usage of so many keys with three models a day, as the nights of that year would have left it.
fn a_year_of(world: &World, keys: i64) {
    world.db.leave_bystanders();
    let (_, _) = holder(world, "member");
    let connection = world.db.connection();
    let connection = connection.borrow();
    let row = "2, 1, 0, 0, 1000000 + n.value, 0, 3, 1000, 500, 50, 100";
    let (first, last) = (day("2026-01-01"), day("2026-12-31"));
    let sql = format!(
        "INSERT INTO models (id, source, slug, name) SELECT value, 'openrouter', 'm-' || value, 'M ' || value FROM generate_series_of_three;
         INSERT INTO usage_days_read (day, writing, shown, source, as_of, is_rolled) SELECT value, 1, 1, 'analytics', {later}, value < {kept} FROM days;
         INSERT INTO usage_days SELECT d.value, 1, n.value, m.id, {row} FROM days d, numbers n, models m WHERE d.value >= {kept};
         INSERT INTO usage_months SELECT d.value, n.value, m.id, {row} FROM days d, numbers n, models m
           WHERE d.value = CAST(unixepoch(d.value * 86400, 'unixepoch', 'start of month') / 86400 AS INTEGER) AND d.value < {over};
         INSERT INTO usage_months_summed SELECT DISTINCT month, 1 FROM usage_months;",
        later = (last + 10) * DAY,
        kept = day("2026-09-01"),
        over = day("2027-01-01"),
    );
    connection
        .execute_batch(&format!(
            "CREATE TEMP TABLE generate_series_of_three AS SELECT column1 AS value FROM (VALUES (1), (2), (3));
             CREATE TEMP TABLE days AS WITH RECURSIVE d(value) AS (SELECT {first} UNION ALL SELECT value + 1 FROM d WHERE value < {last}) SELECT value FROM d;
             CREATE TEMP TABLE numbers AS WITH RECURSIVE n(value) AS (SELECT 1000 UNION ALL SELECT value + 1 FROM n WHERE value < 999 + {keys}) SELECT value FROM n;
             {sql}
             DROP TABLE days; DROP TABLE numbers; DROP TABLE generate_series_of_three;"
        ))
        .unwrap();
}

#[test]
fn a_year_of_a_thousand_members_is_read_in_one_round_trip_and_about_as_fast_as_a_month() {
    let world = World::new();
    world.pass(at("2027-01-10T12:00:00Z").since(world.now()));
    a_year_of(&world, 1_000);
    let operator = Browser::signed_in(&world, "operator");
    let took = |query: &str| {
        world.effects.plan(&[]);
        let began = std::time::Instant::now();
        let response = operator.get(&format!("/api/v1/usage?scope=all&group=model&{query}"));
        let took = began.elapsed();
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(world.effects.count(), 1, "one round trip");
        took
    };
    let (month, year) = (
        "from=2026-10-01&to=2026-10-31",
        "from=2026-01-01&to=2026-12-31",
    );
    // One after the other, so that what else the machine does slows both.
    let pairs: Vec<_> = (0..7).map(|_| (took(month), took(year))).collect();
    let of_month = pairs.iter().map(|(month, _)| *month).min().unwrap();
    let of_year = pairs.iter().map(|(_, year)| *year).min().unwrap();
    println!(
        "counted: a panel of 1,000 members: a month takes {of_month:?} and a year {of_year:?}"
    );
    // The year reads sums by month; both numbers are of the same machine.
    assert!(of_year * 2 <= of_month * 3, "{of_month:?} {of_year:?}");
}
