//! The sweep: what it works on, what it leaves alone, and when it stops.

use serde_json::json;

use crate::caps::admin;
use crate::support::{Browser, TEN_MINUTES, World, oracle};

const DEFAULT: &str = "/api/v1/admin/plans/default";

fn upstream_named(world: &World, name: &str) -> Vec<(bool, bool)> {
    let sandbox = world.sandbox.borrow();
    let keys = sandbox.ledger().keys_named(name);
    keys.map(|key| (key.disabled, key.deleted_at_ms.is_some()))
        .collect()
}

#[test]
fn a_sweep_before_the_first_sign_in_does_nothing() {
    let world = World::new();
    world.effects.plan(&[]);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    assert!(
        world
            .effects
            .names()
            .iter()
            .all(|name| name.starts_with("db"))
    );
}

#[test]
fn keys_of_others_are_never_touched() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let names = [
        "somebody's own",
        "keycap/0123456789ab/gen_000000000000000000000000",
        "keycap",
        "keycap/",
    ];
    for name in names {
        world.somebodys_key(name);
    }
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.last_run(), "done");
    }
    for name in names {
        assert_eq!(upstream_named(&world, name), [(false, false)], "{name}");
    }
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
}

#[test]
fn a_marked_key_without_a_row_is_disabled_and_listed_and_never_deleted() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    let name = world.marker_without_row(1);
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    assert_eq!(upstream_named(&world, &name), [(true, false)]);
    assert_eq!(
        world
            .db
            .texts("SELECT upstream_name FROM findings WHERE disabled_at IS NOT NULL"),
        [name]
    );
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("marker_without_row") && line.contains("error"))
    );
}

#[test]
fn many_marked_keys_without_a_row_stop_the_sweep_and_none_is_touched() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    let names: Vec<String> = (0..11).map(|n| world.marker_without_row(n)).collect();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped brake");
    for name in &names {
        assert_eq!(upstream_named(&world, name), [(false, false)]);
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM findings"), 11);
}

#[test]
fn a_mint_of_unknown_outcome_is_freed_only_by_a_walk_begun_five_minutes_after_it() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    for (after, state) in [(60, "verifying"), (239, "verifying"), (1, "void")] {
        world.pass(after);
        assert!(world.sweep());
        assert_eq!(world.states(), [state], "after {after} more seconds");
    }
    oracle::settled(&world);
}

#[test]
fn a_sweep_for_a_future_moment_acts_as_of_now_and_one_for_the_past_as_of_then() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    let future = world.now().plus(86_400);
    assert!(world.sweep_at(future));
    assert_eq!(world.states(), ["verifying"]);
    world.pass(3_600);
    let past = world.now().plus(-3_500);
    assert!(world.sweep_at(past));
    assert_eq!(world.states(), ["verifying"]);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
}

