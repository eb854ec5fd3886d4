//! Prepaid plans: a key may spend in its whole life what was paid, less the margin.

use serde_json::json;

use crate::caps::{address, admin, assign, limits, spends, sweeps};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

fn pays(world: &World, member: &Browser<'_>, id: &str, amount: &str) -> Response {
    let body = json!({ "payment_id": id, "amount_usd": amount }).to_string();
    let target = format!("{}/payments", address(member));
    Browser::signed_in(world, "operator").post(&target, &body)
}

#[test]
fn a_payment_less_the_margin_is_the_limit_from_the_beginning() {
    let world = World::new();
    let margin = r#"{"margin_percent":"20"}"#;
    admin(&world, "PATCH", "/api/v1/admin/plans/prepaid", margin);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(pays(&world, &member, "p-1", "50").code(), "not_prepaid");
    assign(&world, &member, "prepaid");
    assert_eq!(member.claim().code(), "credit_spent");
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    let paid = pays(&world, &member, "p-1", "50");
    assert_eq!(paid.status, 201, "{paid:?}");
    assert_eq!(paid.json()["payment"]["credit_usd"], "40.00");
    let key = member.claim().json()["key"].clone();
    assert_eq!(
        (&key["limit_usd"], &key["limit_reset"], &key["resets_at"]),
        (&json!("40.00"), &json!("none"), &json!(null))
    );
    assert_eq!(world.usable()[0].limit_reset, None);
    spends(&world, 40.0);
    world.pass(32 * 86_400);
    assert!(world.sweep());
    assert_eq!(limits(&world), [40.0], "no month gives it back");
    oracle::settled(&world);
}

#[test]
fn a_payment_counts_once_and_tops_the_limit_up_in_place() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
    assert_eq!(member.claim().status, 201);
    assert_eq!(pays(&world, &member, "p-1", "10").status, 200);
    for amount in ["11", "9.99"] {
        let response = pays(&world, &member, "p-1", amount);
        assert_eq!(
            (response.status, response.code()),
            (422, "payment_mismatch".into())
        );
    }
    let second = Browser::signed_in(&world, "second");
    assign(&world, &second, "prepaid");
    assert_eq!(
        pays(&world, &second, "p-1", "10").code(),
        "payment_mismatch"
    );
    assert_eq!(limits(&world), [10.0]);
    assert_eq!(pays(&world, &member, "p-2", "5.50").status, 201);
    assert_eq!(limits(&world), [15.5]);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    let booked = "SELECT COUNT(*) FROM audit WHERE action = 'payment_booked'";
    assert_eq!(world.db.number(booked), 2);
    oracle::settled(&world);
}

#[test]
fn a_used_key_that_comes_to_a_prepaid_plan_begins_with_the_whole_payment() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    spends(&world, 4.0);
    assign(&world, &member, "prepaid");
    assert_eq!(world.usable().len(), 1, "the sweep puts it off");
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0, "nothing is paid yet");
    assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [14.0]);
    assert_eq!(world.usable()[0].limit_reset, None);
    oracle::settled(&world);
}

#[test]
fn an_owner_who_comes_to_a_prepaid_plan_spends_nothing_before_the_first_payment() {
    for used in [0.5, 4.0, 5.0] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        assert_eq!(member.claim().status, 201);
        spends(&world, used);
        member.post("/api/v1/keys/refresh", "{}");
        let hash = world.usable()[0].hash.clone();
        let spends_more = || {
            let (price, now) = (sandbox::Usd { nanos: 1 }, world.upstream_now_ms());
            world.sandbox.borrow_mut().spend(&hash, price, now)
        };
        assign(&world, &member, "prepaid");
        assert_eq!(spends_more(), sandbox::Spent::LimitReached, "{used}");
        sweeps(&world, 1);
        assert_eq!(spends_more(), sandbox::Spent::Unusable, "{used}");
        assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
        sweeps(&world, 1);
        assert_eq!(limits(&world), [used + 10.0]);
        oracle::settled(&world);
    }
}

