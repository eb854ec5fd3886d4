//! Rotate, revoke, suspend, switch and a change of the plan, in every order: one after the other, and with the first
//! one held at each of its effects while the others run. An end of the key, or a hold on it, always prevails, and no
//! order lets anybody spend more.

use std::collections::HashMap;
use std::task::Poll;

use sandbox::{Spent, Usd};

use crate::explorer::{
    Act, Cast, Choice, all_is_well, done, operation, recover, signed_in, step, sweep,
};
use crate::support::browser::Response;
use crate::support::{Fate, TEN_MINUTES, World, oracle};

const ROTATIONS: [&str; 3] = ["rotate", "rotate with grace", "leaked"];
/// The admin's switch of all keys and the owner's own switch: the operation that disables the key, and the one that
/// enables it again.
const SWITCHES: [(&str, &str); 2] = [("off", "on"), ("off by owner", "on by owner")];
const OTHERS: [&str; 3] = ["revoke", "suspend", "plan change"];

/// The limit of the default plan in nano-USD, and its limit after the change.
const LIMIT: i64 = 5_000_000_000;
const CHANGED: i64 = 3_000_000_000;
const PRICE: i64 = 700_000_000;
const CENT: i64 = 10_000_000;

/// An order of operations, and what happens between them.
struct Order {
    operations: Vec<&'static str>,
    switch: (&'static str, &'static str),
    /// Whether the key has spent something before, so that it is retained for its figures when it ends.
    used: bool,
    /// Whether a sweep runs after each operation.
    swept: bool,
}

impl Order {
    fn name(&self) -> String {
        let [used, swept] = [(self.used, "used"), (self.swept, "swept")]
            .map(|(is, word)| if is { word } else { "-" });
        format!("{used} / {swept} / {}", self.operations.join(", "))
    }

    fn begins(&self, starts: &[Start; 2]) -> Run {
        let (world, cast) = &starts[usize::from(self.used)];
        Run {
            world: world.forked(),
            cast: cast.clone(),
            swept: self.swept,
            took: Vec::new(),
        }
    }
}

type Start = (World, Cast);

/// Makes a world with a new key, and one with a used key; the other people are signed in too.
fn starts() -> [Start; 2] {
    [0.0, 1.0].map(|dollars| {
        let world = World::new();
        let cast = signed_in(&world);
        let response = done(operation("claim")(&world, &cast));
        assert_eq!(response.unwrap().status, 201);
        world.spends(dollars);
        world.pass(TEN_MINUTES);
        (world, cast)
    })
}

/// Calls `with` for every order of all operations, and of every subset that has a rotation in it.
fn each_order(mut with: impl FnMut(&Order)) {
    for rotation in ROTATIONS {
        for switch in SWITCHES {
            let mut orders = vec![vec![rotation]];
            for name in OTHERS.into_iter().chain([switch.0]) {
                let more: Vec<_> = orders
                    .iter()
                    .flat_map(|order| (0..=order.len()).map(move |at| inserted(order, at, name)))
                    .collect();
                orders.extend(more);
            }
            // An order without a switch is the same for both actors, so it is played once.
            orders.retain(|order| switch == SWITCHES[0] || order.contains(&switch.0));
            for operations in orders {
                for [used, swept] in [[false, false], [false, true], [true, false], [true, true]] {
                    with(&Order {
                        operations: operations.clone(),
                        switch,
                        used,
                        swept,
                    });
                }
            }
        }
    }
}

fn inserted(order: &[&'static str], at: usize, name: &'static str) -> Vec<&'static str> {
    let mut order = order.to_vec();
    order.insert(at, name);
    order
}

/// An order that is being played.
struct Run {
    world: World,
    cast: Cast,
    swept: bool,
    /// The operations that were not refused.
    took: Vec<&'static str>,
}

impl Run {
    fn starts(&self, name: &str) -> Act {
        operation(name)(&self.world, &self.cast)
    }

    fn ended(&mut self, name: &'static str, response: Option<Response>) {
        let response = response.expect("an answer");
        assert!(response.status != 500, "our own fault: {response:?}");
        if response.status < 300 {
            self.took.push(name);
        }
    }

    /// Runs one operation to its end. Then every secret spends, and a sweep runs if the order wants one.
    fn runs(&mut self, name: &'static str) {
        let response = done(self.starts(name));
        self.ended(name, response);
        self.looks();
        if self.swept {
            self.world.pass(TEN_MINUTES);
            done(sweep(&self.world, 0));
            self.looks();
        }
    }

    fn looks(&self) {
        oracle::always(&self.world);
        self.burns(1);
        assert!(self.spent() <= LIMIT, "{}", self.spent());
    }

    /// Makes this many calls with every secret that was ever given out.
    fn burns(&self, times: usize) {
        let now = self.world.upstream_now_ms();
        for secret in self.world.delivered.borrow().iter() {
            for _ in 0..times {
                let price = Usd { nanos: PRICE };
                let spent = self.world.sandbox.borrow_mut().spend(secret, price, now);
                if !matches!(spent, Spent::Booked(_)) {
                    break;
                }
            }
        }
    }

    /// The lifetime spend of all keys in nano-USD, deleted keys included.
    fn spent(&self) -> i64 {
        let sandbox = self.world.sandbox.borrow();
        let keys = sandbox.ledger().keys.iter();
        keys.map(|key| key.usage.lifetime.nanos).sum()
    }

