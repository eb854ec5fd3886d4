//! When an upstream key that is off for good is deleted: what was running when it was cut is counted late, so its figures
//! are read again first, and completed days are told of keys that are there.

use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// Readings after it was off, until its figures count as settled …
const READINGS: i64 = 2;
/// … each at least this long after the one before, in seconds: another sweep's.
const APART_SECS: i64 = 300;
/// After the next UTC day has begun, in seconds.
const GRACE_SECS: i64 = 3_600;

/// How a key left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// Off, its figures booked; it is kept for those to come.
    Off,
    Deleted,
}

/// The moment until which a key that is off since `off_at` is kept.
pub fn keeps_until(off_at: Timestamp) -> Timestamp {
    LimitReset::Daily.ends(off_at).plus(GRACE_SECS)
}

/// What is known of a key that is off for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub spend: Spend,
    pub readings: i64,
    pub erase_at: Timestamp,
}

impl Known {
    /// With one more reading: the higher figures hold.
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

    /// Whether nothing is left to be learnt from it.
    pub fn may_go(&self, now: Timestamp) -> bool {
        self.is_settled() && (self.spend.lifetime == NanoUsd::ZERO || self.erase_at <= now)
    }

    /// When it is looked at again: in the next run, or when its time has come.
    pub fn next_look(&self) -> Timestamp {
        if self.is_settled() && self.spend.lifetime > NanoUsd::ZERO {
            self.erase_at
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
    fn what_has_spent_is_kept_until_an_hour_of_the_next_day_and_the_rest_until_it_is_settled() {
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
}