#[test]
fn a_failed_list_frees_no_mint() {
    for (kind, more, code) in [
        (
            "refuse",
            json!({ "status": 403, "times": 0 }),
            "failed credential_refused",
        ),
        (
            "refuse",
            json!({ "status": 401, "times": 0 }),
            "failed credential_refused",
        ),
        (
            "rate_limited",
            json!({ "times": 0 }),
            "failed openrouter_busy",
        ),
        (
            "html_error",
            json!({ "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "html_refuse",
            json!({ "status": 403, "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "html_refuse",
            json!({ "status": 401, "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "html_refuse",
            json!({ "status": 404, "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "error_before",
            json!({ "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "reset_before",
            json!({ "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "truncated",
            json!({ "times": 0 }),
            "failed openrouter_unavailable",
        ),
        (
            "html",
            json!({ "times": 0 }),
            "failed openrouter_unavailable",
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.add_fault("openrouter.keys.create", "reset_after", json!({}));
        assert_eq!(member.claim().status, 503);
        world.add_fault("openrouter.keys.list", kind, more);
        for _ in 0..3 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
            assert_eq!(world.states(), ["verifying"], "{kind}");
            assert_eq!(world.last_run(), code, "{kind}");
        }
        world.sandbox.borrow_mut().clear_faults();
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["void"], "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn a_404_of_another_account_is_not_gone() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    world.add_fault(
        "openrouter.keys.delete",
        "reset_before",
        json!({ "times": 3 }),
    );
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    assert_eq!(world.states(), ["revoking"]);
    // The same address now belongs to an account that has never known any of these keys.
    let ours = world.swap_account();
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["revoking"], "kept");
    }
    world.sandbox.replace(ours);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(7_200);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked"]);
    oracle::settled(&world);
}

#[test]
fn a_revoke_that_fails_six_times_is_stuck_and_tried_daily_and_holds_up_nobody() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    world.add_fault(
        "openrouter.keys.delete",
        "refuse",
        json!({ "status": 400, "times": 0 }),
    );
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    let other = Browser::signed_in(&world, "second");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(other.claim().status, 503);
    let mut hours = 0;
    while world.states() != ["stuck", "void"] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(
            world.states()[1],
            "void",
            "the other row is settled at once"
        );
        hours += 1;
        assert!(hours < 200, "{:?}", world.states());
    }
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("revoke_stuck"))
    );
    oracle::always(&world);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(86_400);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "void"]);
    oracle::settled(&world);
}

#[test]
fn keys_that_must_be_disabled_come_before_caps_that_nobody_answers() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    world.pass(90 * 86_400 + 300);
    let member = Browser::signed_in(&world, "member");
    let key = member.claim().json()["key"]["id"].clone();
    let more = json!({ "times": 3 });
    world.add_fault("openrouter.keys.update", "reset_before", more);
    let key = format!("/api/v1/keys/{}", key.as_str().unwrap());
    assert_eq!(member.delete(&key).status, 202);
    assert_eq!(world.states(), ["active", "revoking"]);
    for n in 0..50 {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    let body = json!({ "guardrail_id": world.guardrail("cheap/one") }).to_string();
    admin(&world, "PATCH", DEFAULT, &body);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.guardrails.assign", "stall_before", more);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    assert_eq!(world.states()[..2], ["expired", "revoked"]);
    // All of them count as in flight, but those whose turn came late were not sent.
    let marked = "SELECT COUNT(*) FROM generations WHERE guardrail_sent_at IS NOT NULL";
    assert_eq!(world.db.number(marked), 50);
    let called = world.calls("openrouter.guardrails.assign");
    assert!((3..50).contains(&called), "{called}");
    world.sandbox.borrow_mut().clear_faults();
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    oracle::settled(&world);
}

#[test]
fn a_row_that_the_database_refuses_holds_up_no_other() {
    let world = World::new();
    // There are two keys of each kind: expired ones, ones to be removed, and ones that have a hold and get a lower
    // limit.
    let holders = |from: usize| {
        let load = |n: usize| Browser::signed_in(&world, &format!("load-{n}"));
        let two = [load(from), load(from + 1)];
        two.iter()
            .for_each(|one| assert_eq!(one.claim().status, 201));
        two
    };
    holders(0);
    world.pass(90 * 86_400 + 300 - TEN_MINUTES);
    let gone = holders(2);
    holders(4);
    for one in gone {
        let key = one.get("/api/v1/keys").json()["keys"][0]["id"].clone();
        let more = json!({ "times": 3 });
        world.add_fault("openrouter.keys.update", "reset_before", more);
        one.delete(&format!("/api/v1/keys/{}", key.as_str().unwrap()));
    }
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"2"}"#);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id)
           SELECT key_id, 'admin', 't', 1, 't' FROM generations WHERE state = 'active' AND id > 2;
         CREATE TRIGGER refuses BEFORE INSERT ON audit WHEN NEW.target IN (SELECT public_id FROM generations WHERE id % 2 = 1)
         BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "partial errors");
    let states = [
        "active", "expired", "revoking", "revoked", "active", "disabled",
    ];
    assert_eq!(world.states(), states);
    let limits = "SELECT limit_nano / 1000000000 FROM generations WHERE id > 4 ORDER BY id";
    assert_eq!(world.db.texts(limits), ["5", "2"]);
    let refused = |line: &&String| line.contains("row_refused") && line.contains("Constraint");
    // The refused rows are the disable, the revocation and the expiry, and the caps of the two keys that are still
    // live.
    assert_eq!(world.log.borrow().iter().filter(refused).count(), 5);
    world.db.run("DROP TRIGGER refuses");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let states = [
        "expired", "expired", "revoked", "revoked", "disabled", "disabled",
    ];
    assert_eq!(world.states(), states);
    oracle::settled(&world);
}

#[test]
fn a_key_expires_five_minutes_after_its_time_and_its_owner_can_claim_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(90 * 86_400 + 299);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["state"],
        "expired"
    );
    world.pass(1);
    assert!(world.sweep());
    assert_eq!(world.states(), ["expired"]);
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let response = member.claim();
    assert_eq!(response.status, 201);
    assert_eq!(
        response.json()["key"]["id"],
        key,
        "the key goes on; its generation is the next"
    );
    assert_eq!(world.states(), ["expired", "active"]);
    oracle::always(&world);
}

