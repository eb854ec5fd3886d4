//! The database refuses one batch of an operation. A batch is atomic, so a statement that fails anywhere in it refuses
//! all of it (`tests/workerd/statements.test.mjs` shows that for D1). The answer says so in our own words, nothing is half
//! done, and once the database accepts everything again nothing is stuck.

mod story;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::conformance;
use crate::support::world::{Rehearsal, Step};
use crate::support::{Fate, TEN_MINUTES, World, oracle};

/// Batches whose refusal the answer does not tell, by their first statement, with the reason.
const UNTOLD: [(&str, &str); 11] = [
    (
        "closures::ABOUT_TO",
        "the keys are switched, and the sweep closes or opens the workspace",
    ),
    ("closures::CONFIRMED_GUARD", "the same"),
    (
        "idempotency::ANSWERED",
        "the request was carried out, and its answer is given",
    ),
    (
        "guardrails::ABOUT_TO",
        "the plan is assigned, and the sweep assigns the guardrail",
    ),
    ("guardrails::CONFIRMED_GUARD", "the same"),
    ("guardrails::LIST_GOES_ON", "the same"),
    (
        "limits::ABOUT_TO",
        "what an admin grants is recorded, and the sweep changes the limit",
    ),
    ("limits::CONFIRMED_GUARD", "the same"),
    ("caps::NEXT", "the same"),
    ("caps::TAKE", "the same"),
    (
        "expiries::EXPIRE_GUARD",
        "of a chunk of several rows, each half is run again, and both succeed",
    ),
];

/// Statements that follow another failure of the database, with the test that refuses them.
const REFUSED_ELSEWHERE: [(&str, &str); 2] = [
    (
        "idempotency::RELEASE_FOR_RETRY",
        "a_request_whose_end_cannot_be_recorded_either_stays_in_progress",
    ),
    (
        "presences::DOUBT",
        "a_doubt_that_cannot_be_written_down_fails_the_run_and_puts_nobody_out",
    ),
];

/// What was refused so far.
#[derive(Default)]
struct Refused {
    /// What a step was, with the names of the statements that would have changed something.
    batches: BTreeSet<(String, Vec<&'static str>)>,
    /// The first statements of batches whose refusal was not told.
    untold: BTreeSet<&'static str>,
    /// After how many of them everything had to be settled.
    settled: usize,
    /// Our account at OpenRouter as it was when the management key last belonged to it.
    ours: Option<sandbox::Sandbox>,
}

impl Refused {
    /// Answers whether the management key belongs to the account in which our keys are.
    fn is_home(world: &World) -> bool {
        let sandbox = world.sandbox.borrow();
        let delivered = world.delivered.borrow();
        let is_there = |secret: &String| {
            let hash = sandbox::sha256_hex(secret.as_bytes());
            sandbox.ledger().key(&hash).is_some() || sandbox.ledger().is_linked(secret)
        };
        delivered.iter().all(is_there)
    }

    /// Makes the management key belong to our account again, where the oracle looks for our keys.
    fn back_home(&self, world: &World) {
        if let (false, Some(ours)) = (Self::is_home(world), &self.ours) {
            world.sandbox.replace(ours.clone());
        }
    }

    /// Refuses each batch of a step in turn, unless the same batch of such a step was refused before.
    fn refuse_each(&mut self, world: &World, what: &str, step: Step<'_>) {
        if Self::is_home(world) {
            self.ours = Some(world.sandbox.borrow().clone());
        }
        for (k, wrote) in self.batches_of(world, step) {
            if self.batches.insert((kind_of(what), wrote.clone())) {
                self.refuse(world, what, (k, &wrote), step);
            }
        }
    }

    /// The batches of a step: the number of the effect, and the names of the statements that change something.
    fn batches_of(&self, world: &World, step: Step<'_>) -> Vec<(usize, Vec<&'static str>)> {
        let dry = world.forked();
        *dry.db.trace.borrow_mut() = Some(Vec::new());
        dry.effects.plan(&[]);
        step(&dry);
        let trace = dry.db.trace.borrow_mut().take().unwrap();
        self.back_home(&dry);
        let names = dry.effects.names();
        let effects = names.iter().enumerate();
        let batches: Vec<usize> = effects
            .filter(|(_, name)| name.starts_with("db "))
            .map(|(k, _)| k)
            .collect();
        assert_eq!(batches.len(), trace.len());
        let each = batches.into_iter().zip(trace.iter().map(|ran| ran.wrote()));
        each.filter(|(_, wrote)| !wrote.is_empty()).collect()
    }

