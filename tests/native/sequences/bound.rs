//! How much may have been spent, computed from the model calls alone: from the sandbox's ledger, and not from the
//! figures that keycap read.
//!
//! OpenRouter lets a call in while `shown < limit`. `shown` lacks the calls of the last lag. `limit` is the cap that
//! was computed when the terms of the plan were last applied: what the terms give, less what the other generations
//! took. Let `tail(g)` be the most that was ever booked on generation `g` within one lag, including the call at its
//! end.
//! - The generation that spends: after the call `used ≤ limit + tail`, and with neither lag nor overshoot `used ≤
//!   limit`.
//! - Another live generation counts with its cap, and has used at most `cap + tail`.
//! - An ended generation counts with the figures that were read since it was disabled, which lack at most its tail.
//!   Once they were read again, and the caps were computed since, they lack nothing. Unknown figures count as the whole
//!   cap, so again `cap + tail`.
//!
//! The sum: after each call, what a key used in the window is at most its limit + Σ tails of its generations. What the
//! owner used is at most limit × keys + raises + Σ tails of all generations, except those whose figures had settled.
//! With neither lag nor overshoot every tail is zero, and the bound is exact. A tail is at most the largest call × the
//! number of calls within one lag.
//!
//! When the terms change, what was spent before counts in the new window too, and nothing is taken back: only what is
//! let in after the change has to be within the new terms. The old terms may be in force at OpenRouter until the new
//! ones were applied, so they count until three more sweeps have ended well. The end of a raise is known beforehand. A
//! raise counts in every window that it reaches into by OpenRouter's clock, and not in a later window before which a
//! sweep had ended well a short time ago.
//!
//! Under a prepaid plan the window is the owner's stay under that plan: what is let in since the owner came to it is at
//! most what was paid since, less the margin.

use std::collections::HashMap;

use sandbox::{Metering, Period, Usd};

use crate::support::World;

/// Sweeps that must end well before new terms count as applied: one that finds a cap due, one after a postponement, and
/// one in reserve.
const FOLLOWED_AFTER: usize = 3;
/// A sweep so many seconds before a window opens, or later, has already removed from the limit what a raise gave until
/// then.
const SHORTLY_SECS: i64 = 1_200;

struct Call {
    hash: String,
    key: i64,
    at_ms: i64,
    amount: i64,
}

#[derive(Clone, Debug, PartialEq)]
enum Window {
    Each(Period),
    /// The stay under a prepaid plan, from the call with this index on.
    Since(usize),
}

/// What the plan and the raises give.
#[derive(Clone, Debug, PartialEq)]
struct Terms {
    window: Window,
    plan_limit: i64,
    keys_allowed: i64,
    /// Lower limits of keys by row id, in nano-USD: their owner's own, or what someone outside keycap left them.
    own_limits: HashMap<i64, i64>,
    raises: Vec<Raise>,
}

/// An amount in nano-USD on top of one key's limit, until a moment by our clock; `None` is for good.
#[derive(Clone, Debug, PartialEq)]
struct Raise {
    key: i64,
    amount: i64,
    until_secs: Option<i64>,
}

/// When the figures of an ended generation had settled, and how many sweeps had ended well by then.
struct Settled {
    at_secs: i64,
    sweeps: usize,
}

pub struct Reckoning {
    metering: Metering,
    calls: Vec<Call>,
    /// How many calls there had been when each stay under a prepaid plan began.
    stays: HashMap<String, usize>,
    /// Sweeps that ended well without any fault, and the times of all of them.
    sweeps: usize,
    swept_at_secs: Vec<i64>,
    /// Terms, with the number of sweeps when each was last in force.
    terms: Vec<(Terms, usize)>,
    settled: HashMap<String, Settled>,
    exhausted: usize,
    /// How often someone had the chance to spend between two effects.
    between: usize,
    /// Calls that were let in only because of what someone outside keycap changed.
    not_ours: usize,
}

impl Reckoning {
    pub fn new(metering: Metering) -> Self {
        Self {
            metering,
            calls: Vec::new(),
            stays: HashMap::new(),
            sweeps: 0,
            swept_at_secs: Vec::new(),
            terms: Vec::new(),
            settled: HashMap::new(),
            exhausted: 0,
            between: 0,
            not_ours: 0,
        }
    }

    /// Counts one chance to spend between two effects.
    pub fn between(&mut self) {
        self.between += 1;
    }

    pub fn times_between(&self) -> usize {
        self.between
    }

    /// Counts a call that was let in only because someone outside keycap enabled a key at OpenRouter or raised its
    /// limit.
    pub fn admit_of_somebody(&mut self) {
        self.not_ours += 1;
    }

    pub fn not_ours(&self) -> usize {
        self.not_ours
    }

    /// The part of a call's amount that would have been booked if `left` had been left of the limit.
    pub fn within(&self, amount: Usd, left: Usd) -> Usd {
        match left {
            Usd::ZERO => Usd::ZERO,
            _ if self.metering.overshoot => amount,
            _ => amount.min(left),
        }
    }

