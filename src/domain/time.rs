//! A moment, in whole seconds of UTC, and its one written form.

pub mod period;

use chrono::{DateTime, SecondsFormat};

/// Seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.div_euclid(1000))
    }

    pub const fn secs(self) -> i64 {
        self.0
    }

    /// This moment and `secs` more (or less, when negative), at the ends of time staying there.
    #[must_use]
    pub const fn plus(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Seconds from `earlier` to this moment; negative when it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with seconds and `Z`, the only form in which OpenRouter takes times and we give them.
    pub fn rfc3339(self) -> String {
        match DateTime::from_timestamp(self.0, 0) {
            Some(at) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
            None => String::from("1970-01-01T00:00:00Z"),
        }
    }

    /// The UTC day, as 2026-11-30.
    pub fn date(self) -> String {
        let mut text = self.rfc3339();
        text.truncate(10);
        text
    }

    /// Reads RFC 3339 in any zone and precision; the fraction is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Self(at.timestamp()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.rfc3339())
    }
}

/// The earlier of two moments, where there is one.
pub fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn times_are_written_in_one_form_and_read_in_both_of_the_upstreams() {
        for text in [
            "2025-02-19T20:52:27.363244+00:00",
            "2025-02-19T20:52:27Z",
            "2025-02-19T22:52:27+02:00",
        ] {
            let at = Timestamp::parse(text).unwrap();
            assert_eq!(at.rfc3339(), "2025-02-19T20:52:27Z", "{text}");
        }
        for text in ["", "2025-02-19", "2025-02-19T20:52", "yesterday"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_before_the_epoch_round_down() {
        assert_eq!(Timestamp::from_millis(-1).secs(), -1);
        assert_eq!(Timestamp::from_millis(1999).secs(), 1);
    }
}
