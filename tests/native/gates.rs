//! The gates of a claim: each refuses by name, before the reservation and again at the record.

use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// SQL that shuts a gate in the database, and the status and code that the claim then gets.
const SHUT: [(&str, u16, &str); 7] = [
    (
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'claims_switched', 't', 1);
         UPDATE settings SET claims = 'by_approval', change_id = 't'",
        403,
        "approval_needed",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'minting_switched', 't', 1);
         UPDATE settings SET minting = 'stopped', change_id = 't'",
        403,
        "minting_stopped",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_t', 'blocked', 't', 1);
         INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1000100', 1, 'blk_t', 't')",
        403,
        "blocked",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members;
         UPDATE members SET status = 'banned', change_id = 't'",
        403,
        "member_banned",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members;
         UPDATE members SET epoch = epoch + 1, change_id = 't'",
        401,
        "sign_in_required",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'sessions_ended', 't', 1);
         UPDATE settings SET session_epoch = session_epoch + 1, change_id = 't'",
        401,
        "sign_in_required",
    ),
    (
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'instance', 'instance_bound', 't', 1);
         UPDATE instance SET public_origin = 'https://elsewhere.example', change_id = 't'",
        403,
        "provisioning_closed",
    ),
];

#[test]
fn each_gate_of_the_database_refuses_with_its_name_and_makes_nothing() {
    for (sql, status, code) in SHUT {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.db.run(sql);
        let response = member.claim();
        assert_eq!((response.status, response.code().as_str()), (status, code));
        assert_eq!(world.calls("openrouter.keys.create"), 0, "{code}");
        assert_eq!(world.states().len(), 0, "{code}");
    }
}

/// Shuts a gate with a database trigger at the moment when the reservation commits, so between reservation and record.
fn shut_after_reservation(world: &World, sql: &str) {
    world.db.run(&format!(
        "CREATE TRIGGER shut AFTER INSERT ON generations BEGIN {sql}; END"
    ));
}

#[test]
fn a_gate_that_closes_between_reservation_and_record_delivers_nothing() {
    let late = [
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('p', 'owner', 'plan_assigned', 't', 1);
         UPDATE owners SET plan_rev = plan_rev + 1, change_id = 'p'",
        "UPDATE plans SET rev = rev + 1, change_id = NEW.change_id",
        "INSERT INTO audit (change_id, target, action, actor, after, at) SELECT 't', public_id, 'terms_accepted', 't', 0, 1 FROM members;
         UPDATE members SET terms_rev = 0, terms_at = NULL, change_id = 't'",
        "INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT NEW.key_id, 'admin', 't', 1, NEW.change_id",
        "UPDATE keys SET ended_at = 1, change_id = (SELECT change_id FROM audit WHERE action IN ('signed_in', 'member_created'))",
    ];
    for sql in SHUT.iter().map(|(sql, _, _)| *sql).chain(late) {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        shut_after_reservation(&world, sql);
        let response = member.claim();
        assert_eq!(
            (response.status, response.code().as_str()),
            (409, "claim_superseded"),
            "{sql}"
        );
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        assert_eq!(world.usable().len(), 0, "{sql}: the key is gone");
        assert_eq!(world.states(), ["revoked"], "{sql}");
        // A ban also ends the keys of the banned member.
        world.db.run(
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'e', public_id, 'key_ended', 't', 1 FROM keys;
             UPDATE keys SET ended_at = 1, change_id = 'e' WHERE ended_at IS NULL
               AND owner_id IN (SELECT owner_id FROM members WHERE status <> 'active')",
        );
        oracle::settled(&world);
    }
}

#[test]
fn a_delete_that_fails_after_a_closed_gate_is_left_to_the_sweep() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    shut_after_reservation(&world, SHUT[2].0);
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        serde_json::json!({ "times": 3 }),
    );
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.states(), ["revoking"]);
    assert_eq!(world.usable().len(), 1);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked"]);
    oracle::settled(&world);
}

#[test]
fn a_key_that_cannot_be_written_down_is_deleted_again_and_the_answer_says_so() {
    let refuses = "CREATE TRIGGER full BEFORE UPDATE ON generations WHEN NEW.state = 'active'
        BEGIN SELECT RAISE(ABORT, 'full'); END";
    for (delete_fails, left) in [(0, 0), (3, 1)] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.db.run(refuses);
        if delete_fails > 0 {
            let times = serde_json::json!({ "times": delete_fails });
            world.add_fault("openrouter.keys.delete", "error_before", times);
        }
        let response = member.claim();
        assert_eq!((response.status, response.code()), (500, "internal".into()));
        assert_eq!(response.secret(), None);
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        assert_eq!(world.usable().len(), left);
        world.db.run("DROP TRIGGER full");
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.usable().len(), 0, "what was left over is found");
        oracle::settled(&world);
        assert_eq!(member.claim().status, 201);
    }
}

