//! Scenarios of two operations.

use std::task::Poll;

use super::{
    Cast, Choice, ClaimsForMember, ClaimsForSecond, Dry, NoHarm, OPERATIONS, STAGES, STRIDE,
    all_is_well, begins, done, dry, recorded, recover, shut_out_is_out, stage, step,
};
use crate::support::{Fate, World, oracle};

const FATES: [Fate; 10] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::RefusedAfter,
    Fate::RefusedBefore,
    Fate::Late,
    Fate::Later,
    Fate::HeldBefore,
    Fate::HeldAfter,
];

/// One pair of operations, up to the moment when recovery begins.
pub struct Pair {
    pub stage: usize,
    pub first: usize,
    pub k: usize,
    pub fate: Fate,
    pub second: usize,
    /// The status of the first operation's answer when it runs without a fault.
    status: Option<u16>,
    /// The effect is the statement that records a mint.
    records: bool,
    /// This pair runs by default: one for each operation at each stage does.
    by_default: bool,
}

impl Pair {
    pub fn name(&self) -> String {
        format!(
            "{} / {} / {} {:?} / {}",
            STAGES[self.stage].0,
            OPERATIONS[self.first].0,
            self.k,
            self.fate,
            OPERATIONS[self.second].0,
        )
    }

    /// Once this operation has ended, no claim of anybody records a key.
    pub fn run(&self, start: &World, cast: &Cast) -> World {
        let ((_, claims, first), (_, does, second)) =
            (OPERATIONS[self.first], OPERATIONS[self.second]);
        let world = begins(self.stage, start);
        world.effects.plan(&[(self.k, self.fate)]);
        let mut first = first(&world, cast);
        let begun = step(&mut first);
        let held = begun.is_pending();
        if let (true, Fate::LostAfter | Fate::RefusedAfter) = (self.records, self.fate) {
            let delivered = matches!(begun, Poll::Ready(Some(response)) if response.status == 201);
            assert!(delivered, "what was recorded is delivered");
        }
        oracle::always(&world);
        world.effects.plan(&[]);
        let response = done(second(&world, cast));
        assert!(
            response.is_none_or(|response| response.status != 500),
            "our own fault"
        );
        oracle::always(&world);
        let before = recorded(&world);
        if held && matches!(self.fate, Fate::HeldBefore | Fate::HeldAfter) {
            let Poll::Ready(response) = step(&mut first) else {
                panic!("let go, it goes on to its end");
            };
            let status = response.map(|response| response.status);
            assert_ne!(status, Some(500), "our own fault");
            let claims = [ClaimsForMember, ClaimsForSecond].contains(&claims);
            if claims && does == NoHarm && self.status == Some(201) {
                assert_eq!(status, Some(201), "a claim under way was harmed");
            }
            shut_out_is_out(does, before, recorded(&world));
        }
        drop(first);
        oracle::always(&world);
        if self.fate == Fate::Late {
            world.effects.land();
            oracle::always(&world);
        }
        world
    }

    /// Runs recovery, and runs it once more if an effect happens only after that.
    pub fn recover(&self, world: &World, cast: &Cast, how: usize) {
        recover(world, cast, how);
        if world.effects.land() > 0 {
            recover(world, cast, 0);
        }
        all_is_well(world, cast);
    }
}

/// Calls `with` for every pair at every stage.
pub fn each_pair(mut with: impl FnMut(&Pair, &(World, Cast))) {
    for stage_number in 0..STAGES.len() {
        let start = stage(stage_number);
        for first in 0..OPERATIONS.len() {
            let Dry { effects, status } = dry(stage_number, &start, first);
            let mut pairs = Vec::new();
            for (k, effect) in effects.iter().enumerate() {
                let fates = FATES.into_iter().filter(|fate| match fate {
                    // Only a database refuses a whole effect, or reports that it did although it happened.
                    Fate::RefusedAfter | Fate::RefusedBefore => effect.starts_with("db"),
                    // A create may still take effect at any later time; a switch only within minutes.
                    Fate::Later => effect.starts_with("http POST /openrouter"),
                    _ => true,
                });
                for fate in fates {
                    for second in 0..OPERATIONS.len() {
                        pairs.push(Pair {
                            stage: stage_number,
                            first,
                            k,
                            fate,
                            second,
                            status,
                            records: effect.contains("::RECORD_GUARD"),
                            by_default: false,
                        });
                    }
                }
            }
            if !pairs.is_empty() {
                let one = (stage_number * OPERATIONS.len() + first) * STRIDE % pairs.len();
                pairs[one].by_default = true;
            }
            pairs.iter().for_each(|pair| with(pair, &start));
        }
    }
}

#[test]
fn every_pair_of_operations_keeps_every_promise_wherever_the_first_breaks() {
    let mut choice = Choice::one_of(1);
    each_pair(|pair, (start, cast)| {
        let how = (pair.first + pair.k + pair.second) % 3;
        let name = format!("{} / {how}", pair.name());
        if choice.takes_if(&name, pair.by_default) {
            choice.run(&name, || {
                let world = pair.run(start, cast);
                pair.recover(&world, cast, how);
            });
        }
    });
    choice.counted("scenarios of pairs");
}
