//! The claim and the sweep, cut before and after each of their effects, and failed in both forms at each. Afterwards
//! the promises hold, strays are deleted within two sweeps, and the member can claim.

use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

/// Whether everything is played.
fn is_whole() -> bool {
    std::env::var("KEYCAP_SCALE").is_ok()
}

/// Every fate of every effect of an operation with `effects` effects.
fn fates(effects: usize) -> impl Iterator<Item = (usize, Fate)> {
    (0..effects).flat_map(|k| Fate::ALL.map(|fate| (k, fate)))
}

/// A member who is about to claim: the world, and the member's cookies.
fn begin() -> (World, Cookies) {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookies = member.cookies.borrow().clone();
    (world, cookies)
}

/// Runs two sweeps ten minutes apart while OpenRouter is reachable, and checks each.
fn two_sweeps(world: &World) {
    world.effects.plan(&[]);
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
    oracle::settled(world);
}

/// Checks that the member ends with one working key, whatever happened before.
fn can_claim(world: &World, cookies: &Cookies) {
    let response = Browser::with(world, cookies).claim();
    assert!([200, 201].contains(&response.status), "{response:?}");
    oracle::settled(world);
    assert_eq!(world.usable().len(), 1);
}

/// The number of effects of a claim that runs without a fault.
fn effects_of_a_claim() -> usize {
    let (world, cookies) = begin();
    world.effects.plan(&[]);
    assert_eq!(Browser::with(&world, &cookies).claim().status, 201);
    world.effects.count()
}

#[test]
fn a_claim_that_breaks_at_any_effect_keeps_every_promise() {
    let mut scenarios = 0;
    // The second fault ranges over more effects than a good claim has, because what follows a failure is cut as well.
    for first in fates(effects_of_a_claim()) {
        for second in std::iter::once(None).chain(fates(6).map(Some)) {
            if second.is_some_and(|(k, _)| k <= first.0) || (first.1.is_cut() && second.is_some()) {
                continue;
            }
            let (world, cookies) = begin();
            world.effects.plan(&[Some(first), second].map_or_all());
            let response = Browser::with(&world, &cookies).try_claim();
            oracle::always(&world);
            if response.is_some_and(|response| response.status == 201) {
                assert_eq!(world.usable().len(), 1, "{first:?} {second:?}");
            }
            two_sweeps(&world);
            can_claim(&world, &cookies);
            scenarios += 1;
        }
    }
    println!("counted: {scenarios} scenarios of a claim cut or failed");
    assert!(scenarios > 60, "{scenarios}");
}

#[test]
fn an_immediate_retry_makes_no_second_key() {
    for fate in fates(effects_of_a_claim()) {
        let (world, cookies) = begin();
        world.effects.plan(&[fate]);
        let first = Browser::with(&world, &cookies).try_claim();
        world.effects.plan(&[]);
        let retry = Browser::with(&world, &cookies).claim();
        oracle::always(&world);
        let made = |status: u16| u8::from(status == 201);
        let secrets = first.map_or(0, |response| made(response.status)) + made(retry.status);
        assert!(secrets <= 1, "{fate:?}: two secrets");
        two_sweeps(&world);
        can_claim(&world, &cookies);
    }
}

/// Worlds in which a claim has left something to the sweep, with the member's cookies.
fn messes() -> Vec<(World, Cookies)> {
    let mut messes = Vec::new();
    for fate in fates(effects_of_a_claim()) {
        let (world, cookies) = begin();
        world.effects.plan(&[fate]);
        Browser::with(&world, &cookies).try_claim();
        messes.push((world, cookies));
    }
    for kind in [
        "reset_after",
        "error_after",
        "truncated",
        "duplicate",
        "hash_missing",
        "key_missing",
        "echo_limit_larger",
    ] {
        let (world, cookies) = begin();
        world.add_fault("openrouter.keys.create", kind, serde_json::json!({}));
        world.effects.plan(&[]);
        Browser::with(&world, &cookies).try_claim();
        messes.push((world, cookies));
    }
    messes
}

#[test]
fn a_sweep_that_breaks_at_any_effect_keeps_every_promise() {
    let mut scenarios = 0;
    for (number, (mess, cookies)) in messes().into_iter().enumerate() {
        mess.pass(TEN_MINUTES);
        let dry = mess.copied();
        dry.effects.plan(&[]);
        assert!(dry.sweep());
        for (n, fate) in fates(dry.effects.count()).enumerate() {
            // By default each effect of each sweep breaks in one way, and in a larger run in every way.
            if !is_whole()
                && n % Fate::ALL.len() != (number + n / Fate::ALL.len()) % Fate::ALL.len()
            {
                continue;
            }
            let world = mess.forked();
            world.effects.plan(&[fate]);
            world.sweep();
            oracle::always(&world);
            two_sweeps(&world);
            can_claim(&world, &cookies);
            scenarios += 1;
        }
    }
    println!("counted: {scenarios} scenarios of a sweep cut or failed");
    assert!(scenarios > 100, "{scenarios}");
}

#[test]
fn a_create_that_takes_effect_after_its_seat_was_freed_is_deleted_and_never_a_second_key() {
    let (world, cookies) = begin();
    world.add_fault("openrouter.keys.create", "late", serde_json::json!({}));
    assert_eq!(Browser::with(&world, &cookies).claim().status, 503);
    two_sweeps(&world);
    assert_eq!(world.states(), ["void"]);
    let response = Browser::with(&world, &cookies).claim();
    assert_eq!(response.status, 201);
    let now = world.now_ms.get();
    assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
    assert_eq!(world.usable().len(), 2, "the stray is there");
    two_sweeps(&world);
    assert_eq!(world.usable().len(), 1);
}

#[test]
fn a_create_that_takes_effect_between_two_sweeps_is_deleted_too() {
    let (world, cookies) = begin();
    world.add_fault("openrouter.keys.create", "late", serde_json::json!({}));
    assert_eq!(Browser::with(&world, &cookies).claim().status, 503);
    world.pass(200);
    assert!(world.sweep());
    assert_eq!(world.states(), ["verifying"], "too early to be freed");
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().land_late(now);
    two_sweeps(&world);
    can_claim(&world, &cookies);
}

trait Plan {
    fn map_or_all(self) -> Vec<(usize, Fate)>;
}

impl Plan for [Option<(usize, Fate)>; 2] {
    fn map_or_all(self) -> Vec<(usize, Fate)> {
        self.into_iter().flatten().collect()
    }
}
