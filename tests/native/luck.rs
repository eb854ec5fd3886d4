//! Bad luck that lasts, lands late or looks like something else: questions of a hostile reader, kept as tests.

use keycap::ports::DbError;
use serde_json::json;

use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

/// Runs an operation and returns the last batch of it that wrote something, so that it can land once more much later.
fn last_batch(world: &World, operation: impl FnOnce()) -> Vec<keycap::ports::Stmt> {
    *world.db.trace.borrow_mut() = Some(Vec::new());
    operation();
    let trace = world.db.trace.borrow_mut().take().unwrap();
    let wrote = trace.iter().rev().find(|ran| !ran.wrote().is_empty());
    wrote.unwrap().stmts.clone()
}

fn lands_late(world: &World, batch: Vec<keycap::ports::Stmt>) {
    use keycap::ports::Database;
    let before = world.db.dump();
    let result = world.run(world.db.batch(batch)).unwrap();
    assert_eq!(result, Err(DbError::Constraint));
    assert_eq!(world.db.dump(), before);
}

#[test]
fn a_switch_that_takes_effect_late_does_not_undo_a_newer_one() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let patch = |body: &str| assert_eq!(operator.patch(SETTINGS, body).status, 200, "{body}");
    patch(r#"{"minting":"stopped"}"#);
    let open = last_batch(&world, || patch(r#"{"minting":"open"}"#));
    patch(r#"{"minting":"stopped"}"#);
    lands_late(&world, open);

    patch(r#"{"keys":"off","confirm":0}"#);
    let on = last_batch(&world, || patch(r#"{"keys":"on"}"#));
    patch(r#"{"keys":"off","confirm":0}"#);
    lands_late(&world, on);
}

#[test]
fn a_sign_out_everywhere_that_takes_effect_late_spares_newer_sessions() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let end = last_batch(&world, || {
        assert_eq!(
            member.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
    });
    let again = Browser::signed_in(&world, "member");
    lands_late(&world, end);
    assert_eq!(again.get("/api/v1/me").status, 200);
}

/// Makes five members with keys, and disables all keys.
fn five_keys_off() -> (World, Cookies) {
    let world = World::new();
    for n in 0..5 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(person.claim().status, 201);
    }
    let operator = Browser::signed_in(&world, "operator");
    let response = operator.patch(SETTINGS, r#"{"keys":"off","confirm":5}"#);
    assert_eq!(response.status, 200);
    let cookies = operator.cookies.borrow().clone();
    (world, cookies)
}

#[test]
fn one_key_that_upstream_refuses_to_switch_holds_up_no_other() {
    let (world, _) = five_keys_off();
    world.add_fault("openrouter.keys.update", "refuse", json!({ "status": 403 }));
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 1, "{}", world.last_run());
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn disabling_works_at_once_after_hours_of_failures() {
    let (world, cookies) = five_keys_off();
    world.add_fault(
        "openrouter.keys.update",
        "error_after",
        json!({ "times": 0 }),
    );
    sweeps(&world, 40);
    let operator = Browser::with(&world, &cookies);
    assert_eq!(operator.patch(SETTINGS, r#"{"keys":"on"}"#).status, 200);
    sweeps(&world, 40);
    world.sandbox.borrow_mut().clear_faults();
    let response = operator.patch(SETTINGS, r#"{"keys":"off","confirm":5}"#);
    assert_eq!(response.status, 200);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn while_every_key_is_disabled_none_is_made_even_if_minting_is_opened() {
    let (world, cookies) = five_keys_off();
    let operator = Browser::with(&world, &cookies);
    let response = operator.patch(SETTINGS, r#"{"minting":"open"}"#);
    assert_eq!(response.status, 200);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().code(), "minting_stopped");
}

#[test]
fn one_row_that_is_refused_does_not_stop_the_sweep() {
    for operation in ["openrouter.keys.delete", "openrouter.keys.get"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        if operation.ends_with("delete") {
            world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
            let more = json!({ "status": 403, "times": 0 });
            world.add_fault(operation, "refuse", more);
            assert_eq!(member.claim().code(), "openrouter_mismatch");
        } else {
            assert_eq!(member.claim().status, 201);
            let more = json!({ "status": 403, "times": 0 });
            world.add_fault(operation, "refuse", more);
            world.pass(91 * 86_400);
        }
        let other = Browser::signed_in(&world, "second");
        world.add_fault("openrouter.keys.create", "reset_before", json!({}));
        assert_eq!(other.claim().status, 503);
        sweeps(&world, 2);
        assert_eq!(
            world.states()[1],
            "void",
            "{operation}: {}",
            world.last_run()
        );
    }
}

#[test]
fn keys_whose_recorded_hash_is_not_upstream_are_not_deleted() {
    for keys in [1, 30] {
        let world = World::new();
        for n in 0..keys {
            let person = Browser::signed_in(&world, &format!("load-{n}"));
            assert_eq!(person.claim().status, 201);
        }
        // OpenRouter now lists its keys under hashes other than those that its creates answered.
        world
            .db
            .run("UPDATE generations SET upstream_hash = 'ff' || substr(upstream_hash, 3)");
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.usable().len(), keys, "{}", world.last_run());
        assert_ne!(world.last_run(), "done");
        world
            .db
            .run("UPDATE generations SET upstream_hash = secret_sha256");
    }
}

#[test]
fn too_many_strange_keys_stop_the_sweep_before_any_deletion() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    (0..11).for_each(|n| drop(world.marker_without_row(n)));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped brake");
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
    assert_eq!(world.states(), ["verifying"]);
}

#[test]
fn keys_disabled_in_earlier_weeks_do_not_stop_the_sweep() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    for week in 0..3 {
        (0..6).for_each(|n| drop(world.marker_without_row(week * 6 + n)));
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.last_run(), "done");
        world.pass(7 * 86_400);
    }
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"], "{}", world.last_run());
}

#[test]
fn another_accounts_empty_list_frees_nothing_and_nothing_is_minted_there() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    world.somebodys_keys(150);
    let ours = world.swap_account();
    let other = Browser::signed_in(&world, "load-1");
    let response = other.claim();
    assert_eq!(response.code(), "openrouter_mismatch", "{response:?}");
    assert_eq!(world.usable().len(), 0, "none is left there");
    for _ in 0..12 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.last_run(), "stopped foreign_account");
    }
    assert_eq!(world.states()[..2], ["active", "verifying"]);
    assert_eq!(other.claim().code(), "foreign_account");
    world.sandbox.replace(ours);
    sweeps(&world, 2);
    assert_eq!(world.states()[..2], ["active", "void"]);
    assert_eq!(world.usable().len(), 1, "the stray is gone");
}

#[test]
fn a_stray_whose_delete_fails_for_hours_is_not_forgotten() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "late", json!({}));
    assert_eq!(member.claim().status, 503);
    sweeps(&world, 2);
    assert_eq!(world.states(), ["void"]);
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().land_late(now);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.delete", "error_before", more);
    sweeps(&world, 9);
    world.somebodys_keys(150);
    sweeps(&world, 9);
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    oracle::settled(&world);
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn a_marked_key_that_could_not_be_disabled_is_tried_again() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    sweeps(&world, 1);
    world.marker_without_row(1);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.update", "error_before", more);
    world.somebodys_keys(150);
    for _ in 0..18 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let disabled = "SELECT COUNT(*) FROM findings WHERE disabled_at IS NOT NULL";
    assert_eq!(world.db.number(disabled), 1);
}

#[test]
fn a_committed_record_that_reads_as_a_refusal_is_delivered() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[(2, Fate::RefusedAfter)]);
    let response = member.claim();
    assert!(
        world.effects.names()[2].contains("RECORD"),
        "{:?}",
        world.effects.names()
    );
    assert_eq!(response.status, 201, "{response:?}");
    oracle::settled(&world);
    assert_eq!(world.usable().len(), 1);

    // The answer is lost although the batch is committed, and the retry is refused.
    let second = Browser::signed_in(&world, "second");
    world
        .effects
        .plan(&[(2, Fate::LostAfter), (3, Fate::RefusedAfter)]);
    assert_eq!(second.claim().status, 201);
    oracle::settled(&world);
    assert_eq!(world.usable().len(), 2);
}

