//! Computes the cap of a generation from all its siblings. It is computed from scratch each time. An unknown spend
//! counts as the whole limit.

use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::period::{LimitReset, SKEW_SECS, SURE_SECS};
use crate::domain::time::{Timestamp, earliest};

/// A raise that ends near a midnight ends this many seconds before it, so that the limit is lowered before the next
/// window opens. This is the time of two sweeps and the difference of the clocks.
const RAISE_ENDS_SECS: i64 = 2 * 600 + SKEW_SECS;

/// Another generation of the same owner that may have spent, or may still spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    pub same_key: bool,
    /// The highest limit that it has, or that is in flight and may be in force.
    pub cap: NanoUsd,
    /// The window of that limit.
    pub limit_reset: LimitReset,
    /// When it was disabled for good, or `None` while it lives.
    pub ended_at: Option<Timestamp>,
    pub usage: Option<Spend>,
    /// The part of its lifetime spend from before the owner came to a prepaid plan.
    pub before_prepaid: NanoUsd,
    /// The key is over the plan's number of keys, so its limit is being lowered to what it has spent.
    pub over_quota: bool,
    /// The sum of all raises that its key ever had.
    pub raises: NanoUsd,
}

/// What an owner may spend in a window, with one key and with all keys together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub key: NanoUsd,
    pub owner: NanoUsd,
    /// The limit that the plan gives to any key of this owner.
    pub plan: NanoUsd,
    pub limit_reset: LimitReset,
}

/// What a plan gives, and what was granted in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    pub plan_limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub max_active_keys: i64,
    /// The raises in force: those of this key, and those of all the owner's keys.
    pub key_raises: NanoUsd,
    pub owner_raises: NanoUsd,
    /// When the first of the owner's raises ends.
    pub raise_ends_at: Option<Timestamp>,
    /// The limit that the owner prefers for this key.
    pub own_limit: Option<NanoUsd>,
    /// A lower limit that someone outside keycap set at OpenRouter.
    pub upstream_limit: Option<NanoUsd>,
    /// The paid amount that may be spent. It counts only under a prepaid plan.
    pub credit: NanoUsd,
}

impl Grants {
    /// The limit that a new key gets from the plan alone.
    pub fn offered(&self) -> NanoUsd {
        match self.limit_reset {
            LimitReset::None => self.credit,
            _ => self.plan_limit,
        }
    }

    /// This moment, or the end of a raise if that is earlier, because a cap is valid no longer than the raise.
    pub fn not_after_a_raise(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        earliest(at, self.raise_ends_at)
    }

    /// The key gets the plan's limit and its raises, or the owner's own lower limit. All keys together get the plan's
    /// limit times the number of keys that it allows, and every raise. Under a prepaid plan, both are the paid amount.
    pub fn allowance(&self) -> Allowance {
        let plan = self.offered();
        let (given, owner) = match self.limit_reset {
            LimitReset::None => (plan, plan),
            _ => (
                plan.plus(self.key_raises),
                plan.times(self.max_active_keys.max(1))
                    .plus(self.owner_raises),
            ),
        };
        let lower = [self.own_limit, self.upstream_limit].into_iter();
        Allowance {
            key: lower.flatten().fold(given, NanoUsd::min),
            owner,
            plan,
            limit_reset: self.limit_reset,
        }
    }
}

/// The cap of a key in the window that `now` falls into. It is the key's limit minus what the key's other generations
/// took, or the owner's total minus what all generations took, whichever is less. It is never below zero.
pub fn cap(allowed: Allowance, siblings: &[Sibling], now: Timestamp) -> NanoUsd {
    left(allowed, siblings, |sibling| {
        taken(allowed.limit_reset, sibling, now)
    })
}

/// The cap of a key, whether OpenRouter is in the window of `now` or still in the one before it, because the latest
/// figure may belong to either. While the clocks may differ, no figure is evidence for the window of `now`.
pub fn certain(allowed: Allowance, siblings: &[Sibling], now: Timestamp) -> NanoUsd {
    let reset = allowed.limit_reset;
    let began = reset.starts(now);
    let before = reset.starts(began.plus(-1)).plus(-SKEW_SECS);
    let is_early = begun(reset, now) == WindowStart::Unsure;
    left(allowed, siblings, |sibling| match sibling.ended_at {
        Some(ended) if ended < before => NanoUsd::ZERO,
        // A figure that was read since then may belong to either window.
        Some(ended) if is_early && ended < began => {
            counted(reset, sibling, sibling.usage, Some(began))
        }
        _ => counted(reset, sibling, sibling.usage, None),
    })
}

