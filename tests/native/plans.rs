//! Plans as data: the starting set, changes that reach every owner, and keys beyond the quota of a plan.

use sandbox::{Spent, Usd};
use serde_json::json;

use crate::caps::{address, admin, assign, limits, spends, sweeps};
use crate::support::{Browser, Fate, World, oracle};

#[test]
fn the_initial_plans_exist_and_a_new_member_gets_the_default_plan() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let plans = operator.get("/api/v1/admin/plans").json()["plans"].clone();
    let plans: Vec<_> = plans
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            json!([
                p["name"],
                p["limit_usd"],
                p["limit_reset"],
                p["expiry_days"],
                p["max_active_keys"],
                p["is_default"]
            ])
        })
        .collect();
    assert_eq!(
        json!(plans),
        json!([
            ["free", "1.00", "monthly", 90, 1, false],
            ["basic", "5.00", "monthly", 90, 2, false],
            ["pro", "20.00", "monthly", 90, 5, false],
            ["enterprise", "100.00", "monthly", 90, 10, false],
            ["prepaid", null, "none", 90, 1, false],
            ["default", "5.00", "daily", 90, 1, true],
        ])
    );
    let unaudited = "SELECT COUNT(*) FROM plans p WHERE NOT EXISTS
        (SELECT 1 FROM audit a WHERE a.change_id = p.change_id AND a.target = 'plan:' || p.name)";
    assert_eq!(world.db.number(unaudited), 0);
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/pro",
        r#"{"is_default":true}"#,
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().json()["key"]["limit_usd"], "20.00");
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM plans WHERE is_default = 1"),
        1
    );
}