#[test]
fn two_sweeps_at_once_are_one() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    world.pass(TEN_MINUTES);
    // The first run dies in the middle and keeps its lease.
    world.effects.plan(&[(2, crate::support::Fate::CutBefore)]);
    assert!(!world.sweep());
    world.effects.plan(&[]);
    assert!(world.sweep());
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM runs"),
        1,
        "the lease holds"
    );
    world.pass(540);
    assert!(world.sweep());
    assert_eq!(
        world.db.texts("SELECT outcome FROM runs ORDER BY id"),
        ["abandoned", "done"]
    );
}

#[test]
fn a_long_list_is_walked_in_pages_that_meet() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    world.somebodys_keys(350);
    world.pass(TEN_MINUTES);
    let before = world.calls("openrouter.keys.list");
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    assert_eq!(
        world.calls("openrouter.keys.list") - before,
        6,
        "four pages in steps of 90, what the last one shares with the end, and an empty one"
    );
    oracle::settled(&world);
    assert_eq!(world.states(), ["void"]);
    // Nothing is unsettled now: the next sweep looks back only as far as the last clean one, and one hour more.
    world.pass(7_200);
    assert!(world.sweep());
    world.pass(7_200);
    let before = world.calls("openrouter.keys.list");
    assert!(world.sweep());
    assert_eq!(world.calls("openrouter.keys.list") - before, 1);
}

#[test]
fn the_next_sweep_continues_a_walk_that_one_sweep_did_not_finish() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    world.somebodys_keys(37_000);
    let mut sweeps = 0;
    while world.states() != ["void"] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        sweeps += 1;
        assert!(sweeps < 5, "{}", world.last_run());
    }
    let outcomes = world.db.texts("SELECT outcome FROM runs ORDER BY id");
    assert_eq!(outcomes, ["partial", "done"]);
    oracle::settled(&world);
}

#[test]
fn rows_that_back_off_are_due_in_the_next_sweep_if_the_first_one_after_an_outage_could_not_write_that()
 {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let body = member.claim().json();
    world.spends(1.0);
    let key = format!("/api/v1/keys/{}", body["key"]["id"].as_str().unwrap());
    assert_eq!(member.delete(&key).status, 200);
    assert_eq!(world.states(), ["revoked"]);
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    for operation in ["get", "update", "delete"] {
        let operation = format!("openrouter.keys.{operation}");
        world.add_fault(&operation, "error_before", json!({ "times": 0 }));
    }
    let path = format!("/api/v1/admin/members/{}", world.member("second"));
    bans(&world, &path);
    let waits = "SELECT attempts FROM generations ORDER BY id LIMIT 1";
    while world.db.number(waits) < 7 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    world.sandbox.borrow_mut().clear_faults();
    world.db.run("CREATE TRIGGER refuses BEFORE UPDATE OF next_attempt_at ON generations WHEN OLD.state = 'revoked' BEGIN SELECT RAISE(ABORT, 'refused'); END");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0);
    assert!(world.db.number(waits) >= 7, "it still waits");
    world.db.run("DROP TRIGGER refuses");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.db.number(waits), 0);
    oracle::always(&world);
}

#[test]
fn rows_that_are_needed_only_for_a_while_are_deleted() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM used_states"), 1);
    world.pass(TEN_MINUTES + 1);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM used_states"), 0);
}