#[test]
fn a_key_that_was_deleted_before_a_crash_is_known_to_be_gone() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    // The attempt reserves, creates, abandons and deletes, and then the isolate dies.
    world.effects.plan(&[(3, Fate::CutAfter)]);
    assert!(member.try_claim().is_none());
    assert!(world.effects.names()[3].starts_with("http DELETE"));
    world.effects.plan(&[]);
    world
        .db
        .run("UPDATE generations SET workspace_id = NULL WHERE state = 'revoking'");
    sweeps(&world, 1);
    assert_eq!(world.states(), ["active", "revoked"]);
    assert_eq!(member.claim().status, 201);
}

#[test]
fn a_bad_page_in_a_long_walk_does_not_lose_earlier_pages() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    for _ in 0..5 {
        world.somebodys_keys(150);
    }
    let lists = |world: &World| world.calls("openrouter.keys.list");
    for (nth, outcome) in [(4, "partial"), (1, "partial"), (3, "partial")] {
        let more = json!({ "nth": nth, "retry_after": 30 });
        world.add_fault("openrouter.keys.list", "rate_limited", more);
        sweeps(&world, 1);
        assert_eq!(world.last_run(), outcome);
    }
    let before = lists(&world);
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "done");
    assert!(lists(&world) - before <= 7, "it went on where it stood");
    assert_eq!(world.states(), ["void"]);
}