    fn refuse(&mut self, world: &World, what: &str, at: (usize, &[&'static str]), step: Step<'_>) {
        let (k, wrote) = at;
        let world = world.forked();
        world.effects.plan(&[(k, Fate::RefusedBefore)]);
        let ended = step(&world);
        assert!(world.effects.count() > k, "{what}: nothing was refused");
        world.effects.plan(&[]);
        if !is_told(&ended) && !wrote[0].starts_with("runs::") {
            self.untold.insert(wrote[0]);
        }
        self.back_home(&world);
        oracle::always(&world);
        world.sandbox.borrow_mut().clear_faults();
        world.bend.set(None);
        // What failed before as well is tried again within a day.
        for wait in [TEN_MINUTES, TEN_MINUTES, 86_400, TEN_MINUTES] {
            world.pass(wait);
            assert!(world.sweep());
            oracle::always(&world);
        }
        // After an alarm no sweep does anything until an admin has looked.
        if world.last_run() == "done" {
            world.db.run("DELETE FROM findings");
            oracle::settled(&world);
            self.settled += 1;
        }
        let again = step(&world);
        assert!(
            !again.starts_with("500") && !again.starts_with("failed"),
            "{what} after {wrote:?} was refused: {again}"
        );
        self.back_home(&world);
    }
}

/// Answers whether an outcome tells that something is not done: an error, work that goes on later, or a run that has
/// not done everything.
fn is_told(outcome: &str) -> bool {
    let words = ["4", "5", "202", "failed", "partial", "running"];
    words.iter().any(|word| outcome.starts_with(word)) || outcome.contains("storage_unavailable")
}

/// The words of a step without ids.
fn kind_of(what: &str) -> String {
    let words = what
        .split('/')
        .map(|word| if word.contains('_') { "{id}" } else { word });
    words.collect::<Vec<_>>().join("/")
}

#[test]
fn every_statement_that_writes_is_in_a_batch_that_was_refused() {
    let refused = Rc::new(RefCell::new(Refused::default()));
    for tell in [conformance::tell, story::tell] {
        let world = World::new();
        let seen = Rc::clone(&refused);
        let rehearsal: Rehearsal = Rc::new(move |world, what, step| {
            seen.borrow_mut().refuse_each(world, what, step);
        });
        *world.rehearsal.borrow_mut() = Some(rehearsal);
        tell(&world);
    }
    let refused = refused.borrow();
    let names = refused.batches.iter().flat_map(|(_, names)| names);
    let within: BTreeSet<&str> = names.copied().collect();
    let left: Vec<&str> = keycap::store::statements()
        .into_iter()
        .filter(|sql| {
            // A statement that only reads may begin with its common table expressions.
            let text = sql.text.trim_start();
            let reads = ["SELECT", "WITH"].iter().any(|word| text.starts_with(word));
            !reads || text.contains("INSERT INTO")
        })
        .map(|sql| sql.short_name())
        .filter(|name| !within.contains(name))
        .collect();
    println!(
        "counted: {} refused batches, with {} statements that write; after {} of them everything had to be settled",
        refused.batches.len(),
        within.len(),
        refused.settled
    );
    assert_eq!(left, REFUSED_ELSEWHERE.map(|(name, _)| name));
    let untold: Vec<&str> = refused.untold.iter().copied().collect();
    assert_eq!(
        untold,
        BTreeSet::from(UNTOLD.map(|(name, _)| name))
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert!(refused.settled * 10 > refused.batches.len() * 9);
}

#[test]
fn a_request_whose_end_cannot_be_recorded_either_stays_in_progress() {
    let world = World::new();
    let (member, key) = story::holder(&world, "member");
    let rename = || story::keyed(&member, "PATCH", &key, r#"{"name":"desk"}"#);
    let fates = [Fate::LostAfter, Fate::LostAfter, Fate::RefusedBefore];
    let plan: Vec<(usize, Fate)> = fates
        .into_iter()
        .enumerate()
        .map(|(k, fate)| (k + 1, fate))
        .collect();
    world.effects.plan(&plan);
    assert_eq!(rename(), 503);
    let names = world.effects.names();
    assert!(
        names
            .last()
            .unwrap()
            .ends_with("idempotency::RELEASE_FOR_RETRY"),
        "{names:?}"
    );
    world.effects.plan(&[]);
    assert_eq!(rename(), 409);
    world.pass(2 * 86_400);
    assert_eq!(rename(), 200);
}
