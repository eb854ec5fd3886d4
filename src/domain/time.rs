//! A moment, in whole seconds of UTC, and the one form in which it is written.

pub mod period;

use chrono::{DateTime, SecondsFormat};

/// Seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Reads milliseconds since the Unix epoch. A part of a second is rounded down, also before the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.div_euclid(1000))
    }

    pub const fn secs(self) -> i64 {
        self.0
    }

    /// This moment plus `secs` seconds, which may be negative. The result stays within the range of an `i64`.
    #[must_use]
    pub const fn plus(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// The seconds from `earlier` to this moment. The result is negative if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with seconds and `Z`. OpenRouter accepts times only in this form, and our answers use no other.
    /// A moment that no calendar date can express is written as the beginning of 1970.
    pub fn rfc3339(self) -> String {
        match DateTime::from_timestamp(self.0, 0) {
            Some(at) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
            None => String::from("1970-01-01T00:00:00Z"),
        }
    }

    /// The UTC day, such as 2026-11-30.
    pub fn date(self) -> String {
        let mut text = self.rfc3339();
        text.truncate(10);
        text
    }

    /// Reads RFC 3339 in any zone and precision, and drops the fraction of a second. Returns `None` for any other text.
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

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The earlier of two moments. If one is `None`, the result is the other.
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
