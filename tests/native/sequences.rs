//! Promise 5 under random sequences of everything that a member, an admin and time can do: whatever they do, and in
//! whatever order, no more is spent than plan and raises give, but for what upstream itself lets slip (B1–B5, F1).
//!
//! `npm test` plays a hundred sequences, `KEYCAP_SCALE=25` ten thousand. A failing one is made shorter and printed with its
//! seed, and `KEYCAP_SEQUENCE=<seed>` plays it alone.

mod acts;
mod bound;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

use keycap::http::routes::ROUTES;
use sandbox::{Metering, Spent, Usd};

use crate::explorer::{Act, step};
use crate::support::browser::Told;
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

use acts::{FAULTS, OPERATIONS, Operation};
use bound::Reckoning;

const STEPS: usize = 25;
const SEQUENCES: usize = 10_000;
/// `KEYCAP_SCALE` that plays them all.
const WHOLE: usize = 25;
/// One in so many of them without.
const PART: usize = 100;

/// splitmix64.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    /// Mostly the first of a list.
    fn of_first<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        match list.len() {
            0 => None,
            _ if self.below(10) < 7 => list.first().cloned(),
            n => list.get(self.below(n)).cloned(),
        }
    }
}

/// One step. Its dice are its own: without the steps before it, it does the same.
#[derive(Clone)]
struct Step {
    operation: &'static Operation,
    dice: Dice,
    /// What one of its effects meets.
    luck: Option<(usize, Fate)>,
}

/// One deployment in the middle of a sequence.
pub struct Play {
    world: World,
    member: Cookies,
    operator: Cookies,
    reckoning: Reckoning,
    luck: Option<(usize, Fate)>,
    /// What was done so far, as it is printed.
    done: String,
}

impl Play {
    fn new(dice: &mut Dice, metering: Metering) -> Self {
        let world = World::new();
        world.set("KEY_LIMIT_RESET", dice.of(&["daily", "weekly", "monthly"]));
        world.sandbox.borrow_mut().set_metering(metering);
        // Anywhere in two weeks; every other time about the Monday before the first of a month, in one week with it.
        let (from, within) = dice.of(&[(0, 14 * 86_400), (8 * 86_400, 2 * 86_400)]);
        world.pass(from + i64::try_from(dice.below(within)).unwrap());
        if has_route("PATCH", "/api/v1/admin/plans/{name}") {
            let ahead = dice.of(&[0, 0, -60_000, 60_000]);
            world.upstream_ahead_ms.set(ahead);
        }
        let cookies = |persona| Browser::signed_in(&world, persona).cookies.take();
        let (member, operator) = (cookies("member"), cookies("operator"));
        Self {
            reckoning: Reckoning::new(metering),
            world,
            member,
            operator,
            luck: None,
            done: String::new(),
        }
    }

    /// Sends a request, which may be cut or failed at one effect. `None` when its isolate died.
    fn send(&mut self, mut act: Act) -> Option<Told> {
        let luck = self.luck.take();
        self.world.effects.plan(luck.as_slice());
        let polled = step(&mut act);
        self.world.effects.plan(&[]);
        let std::task::Poll::Ready(told) = polled else {
            self.done = String::from("cut");
            return None;
        };
        if let Some(told) = &told {
            self.done = told.status.to_string();
            assert!(told.status != 500 || luck.is_some(), "{told:?}");
        }
        told
    }

    /// One model call. What was let in is reckoned.
    fn spend(&mut self, secret: &str, price: Usd) {
        let now = self.world.upstream_now_ms();
        let spent = self.world.sandbox.borrow_mut().spend(secret, price, now);
        self.done = format!("{spent:?} {}", &sandbox::sha256_hex(secret.as_bytes())[..6]);
        if let Spent::Booked(amount) = spent {
            self.reckoning.admit(&self.world, secret, amount);
        }
    }

    fn pass(&self, secs: i64) {
        // What is late lands within five minutes (X1).
        self.world.pass(secs.min(240));
        let now = self.world.upstream_now_ms();
        self.world.sandbox.borrow_mut().land_late(now);
        self.world.pass((secs - 240).max(0));
    }

    fn sweep(&mut self) {
        self.pass(TEN_MINUTES);
        let sweep = crate::explorer::sweep(&self.world, 0);
        self.done.clear();
        self.send(sweep);
        if self.done != "cut" {
            self.done = self.world.last_run();
        }
    }

    /// One step and what must hold after it.
    fn step(&mut self, step: &Step) {
        let troubles = self.troubles();
        self.luck = step.luck;
        let unlucky = step.luck.is_some();
        self.done = String::from("-");
        (step.operation.run)(self, &mut step.dice.clone());
        let troubled = unlucky || self.troubles() > troubles;
        let swept = step.operation.name == "sweep" && self.done == "done";
        oracle::always(&self.world);
        self.reckoning.observe(&self.world, swept, troubled);
    }

    /// How often upstream has misbehaved.
    fn troubles(&self) -> usize {
        let sandbox = self.world.sandbox.borrow();
        let calls = sandbox.ledger().calls.iter();
        calls.filter(|call| call.fault.is_some()).count()
    }

    /// However it was left, it settles.
    fn settle(&mut self) {
        self.luck = None;
        self.world.sandbox.borrow_mut().clear_faults();
        for wait in [0, 0, 0, 86_400, 0, 0] {
            self.pass(wait);
            self.sweep();
            oracle::always(&self.world);
        }
        oracle::settled(&self.world);
    }
}

