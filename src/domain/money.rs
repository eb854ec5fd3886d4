//! Money. Inside, an amount is whole nano-dollars; at every edge it is a plain decimal. It is never a float in between.

pub mod budget;
pub mod credit;
pub mod spend;

use std::fmt;

/// The nano-USD of one US dollar.
const NANO: i64 = 1_000_000_000;
/// Amounts sent to OpenRouter are multiples of one millionth of a dollar, in nano-USD.
const UPSTREAM_GRAIN: i64 = 1_000;
/// Amounts stay below 2^53 nano-USD ($9.0 M), so every number type on the way holds them exactly.
const MAX: i64 = 9_000_000 * NANO;

/// An amount in nano-USD, 0 ≤ amount ≤ $9.0 M.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NanoUsd(i64);

impl NanoUsd {
    pub const ZERO: Self = Self(0);
    /// The largest amount. It stands for "no limit of its own" where there must be an amount.
    pub const MAX: Self = Self(MAX);
    /// The smallest limit that is ever sent to OpenRouter, because 0 could be read as "no limit".
    pub const CENT: Self = Self(10_000_000);

    pub const fn from_nano(nano: i64) -> Option<Self> {
        if 0 <= nano && nano <= MAX {
            Some(Self(nano))
        } else {
            None
        }
    }

    pub const fn nano(self) -> i64 {
        self.0
    }

    /// Reads an amount that a person types: digits, at most two after the point, no sign and no exponent.
    pub fn parse_typed(text: &str) -> Option<Self> {
        let (whole, cents) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(cents) || whole.len() > 7 || cents.len() > 2 {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let scale = if cents.len() == 1 { 10 } else { 1 };
        let cents: i64 = cents.parse::<i64>().ok()?.checked_mul(scale)?;
        let nano = whole
            .checked_mul(NANO)?
            .checked_add(cents.checked_mul(NANO / 100)?)?;
        Self::from_nano(nano)
    }

    /// Reads an amount of the OpenRouter API, a JSON number in USD, and rounds it to the nano-dollar.
    pub fn from_upstream(usd: f64) -> Option<Self> {
        let nano = (usd * NANO as f64).round();
        if !(0.0..=MAX as f64).contains(&nano) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "in range, checked above")]
        Self::from_nano(nano as i64)
    }

    /// The JSON number that is sent to OpenRouter, in USD, rounded down to one millionth.
    pub fn to_upstream(self) -> f64 {
        self.floored().0 as f64 / NANO as f64
    }

    /// This amount rounded down to the precision in which limits are sent to OpenRouter.
    #[must_use]
    pub const fn floored(self) -> Self {
        Self((self.0 / UPSTREAM_GRAIN).saturating_mul(UPSTREAM_GRAIN))
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        if other.0 >= self.0 {
            Self::ZERO
        } else {
            Self(self.0.saturating_sub(other.0))
        }
    }

    /// The sum, or the largest amount if the sum is larger.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.0.saturating_add(other.0);
        if sum > MAX { Self(MAX) } else { Self(sum) }
    }

    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        let product = self.0.saturating_mul(n);
        if product > MAX {
            Self(MAX)
        } else if product < 0 {
            Self::ZERO
        } else {
            Self(product)
        }
    }
}

/// Writes hundredths of a percent as a person types them.
pub fn percent(points: i64) -> String {
    format!("{}.{:02}", points / 100, points % 100)
}

/// Writes the amount as a plain decimal in USD, with two to nine decimals and no exponent.
impl fmt::Display for NanoUsd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.0 % NANO);
        let kept = fraction.trim_end_matches('0').len().max(2);
        let shown: String = fraction.chars().take(kept).collect();
        write!(out, "{}.{shown}", self.0 / NANO)
    }
}

impl serde::Serialize for NanoUsd {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for NanoUsd {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+\\.[0-9]{2,9}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::NanoUsd;
    use proptest::prelude::*;

    #[test]
    fn typed_amounts_have_at_most_two_places() {
        for (typed, shown) in [
            ("5", "5.00"),
            ("0.5", "0.50"),
            ("12.34", "12.34"),
            ("0", "0.00"),
        ] {
            assert_eq!(NanoUsd::parse_typed(typed).unwrap().to_string(), shown);
        }
        for bad in [
            "", ".5", "5.", "1e3", "-1", "+1", "1,5", " 5", "0.001", "NaN", "99999999", "٥",
        ] {
            assert_eq!(NanoUsd::parse_typed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_amount_that_is_not_valid_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -0.01, 1e18] {
            assert_eq!(NanoUsd::from_upstream(bad), None);
        }
    }

    proptest! {
        #[test]
        // The range is ten times the highest limit. Beyond $4 M, a double no longer holds every nano-dollar.
        fn an_amount_sent_to_openrouter_reads_back_as_the_floored_amount(nano in 0i64..100_000_000_000_000) {
            let amount = NanoUsd::from_nano(nano).unwrap();
            prop_assert_eq!(NanoUsd::from_upstream(amount.to_upstream()).unwrap(), amount.floored());
            prop_assert!(amount.floored() <= amount);
        }
    }
}