    /// The indices of those secrets that work, among all that were given out.
    fn working(&self) -> Vec<usize> {
        let usable = self.world.usable();
        let secrets = self.world.delivered.borrow();
        let works = |secret: &str| {
            let hash = sandbox::sha256_hex(secret.as_bytes());
            usable.iter().any(|key| key.hash == hash)
        };
        (0..secrets.len()).filter(|n| works(&secrets[*n])).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.took.contains(&name)
    }

    /// The indices of the secrets that must work while no hold disables the key.
    fn last_word(&self) -> Vec<usize> {
        let last = self.world.delivered.borrow().len() - 1;
        if self.is_dead() || self.is_used_up() {
            vec![]
        } else if self.has("rotate with grace") && self.is_in_grace() {
            vec![last - 1, last]
        } else {
            vec![last]
        }
    }

    /// The key has ended, or it has leaked and its owner has no successor yet.
    fn is_dead(&self) -> bool {
        self.has("revoke") || self.has("suspend") || self.is_held("leak")
    }

    /// The key is disabled until the reset, because less than a cent is left.
    fn is_used_up(&self) -> bool {
        self.is_held("budget") && self.spent() > self.limit() - CENT
    }

    fn is_in_grace(&self) -> bool {
        let until = "SELECT COALESCE(MAX(grace_until), 0) FROM generations";
        self.world.db.number(until) > self.world.now().secs()
    }

    fn is_held(&self, reason: &str) -> bool {
        let holds = format!("SELECT COUNT(*) FROM holds WHERE reason = '{reason}'");
        self.world.db.number(&holds) > 0
    }

    /// Checks what must hold at the end of any order.
    fn settles(self, switch: (&'static str, &'static str)) {
        recover(&self.world, &self.cast, 0);
        self.looks();
        let off = self.has(switch.0);
        self.is_as(&if off { vec![] } else { self.last_word() });
        self.gives_no_more();
        // The hold is lifted: an ended key stays ended, and any other key works.
        let response = done(self.starts(switch.1)).unwrap();
        assert!(response.status < 500, "{response:?}");
        recover(&self.world, &self.cast, 0);
        self.is_as(&self.last_word());
        self.gives_no_more();
        let (dead, before) = (self.is_dead(), self.world.delivered.borrow().len());
        all_is_well(&self.world, &self.cast);
        let revived = self.working().into_iter().any(|n| n < before);
        assert!(!(dead && revived), "a secret works again");
    }

    /// Checks that exactly the expected secrets work at OpenRouter, and that no other key does.
    fn is_as(&self, expected: &[usize]) {
        assert_eq!(self.working(), expected, "took {:?}", self.took);
        assert_eq!(
            self.world.usable().len(),
            expected.len(),
            "what works is what may"
        );
    }

    /// Spends everything that OpenRouter lets through, and checks that it is within the limit.
    fn gives_no_more(&self) {
        let before = self.spent();
        self.burns(9);
        let spent = self.spent();
        assert!(spent <= self.limit().max(before), "{spent} after {before}");
    }

    /// The limit of the plan as it is now, in nano-USD.
    fn limit(&self) -> i64 {
        if self.has("plan change") {
            CHANGED
        } else {
            LIMIT
        }
    }
}

#[test]
fn rotate_revoke_suspend_switch_and_plan_change_in_every_order() {
    let mut choice = Choice::one_of(61);
    let starts = starts();
    each_order(|order| {
        let name = order.name();
        if choice.takes(&name) {
            choice.run(&name, || {
                let mut run = order.begins(&starts);
                order.operations.iter().for_each(|name| run.runs(name));
                run.settles(order.switch);
            });
        }
    });
    choice.counted("orders one after the other");
}

#[test]
fn the_first_operation_held_anywhere_while_the_others_run_in_every_order() {
    let mut choice = Choice::one_of(307);
    let starts = starts();
    let mut effects_of = HashMap::new();
    each_order(|order| {
        let Some((first, others)) = order.operations.split_first() else {
            return;
        };
        if others.is_empty() {
            return;
        }
        let effects = effects_of
            .entry((order.used, *first))
            .or_insert_with(|| effects(&order.begins(&starts), first));
        for k in 0..*effects {
            let name = format!("{k} {}", order.name());
            if choice.takes(&name) {
                choice.run(&name, || {
                    held(order.begins(&starts), k, first, others).settles(order.switch);
                });
            }
        }
    });
    choice.counted("orders while the first is held");
}

/// Counts the effects of an operation that nothing disturbs.
fn effects(run: &Run, first: &str) -> usize {
    run.world.effects.plan(&[]);
    done(run.starts(first));
    run.world.effects.count()
}

/// Holds the first operation just after its `k`-th effect while the others run.
fn held(mut run: Run, k: usize, first: &'static str, others: &[&'static str]) -> Run {
    let mut act = run.starts(first);
    run.world.effects.plan(&[(k, Fate::HeldAfter)]);
    assert!(step(&mut act).is_pending());
    run.world.effects.plan(&[]);
    run.looks();
    others.iter().for_each(|name| run.runs(name));
    let Poll::Ready(response) = step(&mut act) else {
        panic!("let go, it goes on to its end");
    };
    run.ended(first, response);
    run.looks();
    run
}