#[test]
fn an_unknown_address_reads_the_database_no_more_often_than_a_known_one() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let limits = keycap::ports::rate_limit::Limit::ALL;
    world.refusing.borrow_mut().extend(limits);
    for path in ["/nothing", SETTINGS] {
        world.effects.plan(&[]);
        assert_eq!(member.get(path).status, 429, "{path}");
        assert_eq!(world.effects.count(), 0, "{path}");
    }
}

#[test]
fn a_plan_with_a_missing_workspace_stops_no_sweep() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_seeded', 't', 1);
         UPDATE plans SET workspace_id = '5a4db0c5-0000-4000-8000-0000000000ab', change_id = 't' WHERE is_default = 1",
    );
    sweeps(&world, 1);
    assert_eq!(world.last_run(), "done");
}

#[test]
fn an_expired_key_stays_on_the_page_after_a_failed_claim() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(90 * 86_400 + 301);
    assert!(world.sweep());
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().status, 502);
    let keys = member.get("/api/v1/keys").json();
    assert_eq!(keys["keys"][0]["state"], "expired", "{keys}");
}

#[test]
fn a_mint_that_openrouter_asks_to_postpone_uses_up_no_attempt() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let more = json!({ "retry_after": 1, "times": 12 });
    world.add_fault("openrouter.keys.create", "rate_limited", more);
    for _ in 0..12 {
        assert_eq!(member.claim().code(), "openrouter_busy");
        world.pass(2);
    }
    assert_eq!(member.claim().status, 201);
}

/// Runs an operation and returns the batch that it sent with this statement first.
fn batch_of(world: &World, first: &str, operation: impl FnOnce()) -> Vec<keycap::ports::Stmt> {
    *world.db.trace.borrow_mut() = Some(Vec::new());
    operation();
    let trace = world.db.trace.borrow_mut().take().unwrap();
    let is_it = |stmts: &Vec<keycap::ports::Stmt>| {
        let name = stmts.first().map_or("", |stmt| stmt.sql.name);
        name.ends_with(first)
    };
    let found = trace.into_iter().map(|ran| ran.stmts).find(is_it);
    found.unwrap_or_else(|| panic!("no {first}"))
}

/// Lets a batch land once more after something newer. It must change nothing, whether the database refuses it or not.
fn lands_for_nothing(world: &World, batch: Vec<keycap::ports::Stmt>) {
    use keycap::ports::Database;
    let before = world.db.dump();
    let landed = world.run(world.db.batch(batch)).unwrap();
    assert!(matches!(landed, Ok(_) | Err(DbError::Constraint)));
    assert_eq!(world.db.dump(), before);
}

