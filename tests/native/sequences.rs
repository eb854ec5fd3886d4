//! Random sequences of everything that a member, an admin and time can do. In whatever order they act, no more is spent
//! than plan and raises give, except for what OpenRouter's own metering lets through. Somebody else changes keys at
//! OpenRouter meanwhile: a disable or a lower limit of theirs stays, and what they enable or raise does not count as
//! ours.
//!
//! `npm test` plays a hundred sequences, `KEYCAP_SCALE=25` plays ten thousand. A failing sequence is shortened and
//! printed with its seed. `KEYCAP_SEQUENCE=<seed>` plays it alone, `KEYCAP_SEQUENCE=<from>..<to>` plays those of a
//! range.

mod acts;
mod admins;
mod bound;
mod dice;
mod faults;
mod midnight;
mod somebody;
mod spender;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;

use keycap::http::routes::ROUTES;
use keycap::http::server::message::Body;
use sandbox::Metering;

use crate::explorer::{Act, call, step};
use crate::support::browser::Response;
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

use acts::{NOT_PLAYED, OPERATIONS, Operation, ROUGH, Route, has_route};
use bound::Reckoning;
pub use dice::Dice;

const STEPS: usize = 25;
/// What may happen to one effect.
const FATES: [Fate; 6] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::HeldBefore,
    Fate::HeldAfter,
];
const SEQUENCES: usize = 10_000;
/// The value of `KEYCAP_SCALE` that plays all sequences.
const WHOLE: usize = 25;
/// Without it, one of this many sequences is played.
const PART: usize = 100;
/// How far OpenRouter's clock may be ahead of ours, in milliseconds.
const AHEAD_MS: &[i64] = &[0, 0, -60_000, 60_000, -120_000, 120_000, -600_000];

/// One step. It has its own dice, so it does the same when the steps before it are left out.
#[derive(Clone)]
struct Step {
    operation: &'static Operation,
    dice: Dice,
    /// Which effect is disturbed, and how.
    luck: Option<(usize, Fate)>,
    /// The dice of somebody who spends between the effects of the step.
    spender: Option<Dice>,
}

/// One deployment in the middle of a sequence.
pub struct Play {
    world: Rc<World>,
    member: Cookies,
    operator: Cookies,
    reckoning: Rc<RefCell<Reckoning>>,
    luck: Option<(usize, Fate)>,
    /// A request that is held in its middle, and how many more steps it waits.
    held: Option<(Act, usize)>,
    /// What the step has done so far, in the words that are printed.
    done: String,
}

impl Play {
    fn new(dice: &mut Dice, metering: Metering) -> Self {
        let world = World::new();
        world.set("KEY_LIMIT_RESET", dice.of(&["daily", "weekly", "monthly"]));
        world.sandbox.borrow_mut().set_metering(metering);
        // The clock begins anywhere in two weeks, or, every other time, near the Monday before the first of a month, so
        // that both are in one week.
        let (from, within) = dice.of(&[(0, 14 * 86_400), (8 * 86_400, 2 * 86_400)]);
        world.pass(from + i64::try_from(dice.below(within)).unwrap());
        world.upstream_ahead_ms.set(dice.of(AHEAD_MS));
        let cookies = |persona| Browser::signed_in(&world, persona).cookies.take();
        let (member, operator) = (cookies("member"), cookies("operator"));
        Self {
            reckoning: Rc::new(RefCell::new(Reckoning::new(metering))),
            world: Rc::new(world),
            member,
            operator,
            luck: None,
            held: None,
            done: String::new(),
        }
    }

    /// Sends a request by the route table, and fails if there is no such route. `id` takes the place of the path's id
    /// or name.
    fn request(&mut self, who: &Cookies, route: Route, id: &str, body: &str) -> Option<Response> {
        let (method, path) = route;
        assert!(has_route(route), "there is no route {method} {path}");
        let target = path.replace("{id}", id).replace("{name}", id);
        let act = call(&self.world, who, method, &target, Body::Bytes(body.into()));
        let response = self.send(act);
        self.reckoning.borrow_mut().notice(&self.world);
        let response = response?;
        assert!(response.status != 405, "{method} {path}: {response:?}");
        Some(response)
    }

    /// Sends a request of the member, who signs in again if the session has ended.
    fn by_member(&mut self, route: Route, id: &str, body: &str) {
        for _ in 0..2 {
            let cookies = self.member.clone();
            let response = self.request(&cookies, route, id, body);
            if response.is_none_or(|response| response.status != 401) {
                return;
            }
            acts::sign_in(self);
        }
    }

