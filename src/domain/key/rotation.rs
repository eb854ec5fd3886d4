//! The rules for a key's next secret: how often it is made, how long a grace lasts, and how a limit is split while the
//! old secret works beside the new one.

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;

/// How many successors of one key may be minted in a UTC day.
pub const ROTATIONS_A_DAY: i64 = 6;
/// How many hours a grace may last.
pub const GRACE_HOURS: std::ops::RangeInclusive<i64> = 1..=168;
/// The grace of a renewal that names none, in hours.
pub const RENEWAL_GRACE_HOURS: i64 = 24;

/// A key can be renewed in the last two weeks of its life, in seconds.
const RENEWABLE_SECS: i64 = 14 * DAY_SECS;
const DAY_SECS: i64 = 86_400;

/// The moment from which on a key can be renewed: in the last two weeks of its life, or in the last third of a shorter
/// one. The view `rotation_gates` decides by the same rule.
pub fn renewable_at(expires_at: Timestamp, expiry_days: u32) -> Timestamp {
    let third = i64::from(expiry_days).saturating_mul(DAY_SECS) / 3;
    expires_at.plus(RENEWABLE_SECS.min(third).saturating_neg())
}

/// Splits what is left of `cap` after `used` between a generation and its successor. Returns the new limit of the old
/// generation: `used` and half of what is left, rounded down, and never more than its present `limit`. The successor
/// gets the other half. Returns `None` if less than two cents are left, since each of the two needs a cent.
pub fn split(cap: NanoUsd, used: NanoUsd, limit: NanoUsd) -> Option<NanoUsd> {
    let rest = cap.minus(used);
    if rest < NanoUsd::CENT.plus(NanoUsd::CENT) {
        return None;
    }
    let half = NanoUsd::from_nano(rest.nano() / 2)?;
    Some(used.plus(half).floored().min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_gives_both_something_and_never_more_than_the_cap() {
        let usd = |text| NanoUsd::parse_typed(text).unwrap();
        let nano = |nano| NanoUsd::from_nano(nano).unwrap();
        for (cap, used, limit, to) in [
            (usd("5"), usd("1"), usd("5"), Some(usd("3"))),
            (usd("5"), usd("0"), usd("5"), Some(usd("2.50"))),
            (
                usd("5"),
                nano(1_555_555_555),
                usd("5"),
                Some(nano(3_277_777_000)),
            ),
            // The limit was lowered before for another reason, so it is not raised now.
            (usd("5"), usd("1"), usd("2"), Some(usd("2"))),
            (usd("5"), usd("4.98"), usd("5"), Some(usd("4.99"))),
            (usd("5"), nano(4_980_000_001), usd("5"), None),
            (usd("5"), usd("6"), usd("5"), None),
        ] {
            assert_eq!(split(cap, used, limit), to, "{cap:?} {used:?}");
        }
    }
}