/// Bans a member. The answer is 202, because OpenRouter has not yet confirmed that their keys are disabled.
fn bans(world: &World, path: &str) {
    let operator = Browser::signed_in(world, "operator");
    let response = operator.patch(path, r#"{"status":"banned"}"#);
    assert_eq!(response.status, 202, "{response:?}");
}

#[test]
fn a_key_to_be_removed_is_disabled_one_sweep_after_an_outage_however_long_it_lasted() {
    for (outage, kind, more) in [
        (3 * 3_600, "error_before", json!({ "times": 0 })),
        (6 * 3_600 + 23 * 60, "error_before", json!({ "times": 0 })),
        (
            6 * 3_600 + 23 * 60,
            "refuse",
            json!({ "status": 400, "times": 0 }),
        ),
        (
            3 * 3_600,
            "html_refuse",
            json!({ "status": 403, "times": 0 }),
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        assert_eq!(member.claim().status, 201);
        world.spends(1.0);
        for operation in ["openrouter.keys.update", "openrouter.keys.delete"] {
            world.add_fault(operation, kind, more.clone());
        }
        let path = format!("/api/v1/admin/members/{}", world.member("member"));
        bans(&world, &path);
        let ends = world.now().plus(outage);
        while world.now() < ends {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
            assert_eq!(world.usable().len(), 1, "{kind}");
        }
        assert_eq!(world.states(), ["stuck"]);
        world.sandbox.borrow_mut().clear_faults();
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.usable().len(), 0, "{kind} {outage}");
        assert_eq!(world.states(), ["revoked"]);
        let settled = "SELECT usage_lifetime_nano FROM generations";
        assert_eq!(
            world.db.number(settled),
            1_000_000_000,
            "its figures are not lost"
        );
        oracle::settled(&world);
    }
}

#[test]
fn keys_that_must_be_disabled_are_tried_while_the_account_is_unknown() {
    let world = World::new();
    let (first, second) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    for one in [&first, &second] {
        assert_eq!(one.claim().status, 201);
    }
    let more = json!({ "times": 3 });
    world.add_fault("openrouter.keys.update", "error_before", more.clone());
    let key = first.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", key.as_str().unwrap());
    assert_eq!(first.patch(&key, r#"{"disabled":true}"#).status, 202);
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 6 }),
    );
    let path = format!("/api/v1/admin/members/{}", world.member("second"));
    bans(&world, &path);
    assert_eq!(world.usable().len(), 2);
    world.sandbox.borrow_mut().clear_faults();
    world.add_fault(
        "openrouter.workspaces.get",
        "error_before",
        json!({ "times": 0 }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "failed openrouter_unavailable");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(
        world.states(),
        ["disabled", "revoking"],
        "nothing is concluded"
    );
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["disabled", "revoked"]);
}

#[test]
fn a_key_that_can_be_neither_disabled_nor_deleted_gets_the_least_limit() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    // OpenRouter accepts a limit, but neither a switch nor a delete.
    world.bend.set(Some(|call, answer| {
        let switches = call
            .body
            .as_deref()
            .is_some_and(|body| body.contains("disabled"));
        if call.method == "DELETE" || (call.method == "PATCH" && switches) {
            *answer = json!({ "odd": true });
        }
    }));
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        json!({ "times": 0 }),
    );
    let refused = |nth: u32| json!({ "nth": nth, "status": 400 });
    for nth in [1, 3, 5, 7, 9, 11] {
        world.add_fault("openrouter.keys.update", "refuse", refused(nth));
    }
    let path = format!("/api/v1/admin/members/{}", world.member("member"));
    bans(&world, &path);
    for _ in 0..5 {
        assert_eq!(
            world.usable()[0].limit,
            Some(sandbox::Usd::from_dollars(0.01))
        );
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("key_not_disabled"))
    );
    world.bend.set(None);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn rows_that_back_off_are_due_once_a_change_is_answered_again() {
    let world = World::new();
    let first = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    for one in [&first, &second] {
        assert_eq!(one.claim().status, 201);
    }
    let key = first.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", key.as_str().unwrap());
    assert_eq!(first.delete(&key).json()["key"]["state"], "revoked");
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        json!({ "times": 0 }),
    );
    for _ in 0..24 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    world.sandbox.borrow_mut().clear_faults();
    let erased = "SELECT COUNT(*) FROM generations WHERE erased_at IS NOT NULL";
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.db.number(erased), 0, "it waits longer each time");
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id)
         SELECT MAX(id), 'admin', 't', 1, 't' FROM keys",
    );
    for deleted in [0, 1] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.db.number(erased), deleted);
    }
    assert_eq!(world.states(), ["revoked", "disabled"]);
}