    pub fn admitted(&self) -> usize {
        self.calls.len()
    }

    /// The number of calls after which a limit was used up.
    pub fn exhausted(&self) -> usize {
        self.exhausted
    }

    /// Notes after each step which terms hold now, and which figures have settled.
    pub fn observe(&mut self, world: &World, swept: bool, troubled: bool) {
        if swept && !troubled {
            self.sweeps += 1;
            self.swept_at_secs.push(world.now().secs());
        }
        self.notice(world);
        if troubled {
            // After a fault, everything that should have been applied by now gets its full time again.
            self.terms
                .iter_mut()
                .for_each(|(_, last)| *last = self.sweeps);
            self.settled
                .values_mut()
                .for_each(|s| s.sweeps = self.sweeps);
        }
        self.terms
            .retain(|(_, last)| last + FOLLOWED_AFTER > self.sweeps);
        let settled = "SELECT upstream_hash FROM generations WHERE upstream_hash IS NOT NULL
              AND live = 0 AND readings_since_off >= 2";
        for hash in world.db.texts(settled) {
            self.settled.entry(hash).or_insert(Settled {
                at_secs: world.now().secs(),
                sweeps: self.sweeps,
            });
        }
    }

    /// Notes which terms hold now. It runs after each request, because one step may have several.
    pub fn notice(&mut self, world: &World) {
        let Some(now) = self.in_force(world) else {
            return;
        };
        match self.terms.iter_mut().find(|(terms, _)| *terms == now) {
            Some((_, last)) => *last = self.sweeps,
            None => self.terms.push((now, self.sweeps)),
        }
    }

    /// Records a call that OpenRouter let in and booked, and checks that it is within some terms that may be in force.
    pub fn admit(&mut self, world: &World, hash: &str, amount: Usd) {
        let row = world.db.text(&format!(
            "SELECT key_id || ' ' || created_at FROM generations WHERE upstream_hash = '{hash}'"
        ));
        let (key, born) = row.split_once(' ').unwrap();
        let (key, born) = (key.parse().unwrap(), born.parse().unwrap());
        let at_ms = world.upstream_now_ms();
        // The terms may have changed in this very request.
        self.notice(world);
        self.calls.push(Call {
            hash: hash.to_owned(),
            key,
            at_ms,
            amount: amount.nanos,
        });
        let ahead_ms = world.upstream_ahead_ms.get();
        let terms = self.terms.iter().map(|(terms, _)| terms);
        let verdicts: Vec<_> = terms
            .map(|terms| self.used(terms, hash, key, born, [at_ms, ahead_ms]))
            .collect();
        assert!(
            verdicts.iter().any(Used::is_within),
            "more was spent than was given: {verdicts:#?}"
        );
        self.exhausted += usize::from(verdicts.iter().any(Used::is_all));
    }

    /// What is given now, and in which window.
    fn in_force(&mut self, world: &World) -> Option<Terms> {
        let (stay, terms) = given(world)?;
        let calls = self.calls.len();
        Some(match terms.window {
            Window::Each(_) => terms,
            Window::Since(_) => Terms {
                window: Window::Since(*self.stays.entry(stay).or_insert(calls)),
                ..terms
            },
        })
    }

    fn used(
        &self,
        terms: &Terms,
        hash: &str,
        key: i64,
        born: i64,
        [at_ms, ahead_ms]: [i64; 2],
    ) -> Used {
        let (first, began) = match terms.window {
            Window::Each(period) => (0, period.start(at_ms)),
            Window::Since(first) => (first, 0),
        };
        let since = &self.calls[first..];
        let in_window = || since.iter().filter(|call| call.at_ms >= began);
        let sum = |of_key: bool| {
            let counted = in_window().filter(|call| !of_key || call.key == key);
            counted.map(|call| call.amount).sum()
        };
        let slack = |of_key: bool| {
            let mut tails: HashMap<&str, i64> = HashMap::new();
            for call in in_window().filter(|call| !of_key || call.key == key) {
                if call.hash == hash || !self.is_known(&call.hash, born) {
                    tails.insert(&call.hash, self.tail(&call.hash));
                }
            }
            tails.values().sum()
        };
        let opened_secs = (began - ahead_ms) / 1000;
        let raised = |of_key: bool| -> i64 {
            let counted = terms.raises.iter().filter(|raise| {
                (!of_key || raise.key == key) && self.reaches_into(raise, opened_secs)
            });
            counted.map(|raise| raise.amount).sum()
        };
        let own = terms.own_limits.get(&key).copied().unwrap_or(i64::MAX);
        Used {
            window: terms.window.clone(),
            by_key: sum(true),
            of_key: own.min(terms.plan_limit + raised(true)),
            key_slack: slack(true),
            by_owner: sum(false),
            of_owner: terms.plan_limit * terms.keys_allowed + raised(false),
            owner_slack: slack(false),
        }
    }

