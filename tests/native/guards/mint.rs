//! The guards of a claim: the gates at the reservation and at the record, the nonce, the minute within which a mint may
//! be recorded, and the check of OpenRouter's echo.

use serde_json::json;

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

fn shut_after_reservation(world: &World, sql: &str) {
    world.db.run(&format!(
        "CREATE TRIGGER shut AFTER INSERT ON generations BEGIN {sql}; END"
    ));
}

#[test]
fn a_row_with_another_nonce_is_neither_recorded_nor_given_up() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    shut_after_reservation(
        &world,
        "UPDATE generations SET op_nonce = 'another' WHERE id = NEW.id",
    );
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.states(), ["minting"], "it is its new driver's");
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    oracle::settled(&world);
}

#[test]
fn seats_and_age_are_checked_again_at_the_record() {
    for sql in [
        "UPDATE seats SET live = 501",
        "UPDATE members SET account_created_at = 9999999999",
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        shut_after_reservation(&world, sql);
        assert_eq!(member.claim().code(), "claim_superseded", "{sql}");
        assert_eq!(world.usable().len(), 0, "{sql}");
        assert_eq!(world.states(), ["revoked"], "{sql}");
        world.db.run("UPDATE seats SET live = 0");
    }
}

#[test]
fn the_hold_of_a_leaked_key_refuses_claims_while_the_key_exists() {
    for (reason, status) in [("leak", 403), ("owner", 201)] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_00000000000000000000000a', 'refused', 't', 1);
             INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
               SELECT 'key_00000000000000000000000a', owner_id, 0, 'claim', 1, 1, 't' FROM members;
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, '{reason}', 't', 1, 't' FROM keys"
        ));
        assert_eq!(member.claim().status, status, "{reason}");
    }
}

#[test]
fn a_mint_that_took_a_minute_is_not_recorded() {
    for (secs, status) in [(59, 201), (60, 409)] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.effects.plan(&[(1, Fate::HeldAfter)]);
        let held = member.start_claim();
        world.pass(secs);
        assert_eq!(held.release().status, status, "{secs}");
        assert_eq!(world.usable().len(), usize::from(status == 201), "{secs}");
        oracle::settled(&world);
    }
}

#[test]
fn taking_a_mint_over_changes_its_nonce() {
    let nonce = |world: &World| world.db.text("SELECT op_nonce FROM generations");
    for fenced in [false, true] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.add_fault("openrouter.keys.create", "reset_after", json!({}));
        world.effects.plan(&[(1, Fate::HeldAfter)]);
        let held = member.start_claim();
        let before = nonce(&world);
        if fenced {
            world.pass(120);
            assert!(world.sweep());
        } else {
            assert_eq!(held.release().code(), "claim_unknown");
        }
        assert_ne!(nonce(&world), before, "fenced: {fenced}");
    }
}

#[test]
fn a_sweep_does_not_touch_a_recent_mint() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[(1, Fate::HeldAfter)]);
    let held = member.start_claim();
    world.pass(59);
    assert!(world.sweep());
    assert_eq!(held.release().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_408_does_not_count_as_a_refusal() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 408 }));
    assert_eq!(member.claim().code(), "claim_unknown");
    assert_eq!(world.states(), ["verifying"]);
}

#[test]
fn a_key_of_unknown_or_unrecorded_outcome_is_not_touched() {
    for (bent, plan, code) in [
        // The record is lost twice, and the answer of the audit query is lost too.
        (
            false,
            vec![
                (2, Fate::LostBefore),
                (3, Fate::LostBefore),
                (4, Fate::LostBefore),
            ],
            "storage_unavailable",
        ),
        // The record was committed but its answer says that it was refused, and the audit query fails.
        (
            false,
            vec![(2, Fate::RefusedAfter), (3, Fate::LostBefore)],
            "storage_unavailable",
        ),
        // OpenRouter echoed something else than was asked for, and the removal of the key cannot be recorded.
        (
            true,
            vec![(2, Fate::LostBefore), (3, Fate::LostBefore)],
            "openrouter_mismatch",
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        if bent {
            world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
        }
        world.effects.plan(&plan);
        assert_eq!(member.claim().code(), code, "{plan:?}");
        let names = world.effects.names();
        assert!(
            !names.iter().any(|name| name.starts_with("http DELETE")),
            "{names:?}"
        );
        oracle::always(&world);
    }
}

#[test]
fn spend_that_could_not_be_read_is_read_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(90 * 86_400 + 301);
    // These are all three attempts of one sweep.
    world.add_fault("openrouter.keys.get", "html_error", json!({ "times": 3 }));
    for state in ["active", "expired"] {
        assert!(world.sweep());
        assert_eq!(world.states(), [state]);
        world.pass(TEN_MINUTES);
    }
    let again = Browser::signed_in(&world, "member");
    assert_eq!(again.claim().json()["key"]["limit_usd"], "5.00");
}