/// The limit that a new key gets. If the window has hardly begun, the key gets only what is certain, and may get more
/// once there is evidence.
pub fn share(allowed: Allowance, siblings: &[Sibling], now: Timestamp) -> NanoUsd {
    match begun(allowed.limit_reset, now) {
        WindowStart::Unsure | WindowStart::OnEvidence => certain(allowed, siblings, now),
        WindowStart::Surely => cap(allowed, siblings, now),
    }
}

/// The end of a raise that is asked for at `now` and until `until`. If `until` is near a midnight, the raise ends
/// before that midnight: every window begins at a midnight, and a key whose limit is raised at that time could spend
/// the whole raise in a window that it is not meant for. A raise until less than an hour after a midnight is meant for
/// the day before, according to some clock.
pub fn raise_ends(until: Timestamp, now: Timestamp) -> Timestamp {
    let midnight = LimitReset::Daily.starts(until.plus(RAISE_ENDS_SECS));
    if until > midnight.plus(SURE_SECS) || now >= midnight {
        until
    } else {
        until.min(midnight.plus(-RAISE_ENDS_SECS))
    }
}

/// The cap of a key once every sibling has followed its plan as well. No key has to be lowered below this amount. It is
/// used only to keep a limit that is in force; a higher limit waits until the siblings have followed.
pub fn settled(allowed: Allowance, siblings: &[Sibling], now: Timestamp) -> NanoUsd {
    left(allowed, siblings, |sibling| {
        let cap = match (sibling.ended_at, sibling.over_quota) {
            (Some(_), _) => sibling.cap,
            (None, true) => NanoUsd::ZERO,
            (None, false) => sibling.cap.min(allowed.plan.plus(sibling.raises)),
        };
        let followed = Sibling { cap, ..*sibling };
        taken(allowed.limit_reset, &followed, now)
    })
}

fn left(allowed: Allowance, siblings: &[Sibling], taken: impl Fn(&Sibling) -> NanoUsd) -> NanoUsd {
    let sum = |of_key: bool| {
        let counted = siblings.iter().filter(|s| s.same_key || !of_key);
        counted.map(&taken).fold(NanoUsd::ZERO, NanoUsd::plus)
    };
    let own = allowed.key.minus(sum(true));
    own.min(allowed.owner.minus(sum(false)))
}

/// How certain it is that the window has begun at OpenRouter too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowStart {
    /// It is too early for any evidence.
    Unsure,
    /// The window has begun if OpenRouter's own figures show it.
    OnEvidence,
    Surely,
}

pub fn begun(reset: LimitReset, now: Timestamp) -> WindowStart {
    match now.since(reset.starts(now)) {
        secs if secs < SKEW_SECS => WindowStart::Unsure,
        secs if secs < SURE_SECS => WindowStart::OnEvidence,
        _ => WindowStart::Surely,
    }
}

/// When to compute a cap again that is below the key's allowance. It is `None` under a prepaid plan, whose window never
/// ends.
pub fn due_after_reset(reset: LimitReset, now: Timestamp) -> Option<Timestamp> {
    let began = reset.starts(now);
    match begun(reset, now) {
        WindowStart::Unsure => Some(began.plus(SKEW_SECS)),
        // Keys that ended near the beginning of the window have been read again by then.
        WindowStart::OnEvidence => Some(began.plus(SURE_SECS)),
        WindowStart::Surely => reset.resets_at(now).map(|at| at.plus(SKEW_SECS)),
    }
}

/// The moment before which a cap that will be computed at `due` cannot be spent. It is the beginning of the window if
/// that is still to come.
pub fn not_before(reset: LimitReset, due: Timestamp, now: Timestamp) -> Timestamp {
    let began = reset.starts(due);
    if began > now { began } else { due.max(now) }
}

/// What a sibling took from the window that `at` falls into. An amount that was spent just before the window may belong
/// to it by OpenRouter's clock.
fn taken(reset: LimitReset, sibling: &Sibling, at: Timestamp) -> NanoUsd {
    let began = reset.starts(at);
    let by_any_clock = began.plus(-SKEW_SECS);
    let known = sibling.usage.filter(|usage| usage.read_at >= by_any_clock);
    match sibling.ended_at {
        Some(ended) if ended < by_any_clock => NanoUsd::ZERO,
        _ => counted(reset, sibling, known, reset.resets_at(at)),
    }
}

