//! When an upstream key that is disabled for good is deleted. Requests that were running when it was disabled are
//! counted late, so its figures are read again first. OpenRouter reports completed days only for keys that exist.

use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// How often the figures must be read, after the key was disabled, to be settled.
const READINGS: i64 = 2;
/// The seconds that must lie between two readings, so that each belongs to another sweep.
const APART_SECS: i64 = 300;
/// The seconds after the beginning of the next UTC day until which a key is retained.
const GRACE_SECS: i64 = 3_600;

/// OpenRouter reports usage for so many seconds: thirty days.
const USAGE_REPORTED_SECS: i64 = 30 * 86_400;

/// How a key was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The key is disabled and its figures are recorded. It is retained, since more figures may follow.
    Off,
    Deleted,
}

/// Until when a key is retained that was disabled for good at `off_at`: one hour into the next UTC day.
pub fn keeps_until(off_at: Timestamp) -> Timestamp {
    LimitReset::Daily.ends(off_at).plus(GRACE_SECS)
}

/// What is known about a key that is disabled for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub spend: Spend,
    pub readings: i64,
    pub erase_at: Timestamp,
    /// The usage of the day on which it ended is there, or no usage is read at all.
    pub booked: bool,
}

impl Known {
    /// Adds one more reading. The higher of the old and the new figures are used. The reading counts only if it came at
    /// least five minutes after the one before.
    #[must_use]
    pub fn read(self, reading: Spend) -> Self {
        let apart = reading.read_at.since(self.spend.read_at) >= APART_SECS;
        Self {
            spend: self.spend.joined(reading),
            readings: self.readings.saturating_add(i64::from(apart)),
            ..self
        }
    }

    pub fn is_settled(&self) -> bool {
        self.readings >= READINGS
    }

    /// Answers whether the key may be deleted: its figures are settled, and either it never spent anything, or its time is
    /// over and its usage is booked. OpenRouter reports usage for thirty days, so after that nothing is waited for.
    pub fn may_go(&self, now: Timestamp) -> bool {
        let is_booked = self.booked || self.erase_at.plus(USAGE_REPORTED_SECS) <= now;
        self.is_settled()
            && (self.spend.lifetime == NanoUsd::ZERO || (self.erase_at <= now && is_booked))
    }

    /// When the sweep looks at the key again: at `erase_at` if only the time is missing, every hour while its usage is not
    /// booked, otherwise in the next run.
    pub fn next_look(&self) -> Timestamp {
        if self.is_settled() && self.spend.lifetime > NanoUsd::ZERO {
            let in_an_hour = self.spend.read_at.plus(3_600);
            let waits = !self.booked && self.spend.read_at >= self.erase_at;
            if waits { in_an_hour } else { self.erase_at }
        } else {
            Timestamp::from_secs(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn spend(dollars: &str, read_at: &str) -> Spend {
        let amount = NanoUsd::parse_typed(dollars).unwrap();
        Spend {
            daily: amount,
            weekly: amount,
            monthly: amount,
            lifetime: amount,
            read_at: at(read_at),
        }
    }

    fn off(dollars: &str) -> Known {
        Known {
            spend: spend(dollars, "2026-11-21T12:00:00Z"),
            readings: 0,
            erase_at: keeps_until(at("2026-11-21T12:00:00Z")),
            booked: true,
        }
    }

    #[test]
    fn figures_are_settled_by_two_readings_five_minutes_apart() {
        let first = off("1").read(spend("1", "2026-11-21T12:04:59Z"));
        assert_eq!(first.readings, 0, "too soon");
        let first = off("1").read(spend("1", "2026-11-21T12:05:00Z"));
        assert_eq!((first.readings, first.is_settled()), (1, false));
        assert_eq!(first.next_look(), Timestamp::from_secs(0));
        let second = first.read(spend("2", "2026-11-21T12:10:00Z"));
        assert!(second.is_settled());
        assert_eq!(second.spend.lifetime, NanoUsd::parse_typed("2").unwrap());
        assert_eq!(second.next_look(), second.erase_at);
    }

    #[test]
    fn a_key_that_spent_is_retained_until_an_hour_of_the_next_day_and_any_other_until_it_is_settled()
     {
        assert_eq!(off("1").erase_at, at("2026-11-22T01:00:00Z"));
        for (dollars, readings, now, goes) in [
            ("1", 2, "2026-11-22T00:59:59Z", false),
            ("1", 2, "2026-11-22T01:00:00Z", true),
            ("1", 1, "2026-11-22T01:00:00Z", false),
            ("0", 2, "2026-11-21T12:20:00Z", true),
            ("0", 1, "2026-11-22T01:00:00Z", false),
        ] {
            let known = Known {
                readings,
                ..off(dollars)
            };
            assert_eq!(known.may_go(at(now)), goes, "{dollars} {readings} {now}");
        }
    }

    #[test]
    fn a_key_that_spent_is_retained_until_its_usage_is_booked_or_not_reported_any_more() {
        for (dollars, booked, now, goes) in [
            ("1", false, "2026-11-22T01:00:00Z", false),
            ("1", true, "2026-11-22T01:00:00Z", true),
            ("1", false, "2026-12-22T00:59:59Z", false),
            ("1", false, "2026-12-22T01:00:00Z", true),
            ("0", false, "2026-11-21T12:20:00Z", true),
        ] {
            let known = Known {
                readings: 2,
                booked,
                ..off(dollars)
            };
            assert_eq!(known.may_go(at(now)), goes, "{dollars} {booked} {now}");
        }
    }
}