#[test]
fn a_run_that_died_does_not_cost_the_next_trigger_its_run() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    // An admin asked for this run, and it died with its isolate.
    world.effects.plan(&[]);
    let response = operator.post("/api/v1/admin/jobs/sweep", r#"{"dry_run":false}"#);
    assert_eq!(response.status, 202);
    let names = world.effects.names();
    let last = names.len() - 1;
    world.pass(TEN_MINUTES);
    world
        .effects
        .plan(&[(last, crate::support::Fate::CutBefore)]);
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
    ];
    let body = keycap::http::server::message::Body::Bytes(br#"{"dry_run":false}"#.to_vec());
    let response = operator.try_send("POST", "/api/v1/admin/jobs/sweep", &headers, body);
    assert!(response.is_none(), "it died");
    world.effects.plan(&[]);
    let running = "SELECT COUNT(*) FROM runs WHERE outcome = 'running'";
    assert_eq!(world.db.number(running), 1);
    world.pass(61);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    // The run of a trigger renews its lease for as long as it works.
    world.db.run(
        "DELETE FROM runs;
         INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1)",
    );
    for n in 0..9 {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    world.db.run(
        "INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.update", "stall_before", more);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let longest = world.db.number("SELECT lease_until - started_at FROM runs");
    assert!((151..=600).contains(&longest), "{longest}");
}

#[test]
fn findings_are_listed_newest_first_until_they_are_acknowledged() {
    const FINDINGS: &str = "/api/v1/admin/findings";
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let alarms = || {
        let log = world.log.borrow();
        log.iter()
            .filter(|line| line.contains("marker_without_row"))
            .count()
    };
    for n in 0..60 {
        world.db.run(&format!(
            "INSERT INTO findings (public_id, upstream_hash, upstream_name, first_seen_at, last_seen_at, disabled_at, acknowledged_at)
             VALUES ('fnd_{n:024x}', 'h{n}', 'n{n}', 1, {now}, 1, NULL)",
            now = world.now().secs(),
        ));
    }
    let name = world.marker_without_row(1);
    let sweep = || {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    };
    sweep();
    let page = operator.get(FINDINGS).json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        let found = page["findings"].as_array().unwrap();
        found
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&page)[..2], [name, String::from("n59")]);
    assert_eq!(names(&page).len(), 50);
    let next = page["next"].as_str().unwrap();
    let rest = operator.get(&format!("{FINDINGS}?after={next}")).json();
    assert_eq!((names(&rest).len(), &rest["next"]), (11, &json!(null)));
    assert!(
        !page.to_string().contains("hash"),
        "who knows a hash can have the key disabled"
    );
    // Each sweep that sees the key reports it, until an admin has acknowledged it.
    let before = alarms();
    sweep();
    assert_eq!(alarms(), before + 1);
    let id = page["findings"][0]["id"].as_str().unwrap();
    let of = format!("{FINDINGS}/{id}");
    for _ in 0..2 {
        assert_eq!(operator.patch(&of, r#"{"acknowledged":true}"#).status, 200);
    }
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'finding_acknowledged'";
    assert_eq!(world.db.number(rows), 1);
    for body in ["{}", r#"{"acknowledged":false}"#] {
        assert_eq!(operator.patch(&of, body).status, 400);
    }
    let nobodys = format!("{FINDINGS}/fnd_ffffffffffffffffffffffff");
    assert_eq!(
        operator.patch(&nobodys, r#"{"acknowledged":true}"#).status,
        404
    );
    sweep();
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(alarms(), before + 1, "acknowledged");
    // Somebody enables the key again, so it is reported again.
    let hash = world.db.text(&format!(
        "SELECT upstream_hash FROM findings WHERE public_id = '{id}'"
    ));
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": false }),
    );
    sweep();
    assert_eq!(alarms(), before + 2);
    let one = operator.get(FINDINGS).json()["findings"][0].clone();
    assert_eq!(one["acknowledged_at"], json!(null));
    assert_ne!(one["disabled_at"], json!(null), "and disabled again");
    // A finding whose key no longer exists is deleted after a while.
    world.by_hand("DELETE", &format!("/keys/{hash}"), &serde_json::Value::Null);
    world.pass(30 * 86_400);
    sweep();
    assert_eq!(world.db.number("SELECT COUNT(*) FROM findings"), 0);
}