/// Makes a world with one claimed key. Returns the key's hash and its address for admins.
fn one_key() -> (World, String, String) {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    world.pass(TEN_MINUTES);
    let hash = world.usable().remove(0).hash;
    let key = world.db.text("SELECT public_id FROM keys");
    (world, hash, format!("/api/v1/admin/keys/{key}"))
}

#[test]
fn a_missing_or_found_key_that_is_recorded_late_undoes_nothing_newer() {
    use keycap::domain::id::{IdKind, PublicId};
    use keycap::store::keys::missing;
    let (world, _, _) = one_key();
    let generation = world.db.text("SELECT public_id FROM generations");
    let (service, now) = (world.service(), world.now());
    let db = &*service.app().db;
    let change = |n: u8| PublicId::new(IdKind::Change, [n; 12]);
    let changes = [change(1), change(2), change(3)];
    let missed = batch_of(&world, "MISSED_GUARD", || {
        let missed = missing::missed(db, &generation, "sweep", &changes[0], now);
        assert_eq!(world.run(missed), Some(Ok(true)));
    });
    let found = batch_of(&world, "FOUND_GUARD", || {
        let found = missing::found(db, &generation, "sweep", &changes[1], now);
        assert_eq!(world.run(found), Some(Ok(true)));
    });
    lands_for_nothing(&world, missed);
    let again = missing::missed(db, &generation, "sweep", &changes[2], now);
    assert_eq!(world.run(again), Some(Ok(true)));
    lands_for_nothing(&world, found);
}

#[test]
fn an_outside_change_or_its_lifting_that_is_recorded_late_undoes_nothing_newer() {
    const LIFT: &str = r#"{"upstream_hold":"lift"}"#;
    for by_hand in [json!({ "disabled": true }), json!({ "limit": 2 })] {
        let (world, hash, key) = one_key();
        let operator = Browser::signed_in(&world, "operator");
        let first = if by_hand["limit"].is_null() {
            "::HOLD_GUARD"
        } else {
            "::LIMIT_GUARD"
        };
        let happens = || {
            world.by_hand("PATCH", &format!("/keys/{hash}"), &by_hand);
            assert!(world.reconcile());
        };
        let lift = || assert!(operator.patch(&key, LIFT).status < 300);
        let kept = batch_of(&world, first, happens);
        // OpenRouter does not take the lifted state yet, so the row still says that the key is disabled.
        let down = json!({ "status": 500, "times": 0 });
        world.add_fault("openrouter.keys.update", "error_before", down);
        let lifted = batch_of(&world, "::LIFT_GUARD", lift);
        lands_for_nothing(&world, kept);
        world.sandbox.borrow_mut().clear_faults();
        sweeps(&world, 2);
        happens();
        let all_rows = "SELECT json_array((SELECT COUNT(*) FROM holds WHERE reason = 'upstream'),
            (SELECT upstream_limit_nano FROM keys))";
        let before = world.db.text(all_rows);
        assert_ne!(before, "[0,null]");
        {
            use keycap::ports::Database;
            // The late batch may only mark what is wanted as due once more.
            drop(world.run(world.db.batch(lifted)));
        }
        assert_eq!(world.db.text(all_rows), before, "{by_hand}");
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn an_acknowledgement_that_is_recorded_late_hides_no_newer_finding() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    world.marker_without_row(1);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let (id, hash) = (
        world.db.text("SELECT public_id FROM findings"),
        world.db.text("SELECT upstream_hash FROM findings"),
    );
    let of = format!("/api/v1/admin/findings/{id}");
    let acknowledge = || {
        let response = operator.patch(&of, r#"{"acknowledged":true}"#);
        assert_eq!(response.status, 200, "{response:?}");
    };
    let enabled_again = || {
        let enabled = json!({ "disabled": false });
        world.by_hand("PATCH", &format!("/keys/{hash}"), &enabled);
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    };
    let first = batch_of(&world, "ACKNOWLEDGE_GUARD", acknowledge);
    enabled_again();
    lands_for_nothing(&world, first.clone());
    acknowledge();
    enabled_again();
    lands_for_nothing(&world, first);
}
