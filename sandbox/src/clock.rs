//! UTC periods and timestamps. No function here reads the clock: the caller passes the time, in milliseconds of the
//! Unix epoch.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

pub const SECOND_MS: i64 = 1_000;
pub const DAY_MS: i64 = 86_400_000;

/// The reset periods of OpenRouter. Each begins at 00:00 UTC, and weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Daily,
    Weekly,
    Monthly,
}

impl Period {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            "monthly" => Some(Self::Monthly),
            _ => None,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The first millisecond of the period that contains `now_ms`.
    #[must_use]
    pub fn start(self, now_ms: i64) -> i64 {
        let day = now_ms.div_euclid(DAY_MS);
        match self {
            Self::Daily => day * DAY_MS,
            // Day 0 was a Thursday, three days after its Monday.
            Self::Weekly => (day - (day + 3).rem_euclid(7)) * DAY_MS,
            Self::Monthly => midnight(utc_date(now_ms).first_of_month()),
        }
    }

    /// The first millisecond of the next period.
    #[must_use]
    pub fn end(self, now_ms: i64) -> i64 {
        let start = self.start(now_ms);
        match self {
            Self::Daily => start + DAY_MS,
            Self::Weekly => start + 7 * DAY_MS,
            Self::Monthly => self.start(start + 31 * DAY_MS),
        }
    }
}

fn utc_date(at_ms: i64) -> Date {
    instant(at_ms).to_zoned(TimeZone::UTC).date()
}

fn midnight(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC)
        .map_or(0, |zoned| zoned.timestamp().as_millisecond())
}

/// A time out of the calendar's range becomes the latest time, so that a wild clock offset cannot break an answer.
fn instant(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX)
}

/// The time as RFC 3339 with `Z`. It has a fraction only if the time has one.
#[must_use]
pub fn timestamp(at_ms: i64) -> String {
    instant(at_ms).to_string()
}

/// The time as RFC 3339 with `Z` and whole seconds, as GitHub writes it.
#[must_use]
pub fn timestamp_secs(at_ms: i64) -> String {
    timestamp(at_ms - at_ms.rem_euclid(SECOND_MS))
}

/// Reads a timestamp as OpenRouter accepts it in a request: UTC with `Z` and seconds. A fraction is allowed, other
/// zones are not. Returns milliseconds, or `None` for any other text.
#[must_use]
pub fn parse_request_timestamp(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let clock = rest.strip_suffix('Z')?;
    let whole = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let shaped = digits_like(date, "0000-00-00") && digits_like(whole, "00:00:00");
    let instant: Timestamp = shaped.then(|| text.parse().ok())??;
    Some(instant.as_millisecond())
}

fn digits_like(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, form)| {
            if form == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == form
            }
        })
}
