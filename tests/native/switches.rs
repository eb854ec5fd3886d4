//! The switch of all keys: it disables every key, and enables them again, through any bad luck.

use serde_json::{Value, json};

use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";

/// Makes three members with keys, and an operator.
fn begin() -> (World, Cookies) {
    let world = World::new();
    for n in 0..3 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(person.claim().status, 201);
    }
    let cookies = Browser::signed_in(&world, "operator").cookies.take();
    (world, cookies)
}

fn off(world: &World, cookies: &Cookies) {
    let response = Browser::with(world, cookies).patch(SETTINGS, r#"{"keys":"off","confirm":3}"#);
    assert_eq!(response.status, 200, "{response:?}");
}

fn on(world: &World, cookies: &Cookies) {
    let response = Browser::with(world, cookies).patch(SETTINGS, r#"{"keys":"on"}"#);
    assert_eq!(response.status, 200, "{response:?}");
}

fn sweeps(world: &World, n: usize) {
    world.effects.plan(&[]);
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
    oracle::settled(world);
}

#[test]
fn all_keys_are_disabled_after_a_confirmation_by_number_and_enabled_again() {
    let (world, cookies) = begin();
    let operator = Browser::with(&world, &cookies);
    let response = operator.patch(SETTINGS, r#"{"keys":"off","confirm":2}"#);
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "confirmation_mismatch")
    );
    assert_eq!(response.json()["live_keys"], 3);
    assert_eq!(operator.get(SETTINGS).json()["keys"], "on");

    off(&world, &cookies);
    let is = operator.get(SETTINGS).json();
    assert_eq!(
        (&is["keys"], &is["minting"]),
        (&json!("off"), &json!("stopped"))
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().code(), "minting_stopped");
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.states(), ["disabled"; 3]);
    let holder = Browser::signed_in(&world, "load-1");
    assert_eq!(
        holder.get("/api/v1/keys").json()["keys"][0]["state"],
        "disabled"
    );

    on(&world, &cookies);
    assert_eq!(operator.get(SETTINGS).json()["minting"], "stopped");
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 3);
    assert_eq!(world.states(), ["active"; 3]);
}

#[test]
fn a_key_that_was_disabled_for_another_reason_stays_disabled() {
    let (world, cookies) = begin();
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys WHERE id = 1",
    );
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 2);
    off(&world, &cookies);
    sweeps(&world, 1);
    on(&world, &cookies);
    sweeps(&world, 1);
    assert_eq!(world.states(), ["disabled", "active", "active"]);
    assert_eq!(world.usable().len(), 2);
}

#[test]
fn disabling_and_enabling_all_keys_survives_a_break_at_any_effect() {
    let mut scenarios = 0;
    for towards_on in [false, true] {
        let (start, cookies) = begin();
        off(&start, &cookies);
        if towards_on {
            sweeps(&start, 1);
            on(&start, &cookies);
        }
        start.pass(TEN_MINUTES);
        let dry = start.copied();
        dry.effects.plan(&[]);
        assert!(dry.sweep());
        for k in 0..dry.effects.count() {
            for fate in Fate::ALL {
                for turned_back in [false, true] {
                    let world = start.forked();
                    world.effects.plan(&[(k, fate)]);
                    world.sweep();
                    oracle::always(&world);
                    world.effects.plan(&[]);
                    if turned_back && towards_on {
                        off(&world, &cookies);
                    } else if turned_back {
                        on(&world, &cookies);
                    }
                    sweeps(&world, 3);
                    let all_on = towards_on != turned_back;
                    assert_eq!(
                        world.usable().len(),
                        if all_on { 3 } else { 0 },
                        "{k} {fate:?}"
                    );
                    scenarios += 1;
                }
            }
        }
    }
    println!("counted: {scenarios} scenarios of switching every key off and on");
    assert!(scenarios > 100, "{scenarios}");
}

