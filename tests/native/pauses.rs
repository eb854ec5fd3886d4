//! A claim held at every effect while something else runs to its end, then let go: dropping a future covers death, not
//! pause (X0).

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const EFFECTS: usize = 3;

/// Something else, by the same member at another isolate or by somebody else.
type Meanwhile = fn(&World, &Browser<'_>);

/// What may run while the claim is held.
const MEANWHILE: [(&str, Meanwhile); 7] = [
    ("nothing", |_, _| {}),
    ("another claim of the same member", |_, member| {
        let told = member.claim();
        assert!([200, 201, 409].contains(&told.status), "{told:?}");
    }),
    ("one sweep at once", |world, _| assert!(world.sweep())),
    ("a sweep after three minutes", |world, _| {
        world.pass(180);
        assert!(world.sweep());
    }),
    ("two sweeps and another claim", |world, member| {
        for _ in 0..2 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
        }
        let told = member.claim();
        assert!([200, 201, 409].contains(&told.status), "{told:?}");
    }),
    ("the member signs out everywhere", |_, member| {
        assert_eq!(
            member.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
    }),
    ("an admin stops minting", |world, _| {
        let operator = Browser::signed_in(world, "operator");
        let told = operator.patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#);
        assert_eq!(told.status, 200);
    }),
];

#[test]
fn x0_s4_14_s4_72_a_claim_held_anywhere_while_anything_runs_keeps_every_promise() {
    let mut scenarios = 0;
    for (what, meanwhile) in MEANWHILE {
        for k in 0..EFFECTS {
            for fate in [Fate::HeldBefore, Fate::HeldAfter] {
                let world = World::new();
                let member = Browser::signed_in(&world, "member");
                let elsewhere = member.at_fresh_isolate();
                world.effects.plan(&[(k, fate)]);
                let held = member.start_claim();
                meanwhile(&world, &elsewhere);
                oracle::always(&world);
                let told = held.release();
                oracle::always(&world);
                for _ in 0..2 {
                    world.pass(TEN_MINUTES);
                    assert!(world.sweep());
                    oracle::always(&world);
                }
                oracle::settled(&world);
                let secrets = world.delivered.borrow().len();
                assert!(secrets <= 1, "{what}, {k} {fate:?}: {told:?}");
                assert_eq!(
                    world.usable().len(),
                    secrets,
                    "{what}, {k} {fate:?}: {told:?}"
                );
                scenarios += 1;
            }
        }
    }
    println!("counted: {scenarios} scenarios of a held claim");
    assert_eq!(scenarios, MEANWHILE.len() * EFFECTS * 2);
}

#[test]
fn s4_72_an_attempt_that_was_taken_over_records_nothing_and_its_key_is_gone() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let elsewhere = member.at_fresh_isolate();
    // Held between upstream's answer and the record.
    world.effects.plan(&[(1, Fate::HeldAfter)]);
    let held = member.start_claim();
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    assert_eq!(world.states(), ["void"]);
    let second = elsewhere.claim();
    assert_eq!(second.status, 201);
    let first = held.release();
    assert_eq!(
        (first.status, first.code().as_str()),
        (409, "claim_superseded")
    );
    assert_eq!(world.states(), ["void", "active"]);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}