#[test]
fn the_spend_of_a_removed_prepaid_key_is_not_given_to_the_next_one() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
    let first = member.claim().json();
    spends(&world, 4.0);
    let id = first["key"]["id"].as_str().unwrap();
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    world.pass(40 * 86_400);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().json()["key"]["limit_usd"], "6.00");
    let more = r#"{"name":"second"}"#;
    assert_eq!(member.post("/api/v1/keys", more).code(), "keys_used_up");
    oracle::settled(&world);
}

#[test]
fn a_top_up_while_a_mint_is_under_way_is_not_lost() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
    world.effects.plan(&[(1, crate::support::Fate::HeldAfter)]);
    let held = member.start_claim();
    world.effects.plan(&[]);
    assert_eq!(pays(&world, &member, "p-2", "5").status, 201);
    assert_eq!(held.release().status, 201);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [15.0]);
    oracle::settled(&world);
}

#[test]
fn spend_of_a_key_that_ended_before_its_owner_prepaid_does_not_count_against_the_payment() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let key = member.claim().json()["key"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    spends(&world, 4.0);
    assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
    sweeps(&world, 2);
    assign(&world, &member, "prepaid");
    assert_eq!(pays(&world, &member, "p-1", "10").status, 201);
    assert_eq!(member.claim().json()["key"]["limit_usd"], "10.00");
    oracle::settled(&world);
}

#[test]
fn unspent_credit_is_available_again_after_another_plan() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "prepaid");
    assert_eq!(pays(&world, &member, "p-1", "40").status, 201);
    assert_eq!(member.claim().status, 201);
    spends(&world, 15.0);
    assign(&world, &member, "pro");
    sweeps(&world, 2);
    spends(&world, 3.0);
    assign(&world, &member, "prepaid");
    sweeps(&world, 2);
    // The limit is the 18 dollars that the key has spent in its life, and the 25 that are left of the payments.
    assert_eq!(limits(&world), [43.0]);
    let again = pays(&world, &member, "p-1", "40");
    assert_eq!(
        (again.status, &again.json()["already_booked"]),
        (200, &json!(true))
    );
    assert_eq!(limits(&world), [43.0]);
    let second = pays(&world, &member, "p-2", "5");
    assert_eq!(
        (second.status, &second.json()["already_booked"]),
        (201, &json!(false))
    );
    assert_eq!(limits(&world), [48.0]);
    // The same once more, now with a key that is deleted in between.
    spends(&world, 10.0);
    let id = world.db.text("SELECT public_id FROM keys");
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    sweeps(&world, 3);
    assign(&world, &member, "free");
    assign(&world, &member, "prepaid");
    let made = member.at_fresh_isolate().claim();
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["key"]["limit_usd"], "20.00");
    oracle::settled(&world);
}

#[test]
fn prepaying_neither_begins_nor_stops_while_figures_cannot_be_read() {
    for (first, then) in [("pro", "prepaid"), ("prepaid", "pro")] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        assign(&world, &member, "prepaid");
        assert_eq!(pays(&world, &member, "p-1", "40").status, 201);
        assert_eq!(member.claim().status, 201);
        if first == "pro" {
            assign(&world, &member, first);
            sweeps(&world, 1);
        }
        let plan = "SELECT p.name FROM owners o JOIN plans p ON p.id = o.plan_id WHERE o.kind = 'member' ORDER BY o.id LIMIT 1";
        let before = world.db.text(plan);
        spends(&world, 4.0);
        world.add_fault("openrouter.keys.get", "error_before", json!({ "times": 9 }));
        let target = format!("{}/plan", address(&member));
        let operator = Browser::signed_in(&world, "operator");
        let body = json!({ "plan": then }).to_string();
        let response = operator.post(&target, &body);
        assert_eq!(
            (response.status, response.code()),
            (503, "spend_unread".into())
        );
        assert_eq!(response.header("retry-after"), "60");
        assert_eq!(world.db.text(plan), before, "nothing was changed");
        world.sandbox.borrow_mut().clear_faults();
        assert_eq!(operator.post(&target, &body).status, 200);
        sweeps(&world, 2);
        oracle::settled(&world);
    }
}