#[test]
fn an_enable_that_takes_effect_late_is_undone_by_the_next_disable() {
    let (world, cookies) = begin();
    off(&world, &cookies);
    sweeps(&world, 1);
    on(&world, &cookies);
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    off(&world, &cookies);
    let now = world.now_ms.get();
    assert!(world.sandbox.borrow_mut().land_late(now) > 0);
    assert!(!world.usable().is_empty(), "it has landed");
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn a_mint_under_way_when_all_keys_are_disabled_delivers_nothing() {
    let (world, _) = begin();
    world.db.run(
        "CREATE TRIGGER off AFTER INSERT ON generations BEGIN
           INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'keys_switched', 't', 1);
           UPDATE settings SET keys = 'off', minting = 'stopped', change_id = 't';
           INSERT INTO holds (key_id, reason, actor, since, change_id) VALUES (NEW.key_id, 'switch', 't', 1, 't');
         END",
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 3);
}

#[test]
fn keys_that_openrouter_does_not_have_keep_no_other_from_being_disabled() {
    let world = World::new();
    for n in 0..201 {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    // The newest keys are sent first.
    for key in world.usable().iter().skip(1) {
        world.by_hand("DELETE", &format!("/keys/{}", key.hash), &Value::Null);
    }
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
    // Each of them is concluded to be missing, and is not sent again.
    for asked in [201, 0] {
        let before = world.calls("openrouter.keys.update");
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.calls("openrouter.keys.update") - before, asked);
        assert!(world.usable().is_empty());
    }
}

#[test]
fn an_admin_ends_every_session_after_a_confirmation_by_epoch_and_once() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let second = Browser::signed_in(&world, "second");
    let epoch = operator.get(SETTINGS).json()["session_epoch"].clone();
    assert_eq!(epoch, json!(0));
    for body in [
        r#"{"sessions":"end"}"#,
        r#"{"sessions":"begin","confirm":0}"#,
        r#"{"sessions":"end","confirm":0,"keys":"on"}"#,
    ] {
        assert_eq!(operator.patch(SETTINGS, body).status, 400, "{body}");
    }
    let response = operator.patch(SETTINGS, r#"{"sessions":"end","confirm":1}"#);
    assert_eq!(
        (
            response.status,
            response.code().as_str(),
            &response.json()["session_epoch"]
        ),
        (409, "confirmation_mismatch", &json!(0))
    );
    assert_eq!(member.get("/api/v1/me").status, 200);

    let thief = operator.at_fresh_isolate();
    let response = operator.patch(SETTINGS, r#"{"sessions":"end","confirm":0}"#);
    assert_eq!(
        (response.status, &response.json()["session_epoch"]),
        (200, &json!(1)),
        "{response:?}"
    );
    assert!(response.header("set-cookie").contains("Max-Age=0"));
    for ended in [&member, &second, &thief] {
        let response = ended.get("/api/v1/me");
        assert_eq!(
            (response.status, response.code().as_str()),
            (401, "sign_in_required")
        );
    }
    let audit = "SELECT actor || ' ' || before || ' ' || after FROM audit
        WHERE action = 'sessions_ended' AND target = 'settings'";
    assert_eq!(
        world.db.texts(audit),
        [format!("{} 0 1", world.member("operator"))]
    );
    // The members sign in again, their keys still work, and the same confirmation ends nothing more.
    assert_eq!(world.usable().len(), 1);
    assert_eq!(
        Browser::signed_in(&world, "member")
            .get("/api/v1/me")
            .status,
        200
    );
    let again = Browser::signed_in(&world, "operator");
    let response = again.patch(SETTINGS, r#"{"sessions":"end","confirm":0}"#);
    assert_eq!(response.code(), "confirmation_mismatch");
    assert_eq!(world.db.texts(audit).len(), 1);
    sweeps(&world, 1);
}

#[test]
fn a_key_made_in_a_session_that_ends_for_everybody_is_not_recorded() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    world.effects.plan(&[(1, Fate::HeldAfter)]);
    let held = member.start_claim();
    world.effects.plan(&[]);
    let response = operator.patch(SETTINGS, r#"{"sessions":"end","confirm":0}"#);
    assert_eq!(response.status, 200);
    let response = held.release();
    assert_eq!(
        (response.status, response.secret()),
        (409, None),
        "{response:?}"
    );
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
}
