//! A UTC day. Usage is kept by days, and no other zone has any.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::domain::time::Timestamp;

/// The seconds of a day.
pub const DAY_SECS: i64 = 86_400;

/// A UTC day, as the number of days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcDay(i64);

impl UtcDay {
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> i64 {
        self.0
    }

    /// The day that a moment falls into.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.secs().div_euclid(DAY_SECS))
    }

    /// Reads a date such as `2026-11-30`. Returns `None` for any other text, and for a date that no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let is_shaped = text.len() == 10
            && text.bytes().enumerate().all(|(n, byte)| match n {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        // chrono's own reader would add much to the Worker, and this form is fixed.
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
        let year = i32::try_from(is_shaped.then(|| number(0, 4))??).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
        Some(Self::from_date(date))
    }

    /// Reads the day of a date, or of a time that begins with one: OpenRouter was seen to write `2026-05-19`,
    /// `2026-05-19 00:00:00` and `2026-05-19T00:00:00.000Z`, all of them in UTC.
    pub fn parse_beginning(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let is_time = rest.is_empty() || rest.starts_with(['T', ' ']);
        is_time.then(|| Self::parse(date))?
    }

    /// The first moment of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_secs(self.0.saturating_mul(DAY_SECS))
    }

    /// The first moment of the next day.
    pub const fn end(self) -> Timestamp {
        self.plus(1).start()
    }

    /// This day and `days` more, which may be negative.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The days from `earlier` to this one. The result is negative if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first day of the month.
    #[must_use]
    pub fn month(self) -> Self {
        let date = self.date();
        let back = Days::new(u64::from(date.day0()));
        date.checked_sub_days(back).map_or(self, Self::from_date)
    }

    /// The last day of the month.
    #[must_use]
    pub fn month_end(self) -> Self {
        let next = self.month().date().checked_add_months(Months::new(1));
        next.map_or(self, |next| Self::from_date(next).plus(-1))
    }

    fn date(self) -> NaiveDate {
        let days = i32::try_from(self.0.saturating_add(DAYS_BEFORE_1970)).ok();
        days.and_then(NaiveDate::from_num_days_from_ce_opt)
            .unwrap_or(NaiveDate::MIN)
    }

    fn from_date(date: NaiveDate) -> Self {
        Self(i64::from(date.num_days_from_ce()).saturating_sub(DAYS_BEFORE_1970))
    }
}

/// The number of 1970-01-01 in a count whose day 1 is 0001-01-01.
const DAYS_BEFORE_1970: i64 = 719_163;

impl std::fmt::Display for UtcDay {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date = self.date();
        write!(
            to,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

impl serde::Serialize for UtcDay {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for UtcDay {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UtcDay".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> UtcDay {
        UtcDay::parse(text).unwrap()
    }

    #[test]
    fn a_day_begins_and_ends_at_utc_midnight() {
        for (moment, date) in [
            ("2026-11-30T23:59:59Z", "2026-11-30"),
            ("2026-12-01T00:00:00Z", "2026-12-01"),
            ("2026-12-01T00:31:00Z", "2026-12-01"),
            ("2028-02-29T12:00:00Z", "2028-02-29"),
            ("2026-11-30T21:30:00-08:00", "2026-12-01"),
        ] {
            let of = UtcDay::of(Timestamp::parse(moment).unwrap());
            assert_eq!((of.to_string().as_str(), of), (date, day(date)), "{moment}");
            assert_eq!(of.start().rfc3339(), format!("{date}T00:00:00Z"));
        }
        assert_eq!(day("2028-02-28").plus(1), day("2028-02-29"));
        assert_eq!(day("2028-02-28").end(), day("2028-02-29").start());
    }

    #[test]
    fn months_have_their_own_lengths() {
        for (of, first, last) in [
            ("2028-02-10", "2028-02-01", "2028-02-29"),
            ("2027-02-28", "2027-02-01", "2027-02-28"),
            ("2026-12-31", "2026-12-01", "2026-12-31"),
        ] {
            assert_eq!(
                (day(of).month(), day(of).month_end()),
                (day(first), day(last))
            );
        }
    }

    #[test]
    fn only_a_date_of_the_calendar_is_read() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "26-01-01",
            "",
            "2026-01-01T00:00:00Z",
            "+026-01-01",
            "today",
        ] {
            assert_eq!(UtcDay::parse(text), None, "{text}");
        }
        for text in [
            "2026-05-19",
            "2026-05-19T00:00:00.000Z",
            "2026-05-19 00:00:00",
        ] {
            assert_eq!(
                UtcDay::parse_beginning(text),
                Some(day("2026-05-19")),
                "{text}"
            );
        }
        for text in [
            "2026-05-199",
            "2026-05-1",
            "2026-02-30T00:00:00Z",
            "äääääää",
        ] {
            assert_eq!(UtcDay::parse_beginning(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_read_back_as_it_was_written(number in -100_000i64..100_000) {
            let day = UtcDay::from_number(number);
            prop_assert_eq!(UtcDay::parse(&day.to_string()).filter(|_| number > -700_000), Some(day));
            prop_assert!(day.month() <= day && day <= day.month_end());
            prop_assert_eq!(day.month_end().plus(1).month(), day.month_end().plus(1));
        }
    }
}
