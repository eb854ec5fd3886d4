//! Disabling and enabling keys, when a switch is in flight, takes effect late or is no longer wanted.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::session::Session;
use keycap::domain::policy::switches::Minting;
use keycap::store::ops::origin;
use keycap::store::ops::settings::{self, SettingsOutcome};
use serde_json::json;

use crate::support::{Browser, TEN_MINUTES, World, oracle};

#[test]
fn a_disable_that_takes_effect_late_does_not_undo_a_newer_enable() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let settings = "/api/v1/admin/settings";
    assert_eq!(
        operator
            .patch(settings, r#"{"keys":"off","confirm":1}"#)
            .status,
        200
    );
    *world.db.trace.borrow_mut() = Some(Vec::new());
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let trace = world.db.trace.borrow_mut().take().unwrap();
    let disable = trace
        .iter()
        .find(|ran| ran.stmts[0].sql.name.ends_with("holds::CONFIRMED_GUARD"))
        .unwrap();
    assert_eq!(operator.patch(settings, r#"{"keys":"on"}"#).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);
    let before = world.db.dump();
    use keycap::ports::Database;
    let landed = world.run(world.db.batch(disable.stmts.clone())).unwrap();
    assert!(landed.is_ok(), "{landed:?}");
    assert_eq!(world.db.dump(), before, "its nonce is another's by now");
}

#[test]
fn each_switch_requires_a_current_session_in_its_own_statement() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let id = world.db.text("SELECT public_id FROM members");
    let before = world.db.dump();
    let session = |epoch| Session {
        member: PublicId::parse(IdKind::Member, &id).unwrap(),
        epoch,
    };
    let (db, now, change) = (
        &world.db,
        world.now(),
        PublicId::new(IdKind::Change, [9; 12]),
    );
    let ended = session(7);
    for response in [
        world.run(settings::switch_minting(
            db,
            &ended,
            &change,
            Minting::Stopped,
            now,
        )),
        world.run(settings::keys_off(db, &ended, &change, 9, now)),
        world.run(settings::keys_on(db, &ended, &change, now)),
        world.run(origin::take_over(
            db,
            &ended,
            &change,
            "https://elsewhere.example",
            now,
        )),
    ] {
        assert!(
            matches!(response, Some(Ok(SettingsOutcome::Refused(_)))),
            "{response:?}"
        );
        assert_eq!(world.db.dump(), before);
    }
    drop(operator);
}

#[test]
fn a_switch_that_is_no_longer_wanted_is_not_sent() {
    let world = World::new();
    for person in ["member", "second"] {
        assert_eq!(Browser::signed_in(&world, person).claim().status, 201);
    }
    // Just before the two keys are marked to be disabled, the hold of one of them is lifted.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
    let database = world.db.clone();
    world.effects.between(Some(Box::new(move |name| {
        if name.ends_with("holds::WANTED") {
            database.run("DELETE FROM holds WHERE key_id = (SELECT MAX(key_id) FROM holds) AND 1 < (SELECT COUNT(*) FROM holds)");
        }
    })));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.calls("openrouter.keys.update"), 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_switch_that_is_no_longer_wanted_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    // The hold is lifted while the switch is in flight.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys;
         CREATE TRIGGER goes AFTER UPDATE OF switch_doubted_at ON generations WHEN NEW.switch_doubted_at IS NOT NULL
         BEGIN DELETE FROM holds; END",
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);
    let confirmed = "SELECT action FROM audit WHERE before = 'active' OR before = 'disabled'";
    assert_eq!(world.db.texts(confirmed), ["enabled"]);
    // The same sweep sends what is wanted by then.
    assert_eq!(world.calls("openrouter.keys.update"), 2);
    assert_eq!(world.usable().len(), 1);
}

#[test]
fn an_enable_in_flight_is_followed_by_a_second_disable() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let patch = |body: &str| assert_eq!(operator.patch("/api/v1/admin/settings", body).status, 200);
    let sweep_after = |secs: i64| {
        world.pass(secs);
        assert!(world.sweep());
        oracle::always(&world);
    };
    patch(r#"{"keys":"off","confirm":1}"#);
    sweep_after(TEN_MINUTES);
    patch(r#"{"keys":"on"}"#);
    // All three attempts are lost on the way.
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    sweep_after(TEN_MINUTES);
    patch(r#"{"keys":"off","confirm":1}"#);
    // The key is confirmed as disabled, but the request that was sent a minute ago may still take effect.
    sweep_after(60);
    let said = world.calls("openrouter.keys.update");
    assert_eq!(said, 1 + 3 + 1, "at once, though the row was postponed");
    let now = world.now_ms.get();
    assert!(world.sandbox.borrow_mut().land_late(now) > 0);
    assert_eq!(world.usable().len(), 1, "it has landed");
    sweep_after(TEN_MINUTES);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn a_disable_that_takes_effect_late_is_undone_by_the_next_enable() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let patch = |body: &str| assert_eq!(operator.patch("/api/v1/admin/settings", body).status, 200);
    patch(r#"{"keys":"off","confirm":1}"#);
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    patch(r#"{"keys":"on"}"#);
    let now = world.now_ms.get();
    assert!(world.sandbox.borrow_mut().land_late(now) > 0);
    assert_eq!(world.usable().len(), 0, "it has landed");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_switch_whose_answer_is_lost_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let off = r#"{"keys":"off","confirm":1}"#;
    assert_eq!(operator.patch("/api/v1/admin/settings", off).status, 200);
    world.add_fault(
        "openrouter.keys.update",
        "reset_before",
        json!({ "times": 3 }),
    );
    for (state, usable) in [("active", 1), ("disabled", 0)] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(&world);
        assert_eq!(world.states(), [state]);
        assert_eq!(world.usable().len(), usable);
    }
}