#[test]
fn a_plan_that_says_too_little_or_too_much_is_refused() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let whole = json!({ "name": "team", "limit_usd": "2.50", "limit_reset": "daily", "expiry_days": 30, "max_active_keys": 2 });
    for (member, value) in [
        ("name", json!("Team A")),
        ("name", json!(null)),
        ("limit_usd", json!("2.505")),
        ("limit_usd", json!("0")),
        ("limit_usd", json!("-1")),
        ("limit_usd", json!(2.5)),
        ("limit_usd", json!(null)),
        ("limit_reset", json!(null)),
        ("limit_reset", json!("yearly")),
        ("limit_reset", json!("none")),
        ("expiry_days", json!(0)),
        ("expiry_days", json!(366)),
        ("expiry_days", json!(null)),
        ("max_active_keys", json!(0)),
        ("max_active_keys", json!(101)),
        ("margin_percent", json!("100")),
        ("margin_percent", json!("1.234")),
        ("is_default", json!(false)),
        ("models", json!([])),
    ] {
        let mut bad = whole.clone();
        bad[member] = value;
        let response = operator.post("/api/v1/admin/plans", &bad.to_string());
        assert_eq!(response.status, 400, "{bad}");
    }
    let whole = whole.to_string();
    assert_eq!(operator.post("/api/v1/admin/plans", &whole).status, 201);
    assert_eq!(
        operator.post("/api/v1/admin/plans", &whole).code(),
        "plan_exists"
    );
    for (plan, body, status) in [
        ("team", "{}", 400),
        ("team", r#"{"name":"other"}"#, 400),
        ("team", r#"{"limit_reset":"none"}"#, 400),
        ("prepaid", r#"{"limit_reset":"daily"}"#, 400),
        ("prepaid", r#"{"limit_usd":"5"}"#, 400),
        ("prepaid", r#"{"max_active_keys":2}"#, 400),
        ("nothing", r#"{"expiry_days":5}"#, 404),
        ("team", r#"{"expiry_days":5,"workspace_id":null}"#, 200),
    ] {
        let response = operator.patch(&format!("/api/v1/admin/plans/{plan}"), body);
        assert_eq!(response.status, status, "{plan} {body}: {response:?}");
    }
}

#[test]
fn a_better_plan_raises_the_limit_in_place_and_the_key_stays() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let secret = member.claim().secret();
    spends(&world, 4.0);
    assign(&world, &member, "pro");
    assert_eq!(limits(&world), [20.0]);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    let key = world.usable().remove(0);
    assert_eq!(Some(key.secret), secret);
    assert_eq!(
        key.limit_reset,
        Some(sandbox::Period::Monthly),
        "the window with it"
    );
    let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(
        (&listed["limit_usd"], &listed["limit_reset"]),
        (&json!("20.00"), &json!("monthly"))
    );
    oracle::settled(&world);
}

#[test]
fn a_worse_plan_lowers_it_in_place_and_what_is_spent_stays_spent() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    spends(&world, 4.0);
    assign(&world, &member, "free");
    assert_eq!(limits(&world), [1.0]);
    let spend = member.get("/api/v1/keys").json()["keys"][0]["spend"].clone();
    assert_eq!(
        (&spend["used_usd"], &spend["left_usd"]),
        (&json!("4.00"), &json!("0.00"))
    );
    assert_eq!(world.usable().len(), 1, "on, at its cap until the reset");
}

#[test]
fn one_members_budget_does_not_affect_another_member() {
    let world = World::new();
    world.set("MAX_TOTAL_KEYS", "2");
    let member = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    let (mine, others) = (member.claim().secret(), second.claim().secret());
    let calls = |secret: &Option<String>, dollars: f64| {
        let price = Usd::from_dollars(dollars);
        let now = world.upstream_now_ms();
        let mut sandbox = world.sandbox.borrow_mut();
        sandbox.spend(secret.as_deref().unwrap(), price, now)
    };
    let booked = |dollars: f64| Spent::Booked(Usd::from_dollars(dollars));
    assert_eq!(calls(&mine, 3.0), booked(3.0));
    assert_eq!(calls(&mine, 3.0), booked(2.0), "as far as the limit goes");
    assert_eq!(calls(&mine, 0.01), Spent::LimitReached);
    sweeps(&world, 2);
    // The other member has their whole limit, whatever the first one spent, and not a cent more.
    assert_eq!(limits(&world), [5.0, 5.0]);
    assert_eq!(calls(&others, 4.0), booked(4.0));
    assert_eq!(calls(&others, 4.0), booked(1.0));
    assert_eq!(calls(&others, 0.01), Spent::LimitReached);
    sweeps(&world, 2);
    assert_eq!(
        calls(&mine, 0.01),
        Spent::LimitReached,
        "nothing is passed on"
    );
    // Seats and budgets are independent: a further seat takes nothing from a budget, and a spent budget frees no seat.
    let third = Browser::signed_in(&world, "load-1");
    assert_eq!(third.claim().code(), "seats_full");
    world.set("MAX_TOTAL_KEYS", "3");
    let fresh = third.at_fresh_isolate().claim().secret();
    assert_eq!(calls(&fresh, 9.0), booked(5.0));
    // The next day each member has their own limit again.
    world.pass(12 * 3_600);
    sweeps(&world, 2);
    for secret in [&mine, &others, &fresh] {
        assert_eq!(calls(secret, 9.0), booked(5.0));
        assert_eq!(calls(secret, 0.01), Spent::LimitReached);
    }
}

#[test]
fn only_the_hash_the_mask_and_metadata_of_a_key_are_stored() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let secret = member.claim().secret().unwrap();
    assert!(!world.db.dump().contains(&secret));
    let kept = world.db.text(
        "SELECT (upstream_hash IS NOT NULL) || (secret_sha256 IS NOT NULL) || (label IS NOT NULL) || (owner_id IS NOT NULL) FROM generations",
    );
    assert_eq!(kept, "1111");
}

#[test]
fn a_change_of_a_plan_reaches_all_of_its_owners_with_the_next_sweep() {
    let world = World::new();
    for person in ["member", "second"] {
        assert_eq!(Browser::signed_in(&world, person).claim().status, 201);
    }
    let body = r#"{"limit_usd":"2.50","limit_reset":"weekly"}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/default", body);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [2.5, 2.5]);
    let weekly = |key: &sandbox::UpstreamKey| key.limit_reset == Some(sandbox::Period::Weekly);
    assert!(world.usable().iter().all(weekly));
    oracle::settled(&world);
}

#[test]
fn after_a_change_to_a_longer_window_midnight_raises_nothing() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let first = member.claim().json();
    spends(&world, 2.0);
    let id = first["key"]["id"].as_str().unwrap();
    member.delete(&format!("/api/v1/keys/{id}"));
    assert_eq!(member.claim().json()["key"]["limit_usd"], "3.00");
    let body = r#"{"limit_reset":"monthly"}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/default", body);
    world.pass(12 * 3_600 + 120);
    assert!(world.sweep());
    assert_eq!(limits(&world), [3.0], "the dead one's month counts");
    sweeps(&world, 3);
    assert_eq!(limits(&world), [3.0]);
    oracle::settled(&world);
}

#[test]
fn a_mint_under_way_is_not_recorded_under_another_plan() {
    for assigned in [true, false] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let operator = Browser::signed_in(&world, "operator");
        // After this, the revision would be the same number under both plans.
        world.db.run(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_changed', 't', 1);
             UPDATE plans SET rev = 1, change_id = 't' WHERE is_default = 1",
        );
        let address = address(&member);
        world.effects.plan(&[(1, Fate::HeldAfter)]);
        let held = member.start_claim();
        world.effects.plan(&[]);
        let response = if assigned {
            operator.post(&format!("{address}/plan"), r#"{"plan":"free"}"#)
        } else {
            operator.patch("/api/v1/admin/plans/default", r#"{"limit_usd":"1"}"#)
        };
        assert_eq!(response.status, 200);
        assert_eq!(held.release().code(), "claim_superseded");
        assert_eq!(world.usable().len(), 0);
        assert_eq!(member.claim().json()["key"]["limit_usd"], "1.00");
    }
}

#[test]
fn if_a_plan_allows_fewer_keys_the_newest_are_disabled_and_the_owner_may_choose() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "pro");
    assert_eq!(member.claim().status, 201);
    for name in ["laptop", "server"] {
        let body = json!({ "name": name }).to_string();
        assert_eq!(member.post("/api/v1/keys", &body).status, 201);
    }
    let on = || {
        let keys = member.get("/api/v1/keys").json()["keys"].clone();
        let on = keys.as_array().unwrap().iter();
        let on = on.filter(|key| key["state"] == "active");
        on.map(|key| key["name"].clone()).collect::<Vec<_>>()
    };
    let held = |name: &str| {
        let keys = member.get("/api/v1/keys").json()["keys"].clone();
        let key = keys
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["name"] == name);
        key.unwrap()["holds"].clone()
    };
    assert_eq!(on(), [json!(null), json!("laptop"), json!("server")]);
    let body = r#"{"max_active_keys":2}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/pro", body);
    assert_eq!(held("server"), json!(["plan"]), "at once on record");
    sweeps(&world, 1);
    assert_eq!(on(), [json!(null), json!("laptop")]);
    assert_eq!(limits(&world), [20.0, 20.0, 0.01], "it leaves its share");
    oracle::settled(&world);

    let server = world
        .db
        .text("SELECT public_id FROM keys WHERE name = 'server'");
    let response = member.post(&format!("/api/v1/keys/{server}/prefer"), "{}");
    assert_eq!(response.status, 200, "{response:?}");
    sweeps(&world, 1);
    assert_eq!(on(), [json!(null), json!("server")]);
    // A key of somebody else, and a key that does not exist, get 404.
    let second = Browser::signed_in(&world, "second");
    for key in [server.as_str(), "key_000000000000000000000000"] {
        assert_eq!(
            second
                .post(&format!("/api/v1/keys/{key}/prefer"), "{}")
                .status,
            404
        );
    }
    // When one key is deleted, another key is within the quota again.
    let claimed = world
        .db
        .text("SELECT public_id FROM keys WHERE ordinal = 0");
    assert_eq!(
        member.delete(&format!("/api/v1/keys/{claimed}")).status,
        200
    );
    sweeps(&world, 2);
    assert_eq!(on(), [json!("laptop"), json!("server")]);
    oracle::settled(&world);
}