    /// Answers whether a raise counts in the window that OpenRouter opened at `opened_secs` by our clock. It does if it
    /// was to end later, or if no sweep ended well between its end (or a short time before the opening, if that is
    /// earlier) and the opening.
    fn reaches_into(&self, raise: &Raise, opened_secs: i64) -> bool {
        let Some(until) = raise.until_secs.filter(|until| *until <= opened_secs) else {
            return true;
        };
        let from = until.min(opened_secs - SHORTLY_SECS);
        let mut sweeps = self.swept_at_secs.iter();
        !sweeps.any(|at| (from..opened_secs).contains(at))
    }

    /// Answers whether the cap of a generation made at `born` was computed from the settled figures of this one.
    fn is_known(&self, hash: &str, born: i64) -> bool {
        self.settled.get(hash).is_some_and(|settled| {
            settled.at_secs < born || settled.sweeps + FOLLOWED_AFTER <= self.sweeps
        })
    }

    /// The most that was booked on a generation within one lag, in nano-USD.
    fn tail(&self, hash: &str) -> i64 {
        let Metering { lag_ms, overshoot } = self.metering;
        if lag_ms == 0 && !overshoot {
            return 0;
        }
        let of_it: Vec<&Call> = self.calls.iter().filter(|call| call.hash == hash).collect();
        let ending_at = |n: usize| -> i64 {
            let unseen = |call: &&&Call| call.at_ms > of_it[n].at_ms - lag_ms;
            let before = of_it[..n].iter().filter(unseen);
            before.map(|call| call.amount).sum::<i64>() + of_it[n].amount
        };
        (0..of_it.len()).map(ending_at).max().unwrap_or(0)
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "the window is there to be printed")]
struct Used {
    window: Window,
    by_key: i64,
    of_key: i64,
    key_slack: i64,
    by_owner: i64,
    of_owner: i64,
    owner_slack: i64,
}

impl Used {
    fn is_within(&self) -> bool {
        self.by_key <= self.of_key + self.key_slack
            && self.by_owner <= self.of_owner + self.owner_slack
    }

    fn is_all(&self) -> bool {
        self.by_key >= self.of_key || self.by_owner >= self.of_owner
    }
}

/// An id of the owner's stay under their plan, and the terms now. `None` while there is no member.
fn given(world: &World) -> Option<(String, Terms)> {
    let paid = "(SELECT COALESCE(SUM(y.credit_nano), 0) FROM payments y WHERE y.owner_id = o.id AND y.at >= o.prepaid_since)";
    let stay = "o.id || '/' || (SELECT COUNT(*) FROM audit a WHERE a.action = 'plan_assigned' AND a.before IS NOT 'prepaid' AND a.after = 'prepaid')";
    let plan = world.db.texts(&format!(
        "SELECT o.id || ' ' || p.limit_reset || ' ' || {stay} || ' ' || CASE p.limit_reset WHEN 'none' THEN {paid} || ' 1'
           ELSE p.limit_nano || ' ' || p.max_active_keys END
         FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE m.subject <> '1000001' ORDER BY m.owner_id DESC LIMIT 1"
    ));
    let [owner, reset, stay, limit, keys_allowed] =
        plan.first()?.split(' ').collect::<Vec<_>>()[..]
    else {
        panic!("five columns: {plan:?}");
    };
    let own_limits = world.db.texts(&format!(
        "SELECT id || ' ' || MIN(COALESCE(own_limit_nano, upstream_limit_nano), COALESCE(upstream_limit_nano, own_limit_nano))
         FROM keys WHERE owner_id = {owner} AND COALESCE(own_limit_nano, upstream_limit_nano) IS NOT NULL"
    ));
    let own_limits = own_limits.iter().map(|row| {
        let (key, limit) = row.split_once(' ').unwrap();
        (key.parse().unwrap(), limit.parse().unwrap())
    });
    let terms = Terms {
        // For a prepaid plan the reckoning fills in the call at which the stay began.
        window: Period::parse(reset).map_or(Window::Since(0), Window::Each),
        plan_limit: limit.parse().unwrap(),
        keys_allowed: keys_allowed.parse().unwrap(),
        own_limits: own_limits.collect(),
        raises: if reset == "none" {
            Vec::new()
        } else {
            raises(world, owner)
        },
    };
    Some((stay.to_owned(), terms))
}

/// The raises in force of all keys that the owner ever had.
fn raises(world: &World, owner: &str) -> Vec<Raise> {
    let now = world.now().secs();
    let rows = world.db.texts(&format!(
        "SELECT r.key_id || ' ' || r.amount_nano || ' ' || COALESCE(r.until, '') FROM raises r JOIN keys k ON k.id = r.key_id
         WHERE k.owner_id = {owner} AND COALESCE(r.until, {now} + 1) > {now} ORDER BY r.id"
    ));
    let read = |row: &String| {
        let [key, amount, until] = row.split(' ').collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}");
        };
        Raise {
            key: key.parse().unwrap(),
            amount: amount.parse().unwrap(),
            until_secs: until.parse().ok(),
        }
    };
    rows.iter().map(read).collect()
}
