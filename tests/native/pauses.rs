//! A claim that is held at every effect while another operation runs to its end, and that then goes on. Dropping a
//! future tests the death of an isolate, but not a pause.

use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};
use keycap::http::server::message::Body;

const EFFECTS: usize = 3;
const OFF: &str = r#"{"disabled":true}"#;
const ON: &str = r#"{"disabled":false}"#;

/// Another operation, by the same member at another isolate or by somebody else.
type Meanwhile = fn(&World, &Browser<'_>);

/// The operations that may run while the claim is held.
const MEANWHILE: [(&str, Meanwhile); 7] = [
    ("nothing", |_, _| {}),
    ("another claim of the same member", |_, member| {
        let response = member.claim();
        assert!([200, 201, 409].contains(&response.status), "{response:?}");
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
        let response = member.claim();
        assert!([200, 201, 409].contains(&response.status), "{response:?}");
    }),
    ("the member signs out everywhere", |_, member| {
        assert_eq!(
            member.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
    }),
    ("an admin stops minting", |world, _| {
        let operator = Browser::signed_in(world, "operator");
        let response = operator.patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#);
        assert_eq!(response.status, 200);
    }),
];

#[test]
fn a_claim_paused_anywhere_while_anything_else_runs_keeps_every_promise() {
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
                let response = held.release();
                oracle::always(&world);
                for _ in 0..2 {
                    world.pass(TEN_MINUTES);
                    assert!(world.sweep());
                    oracle::always(&world);
                }
                oracle::settled(&world);
                let secrets = world.delivered.borrow().len();
                assert!(secrets <= 1, "{what}, {k} {fate:?}: {response:?}");
                assert_eq!(
                    world.usable().len(),
                    secrets,
                    "{what}, {k} {fate:?}: {response:?}"
                );
                scenarios += 1;
            }
        }
    }
    println!("counted: {scenarios} scenarios of a held claim");
    assert_eq!(scenarios, MEANWHILE.len() * EFFECTS * 2);
}

/// Holds a request after it is marked in flight and before it is sent. Another change runs and is confirmed meanwhile,
/// and then the request goes on: it must send nothing.
fn held_before_it_is_sent(
    world: &World,
    (who, method, target, body): (&Browser<'_>, &str, &str, &str),
    meanwhile: impl FnOnce(),
) {
    let dry = world.copied();
    dry.effects.plan(&[]);
    let held = Browser::with(&dry, &who.cookies.borrow());
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    held.send(method, target, &headers, Body::Bytes(body.into()));
    let names = dry.effects.names();
    let sent = names.iter().position(|name| name.starts_with("http PATCH"));
    let written = sent.expect("it is sent") - 1;
    world.effects.plan(&[(written, Fate::HeldAfter)]);
    let held = who.start(method, target, body);
    world.effects.plan(&[]);
    meanwhile();
    let updates = world.calls("openrouter.keys.update");
    held.release();
    assert_eq!(world.calls("openrouter.keys.update"), updates);
    oracle::always(world);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(world);
}

#[test]
fn a_change_that_waited_too_long_after_it_was_marked_in_flight_is_not_sent() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let id = member.claim().json()["key"]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(member.patch(&key, OFF).status, 200);
    held_before_it_is_sent(&world, (&member, "PATCH", &key, ON), || {
        world.pass(TEN_MINUTES);
        assert_eq!(operator.patch(&key, OFF).status, 200);
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["disabled"]);
    });
    assert_eq!(world.usable().len(), 0, "an admin put it off");
    assert_eq!(operator.patch(&key, ON).status, 200);
    assert_eq!(member.patch(&key, ON).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());

    let raises = key.replace("/api/v1/", "/api/v1/admin/") + "/raises";
    let raise = r#"{"amount_usd":"2"}"#;
    held_before_it_is_sent(&world, (&operator, "POST", &raises, raise), || {
        world.pass(TEN_MINUTES);
        let ended = world.db.text("SELECT public_id FROM raises");
        assert_eq!(
            operator
                .delete(&format!("/api/v1/admin/raises/{ended}"))
                .status,
            204
        );
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    });
    assert_eq!(
        world.usable()[0].limit.unwrap().nanos,
        5_000_000_000,
        "the raise has ended"
    );
}

#[test]
fn an_attempt_that_was_taken_over_records_nothing_and_its_key_is_deleted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let elsewhere = member.at_fresh_isolate();
    // The claim is held between OpenRouter's answer and the record.
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