    /// Sends a request, which may be cut, failed or held at one effect. Returns `None` if its isolate died, or if it is
    /// held.
    fn send(&mut self, mut act: Act) -> Option<Response> {
        let luck = self.luck.take();
        self.world.effects.plan(luck.as_slice());
        let troubles = self.troubles();
        let polled = step(&mut act);
        self.world.effects.plan(&[]);
        let troubled = luck.is_some() || self.troubles() > troubles;
        self.world.lets_go_what_could_not_be_read(troubled);
        self.world.outside_changes_are_kept();
        let Poll::Ready(response) = polled else {
            let fate = luck.map(|(_, fate)| fate);
            self.done = String::from("cut");
            if matches!(fate, Some(Fate::HeldBefore | Fate::HeldAfter)) && self.held.is_none() {
                self.held = Some((act, 3));
                self.done = String::from("held");
            }
            return None;
        };
        if let Some(response) = &response {
            self.done = response.status.to_string();
            assert!(response.status != 500 || luck.is_some(), "{response:?}");
        }
        response
    }

    /// Lets the held request go on to its end, once it has waited long enough.
    fn release(&mut self, at_once: bool) {
        match self.held.take() {
            Some((mut act, waits)) if at_once || waits == 0 => {
                assert!(step(&mut act).is_ready(), "let go, it goes on to its end");
            }
            Some((act, waits)) => self.held = Some((act, waits - 1)),
            None => {}
        }
    }

    fn pass(&mut self, secs: i64) {
        // No request is held for long, and a late effect lands within five minutes.
        self.world.pass(secs.min(60));
        if secs > 60 {
            self.release(true);
        }
        self.world.pass((secs - 60).clamp(0, 180));
        let now = self.world.upstream_now_ms();
        self.world.sandbox.borrow_mut().land_late(now);
        self.world.pass((secs - 240).max(0));
    }

    fn sweep(&mut self) {
        let is_held = self.held.is_some();
        self.pass(if is_held { 60 } else { TEN_MINUTES });
        self.sweep_at_once();
    }

    fn sweep_at_once(&mut self) {
        let troubles = self.troubles();
        let unlucky = self.luck.is_some() || self.held.is_some();
        let sweep = crate::explorer::sweep(&self.world, 0);
        self.done.clear();
        self.send(sweep);
        if self.done.is_empty() {
            self.done = self.world.last_run();
        }
        let troubled = unlucky || self.troubles() > troubles;
        let went_well = self.done == "done";
        let mut reckoning = self.reckoning.borrow_mut();
        reckoning.observe(&self.world, went_well, troubled);
    }

    /// Plays one step, and checks what must hold after it.
    fn step(&mut self, step: &Step) {
        let troubles = self.troubles();
        self.luck = step.luck;
        let unlucky = step.luck.is_some() || self.held.is_some();
        self.done = String::from("-");
        if let Some(dice) = &step.spender {
            spender::spends_between(self, dice.clone());
        }
        (step.operation.run)(self, &mut step.dice.clone());
        self.release(false);
        spender::rests(self);
        let troubled = unlucky || self.troubles() > troubles;
        oracle::always(&self.world);
        let mut reckoning = self.reckoning.borrow_mut();
        reckoning.observe(&self.world, false, troubled);
    }

    /// Counts how often an upstream call had a fault.
    fn troubles(&self) -> usize {
        let sandbox = self.world.sandbox.borrow();
        let calls = sandbox.ledger().calls.iter();
        calls.filter(|call| call.fault.is_some()).count()
    }

    /// Checks that everything settles, whatever state the sequence has left.
    fn settle(&mut self) {
        self.release(true);
        self.luck = None;
        self.world.sandbox.borrow_mut().clear_faults();
        for (wait, compares) in [
            (0, false),
            (0, true),
            (0, false),
            (86_400, true),
            (0, false),
            (0, false),
        ] {
            self.pass(wait);
            if compares {
                somebody::reconcile(self);
            }
            self.sweep();
            oracle::always(&self.world);
        }
        oracle::settled(&self.world);
    }
}

