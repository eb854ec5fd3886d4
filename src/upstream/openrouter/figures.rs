//! The figures of a key in OpenRouter's answers: what it has spent, and the limit in force.

use serde::Deserialize;

use crate::domain::key::drift::ObservedKey;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// A key's spend in USD, with credits and BYOK apart. A missing figure is unknown.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SpendBody {
    pub name: String,
    pub disabled: Option<bool>,
    pub usage: Option<f64>,
    pub usage_daily: Option<f64>,
    pub usage_weekly: Option<f64>,
    pub usage_monthly: Option<f64>,
    pub byok_usage: Option<f64>,
    pub byok_usage_daily: Option<f64>,
    pub byok_usage_weekly: Option<f64>,
    pub byok_usage_monthly: Option<f64>,
    pub limit: Option<f64>,
    pub limit_remaining: Option<f64>,
    pub limit_reset: Option<String>,
}

impl SpendBody {
    /// Answers whether this limit and this window are in force.
    pub fn agrees(&self, limit: NanoUsd, reset: LimitReset) -> bool {
        self.limit.and_then(NanoUsd::from_upstream) == Some(limit)
            && LimitReset::from_upstream(self.limit_reset.as_deref()) == Some(reset)
    }

    /// The members that are compared with the row. The other members count as missing.
    pub fn seen(&self) -> ObservedKey<'_> {
        ObservedKey {
            name: &self.name,
            disabled: self.disabled,
            limit: self.limit.and_then(NanoUsd::from_upstream),
            limit_reset: self.limit_reset.as_deref(),
            include_byok_in_limit: None,
            expires_at: None,
        }
    }

    /// Answers whether the key has a limit, and the limit is at most `amount`.
    pub fn allows_at_most(&self, amount: NanoUsd) -> bool {
        let limit = self.limit.and_then(NanoUsd::from_upstream);
        limit.is_some_and(|limit| limit <= amount)
    }

    /// What is used up in the limit's own window. It may be more than the figures of spend show.
    fn gone(&self) -> Option<(LimitReset, NanoUsd)> {
        let limit = NanoUsd::from_upstream(self.limit?)?;
        let left = NanoUsd::from_upstream(self.limit_remaining?)?;
        let reset = LimitReset::from_upstream(self.limit_reset.as_deref())?;
        Some((reset, limit.minus(left)))
    }

    /// Credits and BYOK together, and at least what is used up of the limit. It is `None` if a figure is missing or no
    /// amount.
    pub fn read_at(&self, read_at: Timestamp) -> Option<Spend> {
        let sum =
            |credits: Option<f64>, byok: Option<f64>| NanoUsd::from_upstream(credits? + byok?);
        let spend = Spend {
            daily: sum(self.usage_daily, self.byok_usage_daily)?,
            weekly: sum(self.usage_weekly, self.byok_usage_weekly)?,
            monthly: sum(self.usage_monthly, self.byok_usage_monthly)?,
            lifetime: sum(self.usage, self.byok_usage)?,
            read_at,
        };
        Some(match self.gone() {
            Some((reset, amount)) => spend.at_least(reset, amount),
            None => spend,
        })
    }
}