/// Whether this deployment knows the route.
pub fn has_route(method: &str, path: &str) -> bool {
    ROUTES
        .iter()
        .any(|route| route.method.name() == method && route.path == path)
}

/// A sequence: how upstream counts, and what is done.
struct Sequence {
    seed: u64,
    steps: Vec<Step>,
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x5e9_0e9c);
        let there = |o: &&Operation| o.route.is_none_or(|(method, path)| has_route(method, path));
        let bag: Vec<&'static Operation> = OPERATIONS
            .iter()
            .filter(there)
            .flat_map(|o| std::iter::repeat_n(o, o.weight))
            .collect();
        let steps = (0..STEPS)
            .map(|n| Step {
                operation: if n == 0 { bag[0] } else { dice.of(&bag) },
                dice: Dice(dice.next()),
                luck: dice
                    .one_in(12)
                    .then(|| (dice.below(9), dice.of(&Fate::ALL))),
            })
            .collect();
        Self { seed, steps }
    }

    /// Every other one where upstream lets nothing slip.
    fn metering(&self) -> Metering {
        let mut dice = Dice(self.seed);
        if self.seed.is_multiple_of(2) {
            return Metering::default();
        }
        let (lag_ms, overshoot) = dice.of(&[
            (0, true),
            (45_000, true),
            (90_000, false),
            (400_000, true),
            (400_000, false),
        ]);
        Metering { lag_ms, overshoot }
    }

    /// Plays it without the steps left out; what was done, and whether everything held.
    fn play(&self, left_out: &[usize]) -> (Vec<String>, Result<Tally, String>) {
        let done = RefCell::new(Vec::new());
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut play = Play::new(&mut Dice(!self.seed), self.metering());
            for (n, step) in self.steps.iter().enumerate() {
                if left_out.contains(&n) {
                    continue;
                }
                let (name, luck) = (step.operation.name, step.luck);
                let line = format!("{n:>2} {} {name} {luck:?}", play.world.now().rfc3339());
                done.borrow_mut().push(line);
                play.step(step);
                if let Some(line) = done.borrow_mut().last_mut() {
                    line.push_str(": ");
                    line.push_str(&play.done);
                }
            }
            play.settle();
            Tally::of(&play)
        }));
        let message = |panic: Box<dyn std::any::Any + Send>| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast::<&str>().unwrap_or(Box::new("?"))).to_owned(),
        };
        (done.into_inner(), played.map_err(message))
    }

    /// Leaves out whatever it fails without.
    fn shrunk(&self) -> Vec<usize> {
        let mut left_out = Vec::new();
        for n in (0..self.steps.len()).rev() {
            left_out.push(n);
            if self.play(&left_out).1.is_ok() {
                left_out.pop();
            }
        }
        left_out
    }
}

/// What happened at all: a sequence in which nothing is spent proves nothing.
#[derive(Default)]
struct Tally {
    mints: usize,
    calls: usize,
    /// Keys and periods whose limit was used up.
    exhausted: usize,
}

impl Tally {
    fn of(play: &Play) -> Self {
        Self {
            mints: play.world.delivered.borrow().len(),
            calls: play.reckoning.admitted(),
            exhausted: play.reckoning.exhausted(),
        }
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("KEYCAP_SEQUENCE") {
        return vec![seed];
    }
    let many = match number("KEYCAP_SCALE") {
        Some(scale) => SEQUENCES * usize::try_from(scale).unwrap() / WHOLE,
        None => SEQUENCES / PART,
    };
    (0..many as u64).collect()
}

#[test]
fn p5_whatever_they_do_no_more_is_spent_than_was_given() {
    let seeds = seeds();
    let mut all = Tally::default();
    for &seed in &seeds {
        let sequence = Sequence::new(seed);
        let (done, played) = sequence.play(&[]);
        match played {
            Ok(tally) => {
                if seeds.len() == 1 {
                    println!("{}", done.join("\n"));
                }
                all.mints += tally.mints;
                all.calls += tally.calls;
                all.exhausted += tally.exhausted;
            }
            Err(_) => {
                let left_out = sequence.shrunk();
                let (done, played) = sequence.play(&left_out);
                let why = played.err().unwrap_or_default();
                let metering = sequence.metering();
                panic!(
                    "KEYCAP_SEQUENCE={seed} {metering:?}\n{}\n{why}",
                    done.join("\n")
                );
            }
        }
    }
    let Tally {
        mints,
        calls,
        exhausted,
    } = all;
    println!(
        "counted: {} sequences of {STEPS} steps: {mints} keys, {calls} model calls, {exhausted} limits used up",
        seeds.len()
    );
    if seeds.len() > 1 {
        let few = seeds.len();
        assert!(mints > few && calls > few && exhausted > few, "idle");
    }
}

#[test]
fn p5_every_operation_that_this_deployment_has_is_in_the_sequences() {
    let mut names: Vec<&str> = (0..100)
        .flat_map(|seed| Sequence::new(seed).steps)
        .map(|step| step.operation.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    let there = |o: &&Operation| o.route.is_none_or(|(method, path)| has_route(method, path));
    let expected = OPERATIONS.iter().filter(there).count();
    assert_eq!(names.len(), expected, "{names:?}");
    assert!(!FAULTS.is_empty());
}