#[test]
fn closed_configuration_closes_claims_and_nothing_else() {
    for (setting, value, code) in [
        ("PROJECT_STATUS", "pending", "project_not_live"),
        ("PROJECT_STATUS", "Live", "project_not_live"),
        ("PROJECT_STATUS", "", "project_not_live"),
        ("PROVISIONING_ENABLED", "yes", "provisioning_closed"),
        ("PROVISIONING_ENABLED", "", "provisioning_closed"),
        ("MAX_TOTAL_KEYS", "", "provisioning_closed"),
        ("MAX_TOTAL_KEYS", "lots", "provisioning_closed"),
        ("OPENROUTER_MANAGEMENT_KEY", "", "not_configured"),
    ] {
        let world = World::new();
        let holder = Browser::signed_in(&world, "second");
        assert_eq!(holder.claim().status, 201);
        world.set(setting, value);
        let member = Browser::signed_in(&world, "member");
        let response = member.claim();
        // A shut gate is the operator's choice and gets 403; a missing setting is a fault and gets 503.
        let status = if code == "not_configured" { 503 } else { 403 };
        assert_eq!(
            (response.status, response.code().as_str()),
            (status, code),
            "{setting}={value}"
        );
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        let me = member.get("/api/v1/me").json();
        assert_eq!(me["claim"]["open"], false);
        assert_eq!(me["claim"]["refusal"]["code"], code);
        for page in ["/", "/docs", "/keys", "/healthz"] {
            assert_eq!(member.get(page).status, 200, "{setting}={value}: {page}");
        }
        let health = member.get("/healthz").json();
        let named = health["closed_by"].as_array().unwrap().iter();
        assert!(
            named.clone().any(|one| one["setting"] == setting),
            "{health}"
        );
        // A member who has a key still sees it.
        let holder = holder.at_fresh_isolate();
        assert_eq!(holder.claim().status, 200);
        oracle::always(&world);
    }
}

#[test]
fn a_four_day_old_account_is_refused_with_the_rule_that_it_fails() {
    let world = World::new();
    let newcomer = Browser::signed_in(&world, "newcomer");
    let response = newcomer.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "account_too_young")
    );
    let body = response.json();
    assert_eq!(
        (&body["account_age_days"], &body["required_days"]),
        (&4.into(), &30.into())
    );
    assert_eq!(
        body["detail"],
        "GitHub says that your account is 4 days old. To claim a key, it must be 30 days old. You can appeal to an administrator."
    );
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    world.pass(26 * 86_400);
    let grown = Browser::signed_in(&world, "newcomer");
    assert_eq!(grown.claim().status, 201, "thirty days are enough");
}

#[test]
fn a_member_has_ten_attempts_a_day() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault(
        "openrouter.keys.create",
        "refuse",
        serde_json::json!({ "status": 400, "times": 0 }),
    );
    for _ in 0..10 {
        assert_eq!(member.claim().code(), "openrouter_refused");
    }
    let response = member.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (429, "too_many_attempts")
    );
    assert_eq!(response.header("retry-after"), "43200");
    assert_eq!(world.calls("openrouter.keys.create"), 10);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(43_200);
    assert_eq!(member.claim().status, 201, "a new day");
    oracle::settled(&world);
}

#[test]
fn ten_seats_are_ten_keys() {
    let world = World::new();
    world.set("MAX_TOTAL_KEYS", "10");
    let mut made = 0;
    for n in 0..25 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        let response = person.claim();
        match response.status {
            201 => made += 1,
            403 => assert_eq!(response.code(), "seats_full"),
            other => panic!("{other}: {response:?}"),
        }
    }
    assert_eq!((made, world.usable().len()), (10, 10));
    oracle::settled(&world);
}

#[test]
fn a_banned_member_claims_nothing_and_cannot_sign_in_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.db.run(SHUT[3].0);
    let elsewhere = member.at_fresh_isolate();
    assert_eq!(member.claim().code(), "member_banned");
    assert_eq!(elsewhere.get("/api/v1/keys").code(), "member_banned");
    let again = Browser::new(&world);
    let response = again.sign_in("member");
    assert_eq!(response.header("location"), "/?auth_error=blocked");
    assert!(!again.cookies.borrow().contains_key("__Host-keycap_session"));
}

#[test]
fn a_hold_of_the_operator_outlives_the_key_that_it_was_set_on() {
    for (reason, ended, refused) in [
        ("admin", true, true),
        ("offboarding", true, true),
        ("switch", true, true),
        ("leak", true, false),
        ("owner", true, false),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        // The owner has an ended or a live key with a hold on it.
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'refused', 't', 1);
             INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, ended_at, change_id)
               SELECT 'key_t', owner_id, 0, 'claim', 1, 1, {}, 't' FROM members;
             INSERT INTO holds (key_id, reason, actor, since, change_id)
               SELECT id, '{reason}', 't', 1, 't' FROM keys",
            if ended { "2" } else { "NULL" }
        ));
        let response = member.claim();
        assert_eq!(
            response.status == 403 && response.code() == "key_held",
            refused,
            "{reason}: {response:?}"
        );
    }
}

#[test]
fn one_action_of_an_admin_stops_minting_everywhere_at_once() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.get("/api/v1/admin/settings").status, 404);
    assert_eq!(
        member
            .patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#)
            .status,
        404
    );
    let response = operator.patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#);
    assert_eq!(
        (response.status, response.json()["minting"].as_str()),
        (200, Some("stopped"))
    );
    assert_eq!(member.claim().code(), "minting_stopped");
    assert_eq!(member.at_fresh_isolate().claim().code(), "minting_stopped");
    let response = operator.patch("/api/v1/admin/settings", r#"{"minting":"open"}"#);
    assert_eq!(response.status, 200);
    assert_eq!(member.claim().status, 201);
    assert_eq!(
        world.db.texts("SELECT COALESCE(before, '') || ' ' || after FROM audit WHERE action = 'minting_switched'"),
        ["open stopped", "stopped open"]
    );
    for bad in [
        "{}",
        r#"{"minting":"maybe"}"#,
        r#"{"minting":"open","x":1}"#,
        "[]",
        "{",
    ] {
        assert_eq!(
            operator.patch("/api/v1/admin/settings", bad).status,
            400,
            "{bad}"
        );
    }
}
