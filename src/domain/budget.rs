//! The cap of a fresh generation, from all its siblings, from scratch, each time (B1). Unknown usage counts as all of it.

use super::money::NanoUsd;
use super::period::LimitReset;
use super::time::Timestamp;

/// What a generation spent in its day, week and month, at the last confirmed read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub daily: NanoUsd,
    pub weekly: NanoUsd,
    pub monthly: NanoUsd,
    pub read_at: Timestamp,
}

/// Another generation of the same owner whose secret was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    pub same_key: bool,
    pub cap: NanoUsd,
    /// When it was off for good; `None` while it lives.
    pub ended_at: Option<Timestamp>,
    pub usage: Option<Usage>,
}

/// What a plan allows: `limit` per key and period, for `max_active_keys` keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub max_active_keys: i64,
}

/// `min(L − what this key's other generations took, K·L − what the owner's dead ones used − what the live ones may use)`,
/// never below zero, for the period that `now` falls into.
pub fn cap(allowed: Allowance, siblings: &[Sibling], now: Timestamp) -> NanoUsd {
    let taken = |sibling: &&Sibling| taken(allowed.limit_reset, sibling, now);
    let of_key = siblings.iter().filter(|sibling| sibling.same_key);
    let by_key = of_key.map(|s| taken(&s)).fold(NanoUsd::ZERO, NanoUsd::plus);
    let by_owner = siblings
        .iter()
        .map(|s| taken(&s))
        .fold(NanoUsd::ZERO, NanoUsd::plus);
    let own = allowed.limit.minus(by_key);
    let shared = allowed
        .limit
        .times(allowed.max_active_keys.max(1))
        .minus(by_owner);
    own.min(shared)
}

fn taken(reset: LimitReset, sibling: &Sibling, now: Timestamp) -> NanoUsd {
    let period = reset.starts(now);
    match (sibling.ended_at, sibling.usage) {
        (None, _) => sibling.cap,
        (Some(ended), _) if ended < period => NanoUsd::ZERO,
        (Some(ended), Some(usage)) if usage.read_at >= ended && usage.read_at >= period => {
            match reset {
                LimitReset::Daily => usage.daily,
                LimitReset::Weekly => usage.weekly,
                LimitReset::Monthly => usage.monthly,
            }
        }
        (Some(_), _) => sibling.cap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> NanoUsd {
        NanoUsd::parse_typed(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn dead(ended: &str, used: Option<(&str, &str)>) -> Sibling {
        Sibling {
            same_key: true,
            cap: usd("5"),
            ended_at: Some(at(ended)),
            usage: used.map(|(amount, read_at)| Usage {
                daily: usd(amount),
                weekly: usd(amount),
                monthly: usd(amount),
                read_at: at(read_at),
            }),
        }
    }

    #[test]
    fn b1_what_a_dead_sibling_used_in_this_period_is_gone() {
        let allowed = Allowance {
            limit: usd("5"),
            limit_reset: LimitReset::Daily,
            max_active_keys: 1,
        };
        let now = at("2026-11-21T12:00:00Z");
        let noon = "2026-11-21T11:00:00Z";
        let later = "2026-11-21T11:30:00Z";
        for (siblings, expected) in [
            (vec![], "5"),
            (vec![dead(noon, Some(("2", later)))], "3"),
            (vec![dead(noon, None)], "0"),
            // Read before the end: more may have been spent since.
            (vec![dead(later, Some(("2", noon)))], "0"),
            // Over before this day began.
            (vec![dead("2026-11-20T23:59:59Z", None)], "5"),
            (
                vec![
                    dead(noon, Some(("4", later))),
                    dead(noon, Some(("4", later))),
                ],
                "0",
            ),
        ] {
            assert_eq!(cap(allowed, &siblings, now), usd(expected), "{siblings:?}");
        }
    }

    #[test]
    fn b1_live_keys_share_what_the_plan_allows_together() {
        let allowed = Allowance {
            limit: usd("5"),
            limit_reset: LimitReset::Monthly,
            max_active_keys: 2,
        };
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
}
