//! Scenarios of three operations. The first is held, the second is held or cut while the first waits, and the third
//! runs to its end. Then the second continues if it was held, and at last the first.

use super::{
    Act, Cast, Choice, LetsIn, OPERATIONS, STAGES, all_is_well, begins, done, dry, recorded,
    recover, shut_out_is_out, stage, step,
};
use crate::support::{Fate, World, oracle};

/// The operations that are combined three deep.
const DEEP: [&str; 12] = [
    "claim",
    "sweep",
    "sign out everywhere",
    "stop",
    "off",
    "on",
    "off by owner",
    "on by owner",
    "revoke",
    "off by admin",
    "rotate",
    "leaked",
];

/// A family of scenarios, which differ in the effect at which the second operation is held or cut.
struct Triple {
    stage: usize,
    operations: [usize; 3],
    k: usize,
}

impl Triple {
    fn name(&self) -> String {
        let [first, second, third] = self.operations.map(|number| OPERATIONS[number].0);
        let stage = STAGES[self.stage].0;
        format!(
            "{stage} / {first} {} HeldAfter / {third} / {second}",
            self.k
        )
    }

    /// Starts the first operation, which is held.
    fn first(&self, world: &World, cast: &Cast) -> Act {
        let mut first = OPERATIONS[self.operations[0]].2(world, cast);
        world.effects.plan(&[(self.k, Fate::HeldAfter)]);
        assert!(step(&mut first).is_pending());
        world.effects.plan(&[]);
        first
    }

    /// The number of effects that the second operation has while the first is held.
    fn effects_of_second(&self, start: &World, cast: &Cast) -> usize {
        let world = start.forked();
        let _held = self.first(&world, cast);
        done(OPERATIONS[self.operations[1]].2(&world, cast));
        world.effects.count()
    }

    fn run(&self, start: &World, cast: &Cast, j: usize, fate: Fate) -> World {
        let [_, second, third] = self.operations.map(|number| OPERATIONS[number]);
        let world = begins(self.stage, start);
        let mut first = self.first(&world, cast);
        world.effects.plan(&[(j, fate)]);
        let mut on_its_way = second.2(&world, cast);
        assert!(step(&mut on_its_way).is_pending());
        oracle::always(&world);
        world.effects.plan(&[]);
        done(third.2(&world, cast));
        oracle::always(&world);
        let before = recorded(&world);
        if fate == Fate::HeldAfter {
            assert!(step(&mut on_its_way).is_ready());
            oracle::always(&world);
        }
        drop(on_its_way);
        assert!(step(&mut first).is_ready());
        if second.1 != LetsIn {
            shut_out_is_out(third.1, before, recorded(&world));
        }
        oracle::always(&world);
        world
    }
}

/// Calls `with` for every family.
fn each_triple(mut with: impl FnMut(&Triple, &(World, Cast))) {
    let deep: Vec<usize> = (0..OPERATIONS.len())
        .filter(|number| DEEP.contains(&OPERATIONS[*number].0))
        .collect();
    for stage_number in 0..STAGES.len() {
        let start = stage(stage_number);
        for &first in &deep {
            for k in 0..dry(stage_number, &start, first).effects.len() {
                let pairs = deep.iter().flat_map(|b| deep.iter().map(move |c| (*b, *c)));
                for (second, third) in pairs {
                    let triple = Triple {
                        stage: stage_number,
                        operations: [first, second, third],
                        k,
                    };
                    with(&triple, &start);
                }
            }
        }
    }
}

#[test]
fn three_nested_operations_keep_every_promise() {
    let mut choice = Choice::one_of(1511);
    let mut number = 0;
    each_triple(|triple, (start, cast)| {
        number += 1;
        let family = triple.name();
        if !choice.takes(&family) {
            return;
        }
        let effects = triple.effects_of_second(start, cast);
        for j in 0..effects {
            if !choice.takes_all() && j != number % effects {
                continue;
            }
            let fate = [Fate::HeldAfter, Fate::CutAfter][(number + j) % 2];
            choice.run(&format!("{family} {j} {fate:?}"), || {
                let world = triple.run(start, cast, j, fate);
                recover(&world, cast, (number + j) % 3);
                all_is_well(&world, cast);
            });
        }
    });
    choice.counted("scenarios of triples, from the families");
}
