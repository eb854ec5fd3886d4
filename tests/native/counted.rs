//! What a key counts as: never less than it has spent, by the newest figure there is. What another key or the next
//! secret gets is computed from that, so that nobody gets again what is already spent.

use keycap::domain::money::NanoUsd;
use keycap::domain::money::spend::Spend;
use keycap::domain::time::Timestamp;
use keycap::domain::time::period::LimitReset;
use keycap::ports::Database;
use serde_json::json;

use crate::caps::{address, admin, assign, limits, sweeps};
use crate::sequences::Dice;
use crate::support::database::Sqlite;
use crate::support::{Browser, Fate, World, mutant, oracle};

const GRACE: &str = r#"{"grace_hours":1}"#;

fn usd(dollars: f64) -> sandbox::Usd {
    sandbox::Usd::from_dollars(dollars)
}

/// Signs the member in, assigns the plan and claims. Returns the member's browser and the path of the key.
fn holder<'a>(world: &'a World, plan: Option<&str>) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, "member");
    if let Some(plan) = plan {
        assign(world, &member, plan);
    }
    let response = member.claim();
    (member, key_in(&response.json()))
}

fn key_in(body: &serde_json::Value) -> String {
    format!("/api/v1/keys/{}", body["key"]["id"].as_str().unwrap())
}

/// Sets the clock to this moment, which must not be earlier than now.
fn at(world: &World, moment: &str) {
    let now = Timestamp::parse(moment).unwrap();
    assert!(now >= world.now(), "time goes on");
    world.now_ms.set(now.secs() * 1000);
}

/// Sends a request of the member, which must succeed.
fn does(member: &Browser<'_>, target: &str, body: &str) {
    let response = member.post(target, body);
    assert!(
        [200, 201].contains(&response.status),
        "{target}: {response:?}"
    );
    oracle::always(member.world);
}

/// Makes a model call of this price with the newest secret that works. The call must be let in.
fn calls(world: &World, dollars: f64) {
    let hash = world
        .usable()
        .last()
        .expect("a key that works")
        .hash
        .clone();
    let now = world.upstream_now_ms();
    let spent = world.sandbox.borrow_mut().spend(&hash, usd(dollars), now);
    assert_eq!(spent, sandbox::Spent::Booked(usd(dollars)));
}

/// Everything that was spent in OpenRouter's present window, in dollars.
fn spent(world: &World, window: Option<sandbox::Period>) -> f64 {
    let now = world.upstream_now_ms();
    let sandbox = world.sandbox.borrow();
    let keys = sandbox.ledger().keys.iter();
    let of_window = keys.map(|key| key.usage.in_window(window, now).nanos);
    #[expect(clippy::cast_precision_loss, reason = "dollars")]
    let dollars = of_window.sum::<i64>() as f64 / 1e9;
    dollars
}

const DAY: Option<sandbox::Period> = Some(sandbox::Period::Daily);

#[test]
fn an_own_limit_below_the_spend_that_is_removed_gives_nothing_twice_through_a_grace() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    calls(&world, 5.0);
    does(&member, &format!("{key}/rotate"), "{}");
    sweeps(&world, 4);
    at(&world, "2026-11-22T00:00:00Z");
    sweeps(&world, 1);
    assert_eq!(limits(&world), [5.0]);
    calls(&world, 4.97);
    for limit in [json!("0.01"), json!(null)] {
        let body = json!({ "limit_usd": limit }).to_string();
        does(&member, &format!("{key}/limit"), &body);
    }
    member.post(&format!("{key}/rotate"), GRACE);
    oracle::always(&world);
    world.spends_all();
    assert!(spent(&world, DAY) <= 5.0, "{}", spent(&world, DAY));
    sweeps(&world, 3);
    world.spends_all();
    assert!(spent(&world, DAY) <= 5.0, "{}", spent(&world, DAY));
}

