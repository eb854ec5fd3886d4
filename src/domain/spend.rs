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
        (self.read_at >= reset.starts(now)).then_some(self.of(reset))
    }

    /// What was spent of the window that it was read in.
    pub const fn of(&self, reset: LimitReset) -> NanoUsd {
        match reset {
            LimitReset::Daily => self.daily,
            LimitReset::Weekly => self.weekly,
            LimitReset::Monthly => self.monthly,
            LimitReset::None => self.lifetime,
        }
    }

    /// The same with at least `amount` in the window of `reset`, and in those around it.
    #[must_use]
    pub fn at_least(self, reset: LimitReset, amount: NanoUsd) -> Self {
        let (in_day, in_week, in_month) = match reset {
            LimitReset::Daily => (true, true, true),
            LimitReset::Weekly => (false, true, false),
            LimitReset::Monthly => (false, false, true),
            LimitReset::None => (false, false, false),
        };
        let raised =
            |figure: NanoUsd, counts: bool| if counts { figure.max(amount) } else { figure };
        Self {
            daily: raised(self.daily, in_day),
            weekly: raised(self.weekly, in_week),
            monthly: raised(self.monthly, in_month),
            lifetime: self.lifetime.max(amount),
            read_at: self.read_at,
        }
    }

    /// Upstream's own evidence that a window has begun since `earlier` was read (B3): its figure fell, or nothing is in it,
    /// or more lies before it than did then.
    pub fn shows_reset_since(&self, earlier: Option<&Self>, reset: LimitReset) -> bool {
        let before = |spend: &Self| spend.lifetime.minus(spend.of(reset));
        self.of(reset) == NanoUsd::ZERO
            || earlier
                .is_some_and(|then| self.of(reset) < then.of(reset) || before(self) > before(then))
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
