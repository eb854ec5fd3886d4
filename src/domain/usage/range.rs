//! The days that a question about usage covers, the buckets that it is answered in, and the earlier days that it is compared
//! with.

use crate::domain::usage::day::UtcDay;

/// The most days that are answered one by one. A longer range is answered by months.
pub const MOST_DAYS: i64 = 92;
/// The most days of a range: three years.
pub const LONGEST: i64 = 1_096;
/// The days of a range that names no beginning.
const USUAL_DAYS: i64 = 30;

/// Days without a gap, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub first: UtcDay,
    pub last: UtcDay,
}

impl Bucket {
    pub fn is_whole_month(self) -> bool {
        self.first.month() == self.first && self.last == self.first.month_end()
    }

    pub const fn days(self) -> i64 {
        self.last.since(self.first).saturating_add(1)
    }
}

/// Why a range cannot be answered. Each says which parameter is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRange {
    From,
    To,
    Backwards,
    Future,
    TooLong,
    /// More than the days that are answered one by one, and not from the first of a month.
    NotByMonth,
}

/// A range of days that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRange {
    pub from: UtcDay,
    pub to: UtcDay,
}

impl UsageRange {
    /// Reads the two ends. Without them, the range is the last thirty days, today included.
    pub fn read(from: Option<&str>, to: Option<&str>, today: UtcDay) -> Result<Self, BadRange> {
        let to = match to {
            Some(text) => UtcDay::parse(text).ok_or(BadRange::To)?,
            None => today,
        };
        let from = match from {
            Some(text) => UtcDay::parse(text).ok_or(BadRange::From)?,
            None => to.plus(1_i64.saturating_sub(USUAL_DAYS)),
        };
        let days = to.since(from).saturating_add(1);
        match () {
            () if to > today => Err(BadRange::Future),
            () if days < 1 => Err(BadRange::Backwards),
            () if days > LONGEST => Err(BadRange::TooLong),
            () if days > MOST_DAYS && from.month() != from => Err(BadRange::NotByMonth),
            () => Ok(Self { from, to }),
        }
    }

    const fn whole(self) -> Bucket {
        Bucket {
            first: self.from,
            last: self.to,
        }
    }

    pub const fn is_by_month(self) -> bool {
        self.whole().days() > MOST_DAYS
    }

    /// The buckets of the answer, oldest first: days, or months and the part of a month at the end.
    pub fn buckets(self) -> Vec<Bucket> {
        if self.is_by_month() {
            return months(self.whole());
        }
        let days = 0..self.whole().days();
        days.map(|n| self.from.plus(n))
            .map(|day| Bucket {
                first: day,
                last: day,
            })
            .collect()
    }

    /// The completed days of this range, and the same days of the period of equal length before it: whole months are
    /// compared with whole months. `None` if no day of the range is over.
    pub fn compared(self, today: UtcDay) -> Option<(Bucket, Bucket)> {
        let last = self.to.min(today.plus(-1));
        let now = Bucket {
            first: self.from,
            last,
        };
        if now.days() < 1 {
            return None;
        }
        let is_of_months =
            self.from.month() == self.from && (self.to == self.to.month_end() || self.to == today);
        let before = if is_of_months {
            let months = i64::try_from(months(self.whole()).len()).unwrap_or(i64::MAX);
            let first = (0..months).fold(self.from, |first, _| first.plus(-1).month());
            let ends_with_a_month = last == last.month_end();
            let whole = (1..months).fold(first, |first, _| first.month_end().plus(1));
            let same_day = whole.plus(last.since(last.month())).min(whole.month_end());
            Bucket {
                first,
                last: if ends_with_a_month && self.to != today {
                    whole.month_end()
                } else {
                    same_day
                },
            }
        } else {
            let back = self.whole().days().saturating_neg();
            Bucket {
                first: self.from.plus(back),
                last: last.plus(back),
            }
        };
        Some((now, before))
    }
}

/// The months of a bucket, the last one as far as the bucket goes.
pub fn months(of: Bucket) -> Vec<Bucket> {
    let mut all = Vec::new();
    let mut first = of.first;
    while first <= of.last {
        let last = first.month_end().min(of.last);
        all.push(Bucket { first, last });
        first = last.plus(1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> UtcDay {
        UtcDay::parse(text).unwrap()
    }

    fn range(from: &str, to: &str) -> UsageRange {
        UsageRange::read(Some(from), Some(to), day("2026-12-15")).unwrap()
    }

    fn text(bucket: Bucket) -> String {
        format!("{}/{}", bucket.first, bucket.last)
    }

    #[test]
    fn a_range_has_exact_dates_and_what_is_wrong_with_it_is_named() {
        let today = day("2026-12-15");
        let read = |from, to| UsageRange::read(from, to, today);
        let usual = read(None, None).unwrap();
        assert_eq!((usual.from, usual.to), (day("2026-11-16"), today));
        for (from, to, wrong) in [
            (Some("2026-12-32"), None, BadRange::From),
            (None, Some("30d"), BadRange::To),
            (Some("2026-12-02"), Some("2026-12-01"), BadRange::Backwards),
            (None, Some("2026-12-16"), BadRange::Future),
            (Some("2020-01-01"), None, BadRange::TooLong),
            (Some("2026-01-02"), None, BadRange::NotByMonth),
        ] {
            assert_eq!(read(from, to), Err(wrong), "{from:?} {to:?}");
        }
    }

    #[test]
    fn a_short_range_is_answered_by_days_and_a_long_one_by_months() {
        let short = range("2026-11-29", "2026-12-02").buckets();
        assert_eq!(short.len(), 4);
        assert!(short.iter().all(|bucket| bucket.days() == 1));
        let long: Vec<String> = range("2026-09-01", "2026-12-15")
            .buckets()
            .into_iter()
            .map(text)
            .collect();
        assert_eq!(
            long,
            [
                "2026-09-01/2026-09-30",
                "2026-10-01/2026-10-31",
                "2026-11-01/2026-11-30",
                "2026-12-01/2026-12-15"
            ]
        );
    }

    #[test]
    fn a_running_period_is_compared_with_the_same_elapsed_part_of_the_one_before() {
        let today = day("2026-12-15");
        for (from, to, now, before) in [
            (
                "2026-12-09",
                "2026-12-15",
                "2026-12-09/2026-12-14",
                "2026-12-02/2026-12-07",
            ),
            (
                "2026-12-01",
                "2026-12-15",
                "2026-12-01/2026-12-14",
                "2026-11-01/2026-11-14",
            ),
            (
                "2026-11-01",
                "2026-11-30",
                "2026-11-01/2026-11-30",
                "2026-10-01/2026-10-31",
            ),
            (
                "2026-01-01",
                "2026-12-15",
                "2026-01-01/2026-12-14",
                "2025-01-01/2025-12-14",
            ),
            (
                "2026-12-14",
                "2026-12-14",
                "2026-12-14/2026-12-14",
                "2026-12-13/2026-12-13",
            ),
        ] {
            let (one, other) = range(from, to).compared(today).unwrap();
            assert_eq!(
                (text(one).as_str(), text(other).as_str()),
                (now, before),
                "{from} {to}"
            );
        }
        assert_eq!(range("2026-12-15", "2026-12-15").compared(today), None);
        // The 30th of March has no like in February.
        let march =
            UsageRange::read(Some("2027-03-01"), Some("2027-03-31"), day("2027-03-31")).unwrap();
        assert_eq!(
            text(march.compared(day("2027-03-31")).unwrap().1),
            "2027-02-01/2027-02-28"
        );
    }
}
