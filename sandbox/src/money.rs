//! US dollars as whole nano-dollars, so that the rest of a window is exact. Floats exist on the wire only.

use serde::{Serialize, Serializer};
use serde_json::Value;
use std::ops::AddAssign;

const NANOS_PER_DOLLAR: f64 = 1e9;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd {
    pub nanos: i64,
}

impl Usd {
    pub const ZERO: Self = Self { nanos: 0 };

    /// Rounds to the nearest nano-dollar. Amounts beyond the range of `i64` saturate.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounded, and saturation is what we want"
        )]
        let nanos = (dollars * NANOS_PER_DOLLAR).round() as i64;
        Self { nanos }
    }

    #[must_use]
    pub fn dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the wire speaks doubles")]
        let nanos = self.nanos as f64;
        nanos / NANOS_PER_DOLLAR
    }

    /// What is left of a limit, never below zero, as OpenRouter shows it.
    #[must_use]
    pub fn left_after(self, spent: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(spent.nanos).max(0),
        }
    }

    /// The amount as a JSON number. Whole dollars have no decimal point, as JavaScript prints them.
    #[must_use]
    pub fn to_json(self) -> Value {
        let whole = 1_000_000_000;
        if self.nanos % whole == 0 {
            Value::from(self.nanos / whole)
        } else {
            Value::from(self.dollars())
        }
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.nanos = self.nanos.saturating_add(other.nanos);
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