#[test]
fn only_admins_give_plans_and_only_to_existing_members() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let address = address(&member);
    let body = r#"{"plan":"pro"}"#;
    assert_eq!(member.post(&format!("{address}/plan"), body).status, 404);
    let nobody = "/api/v1/admin/members/mem_000000000000000000000000/plan";
    assert_eq!(operator.post(nobody, body).status, 404);
    let response = operator.post(&format!("{address}/plan"), r#"{"plan":"gold"}"#);
    assert_eq!(response.status, 400);
    for _ in 0..2 {
        assert_eq!(operator.post(&format!("{address}/plan"), body).status, 200);
    }
    let assigned = "SELECT COUNT(*) FROM audit WHERE action = 'plan_assigned'";
    assert_eq!(world.db.number(assigned), 1, "again is nothing");
}

#[test]
fn each_of_several_keys_is_lowered_to_a_smaller_plan_and_none_below_it() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "pro");
    assert_eq!(member.claim().status, 201);
    for name in ["laptop", "server"] {
        let body = json!({ "name": name }).to_string();
        assert_eq!(member.post("/api/v1/keys", &body).status, 201);
    }
    let smaller = r#"{"limit_usd":"5","max_active_keys":3}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/pro", smaller);
    sweeps(&world, 2);
    assert_eq!(limits(&world), [5.0, 5.0, 5.0]);
    assert_eq!(world.usable().len(), 3);
    oracle::settled(&world);
}