/// A sequence: its seed, which also decides how OpenRouter meters, and its steps.
struct Sequence {
    seed: u64,
    steps: Vec<Step>,
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x5e9_0e9c);
        let is_gentle = seed.is_multiple_of(2);
        let bag: Vec<&'static Operation> = OPERATIONS
            .iter()
            .filter(|o| !is_gentle || !ROUGH.contains(&o.name))
            .flat_map(|o| std::iter::repeat_n(o, o.weight))
            .collect();
        let steps = (0..STEPS)
            .map(|n| Step {
                operation: if n == 0 { bag[0] } else { dice.of(&bag) },
                dice: Dice(dice.next()),
                luck: (!is_gentle && dice.one_in(8)).then(|| (dice.below(9), dice.of(&FATES))),
                spender: dice.one_in(2).then(|| Dice(dice.next())),
            })
            .collect();
        Self { seed, steps }
    }

    /// How OpenRouter meters. In every other sequence it lets nothing slip, and in those nothing is disturbed.
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

    /// Plays the sequence without the steps left out. Returns the lines of what was done, and the tally or the failure.
    fn play(&self, left_out: &[usize]) -> (Vec<String>, Result<Tally, String>) {
        let done = RefCell::new(Vec::new());
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut play = Play::new(&mut Dice(!self.seed), self.metering());
            for (n, step) in self.steps.iter().enumerate() {
                if left_out.contains(&n) {
                    continue;
                }
                let (name, luck) = (step.operation.name, step.luck);
                let spender = if step.spender.is_some() { "$" } else { " " };
                let now = play.world.now().rfc3339();
                let line = format!("{n:>2} {now} {spender} {name} {luck:?}");
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

    /// Finds the steps without which the sequence still fails.
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

/// Counts what happened at all, because a sequence in which nothing is spent proves nothing.
#[derive(Default)]
struct Tally {
    mints: usize,
    calls: usize,
    /// Effects before which somebody tried to spend.
    between: usize,
    /// Keys and periods whose limit was used up.
    exhausted: usize,
    /// Calls that got through only because somebody else changed a key at OpenRouter.
    not_ours: usize,
}

impl Tally {
    fn of(play: &Play) -> Self {
        Self {
            mints: play.world.delivered.borrow().len(),
            calls: play.reckoning.borrow().admitted(),
            between: play.reckoning.borrow().times_between(),
            exhausted: play.reckoning.borrow().exhausted(),
            not_ours: play.reckoning.borrow().not_ours(),
        }
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("KEYCAP_SEQUENCE") {
        return vec![seed];
    }
    if let Ok(range) = std::env::var("KEYCAP_SEQUENCE") {
        let (from, to) = range.split_once("..").expect("a seed, or seeds from..to");
        return (from.parse().unwrap()..to.parse().unwrap()).collect();
    }
    let many = match number("KEYCAP_SCALE") {
        Some(scale) => SEQUENCES * usize::try_from(scale).unwrap() / WHOLE,
        None => SEQUENCES / PART,
    };
    (0..many as u64).collect()
}

#[test]
fn no_sequence_of_actions_spends_more_than_was_granted() {
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
                all.between += tally.between;
                all.exhausted += tally.exhausted;
                all.not_ours += tally.not_ours;
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
        between,
        exhausted,
        not_ours,
    } = all;
    println!(
        "counted: {} sequences of {STEPS} steps: {mints} keys, {calls} model calls, {between} times between effects, {exhausted} limits used up, {not_ours} calls by what somebody else gave",
        seeds.len()
    );
    // In a few of them, something may well not happen at all.
    if seeds.len() >= SEQUENCES / PART {
        let few = seeds.len();
        assert!(
            mints > few && calls > few && exhausted > few && between > few && not_ours > 0,
            "idle"
        );
    }
}

#[test]
fn every_route_that_changes_something_is_tried_or_says_why_not() {
    let played = OPERATIONS.iter().filter_map(|operation| operation.route);
    let known: Vec<Route> = played
        .chain(NOT_PLAYED.iter().map(|(route, _)| *route))
        .collect();
    for route in &known {
        assert!(has_route(*route), "there is no route {route:?}");
    }
    for route in ROUTES.iter().filter(|route| route.method.is_unsafe()) {
        let route = (route.method.name(), route.path);
        assert!(known.contains(&route), "no sequence plays {route:?}");
    }
}

#[test]
fn every_operation_is_in_the_sequences() {
    let mut names: Vec<&str> = (0..100)
        .flat_map(|seed| Sequence::new(seed).steps)
        .map(|step| step.operation.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), OPERATIONS.len(), "{names:?}");
}
