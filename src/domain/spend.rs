//! What a key has spent, as upstream told it at one moment, and what that says about the window now.

use super::money::NanoUsd;
use super::period::LimitReset;
use super::time::Timestamp;

/// Spend of the UTC day, week and month that `read_at` falls into, and of the key's whole life: credits and BYOK together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    pub daily: NanoUsd,
    pub weekly: NanoUsd,
    pub monthly: NanoUsd,
    pub lifetime: NanoUsd,
    pub read_at: Timestamp,
}

impl Spend {
    /// What is known to be spent of the window that `now` falls into. `None` once a window has begun since it was read:
    /// what was spent in that one is not known.
    pub fn of_window(&self, reset: LimitReset, now: Timestamp) -> Option<NanoUsd> {
        (self.read_at >= reset.starts(now)).then_some(match reset {
            LimitReset::Daily => self.daily,
            LimitReset::Weekly => self.weekly,
            LimitReset::Monthly => self.monthly,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_began_after_the_reading_is_not_known() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let usd = |text: &str| NanoUsd::parse_typed(text).unwrap();
        // A Monday, the 30th.
        let spend = Spend {
            daily: usd("1"),
            weekly: usd("2"),
            monthly: usd("3"),
            lifetime: usd("4"),
            read_at: at("2026-11-30T12:00:00Z"),
        };
        for (reset, now, expected) in [
            (LimitReset::Daily, "2026-11-30T23:59:59Z", Some("1")),
            (LimitReset::Daily, "2026-12-01T00:00:00Z", None),
            (LimitReset::Weekly, "2026-12-06T23:59:59Z", Some("2")),
            (LimitReset::Weekly, "2026-12-07T00:00:00Z", None),
            (LimitReset::Monthly, "2026-11-30T23:59:59Z", Some("3")),
            (LimitReset::Monthly, "2026-12-01T00:00:00Z", None),
        ] {
            assert_eq!(
                spend.of_window(reset, at(now)),
                expected.map(usd),
                "{reset:?} {now}"
            );
        }
    }
}