#[test]
fn a_key_over_the_plans_quota_gets_no_limit_even_if_the_others_leave_some() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "pro");
    assert_eq!(member.claim().status, 201);
    let small = r#"{"name":"small","limit_usd":"1"}"#;
    for body in [small, r#"{"name":"server"}"#] {
        assert_eq!(member.post("/api/v1/keys", body).status, 201);
    }
    let body = r#"{"max_active_keys":2}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/pro", body);
    sweeps(&world, 2);
    assert_eq!(limits(&world), [20.0, 1.0, 0.01]);
    oracle::settled(&world);
}

#[test]
fn no_late_batch_of_a_plan_or_an_assignment_undoes_a_newer_one() {
    let plan = "/api/v1/admin/plans/default";
    let of_member = "/plan";
    let one = r#"{"max_active_keys":1}"#;
    let two = r#"{"max_active_keys":2}"#;
    for (guard, target, late, newer) in [
        (
            "plans::CHANGE_GUARD",
            plan,
            r#"{"limit_usd":"8"}"#,
            r#"{"limit_usd":"2"}"#,
        ),
        ("plans::CHANGE_GUARD", plan, one, two),
        // The late change would lift the quota holds that the newer change set.
        ("plans::CHANGE_GUARD", plan, two, one),
        (
            "allowances::ASSIGN_GUARD",
            of_member,
            r#"{"plan":"pro"}"#,
            r#"{"plan":"free"}"#,
        ),
        (
            "allowances::ASSIGN_GUARD",
            of_member,
            r#"{"plan":"free"}"#,
            r#"{"plan":"pro"}"#,
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let operator = Browser::signed_in(&world, "operator");
        assert_eq!(operator.patch(plan, r#"{"max_active_keys":2}"#).status, 200);
        assert_eq!(member.claim().status, 201);
        assert_eq!(
            member.post("/api/v1/keys", r#"{"name":"another"}"#).status,
            201
        );
        let of_plans = target == plan;
        let target = if of_plans {
            target.to_owned()
        } else {
            format!("{}{target}", address(&member))
        };
        let say = |operator: &Browser<'_>, body: &str| {
            let response = if of_plans {
                operator.patch(&target, body)
            } else {
                operator.post(&target, body)
            };
            assert_eq!(response.status, 200, "{response:?}");
        };
        if late == two {
            say(&operator, one);
        }
        let dry = world.copied();
        dry.effects.plan(&[]);
        say(&Browser::with(&dry, &operator.cookies.borrow()), late);
        let names = dry.effects.names();
        let n = names.iter().position(|name| name.ends_with(guard)).unwrap();
        world.effects.plan(&[(n, Fate::Late)]);
        say(&operator, late);
        world.effects.plan(&[]);
        say(&operator, newer);
        let all_rows = "SELECT json_array((SELECT json_group_array(json_array(name, limit_nano, max_active_keys, rev)) FROM plans),
            (SELECT json_group_array(json_array(plan_id, plan_rev)) FROM owners),
            (SELECT json_group_array(json_array(key_id, reason, change_id)) FROM holds))";
        let before = world.db.text(all_rows);
        assert_eq!(world.effects.land(), 1, "{guard} {late}");
        assert_eq!(world.db.text(all_rows), before, "{guard} {late}");
        oracle::always(&world);
        sweeps(&world, 3);
        oracle::settled(&world);
    }
}

#[test]
fn one_request_updates_as_many_keys_as_a_person_can_wait_for() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let many = r#"{"name":"many","limit_usd":"4","limit_reset":"daily","expiry_days":30,"max_active_keys":20}"#;
    assert_eq!(operator.post("/api/v1/admin/plans", many).status, 201);
    let less = many.replace("many", "less").replace("\"4\"", "\"3\"");
    assert_eq!(operator.post("/api/v1/admin/plans", &less).status, 201);
    let member = Browser::signed_in(&world, "member");
    let path = format!("/api/v1/admin/members/{}/plan", world.member("member"));
    let assign = |plan: &str| {
        let response = operator.post(&path, &json!({ "plan": plan }).to_string());
        assert_eq!(response.status, 200, "{response:?}");
        response.json()["keys_left_to_sweep"].as_u64().unwrap()
    };
    assert_eq!(assign("many"), 0);
    assert_eq!(member.claim().status, 201);
    for n in 1..9 {
        let body = json!({ "name": format!("key {n}") }).to_string();
        assert_eq!(member.post("/api/v1/keys", &body).status, 201);
    }
    world.pass(86_400);
    for n in 9..14 {
        let body = json!({ "name": format!("key {n}") }).to_string();
        assert_eq!(
            member.at_fresh_isolate().post("/api/v1/keys", &body).status,
            201
        );
    }
    world.pass(60);
    let calls = || world.calls("openrouter.keys.update");
    let before = calls();
    let left = assign("less");
    assert_eq!((calls() - before, left), (10, 4));
    sweeps(&world, 1);
    let limits = "SELECT COUNT(*) FROM generations WHERE limit_nano = 3000000000";
    assert_eq!(world.db.number(limits), 14, "the sweep does the others");
    // The request waits only some seconds for a slow OpenRouter.
    world.add_fault(
        "openrouter.keys.update",
        "stall_before",
        json!({ "times": 0 }),
    );
    let began = world.now().secs();
    assert!(assign("many") > 10);
    assert!(world.now().secs() - began < 60);
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_member_with_many_keys_begins_or_stops_prepaying_once_all_keys_were_read() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let many = r#"{"name":"many","limit_usd":"4","limit_reset":"daily","expiry_days":30,"max_active_keys":20}"#;
    assert_eq!(operator.post("/api/v1/admin/plans", many).status, 201);
    let member = Browser::signed_in(&world, "member");
    let of_member = address(&member);
    let assign = |plan: &str| {
        let body = json!({ "plan": plan }).to_string();
        let before = world.calls("openrouter.keys.get");
        let response = operator.post(&format!("{of_member}/plan"), &body);
        (response.status, world.calls("openrouter.keys.get") - before)
    };
    assert_eq!(assign("many").0, 200);
    assert_eq!(member.claim().status, 201);
    for n in 1..9 {
        let body = json!({ "name": format!("key {n}") }).to_string();
        assert_eq!(member.post("/api/v1/keys", &body).status, 201);
    }
    world.pass(86_400);
    for n in 9..12 {
        let body = json!({ "name": format!("key {n}") }).to_string();
        let response = member.at_fresh_isolate().post("/api/v1/keys", &body);
        assert_eq!(response.status, 201);
    }
    world.pass(3_600);
    for key in world.usable() {
        world.spent_by(&key.hash, 0.01);
    }
    let plan = "SELECT p.name FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE m.login = 'member'";
    let read = assign("prepaid");
    assert_eq!((read.0, world.db.text(plan).as_str()), (503, "many"));
    assert!(read.1 <= 10, "{read:?}");
    // Figures of the day before are read again, and nothing is concluded from them.
    world.pass(86_400);
    assert_eq!(assign("prepaid").0, 503);
    world.pass(60);
    assert_eq!(assign("prepaid").0, 200);
    let known = "SELECT COUNT(*) FROM generations WHERE lifetime_at_switch_nano = 10000000";
    assert_eq!(world.db.number(known), 12);
    // While more keys work than one request reads, it is unknown what they have spent since.
    for _ in 0..3 {
        world.pass(60);
        assert_eq!(assign("many").0, 503);
    }
    // One key still works. What it spends of the payments is known to the end, however many other keys there are.
    let pays = format!("{of_member}/payments");
    let paid = r#"{"payment_id":"p-1","amount_usd":"9"}"#;
    assert_eq!(operator.post(&pays, paid).status, 201);
    sweeps(&world, 3);
    let works = world.usable();
    assert_eq!(works.len(), 1);
    world.pass(3_600);
    world.spent_by(&works[0].hash, 1.0);
    // This also holds where the other keys were read earlier.
    world
        .db
        .run("UPDATE generations SET usage_read_at = usage_read_at + 60 WHERE state = 'active'");
    assert_eq!(assign("many").0, 503);
    let read = "SELECT usage_lifetime_nano FROM generations WHERE state = 'active'";
    assert_eq!(world.db.number(read), 1_010_000_000);
    world.pass(60);
    world.spent_by(&works[0].hash, 2.0);
    assert_eq!(assign("many").0, 200);
    let spent = "SELECT SUM(n.prepaid_spent_nano + COALESCE(n.prepaid_reserved_nano, 0)) FROM generations n";
    assert_eq!(world.db.number(spent), 3_000_000_000);
    // The request waits only some seconds for a slow OpenRouter, and concludes nothing.
    world.pass(3_600);
    let clock = world.now_ms.clone();
    world.effects.between(Some(Box::new(move |effect| {
        if effect.starts_with("http GET") {
            clock.set(clock.get() + 3_000);
        }
    })));
    let (status, calls) = assign("prepaid");
    world.effects.between(None);
    assert_eq!(status, 503);
    assert!((1..=4).contains(&calls), "{calls}");
    sweeps(&world, 2);
    oracle::settled(&world);
}
