//! How far the reading of usage has come: which days a run has to read, and how certain the figures of a day are.

use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;

/// OpenRouter reports this many completed days back. Source: its documentation of `GET /activity`.
pub const REACHES_BACK_DAYS: i64 = 30;
/// A day is read in this many nights: in the first one, and in two more for what OpenRouter counted late.
pub const NIGHTS: i64 = 3;

/// What is known of the figures of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Certainty {
    /// The figures were read in all nights, and change no more.
    Settled,
    /// The figures may still change: it is today, or OpenRouter may still count something late.
    Open,
    /// Nothing was read of that day. It is not known to be without usage.
    Unknown,
    /// The figures are settled, and kept by month only.
    ByMonth,
}

/// One day as the last run has left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDay {
    pub day: UtcDay,
    /// When its shown figures were read; `None` if it has none.
    pub as_of: Option<Timestamp>,
    /// Some keys could not be read.
    pub is_partial: bool,
    pub is_rolled: bool,
}

impl ReadDay {
    /// A day of which nothing was read.
    pub const fn unread(day: UtcDay) -> Self {
        Self {
            day,
            as_of: None,
            is_partial: false,
            is_rolled: false,
        }
    }

    fn is_settled(&self) -> bool {
        let last_night = self.day.plus(NIGHTS).start();
        !self.is_partial && self.as_of.is_some_and(|as_of| as_of >= last_night)
    }

    /// Whether all figures that OpenRouter had are there.
    pub const fn is_good(&self) -> bool {
        self.as_of.is_some() && !self.is_partial
    }

    /// How certain the figures are.
    pub fn certainty(&self, today: UtcDay) -> Certainty {
        match self.as_of {
            _ if self.is_rolled => Certainty::ByMonth,
            _ if self.day >= today => Certainty::Open,
            None => Certainty::Unknown,
            Some(_) if self.is_settled() => Certainty::Settled,
            Some(_) => Certainty::Open,
        }
    }

    /// Whether a run of this day has to read it: it was never read, or was not read today and may have changed.
    fn is_due(&self, today: UtcDay) -> bool {
        let read_today = self.as_of.is_some_and(|as_of| as_of >= today.start());
        !self.is_rolled && !self.is_settled() && !read_today
    }
}

/// The completed days that a run has to read, oldest first: as far back as OpenRouter reports, and never today. `again`
/// names how many completed days are read whatever is known of them; 0 if nobody asked for that.
pub fn days_to_read(known: &[ReadDay], today: UtcDay, again: i64) -> Vec<UtcDay> {
    let window = 1..=REACHES_BACK_DAYS;
    let back = window
        .rev()
        .map(|back| (back, today.plus(back.saturating_neg())));
    back.filter(|(back, day)| {
        let read = known.iter().find(|known| known.day == *day);
        let read = read.copied().unwrap_or(ReadDay::unread(*day));
        read.is_due(today) || (*back <= again && !read.is_rolled)
    })
    .map(|(_, day)| day)
    .collect()
}

