//! A renewal near the end of a key's life, and what becomes of a key that expires.

use serde_json::json;

use super::{DAY, FOUR_HOURS, asks, delivered, holder, is, limits, spends, sweeps};
use crate::support::{Browser, World, oracle};

#[test]
fn a_renewal_is_possible_near_the_end_of_a_life_and_gives_a_new_one() {
    let world = World::new();
    let (member, key) = holder(&world);
    let response = asks(&member, &key, "renew", "{}");
    is(&response, 409, "too_early");
    assert_eq!(response.json()["retry_at"], "2027-02-05T12:00:00Z");
    let listed = member.get("/api/v1/keys").json();
    assert_eq!(
        listed["keys"][0]["renewable_from"],
        response.json()["retry_at"]
    );
    world.pass(76 * DAY - 1);
    let member = Browser::signed_in(&world, "member");
    is(&asks(&member, &key, "renew", "{}"), 409, "too_early");
    world.pass(1);
    let response = asks(&member, &key, "renew", "{}");
    delivered(&world, &response, 2);
    assert_eq!(response.json()["key"]["expires_at"], "2027-05-06T12:00:00Z");
    let grace = world
        .db
        .number("SELECT grace_until FROM generations WHERE slot = 0");
    assert_eq!(grace, world.now().plus(DAY).secs(), "a day");
    world.pass(DAY);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_renewals_grace_ends_with_the_old_life_and_without_enough_money_there_is_none() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY - 3_600);
    let member = Browser::signed_in(&world, "member");
    let expiry = world.db.number("SELECT expires_at FROM generations");
    delivered(&world, &asks(&member, &key, "renew", "{}"), 2);
    assert_eq!(
        world
            .db
            .number("SELECT grace_until FROM generations WHERE slot = 0"),
        expiry
    );
    world.pass(3_600);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active"]);
    oracle::settled(&world);

    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(80 * DAY);
    let member = Browser::signed_in(&world, "member");
    spends(&world, 4.985);
    let response = asks(&member, &key, "renew", "{}");
    delivered(&world, &response, 1);
    assert_eq!(limits(&world), [1]);
}

#[test]
fn an_expired_key_is_claimed_again_and_not_rotated() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY);
    let member = Browser::signed_in(&world, "member");
    for verb in ["rotate", "renew"] {
        for body in ["{}", FOUR_HOURS] {
            is(&asks(&member, &key, verb, body), 409, "key_ended");
        }
    }
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    sweeps(&world, 1);
    is(&asks(&member, &key, "leaked", "{}"), 409, "key_ended");
    assert_eq!(member.claim().status, 201);
}

#[test]
fn a_leaked_key_that_expires_can_be_claimed_anew() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(90 * DAY - 60);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    let response = asks(&member, &key, "leaked", "{}");
    assert_eq!(
        (response.status, response.secret()),
        (200, None),
        "{response:?}"
    );
    assert_eq!(member.claim().secret(), None);
    sweeps(&world, 1);
    assert_eq!(world.states(), ["expired", "void"]);
    assert_eq!(member.claim().status, 201);
    oracle::settled(&world);
}
