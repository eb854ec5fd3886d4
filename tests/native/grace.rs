//! Caps while a key gets another secret, and while two of its secrets work: nobody can spend more by it.

use serde_json::json;

use crate::caps::{address, admin, assign, limits, spends, sweeps};
use crate::support::{Browser, Fate, World, oracle};

const GRACE: &str = r#"{"grace_hours":4}"#;

/// Makes a member with a key. Returns the member and the key's id.
fn holder<'a>(world: &'a World, plan: Option<&str>) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, "member");
    if let Some(plan) = plan {
        assign(world, &member, plan);
    }
    let body = member.claim().json();
    let id = body["key"]["id"].as_str().unwrap().to_owned();
    (member, id)
}

fn raises(world: &World, key: &str) {
    let target = format!("/api/v1/admin/keys/{key}/raises");
    admin(world, "POST", &target, r#"{"amount_usd":"2"}"#);
}

fn pays(world: &World, member: &Browser<'_>, id: &str, amount: &str) {
    let body = json!({ "payment_id": id, "amount_usd": amount }).to_string();
    let target = format!("{}/payments", address(member));
    admin(world, "POST", &target, &body);
}

fn with_grace(member: &Browser<'_>, key: &str) {
    let response = member.post(&format!("/api/v1/keys/{key}/rotate"), GRACE);
    assert_eq!(response.status, 201, "{response:?}");
    oracle::always(member.world);
}

/// Lets the grace pass, and sweeps until the last figures of the older secret are read.
fn grace_over(world: &World) {
    world.pass(4 * 3_600);
    sweeps(world, 3);
}

#[test]
fn an_owners_caps_wait_while_a_successor_is_being_minted() {
    for body in ["{}", GRACE] {
        let world = World::new();
        let (member, first) = holder(&world, Some("basic"));
        let second = member.post("/api/v1/keys", r#"{"name":"second"}"#).json();
        let second = second["key"]["id"].as_str().unwrap().to_owned();
        assert_eq!(limits(&world), [5.0, 5.0]);
        let rotate = format!("/api/v1/keys/{first}/rotate");
        let dry = world.copied();
        dry.effects.plan(&[]);
        Browser::with(&dry, &member.cookies.borrow()).post(&rotate, body);
        let names = dry.effects.names();
        let mint = names.iter().position(|name| name.starts_with("http POST"));
        world.effects.plan(&[(mint.unwrap(), Fate::HeldBefore)]);
        let held = member.start("POST", &rotate, body);
        world.effects.plan(&[]);
        let (before, said) = (limits(&world), world.calls("openrouter.keys.update"));
        for key in [&first, &second] {
            raises(&world, key);
        }
        assert!(world.sweep());
        assert_eq!(limits(&world), before, "what a successor gets is not known");
        assert_eq!(world.calls("openrouter.keys.update"), said);
        let response = held.release();
        assert_eq!(response.status, 201, "{response:?}");
        oracle::always(&world);
        sweeps(&world, 1);
        let after = if body == GRACE {
            [2.5, 7.0, 2.5].to_vec()
        } else {
            [7.0, 7.0].to_vec()
        };
        assert_eq!(limits(&world), after, "and nothing that was due is lost");
        oracle::settled(&world);
    }
}

#[test]
fn a_raise_within_a_grace_waits_for_its_end() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    with_grace(&member, &key);
    assert_eq!(limits(&world), [2.5, 2.5]);
    raises(&world, &key);
    sweeps(&world, 3);
    assert_eq!(limits(&world), [2.5, 2.5]);
    grace_over(&world);
    assert_eq!(limits(&world), [7.0]);
    oracle::settled(&world);
}

#[test]
fn a_grace_splits_what_is_left_of_the_credit_and_not_what_was_spent_before() {
    let world = World::new();
    let (member, key) = holder(&world, None);
    spends(&world, 4.0);
    assign(&world, &member, "prepaid");
    pays(&world, &member, "p-1", "10");
    sweeps(&world, 2);
    assert_eq!(limits(&world), [14.0]);
    spends(&world, 1.0);
    let old = world.usable()[0].hash.clone();
    with_grace(&member, &key);
    assert_eq!(limits(&world), [9.5, 4.5], "the four of before, and ten");
    world.spent_by(&old, 3.0);
    pays(&world, &member, "p-2", "2");
    sweeps(&world, 1);
    assert_eq!(limits(&world), [9.5, 4.5], "paid for the time after it");
    grace_over(&world);
    assert_eq!(limits(&world), [8.0], "twelve, less four");
    oracle::settled(&world);
}

#[test]
fn a_disabling_that_was_sent_twice_is_not_certain_enough_to_record() {
    for kind in ["reset_before", "reset_after", "late"] {
        let world = World::new();
        let (member, key) = holder(&world, None);
        spends(&world, 5.0);
        assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
        world.add_fault("openrouter.keys.update", kind, json!({ "times": 1 }));
        let response = member.claim();
        assert_eq!(
            (response.status, response.code()),
            (503, "claim_unknown".into()),
            "{kind}"
        );
        assert_eq!(response.secret(), None);
        oracle::always(&world);
        let now = world.now_ms.get();
        world.sandbox.borrow_mut().land_late(now);
        sweeps(&world, 2);
        assert_eq!(world.states(), ["revoked", "revoked"], "{kind}");
        // Another claim gets the same answer, and the key is recorded as disabled.
        assert_eq!(member.claim().json()["key"]["holds"], json!(["budget"]));
        assert_eq!(world.usable().len(), 0);
        oracle::settled(&world);
    }
}

#[test]
fn a_record_that_is_written_a_second_time_undoes_nothing() {
    let raised = |world: &World, _: &Browser<'_>, key: &str| raises(world, key);
    let off = |_: &World, member: &Browser<'_>, key: &str| {
        let response = member.patch(&format!("/api/v1/keys/{key}"), r#"{"disabled":true}"#);
        assert_eq!(response.status, 200, "{response:?}");
    };
    // The replacement waits for the figures of the generation before it.
    let leaked = |_: &World, member: &Browser<'_>, key: &str| {
        let response = member.post(&format!("/api/v1/keys/{key}/leaked"), "{}");
        assert_eq!(
            (response.status, response.secret()),
            (200, None),
            "{response:?}"
        );
    };
    type Then<'a> = &'a dyn Fn(&World, &Browser<'_>, &str);
    for then in [&raised as Then<'_>, &off, &leaked] {
        let world = World::new();
        let (member, key) = holder(&world, None);
        let rotate = format!("/api/v1/keys/{key}/rotate");
        let dry = world.copied();
        dry.effects.plan(&[]);
        Browser::with(&dry, &member.cookies.borrow()).post(&rotate, "{}");
        let names = dry.effects.names();
        let record = names
            .iter()
            .position(|name| name.ends_with("successors::RECORD_GUARD"));
        world.effects.plan(&[(record.unwrap(), Fate::Late)]);
        let response = member.post(&rotate, "{}");
        assert_eq!(response.status, 201, "{response:?}");
        world.effects.plan(&[]);
        then(&world, &member, &key);
        let rows = "SELECT json_array(state, limit_nano, cap_due_at, change_id,
              (SELECT json_group_array(reason) FROM holds)) FROM generations";
        let before = world.db.texts(rows);
        assert_eq!(world.effects.land(), 1);
        assert_eq!(world.db.texts(rows), before);
        oracle::always(&world);
        sweeps(&world, 3);
        oracle::settled(&world);
    }
}