#[test]
fn while_a_successor_is_made_another_lowered_key_counts_with_what_it_has_spent() {
    let world = World::new();
    let three = r#"{"name":"three","limit_usd":"5","limit_reset":"daily","max_active_keys":3,"expiry_days":90}"#;
    admin(&world, "POST", "/api/v1/admin/plans", three);
    let (member, key) = holder(&world, Some("three"));
    let mine = world.usable()[0].hash.clone();
    let other = key_in(&member.post("/api/v1/keys", r#"{"name":"other"}"#).json());
    let now = world.upstream_now_ms();
    let booked = world.sandbox.borrow_mut().spend(&mine, usd(4.96), now);
    assert_eq!(booked, sandbox::Spent::Booked(usd(4.96)));
    does(&member, &format!("{key}/limit"), r#"{"limit_usd":"0.01"}"#);
    // The other key's successor is reserved, and its create is held.
    let rotate = format!("{other}/rotate");
    let dry = world.copied();
    dry.effects.plan(&[]);
    Browser::with(&dry, &member.cookies.borrow()).post(&rotate, "{}");
    let names = dry.effects.names();
    let create = names.iter().position(|name| name.starts_with("http POST"));
    world.effects.plan(&[(create.unwrap(), Fate::HeldBefore)]);
    let held = member.start("POST", &rotate, "{}");
    world.effects.plan(&[]);
    does(&member, &format!("{key}/limit"), r#"{"limit_usd":null}"#);
    member.post(&format!("{key}/rotate"), GRACE);
    world.spends_all();
    assert_eq!(held.release().status, 201);
    sweeps(&world, 3);
    world.spends_all();
    let of_key = world.db.texts(
        "SELECT g.upstream_hash FROM generations g JOIN keys k ON k.id = g.key_id WHERE k.ordinal = 0",
    );
    let sandbox = world.sandbox.borrow();
    let spent = of_key.iter().filter_map(|hash| sandbox.ledger().key(hash));
    let nanos: i64 = spent.map(|key| key.usage.day.nanos).sum();
    assert!(nanos <= usd(5.0).nanos, "{nanos}");
}

#[test]
fn a_plan_lowered_and_raised_between_two_sweeps_gives_nothing_twice_through_a_grace() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    calls(&world, 4.9);
    let plan = "/api/v1/admin/plans/default";
    admin(&world, "PATCH", plan, r#"{"limit_usd":"1"}"#);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [1.0]);
    admin(&world, "PATCH", plan, r#"{"limit_usd":"5"}"#);
    member.post(&format!("{key}/rotate"), GRACE);
    oracle::always(&world);
    world.spends_all();
    assert!(spent(&world, DAY) <= 5.0, "{}", spent(&world, DAY));
    sweeps(&world, 3);
    world.spends_all();
    assert!(spent(&world, DAY) <= 5.0, "{}", spent(&world, DAY));
}

#[test]
fn spend_between_the_reading_and_the_lower_limit_is_not_given_again() {
    for (plan, most, window) in [
        (None, 5.0, DAY),
        (Some("pro"), 20.0, Some(sandbox::Period::Monthly)),
        (Some("prepaid"), 40.0, None),
    ] {
        for verb in ["rotate", "renew"] {
            let world = World::new();
            let member = Browser::signed_in(&world, "member");
            if let Some(plan) = plan {
                assign(&world, &member, plan);
            }
            if plan == Some("prepaid") {
                let target = format!("{}/payments", address(&member));
                let paid = r#"{"payment_id":"p-1","amount_usd":"40"}"#;
                admin(&world, "POST", &target, paid);
            }
            let key = key_in(&member.claim().json());
            world.pass(80 * 86_400);
            let member = Browser::signed_in(&world, "member");
            world.effects.plan(&[]);
            let done = world.spends_all_before("http PATCH", 1);
            let response = member.post(&format!("{key}/{verb}"), GRACE);
            world.effects.between(None);
            assert_eq!(done.get(), 1, "{plan:?} {response:?}");
            oracle::always(&world);
            world.spends_all();
            sweeps(&world, 3);
            world.spends_all();
            let spent = spent(&world, window);
            assert!(spent <= most, "{plan:?} {verb}: {spent} of {most}");
        }
    }
}

#[test]
fn no_reading_that_is_written_late_hides_newer_spend() {
    let refresh = "/api/v1/keys/refresh";
    for late in [false, true] {
        let world = World::new();
        let (member, key) = holder(&world, None);
        let dry = world.copied();
        dry.effects.plan(&[]);
        Browser::with(&dry, &member.cookies.borrow()).post(refresh, "{}");
        let names = dry.effects.names();
        let read = names.iter().position(|name| name.starts_with("http GET"));
        // The clock of the isolate that refreshes is two seconds ahead of the clock of the one that lowers the limit.
        world.pass(2);
        world.effects.plan(&[(read.unwrap(), Fate::HeldAfter)]);
        let mut held = Some(member.start("POST", refresh, "{}"));
        world.effects.plan(&[]);
        if !late {
            assert_eq!(held.take().unwrap().release().status, 200);
        }
        world.pass(-2);
        calls(&world, 4.9);
        does(&member, &format!("{key}/limit"), r#"{"limit_usd":"0.01"}"#);
        if let Some(held) = held {
            assert_eq!(held.release().status, 200);
        }
        let known = "SELECT usage_daily_nano FROM generations";
        assert_eq!(world.db.number(known), usd(4.9).nanos, "{late}");
    }
}

#[test]
fn the_spend_of_a_lowered_key_counts_after_it_has_expired_unread() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    world.pass(90 * 86_400 - 1_800);
    let member = Browser::with(&world, &member.cookies.borrow());
    member.sign_in("member");
    calls(&world, 4.9);
    does(&member, &format!("{key}/limit"), r#"{"limit_usd":"0.01"}"#);
    world.pass(1_800 + 301);
    world.add_fault("openrouter.keys.get", "error_before", json!({ "times": 0 }));
    sweeps(&world, 40);
    assert_eq!(world.states(), ["expired"]);
    let known = "SELECT usage_daily_nano FROM generations";
    assert_eq!(world.db.number(known), usd(4.9).nanos);
    world.sandbox.borrow_mut().clear_faults();
}

#[test]
fn a_window_without_spend_is_no_evidence_that_it_has_begun() {
    // OpenRouter's day has ten more minutes. The successor is claimed before our midnight, or after it.
    for claims in [false, true] {
        let world = World::new();
        world.upstream_ahead_ms.set(-600_000);
        let (member, key) = holder(&world, None);
        calls(&world, 5.0);
        assert_eq!(member.delete(&key).status, 200);
        sweeps(&world, 3);
        if !claims {
            assert_eq!(member.claim().status, 201);
        }
        at(&world, "2026-11-22T00:03:00Z");
        if claims {
            assert_eq!(member.claim().status, 201);
        }
        assert!(world.sweep());
        world.spends_all();
        assert_eq!(spent(&world, DAY), 5.0, "{claims}");
        // OpenRouter's day has begun, and its figure of what was spent has fallen.
        at(&world, "2026-11-22T00:13:00Z");
        assert!(world.sweep());
        assert_eq!(limits(&world), [5.0], "{claims}");
        world.spends_all();
        assert_eq!(spent(&world, DAY), 5.0, "{claims}");
        oracle::always(&world);
    }
}

#[test]
fn spend_in_a_month_that_had_begun_only_by_openrouters_clock_counts_until_that_month_has_ended() {
    let month = Some(sandbox::Period::Monthly);
    // The successor is claimed while both clocks are in that month, or once it has ended by our clock alone.
    for claims in [false, true] {
        let world = World::new();
        world.set("KEY_LIMIT_RESET", "monthly");
        world.upstream_ahead_ms.set(60_000);
        let (member, key) = holder(&world, None);
        at(&world, "2026-11-30T23:59:40Z");
        let member = Browser::with(&world, &member.cookies.borrow());
        member.sign_in("member");
        calls(&world, 5.0);
        assert_eq!(member.delete(&key).status, 200);
        world.upstream_ahead_ms.set(-600_000);
        at(&world, "2026-12-31T23:50:00Z");
        member.sign_in("member");
        if !claims {
            assert_eq!(member.claim().status, 201);
        }
        at(&world, "2027-01-01T00:03:00Z");
        if claims {
            assert_eq!(member.claim().status, 201);
        }
        assert!(world.sweep());
        world.spends_all();
        assert_eq!(spent(&world, month), 5.0, "{claims}");
        // OpenRouter's January has begun too, and its figure of what was spent has fallen.
        at(&world, "2027-01-01T00:13:00Z");
        assert!(world.sweep());
        assert_eq!(limits(&world), [5.0], "{claims}");
        oracle::always(&world);
    }
}

#[test]
fn a_raise_until_midnight_is_over_before_the_next_day_opens_by_any_clock() {
    for ahead_ms in [-120_000, 0, 120_000] {
        for until in [
            "2026-11-21T23:59:00Z",
            "2026-11-22T00:00:00Z",
            "2026-11-22T00:02:00Z",
        ] {
            let world = World::new();
            world.upstream_ahead_ms.set(ahead_ms);
            let (_member, key) = holder(&world, None);
            let raises = key.replace("/api/v1/", "/api/v1/admin/") + "/raises";
            let body = json!({ "amount_usd": "5", "until": until }).to_string();
            admin(&world, "POST", &raises, &body);
            assert_eq!(limits(&world), [10.0]);
            // Sweeps run every ten minutes, at the worst minute possible.
            at(&world, "2026-11-21T22:27:30Z");
            while world.now() < Timestamp::parse("2026-11-21T23:57:30Z").unwrap() {
                sweeps(&world, 1);
            }
            at(&world, "2026-11-21T23:59:00Z");
            world.spends_all();
            at(&world, "2026-11-22T00:03:00Z");
            world.spends_all();
            assert_eq!(spent(&world, DAY), 5.0, "{ahead_ms} {until}");
        }
    }
}

#[test]
fn a_raise_that_would_end_at_once_is_refused() {
    let world = World::new();
    let (_member, key) = holder(&world, None);
    let raises = key.replace("/api/v1/", "/api/v1/admin/") + "/raises";
    at(&world, "2026-11-21T23:40:00Z");
    let operator = Browser::signed_in(&world, "operator");
    let body = r#"{"amount_usd":"5","until":"2026-11-22T00:00:00Z"}"#;
    assert_eq!(operator.post(&raises, body).status, 400);
    let body = r#"{"amount_usd":"5","until":"2026-11-22T01:00:01Z"}"#;
    assert_eq!(operator.post(&raises, body).status, 201);
    // Once that day has begun, a raise for a few minutes of it is allowed.
    at(&world, "2026-11-22T00:00:00Z");
    let body = r#"{"amount_usd":"5","until":"2026-11-22T00:02:00Z"}"#;
    let response = operator.post(&raises, body);
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["raise"]["until"], "2026-11-22T00:02:00Z");
}

#[test]
fn a_key_that_spent_more_in_the_new_window_than_it_counted_for_lowers_its_siblings() {
    let world = World::new();
    let two = r#"{"name":"two","limit_usd":"5","limit_reset":"daily","max_active_keys":2,"expiry_days":90}"#;
    admin(&world, "POST", "/api/v1/admin/plans", two);
    let (member, _) = holder(&world, Some("two"));
    let response = member.post("/api/v1/keys", r#"{"name":"other"}"#);
    assert_eq!(response.status, 201);
    for _ in 0..2 {
        calls(&world, 5.0);
        world.pass(86_400);
        sweeps(&world, 2);
    }
    let monthly = r#"{"limit_reset":"monthly"}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/two", monthly);
    sweeps(&world, 3);
    world.spends_all();
    let spent = spent(&world, Some(sandbox::Period::Monthly));
    assert!(spent <= 10.0, "{spent}");
}

/// Pairs of readings of one key, in the order in which they are stored: the second may have been made before the first.
/// The moments lie around the beginning of a Monday, and of the first of a month after it.
fn pairs_of_readings() -> Vec<(Spend, Spend)> {
    let moments = [
        "2026-11-29T23:10:00Z",
        "2026-11-30T00:00:00Z",
        "2026-11-30T00:00:30Z",
        "2026-11-30T00:59:59Z",
        "2026-11-30T01:00:00Z",
        "2026-11-30T12:00:00Z",
        "2026-12-01T00:00:00Z",
        "2026-12-01T00:00:10Z",
        "2026-12-01T01:00:00Z",
        "2026-12-01T02:00:00Z",
    ];
    let mut dice = Dice(1);
    let mut reading = |moment: &str| {
        let mut figures: Vec<i64> = (0..4).map(|_| 0).collect();
        figures
            .iter_mut()
            .for_each(|f| *f = i64::try_from(dice.below(5)).unwrap());
        figures.sort_unstable();
        let amount = |n: usize| NanoUsd::from_nano(figures[n] * 1_000_000_000).unwrap();
        Spend {
            daily: amount(0),
            weekly: amount(1),
            monthly: amount(2),
            lifetime: amount(3),
            read_at: Timestamp::parse(moment).unwrap(),
        }
    };
    let mut pairs = Vec::new();
    for first in moments {
        for second in moments {
            pairs.extend((0..20).map(|_| (reading(first), reading(second))));
        }
    }
    pairs
}

/// The figures of a reading, and its moment.
fn figures(spend: &Spend) -> String {
    let figures = [spend.daily, spend.weekly, spend.monthly, spend.lifetime];
    let mut all = figures.map(|figure| figure.nano()).to_vec();
    all.push(spend.read_at.secs());
    format!("{all:?}")
}

/// What is stored after two readings. A statement may ignore a reading that is older and does not show more spend.
fn after(first: Spend, second: Spend, ignores_old: bool) -> Spend {
    let is_old = second.read_at < first.read_at && second.lifetime <= first.lifetime;
    if ignores_old && is_old {
        first
    } else {
        first.joined(second)
    }
}

const STORED: &str = "SELECT json_array(usage_daily_nano, usage_weekly_nano, usage_monthly_nano, usage_lifetime_nano, usage_read_at)
    FROM generations";

#[test]
fn figures_are_joined_in_the_database_as_they_are_in_the_domain() {
    let world = World::new();
    let (_member, _) = holder(&world, None);
    let generation = world.db.text("SELECT public_id FROM generations");
    for (first, second) in pairs_of_readings() {
        world.db.run(
            "UPDATE generations SET usage_daily_nano = NULL, usage_weekly_nano = NULL, usage_monthly_nano = NULL,
               usage_lifetime_nano = NULL, usage_read_at = NULL WHERE id > 0",
        );
        for spend in [&first, &second] {
            let tell = keycap::store::keys::refresh::record_spend(&generation, spend);
            world.run(world.db.batch(vec![tell])).unwrap().unwrap();
        }
        let stored = world.db.text(STORED).replace(',', ", ");
        assert_eq!(
            stored,
            figures(&after(first, second, true)),
            "{first:?} {second:?}"
        );
    }
}

/// Stores both readings of each pair with a statement, one after the other, and compares what is then stored.
fn stores_readings(sql: &keycap::ports::Sql) {
    // A table without the rules of the real one, with one generation, in the state that the statement is for.
    let state = match sql.text.contains("'revoking'") {
        true => "revoking",
        false => "disabled",
    };
    let connection = Sqlite::migrated();
    connection
        .execute_batch(
            "CREATE TEMP TABLE generations AS SELECT * FROM main.generations WHERE 0;
             INSERT INTO audit (change_id, target, action, actor, at) VALUES ('it', 'it', 'expired', 'test', 1)",
        )
        .unwrap();
    let mut rows = (1..40).filter(|n| sql.text.contains(&format!("(chunk.value ->> {n})")));
    let all = rows
        .next_back()
        .map_or(sql.parameters.len(), |last| last + 1);
    let store = |spend: &Spend| {
        let began = |reset: LimitReset| reset.starts(spend.read_at).secs();
        // The names of a change and of a generation, and what `..Spend` declares.
        let mut values = vec![json!("it"); all - 9];
        values.extend([
            json!(spend.daily.nano()),
            json!(spend.weekly.nano()),
            json!(spend.monthly.nano()),
            json!(spend.lifetime.nano()),
            json!(spend.read_at.secs()),
            json!(began(LimitReset::Daily)),
            json!(began(LimitReset::Weekly)),
            json!(began(LimitReset::Monthly)),
            json!(3_600),
        ]);
        let mut update = connection.prepare_cached(mutant::in_force(sql)).unwrap();
        let values: Vec<rusqlite::types::Value> = if sql.for_each {
            vec![json!([values]).to_string().into()]
        } else {
            let bound = |value: &serde_json::Value| match value.as_i64() {
                Some(number) => number.into(),
                None => String::from("it").into(),
            };
            values
                .iter()
                .map(bound)
                .take(update.parameter_count())
                .collect()
        };
        update.execute(rusqlite::params_from_iter(values)).unwrap();
    };
    let ignores_old = sql.text.contains(">= usage_read_at OR");
    for (first, second) in pairs_of_readings() {
        connection
            .execute_batch(&format!(
                "DELETE FROM temp.generations;
                 INSERT INTO temp.generations (id, public_id, upstream_hash, replaces, state) VALUES (1, 'it', 'it', 1, '{state}')"
            ))
            .unwrap();
        store(&first);
        store(&second);
        let stored: String = connection.query_row(STORED, [], |row| row.get(0)).unwrap();
        let expected = figures(&after(first, second, ignores_old));
        assert_eq!(
            stored.replace(',', ", "),
            expected,
            "{}: {first:?} {second:?}",
            sql.name
        );
    }
}

#[test]
fn every_statement_that_stores_a_reading_joins_it_with_the_known_one() {
    let all = keycap::store::statements().into_iter();
    let storing: Vec<_> = all
        .filter(|sql| sql.text.contains("usage_lifetime_nano = MAX("))
        .collect();
    assert_eq!(storing.len(), 6);
    storing.into_iter().for_each(stores_readings);
}

/// An owner's first key has spent all of its day's $5, was lowered to $1 and removed when the plan gave less for a while;
/// a sweep right after midnight by our clock, while upstream's day lasts for another minute, is about to read it again.
fn removed_after_it_was_lowered(world: &World) -> Browser<'_> {
    world.upstream_ahead_ms.set(-60_000);
    let (member, key) = holder(world, None);
    calls(world, 5.0);
    at(world, "2026-11-21T23:40:25Z");
    let plan = "/api/v1/admin/plans/default";
    admin(world, "PATCH", plan, r#"{"limit_usd":"1"}"#);
    sweeps(world, 1);
    assert_eq!(limits(world), [1.0]);
    admin(world, "PATCH", plan, r#"{"limit_usd":"5"}"#);
    assert_eq!(member.delete(&key).status, 200);
    member
}

#[test]
fn the_spend_of_a_lowered_key_counts_if_it_is_read_again_right_after_our_midnight() {
    for claims_before in [true, false] {
        let world = World::new();
        let member = removed_after_it_was_lowered(&world);
        if claims_before {
            assert_eq!(member.claim().status, 201);
        }
        at(&world, "2026-11-22T00:00:25Z");
        assert!(world.sweep());
        if !claims_before {
            assert_eq!(member.claim().status, 201);
        }
        world.spends_all();
        assert_eq!(spent(&world, DAY), 5.0, "{claims_before}");
        // Upstream's day has begun too.
        sweeps(&world, 1);
        world.spends_all();
        assert_eq!(spent(&world, DAY), 5.0, "{claims_before}");
        oracle::always(&world);
    }
}

#[test]
fn the_spend_of_a_lowered_key_counts_in_a_run_that_was_due_before_midnight() {
    let world = World::new();
    let member = removed_after_it_was_lowered(&world);
    let response = member.claim();
    assert_eq!(response.status, 201);
    let key = key_in(&response.json());
    // Its cap is looked at, and cannot be said.
    let raises = key.replace("/api/v1/", "/api/v1/admin/") + "/raises";
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 0 }),
    );
    admin(&world, "POST", &raises, r#"{"amount_usd":"1"}"#);
    world.sandbox.borrow_mut().clear_faults();
    at(&world, "2026-11-22T00:00:25Z");
    assert!(world.sweep_at(Timestamp::parse("2026-11-21T23:59:50Z").unwrap()));
    world.spends_all();
    assert_eq!(spent(&world, DAY), 6.0);
    oracle::always(&world);
}

#[test]
fn yesterdays_spend_of_a_lowered_key_takes_nothing_from_another_key_today() {
    let world = World::new();
    let two = r#"{"name":"two","limit_usd":"5","limit_reset":"daily","max_active_keys":2,"expiry_days":90}"#;
    admin(&world, "POST", "/api/v1/admin/plans", two);
    let (member, key) = holder(&world, Some("two"));
    let raises = key.replace("/api/v1/", "/api/v1/admin/") + "/raises";
    let body = json!({ "amount_usd": "5", "until": "2026-11-22T00:00:00Z" }).to_string();
    admin(&world, "POST", &raises, &body);
    calls(&world, 9.9);
    does(&member, &format!("{key}/limit"), r#"{"limit_usd":"0.01"}"#);
    at(&world, "2026-11-22T02:00:00Z");
    does(&member, "/api/v1/keys", r#"{"name":"other"}"#);
    assert_eq!(limits(&world), [0.01, 5.0]);
}

#[test]
fn a_key_removed_just_before_midnight_counts_with_its_last_figure_and_not_its_whole_limit() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    at(&world, "2026-11-21T23:59:30Z");
    calls(&world, 2.0);
    assert_eq!(member.delete(&key).status, 200);
    // By upstream's clock it may have been spent in this day.
    at(&world, "2026-11-22T01:30:00Z");
    assert_eq!(member.claim().status, 201);
    assert_eq!(limits(&world).last(), Some(&3.0));
}

#[test]
fn a_limit_that_someone_lowered_below_the_spend_before_prepaying_is_not_raised() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    calls(&world, 5.0);
    assign(&world, &member, "prepaid");
    assert_eq!(limits(&world), [5.0]);
    let hash = world.usable()[0].hash.clone();
    at(&world, "2026-11-21T13:00:00Z");
    world.somebody_changes(&hash, &json!({ "limit": 4.987 }));
    sweeps(&world, 1);
    does(&member, &format!("{key}/limit"), r#"{"limit_usd":"0.01"}"#);
    sweeps(&world, 2);
    assert_eq!(limits(&world), [4.987]);
}