/// The last day up to which everything is there, if the days before `after` were there already. It is never today, and
/// never later.
pub fn through(known: &[ReadDay], after: Option<UtcDay>, today: UtcDay) -> Option<UtcDay> {
    let oldest = today.plus(REACHES_BACK_DAYS.saturating_neg());
    let mut through = after.filter(|after| *after < today);
    // What OpenRouter does not report any more is not waited for.
    let mut next = after.map_or(oldest, |after| after.plus(1)).max(oldest);
    while next < today
        && known
            .iter()
            .any(|known| known.day == next && known.is_good())
    {
        through = Some(next);
        next = next.plus(1);
    }
    through
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> UtcDay {
        UtcDay::parse(text).unwrap()
    }

    fn read(date: &str, as_of: &str) -> ReadDay {
        ReadDay {
            as_of: Timestamp::parse(as_of),
            ..ReadDay::unread(day(date))
        }
    }

    #[test]
    fn a_fresh_deployment_reads_all_days_that_openrouter_reports_and_never_today() {
        let days = days_to_read(&[], day("2026-12-01"), 0);
        assert_eq!(days.len(), 30);
        assert_eq!(days.first(), Some(&day("2026-11-01")));
        assert_eq!(days.last(), Some(&day("2026-11-30")));
    }

    #[test]
    fn each_day_is_read_in_three_nights_and_in_one_night_once() {
        let mut known: Vec<ReadDay> = (1..=30)
            .map(|back| ReadDay {
                as_of: Some(day("2026-12-01").start()),
                ..ReadDay::unread(day("2026-12-01").plus(-back))
            })
            .collect();
        let dates = |known: &[ReadDay], today: &str| {
            let days = days_to_read(known, day(today), 0);
            days.iter().map(UtcDay::to_string).collect::<Vec<_>>()
        };
        assert!(
            dates(&known, "2026-12-01").is_empty(),
            "read on this very day"
        );
        let night = ["2026-11-29", "2026-11-30", "2026-12-01"];
        assert_eq!(dates(&known, "2026-12-02"), night);
        known.extend(night.map(|date| read(date, "2026-12-02T00:30:00Z")));
        known.sort_by_key(|known| std::cmp::Reverse(known.as_of));
        assert_eq!(
            dates(&known, "2026-12-03"),
            ["2026-11-30", "2026-12-01", "2026-12-02"]
        );
        // Three nights without a run leave no hole.
        assert_eq!(
            dates(&known, "2026-12-06"),
            [
                "2026-11-30",
                "2026-12-01",
                "2026-12-02",
                "2026-12-03",
                "2026-12-04",
                "2026-12-05"
            ]
        );
    }

    #[test]
    fn a_day_with_keys_that_could_not_be_read_is_read_again() {
        let mut partial = read("2026-11-10", "2026-11-20T00:30:00Z");
        partial.is_partial = true;
        let known = [partial, read("2026-11-11", "2026-11-20T00:30:00Z")];
        let days = days_to_read(&known, day("2026-12-01"), 0);
        assert!(days.contains(&day("2026-11-10")) && !days.contains(&day("2026-11-11")));
        let again = days_to_read(
            &[read("2026-11-30", "2026-12-01T00:30:00Z")],
            day("2026-12-01"),
            1,
        );
        assert!(again.contains(&day("2026-11-30")), "somebody asked for it");
    }

    #[test]
    fn the_last_good_day_stops_at_the_first_gap_and_never_reaches_today() {
        let all: Vec<ReadDay> = (0..=31)
            .map(|back| ReadDay {
                as_of: Some(day("2026-12-01").start()),
                ..ReadDay::unread(day("2026-12-01").plus(-back))
            })
            .collect();
        let today = day("2026-12-01");
        assert_eq!(through(&all, None, today), Some(day("2026-11-30")));
        let gap: Vec<ReadDay> = all
            .iter()
            .filter(|known| known.day != day("2026-11-20"))
            .copied()
            .collect();
        assert_eq!(through(&gap, None, today), Some(day("2026-11-19")));
        assert_eq!(
            through(&gap, Some(day("2026-11-25")), today),
            Some(day("2026-11-30"))
        );
        assert_eq!(through(&[], None, today), None);
        assert_eq!(
            through(&[], Some(day("2026-12-09")), today),
            None,
            "a day to come"
        );
        assert_eq!(
            through(&all, Some(day("2026-09-01")), today),
            Some(day("2026-11-30"))
        );
    }

    #[test]
    fn a_day_is_settled_after_the_third_night_and_open_before_it() {
        let today = day("2026-12-10");
        for (as_of, certainty) in [
            ("2026-12-02T00:30:00Z", Certainty::Open),
            ("2026-12-03T23:59:59Z", Certainty::Open),
            ("2026-12-04T00:00:00Z", Certainty::Settled),
        ] {
            assert_eq!(
                read("2026-12-01", as_of).certainty(today),
                certainty,
                "{as_of}"
            );
        }
        assert_eq!(
            ReadDay::unread(day("2026-12-01")).certainty(today),
            Certainty::Unknown
        );
        assert_eq!(ReadDay::unread(today).certainty(today), Certainty::Open);
    }
}