#[test]
fn the_statement_itself_refuses_a_prepaid_plan_while_a_key_is_unread() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let target = format!("{}/plan", address(&member));
    // The figure that was just read is lost before the plan is assigned.
    world.db.run("CREATE TRIGGER forgets AFTER UPDATE OF usage_read_at ON generations BEGIN UPDATE generations SET usage_read_at = NULL; END");
    let response = operator.post(&target, r#"{"plan":"prepaid"}"#);
    assert_eq!(
        (response.status, response.code()),
        (503, "spend_unread".into())
    );
    world.db.run("DROP TRIGGER forgets");
    assert_eq!(operator.post(&target, r#"{"plan":"prepaid"}"#).status, 200);
}

/// Makes a member with 40 prepaid dollars, of which 15 are spent, who gets another plan while OpenRouter accepts no
/// change.
fn leaving_while_changes_fail<'w>(world: &'w World, kind: &str) -> Browser<'w> {
    let member = Browser::signed_in(world, "member");
    assign(world, &member, "prepaid");
    assert_eq!(pays(world, &member, "p-1", "40").status, 201);
    assert_eq!(member.claim().status, 201);
    spends(world, 15.0);
    world.add_fault("openrouter.keys.update", kind, json!({ "times": 0 }));
    assign(world, &member, "pro");
    member
}

#[test]
fn spend_before_the_next_plans_limit_is_confirmed_counts_against_the_payment() {
    for kind in ["error_before", "stall_before"] {
        let world = World::new();
        let member = leaving_while_changes_fail(&world, kind);
        spends(&world, 10.0);
        world.pass(60);
        assert!(world.sweep());
        world.sandbox.borrow_mut().clear_faults();
        sweeps(&world, 2);
        assert_eq!(limits(&world), [20.0]);
        oracle::settled(&world);
        assign(&world, &member, "prepaid");
        sweeps(&world, 2);
        // Of the forty dollars, 25 are spent.
        assert_eq!(limits(&world), [40.0], "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn a_member_who_returns_to_a_prepaid_plan_before_that_has_the_unspent_credit() {
    let world = World::new();
    let member = leaving_while_changes_fail(&world, "error_before");
    spends(&world, 10.0);
    assign(&world, &member, "prepaid");
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    assert_eq!(limits(&world), [40.0]);
    spends(&world, 15.0);
    assert_eq!(pays(&world, &member, "p-2", "5").status, 201);
    sweeps(&world, 1);
    assert_eq!(limits(&world), [45.0]);
    oracle::settled(&world);
}

#[test]
fn a_prepaid_key_that_ends_before_the_next_plans_limit_is_confirmed_leaves_its_unspent_credit() {
    let world = World::new();
    let member = leaving_while_changes_fail(&world, "error_before");
    spends(&world, 10.0);
    world.sandbox.borrow_mut().clear_faults();
    let id = world.db.text("SELECT public_id FROM keys");
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    sweeps(&world, 3);
    assign(&world, &member, "prepaid");
    let made = member.at_fresh_isolate().claim();
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["key"]["limit_usd"], "15.00");
    oracle::settled(&world);
}

#[test]
fn credit_that_may_have_been_spent_is_not_given_again_if_that_stays_unknown() {
    let world = World::new();
    let member = leaving_while_changes_fail(&world, "error_before");
    // Somebody deletes the key at OpenRouter, so nobody knows what it had spent by then.
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand("DELETE", &format!("/keys/{hash}"), &json!({}));
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    let id = world.db.text("SELECT public_id FROM keys");
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    sweeps(&world, 2);
    assign(&world, &member, "prepaid");
    assert_eq!(member.at_fresh_isolate().claim().code(), "credit_spent");
    oracle::settled(&world);
}
