//! Recoveries that are themselves cut or failed at each of their effects. After each, two sweeps without a fault run as
//! usual.

use super::pairs::each_pair;
use super::{Cast, Choice, claim, renewed, step, sweep};
use crate::support::{Fate, TEN_MINUTES, World, oracle};

/// The recovery that runs first.
const FIRST: [&str; 2] = ["sweep", "retry"];

/// Begins a recovery. With `cut`, the recovery is cut or failed at that effect. Returns how many effects it had.
fn begin(world: &World, cast: &Cast, first: usize, cut: Option<(usize, Fate)>) -> usize {
    world.effects.plan(&[]);
    let mut act = if FIRST[first] == "sweep" {
        world.pass(TEN_MINUTES);
        sweep(world, 0)
    } else {
        claim(world, &renewed(world, cast).member)
    };
    world.effects.plan(cut.as_slice());
    let ended = step(&mut act).is_ready();
    assert!(ended || cut.is_some_and(|(_, fate)| fate.is_cut()));
    oracle::always(world);
    world.effects.count()
}

#[test]
fn every_recovery_that_breaks_at_any_effect_still_recovers() {
    let mut choice = Choice::one_of(149);
    let mut number = 0;
    each_pair(|pair, (start, cast)| {
        number += 1;
        // Each beginning is taken once, with a different second operation each time.
        if pair.second != number / super::OPERATIONS.len() % super::OPERATIONS.len() {
            return;
        }
        let first = number % FIRST.len();
        let family = format!("{} / {} cut at", pair.name(), FIRST[first]);
        if !choice.takes(&family) {
            return;
        }
        let world = pair.run(start, cast);
        let effects = begin(&world.forked(), cast, first, None);
        for j in 0..effects {
            if !choice.takes_all() && j != number % effects {
                continue;
            }
            let fate = Fate::ALL[(number + j) % Fate::ALL.len()];
            choice.run(&format!("{family} {j} {fate:?}"), || {
                let world = world.forked();
                begin(&world, cast, first, Some((j, fate)));
                pair.recover(&world, cast, (number + j) % 3);
            });
        }
    });
    choice.counted("scenarios of recoveries that are cut, from the beginnings");
}
