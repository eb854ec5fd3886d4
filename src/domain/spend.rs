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

    /// With a later reading of the same key: the higher figure of each window that both fall into, and the later one's of
    /// a window that began between them.
    #[must_use]
    pub fn raised(self, later: Self) -> Self {
        let higher = |reset, figure: NanoUsd| {
            self.of_window(reset, later.read_at)
                .map_or(figure, |known| known.max(figure))
        };
        Self {
            daily: higher(LimitReset::Daily, later.daily),
            weekly: higher(LimitReset::Weekly, later.weekly),
            monthly: higher(LimitReset::Monthly, later.monthly),
            lifetime: self.lifetime.max(later.lifetime),
            read_at: self.read_at.max(later.read_at),
        }
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

    #[test]
    fn x8_of_two_readings_the_higher_figures_hold_and_of_a_new_window_the_later_ones() {
        let spend = |amounts: [&str; 4], read_at: &str| Spend {
            daily: NanoUsd::parse_typed(amounts[0]).unwrap(),
            weekly: NanoUsd::parse_typed(amounts[1]).unwrap(),
            monthly: NanoUsd::parse_typed(amounts[2]).unwrap(),
            lifetime: NanoUsd::parse_typed(amounts[3]).unwrap(),
            read_at: Timestamp::parse(read_at).unwrap(),
        };
        let first = spend(["2", "3", "4", "5"], "2026-11-21T23:50:00Z");
        for (later, expected) in [
            (
                spend(["1", "4", "4", "4"], "2026-11-21T23:59:59Z"),
                spend(["2", "4", "4", "5"], "2026-11-21T23:59:59Z"),
            ),
            // Sunday the 22nd: another day of the same week.
            (
                spend(["0", "3", "5", "6"], "2026-11-22T00:00:00Z"),
                spend(["0", "3", "5", "6"], "2026-11-22T00:00:00Z"),
            ),
            (
                spend(["0", "0", "0", "0"], "2026-12-01T00:00:00Z"),
                spend(["0", "0", "0", "5"], "2026-12-01T00:00:00Z"),
            ),
        ] {
            assert_eq!(first.raised(later), expected);
        }
    }
}