/// The amount that a sibling counts for, given what is known of the window. A live sibling may still spend all of its
/// limit, and has spent at least what was read, because a limit that was lowered does not say what was spent before. An
/// ended sibling has spent what was read after its end. If that is not known, the higher of limit and reading counts. A
/// reading at `until` or later may belong to the next window: it is no evidence that less was spent, and by
/// OpenRouter's clock it may show that more was.
fn counted(
    reset: LimitReset,
    sibling: &Sibling,
    known: Option<Spend>,
    until: Option<Timestamp>,
) -> NanoUsd {
    let since_prepaid = |amount: NanoUsd| match reset {
        LimitReset::None => amount.minus(sibling.before_prepaid),
        _ => amount,
    };
    let used = known.map_or(NanoUsd::ZERO, |usage| since_prepaid(usage.of(reset)));
    let is_final = |usage: &Spend| {
        sibling.ended_at.is_some_and(|ended| usage.read_at >= ended)
            && until.is_none_or(|until| usage.read_at < until)
    };
    if known.as_ref().is_some_and(is_final) {
        return used;
    }
    // The limit of a window says nothing about a whole life.
    let cap = match (reset, sibling.limit_reset) {
        (LimitReset::None, LimitReset::None) => since_prepaid(sibling.cap),
        _ => sibling.cap,
    };
    cap.max(used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> NanoUsd {
        NanoUsd::parse_typed(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn spend(amount: &str, read_at: &str) -> Spend {
        spent(usd(amount), at(read_at))
    }

    fn spent(amount: NanoUsd, read_at: Timestamp) -> Spend {
        Spend {
            daily: amount,
            weekly: amount,
            monthly: amount,
            lifetime: amount,
            read_at,
        }
    }

    fn dead(ended: &str, used: Option<(&str, &str)>) -> Sibling {
        Sibling {
            same_key: true,
            cap: usd("5"),
            limit_reset: LimitReset::Daily,
            ended_at: Some(at(ended)),
            usage: used.map(|(amount, read_at)| spend(amount, read_at)),
            before_prepaid: NanoUsd::ZERO,
            over_quota: false,
            raises: NanoUsd::ZERO,
        }
    }

    fn lowered(cap: &str, sibling: Sibling) -> Sibling {
        Sibling {
            cap: usd(cap),
            ..sibling
        }
    }

    fn grants(limit: &str, reset: LimitReset, keys: i64) -> Grants {
        Grants {
            plan_limit: usd(limit),
            limit_reset: reset,
            max_active_keys: keys,
            key_raises: NanoUsd::ZERO,
            owner_raises: NanoUsd::ZERO,
            raise_ends_at: None,
            own_limit: None,
            upstream_limit: None,
            credit: usd("40"),
        }
    }

    fn allows(reset: LimitReset, keys: i64) -> Allowance {
        grants("5", reset, keys).allowance()
    }

    #[test]
    fn what_an_ended_sibling_spent_in_this_window_is_subtracted() {
        let now = at("2026-11-21T12:00:00Z");
        let noon = "2026-11-21T11:00:00Z";
        let later = "2026-11-21T11:30:00Z";
        for (siblings, expected) in [
            (vec![], "5"),
            (vec![dead(noon, Some(("2", later)))], "3"),
            (vec![dead(noon, None)], "0"),
            // The figure was read before the end, so more may have been spent since.
            (vec![dead(later, Some(("2", noon)))], "0"),
            // The key ended before this day began.
            (vec![dead("2026-11-20T23:57:59Z", None)], "5"),
            // The key ended before this day by our clock, but perhaps not by OpenRouter's. Until it is read again, the
            // amount that it had spent by then counts.
            (vec![dead("2026-11-20T23:58:00Z", None)], "0"),
            (
                vec![dead(
                    "2026-11-20T23:59:40Z",
                    Some(("2", "2026-11-20T23:59:45Z")),
                )],
                "3",
            ),
            (vec![dead("2026-11-20T23:59:40Z", Some(("0", noon)))], "5"),
            // The key ended on this day, and was not read again on this day.
            (vec![dead(noon, Some(("0", "2026-11-22T01:00:00Z")))], "0"),
            // The limit was lowered below the spend, and the spend was read on the next day, which may be this day by
            // OpenRouter's clock.
            (
                vec![lowered(
                    "1",
                    dead(noon, Some(("4", "2026-11-22T00:00:05Z"))),
                )],
                "1",
            ),
            (
                vec![
                    dead(noon, Some(("4", later))),
                    dead(noon, Some(("4", later))),
                ],
                "0",
            ),
        ] {
            let allowed = allows(LimitReset::Daily, 1);
            assert_eq!(cap(allowed, &siblings, now), usd(expected), "{siblings:?}");
        }
    }

    #[test]
    fn live_keys_share_what_the_plan_allows_together() {
        let allowed = allows(LimitReset::Monthly, 2);
        let now = at("2026-11-21T12:00:00Z");
        let other = Sibling {
            same_key: false,
            ..dead("2026-11-20T00:00:00Z", None)
        };
        let live = Sibling {
            ended_at: None,
            ..other
        };
        assert_eq!(cap(allowed, &[live], now), usd("5"));
        assert_eq!(cap(allowed, &[live, other], now), usd("0"));
    }

    #[test]
    fn a_live_sibling_counts_with_the_most_that_it_may_have_spent() {
        let now = at("2026-11-21T12:00:00Z");
        let live = |cap: &str, used: Option<(&str, &str)>| Sibling {
            cap: usd(cap),
            ended_at: None,
            ..dead("2026-11-21T11:00:00Z", used)
        };
        for (sibling, expected) in [
            (live("2", None), "3"),
            // The limit was lowered below what the key had already spent.
            (live("2", Some(("4", "2026-11-21T11:00:00Z"))), "1"),
            // The spend was yesterday's.
            (live("2", Some(("4", "2026-11-20T11:00:00Z"))), "3"),
        ] {
            let allowed = allows(LimitReset::Daily, 1);
            assert_eq!(cap(allowed, &[sibling], now), usd(expected), "{sibling:?}");
        }
    }

    #[test]
    fn while_siblings_follow_a_smaller_plan_no_key_is_lowered_below_it() {
        let allowed = allows(LimitReset::Monthly, 2);
        let now = at("2026-11-21T12:00:00Z");
        let sibling = Sibling {
            same_key: false,
            ended_at: None,
            cap: usd("20"),
            ..dead("2026-11-20T00:00:00Z", Some(("2", "2026-11-20T00:00:00Z")))
        };
        assert_eq!(cap(allowed, &[sibling], now), usd("0"));
        assert_eq!(settled(allowed, &[sibling], now), usd("5"));
        let over_quota = Sibling {
            over_quota: true,
            ..sibling
        };
        assert_eq!(settled(allowed, &[over_quota, over_quota], now), usd("5"));
        assert_eq!(settled(allowed, &[over_quota, sibling], now), usd("3"));
    }

    #[test]
    fn raises_add_to_the_limit_and_an_own_limit_lowers_it() {
        let mut grants = Grants {
            key_raises: usd("2"),
            owner_raises: usd("3"),
            ..grants("5", LimitReset::Daily, 2)
        };
        assert_eq!(grants.allowance().key, usd("7"));
        assert_eq!(grants.allowance().owner, usd("13"));
        grants.own_limit = Some(usd("1"));
        assert_eq!(grants.allowance().key, usd("1"));
        grants.own_limit = Some(usd("9"));
        assert_eq!(grants.allowance().key, usd("7"));
    }

    #[test]
    fn a_prepaid_plan_counts_the_spend_since_the_owner_came_to_it() {
        let allowed = allows(LimitReset::None, 1);
        let now = at("2027-03-01T12:00:00Z");
        let gone = Sibling {
            limit_reset: LimitReset::None,
            before_prepaid: usd("3"),
            ..dead("2026-11-21T11:00:00Z", Some(("10", "2026-11-21T11:30:00Z")))
        };
        assert_eq!(cap(allowed, &[gone], now), usd("33"));
        // The spend is unknown: a lifetime limit counts with what it left, and the limit of a window counts whole.
        let unknown = Sibling {
            usage: None,
            ..gone
        };
        assert_eq!(cap(allowed, &[unknown], now), usd("38"));
        let of_window = Sibling {
            limit_reset: LimitReset::Daily,
            ..unknown
        };
        assert_eq!(cap(allowed, &[of_window], now), usd("35"));
    }

    #[test]
    fn right_after_a_midnight_the_previous_window_counts_too() {
        let allowed = allows(LimitReset::Daily, 1);
        let late = dead("2026-11-20T23:50:00Z", Some(("4", "2026-11-20T23:51:00Z")));
        let now = at("2026-11-21T00:00:30Z");
        assert_eq!(cap(allowed, &[late], now), usd("5"));
        assert_eq!(certain(allowed, &[late], now), usd("1"));
        assert_eq!(share(allowed, &[late], now), usd("1"));
        assert_eq!(share(allowed, &[late], now.plus(90)), usd("1"));
        // The key was read again right after the midnight, which may be before it by OpenRouter's clock. Its limit
        // counts, and what it spent.
        for (cap, used, left) in [("5", "0", "0"), ("1", "4", "1"), ("1", "0", "4")] {
            let read = dead("2026-11-20T23:50:00Z", Some((used, "2026-11-21T00:00:25Z")));
            let early = share(allowed, &[lowered(cap, read)], now);
            assert_eq!(early, usd(left), "{cap} {used}");
        }
        // The key was read again and shows no spend in OpenRouter's window. Either the window has begun, or nothing was
        // ever spent.
        let read_again = dead("2026-11-20T23:50:00Z", Some(("0", "2026-11-21T00:10:00Z")));
        assert_eq!(share(allowed, &[read_again], now.plus(600)), usd("5"));
        assert_eq!(share(allowed, &[late], now.plus(3_600)), usd("5"));
        // A key that ended in this window counts in this window.
        let new = dead("2026-11-21T00:00:10Z", Some(("2", "2026-11-21T00:00:20Z")));
        assert_eq!(certain(allowed, &[new], now), usd("3"));
        for (now, expected, due) in [
            (
                "2026-11-21T00:01:59Z",
                WindowStart::Unsure,
                "2026-11-21T00:02:00Z",
            ),
            (
                "2026-11-21T00:02:00Z",
                WindowStart::OnEvidence,
                "2026-11-21T01:00:00Z",
            ),
            (
                "2026-11-21T01:00:00Z",
                WindowStart::Surely,
                "2026-11-22T00:02:00Z",
            ),
        ] {
            assert_eq!(begun(LimitReset::Daily, at(now)), expected, "{now}");
            assert_eq!(due_after_reset(LimitReset::Daily, at(now)), Some(at(due)));
        }
        assert_eq!(due_after_reset(LimitReset::None, now), None);
    }

    proptest! {
        /// Tries any sequence of making, spending, removing and changing the limit, with up to three keys in one
        /// window. The amount spent and the amount that may still be spent stay within the largest total that any of
        /// the plans allowed.
        #[test]
        fn no_sequence_of_delete_claim_and_plan_change_gets_more_than_the_total(
            steps in prop::collection::vec((0u8..4, 0usize..3, 1i64..30), 1..60)
        ) {
            let now = at("2026-11-21T12:00:00Z");
            let mut plan = grants("5", LimitReset::Daily, 3);
            let mut most = plan.allowance().owner;
            // Each generation with its key and what it has spent.
            let mut made: Vec<(usize, Sibling)> = Vec::new();
            for (step, key, amount) in steps {
                let live = made.iter().position(|(k, s)| *k == key && s.ended_at.is_none());
                let seen = |of: usize, made: &[(usize, Sibling)], but: Option<usize>| -> Vec<Sibling> {
                    let others = made.iter().enumerate().filter(|(n, _)| Some(*n) != but);
                    others.map(|(_, (k, s))| Sibling { same_key: *k == of, ..*s }).collect()
                };
                match (step, live) {
                    (0, None) => {
                        let cap = cap(plan.allowance(), &seen(key, &made, None), now);
                        let fresh = Sibling { cap, ended_at: None, usage: Some(spent(NanoUsd::ZERO, now)), ..dead("2026-11-21T11:00:00Z", None) };
                        made.push((key, fresh));
                    }
                    (1, Some(n)) => {
                        let (_, sibling) = &mut made[n];
                        let used = sibling.usage.unwrap().daily;
                        let more = NanoUsd::from_nano(100_000_000).unwrap().times(amount);
                        if used < sibling.cap {
                            sibling.usage = Some(spent(used.plus(more).min(sibling.cap), now));
                        }
                    }
                    (2, Some(n)) => made[n].1.ended_at = Some(now),
                    (3, _) => {
                        plan.plan_limit = usd("1").times(amount);
                        most = most.max(plan.allowance().owner);
                        for n in 0..made.len() {
                            let (key, sibling) = made[n];
                            if sibling.ended_at.is_none() {
                                let others = seen(key, &made, Some(n));
                                let fresh = cap(plan.allowance(), &others, now);
                                made[n].1.cap = fresh.max(sibling.cap.min(settled(plan.allowance(), &others, now)));
                            }
                        }
                    }
                    _ => {}
                }
                let all = made.iter().map(|(_, s)| taken(LimitReset::Daily, s, now));
                let sum = all.fold(NanoUsd::ZERO, NanoUsd::plus);
                prop_assert!(sum <= most, "{sum} of {most}");
                let of = |key: usize| made.iter().filter(move |(k, _)| *k == key).map(|(_, s)| taken(LimitReset::Daily, s, now)).fold(NanoUsd::ZERO, NanoUsd::plus);
                prop_assert!((0..3).all(|key| of(key).times(3) <= most), "a key has more than its share");
            }
        }
    }
}
