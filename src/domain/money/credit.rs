//! The credit of an account at OpenRouter.

use crate::domain::money::NanoUsd;

/// Less credit than this is low, however little is spent. Nano-USD.
const LOW_NANO: i64 = 1_000_000_000;
/// Credit is low if it lasts for less than so many days.
const LOW_DAYS: u64 = 3;

/// What an account bought, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountCredit {
    pub bought: NanoUsd,
    pub used: NanoUsd,
}

impl AccountCredit {
    /// What is left.
    pub const fn left(self) -> NanoUsd {
        self.bought.minus(self.used)
    }
}

/// Answers whether the credit that is left is less than a dollar, or than what three days cost at the pace of the last seven.
pub const fn is_low(left: NanoUsd, seven_days: NanoUsd) -> bool {
    let lasts = left.nano().unsigned_abs().saturating_mul(7);
    left.nano() < LOW_NANO || lasts < seven_days.nano().unsigned_abs().saturating_mul(LOW_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_low_below_a_dollar_and_below_three_days() {
        let usd = |cents: i64| NanoUsd::from_nano(cents * 10_000_000).unwrap();
        assert!(is_low(usd(99), NanoUsd::ZERO) && !is_low(usd(100), NanoUsd::ZERO));
        assert!(is_low(usd(2_999), usd(7_000)) && !is_low(usd(3_000), usd(7_000)));
        assert!(!is_low(NanoUsd::MAX, usd(7_000)) && is_low(usd(100), NanoUsd::MAX));
    }

    #[test]
    fn nothing_is_left_of_credit_that_was_overdrawn() {
        let cent = NanoUsd::CENT;
        let credit = AccountCredit {
            bought: cent,
            used: cent.plus(cent),
        };
        assert_eq!(credit.left(), NanoUsd::ZERO);
    }
}
