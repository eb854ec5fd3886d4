//! What a key has spent, as OpenRouter reported it at one moment, and what that says about the present window.

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SURE_SECS};

/// The spend of the UTC day, week and month that `read_at` falls into, and of the key's whole life. Credits and BYOK
/// are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    pub daily: NanoUsd,
    pub weekly: NanoUsd,
    pub monthly: NanoUsd,
    pub lifetime: NanoUsd,
    pub read_at: Timestamp,
}

impl Spend {
    /// The known spend of the window that `now` falls into. It is `None` if a window has begun since the reading,
    /// because the spend in that window is unknown.
    pub fn of_window(&self, reset: LimitReset, now: Timestamp) -> Option<NanoUsd> {
        (self.read_at >= reset.starts(now)).then_some(self.of(reset))
    }

    /// The spend of the window in which it was read.
    pub const fn of(&self, reset: LimitReset) -> NanoUsd {
        match reset {
            LimitReset::Daily => self.daily,
            LimitReset::Weekly => self.weekly,
            LimitReset::Monthly => self.monthly,
            LimitReset::None => self.lifetime,
        }
    }

    /// The same figures, with at least `amount` in the window of `reset` and in those that contain it.
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

    /// Answers whether OpenRouter's figures show that a window has begun since `earlier` was read: the figure fell, and
    /// all spend that was known then lies before the window. A figure of zero alone shows nothing, because perhaps
    /// nothing was ever spent.
    pub fn shows_reset_since(&self, earlier: &Self, reset: LimitReset) -> bool {
        self.of(reset) < earlier.of(reset)
            && self.lifetime.minus(self.of(reset)) >= earlier.lifetime
    }

    /// Answers whether this reading may lead to another cap than the earlier one: an amount differs, or the reading
    /// belongs to a later day.
    pub fn says_more_than(&self, earlier: Self) -> bool {
        let read_at = self.read_at;
        *self != Self { read_at, ..earlier }
            || LimitReset::Daily.starts(read_at) != LimitReset::Daily.starts(earlier.read_at)
    }

    /// Joins this reading with a later one of the same key. Each window gets the higher figure, unless it has begun
    /// anew between the readings; then it gets the later figure. It has begun anew if an hour of it has passed,
    /// whatever the clocks show, or earlier if all spend that was known lies before it. The known spend of a window
    /// never falls while the window lasts.
    #[must_use]
    pub fn joined(self, later: Self) -> Self {
        let figure = |reset: LimitReset| {
            let (began, figure) = (reset.starts(later.read_at), later.of(reset));
            let surely = began.plus(SURE_SECS);
            let is_new = (self.read_at < began && later.read_at >= surely)
                || (self.read_at < surely && later.lifetime.minus(figure) >= self.lifetime);
            if is_new {
                figure
            } else {
                figure.max(self.of(reset))
            }
        };
        Self {
            daily: figure(LimitReset::Daily),
            weekly: figure(LimitReset::Weekly),
            monthly: figure(LimitReset::Monthly),
            lifetime: self.lifetime.max(later.lifetime),
            read_at: self.read_at.max(later.read_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spend_of_a_window_that_began_after_the_reading_is_unknown() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let usd = |text: &str| NanoUsd::parse_typed(text).unwrap();
        // The reading is from a Monday, the 30th.
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
    fn a_reading_says_more_if_an_amount_differs_or_a_day_has_begun() {
        let read = |dollars: &str, read_at: &str| {
            let amount = NanoUsd::parse_typed(dollars).unwrap();
            Spend {
                daily: amount,
                weekly: amount,
                monthly: amount,
                lifetime: amount,
                read_at: Timestamp::parse(read_at).unwrap(),
            }
        };
        let first = read("1", "2026-11-30T23:50:00Z");
        for (later, more) in [
            (read("1", "2026-11-30T23:59:59Z"), false),
            (read("1", "2026-12-01T00:00:00Z"), true),
            (read("2", "2026-11-30T23:59:59Z"), true),
        ] {
            assert_eq!(later.says_more_than(first), more, "{later:?}");
        }
    }

    #[test]
    fn two_readings_join_to_the_higher_figures_and_a_new_window_takes_the_later_ones() {
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
            // The later reading is from Sunday the 22nd, which is another day of the same week.
            (
                spend(["0", "3", "5", "6"], "2026-11-22T00:00:00Z"),
                spend(["0", "3", "5", "6"], "2026-11-22T00:00:00Z"),
            ),
            (
                spend(["0", "0", "0", "5"], "2026-12-01T00:00:00Z"),
                spend(["0", "0", "0", "5"], "2026-12-01T00:00:00Z"),
            ),
            // OpenRouter's day has not ended yet, so the figure is as high as before.
            (
                spend(["3", "4", "5", "6"], "2026-11-22T00:00:30Z"),
                spend(["3", "4", "5", "6"], "2026-11-22T00:00:30Z"),
            ),
            // The figure is lower, and no more lies before it, so it is another count of the same day. An hour later it
            // belongs to the next day in any case.
            (
                spend(["1", "3", "4", "5"], "2026-11-22T00:59:59Z"),
                spend(["2", "3", "4", "5"], "2026-11-22T00:59:59Z"),
            ),
            (
                spend(["1", "3", "4", "5"], "2026-11-22T01:00:00Z"),
                spend(["1", "3", "4", "5"], "2026-11-22T01:00:00Z"),
            ),
        ] {
            assert_eq!(first.joined(later), expected);
        }
    }
}
