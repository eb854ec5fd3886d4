//! Where a day, a week and a month begin: at UTC midnight, on Monday, and on the 1st. OpenRouter resets its limits at
//! these times.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime};

use crate::domain::time::Timestamp;

/// A window counts as begun only this many seconds after our clock says so, because OpenRouter's clock may be behind.
pub const SKEW_SECS: i64 = 120;
/// A window counts as begun this many seconds after our clock says so, whatever OpenRouter's figures show, because no
/// two clocks differ by an hour.
pub const SURE_SECS: i64 = 3_600;

/// When the window of a key's limit starts again. The names are those of OpenRouter's `limit_reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum LimitReset {
    Daily,
    Weekly,
    Monthly,
    /// The limit never resets: the one window of a prepaid key is its whole life.
    None,
}

impl LimitReset {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::None => "none",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly, Self::Monthly, Self::None]
            .into_iter()
            .find(|reset| reset.name() == text)
    }

    /// The name in OpenRouter's API, where no reset is `null`.
    pub fn upstream_name(self) -> Option<&'static str> {
        (self != Self::None).then_some(self.name())
    }

    /// Reads the name in OpenRouter's API. Returns `None` for an unknown word.
    pub fn from_upstream(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self::None),
            Some(name) => Self::parse(name).filter(|reset| *reset != Self::None),
        }
    }

    /// The start of the window that `now` falls into. It is the beginning of 1970 if the limit never resets.
    pub fn starts(self, now: Timestamp) -> Timestamp {
        if self == Self::None {
            return Timestamp::from_secs(0);
        }
        midnight(self.first_day(day_of(now)))
    }

    /// When the window that `now` falls into ends, or `None` if the limit never resets.
    pub fn resets_at(self, now: Timestamp) -> Option<Timestamp> {
        (self != Self::None).then(|| self.ends(now))
    }

    /// The start of the next window. It is the last date that can be expressed if the limit never resets.
    pub fn ends(self, now: Timestamp) -> Timestamp {
        let first = self.first_day(day_of(now));
        let next = match self {
            Self::Daily => first.checked_add_days(Days::new(1)),
            Self::Weekly => first.checked_add_days(Days::new(7)),
            Self::Monthly => first.checked_add_months(Months::new(1)),
            Self::None => None,
        };
        midnight(next.unwrap_or(NaiveDate::MAX))
    }

    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let back = match self {
            Self::Daily | Self::None => 0,
            Self::Weekly => u64::from(day.weekday().num_days_from_monday()),
            Self::Monthly => u64::from(day.day0()),
        };
        day.checked_sub_days(Days::new(back)).unwrap_or(day)
    }
}

fn day_of(now: Timestamp) -> NaiveDate {
    DateTime::from_timestamp(now.secs(), 0).map_or(NaiveDate::MIN, |at| at.date_naive())
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp::from_secs(day.and_time(NaiveTime::MIN).and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::LimitReset::{self, Daily, Monthly, Weekly};
    use super::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn windows_begin_at_utc_midnight_on_monday_and_on_the_first() {
        for (reset, now, starts, ends) in [
            (Daily, "2026-11-21T23:59:59Z", "2026-11-21", "2026-11-22"),
            (Weekly, "2026-11-22T12:00:00Z", "2026-11-16", "2026-11-23"),
            (Weekly, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"),
            (Monthly, "2028-02-29T08:00:00Z", "2028-02-01", "2028-03-01"),
            (Monthly, "2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"),
        ] {
            let now = Timestamp::parse(now).unwrap();
            assert_eq!(reset.starts(now).rfc3339(), format!("{starts}T00:00:00Z"));
            assert_eq!(reset.ends(now).rfc3339(), format!("{ends}T00:00:00Z"));
        }
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_exactly_one_window(secs in 0i64..4_000_000_000, which in 0usize..3) {
            let reset: LimitReset = [Daily, Weekly, Monthly][which];
            let now = Timestamp::from_secs(secs);
            prop_assert!(reset.starts(now) <= now && now < reset.ends(now));
            prop_assert_eq!(reset.starts(reset.ends(now)), reset.ends(now));
            prop_assert_eq!(reset.ends(reset.starts(now)), reset.ends(now));
        }
    }
}
