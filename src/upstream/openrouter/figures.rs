//! A key's figures as OpenRouter gives them: what it has spent, and the limit in force (upstreams/openrouter, section 1).

use crate::domain::key::drift::ObservedKey;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

from_json! {
    /// A key's spend in USD, credits and BYOK apart; what is missing is not known.
    #[derive(Clone, Debug, PartialEq)]
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
}

impl SpendBody {
    /// Whether this is the limit and the window in force.
    pub fn agrees(&self, limit: NanoUsd, reset: LimitReset) -> bool {
        self.limit.and_then(NanoUsd::from_upstream) == Some(limit)
            && LimitReset::from_upstream(self.limit_reset.as_deref()) == Some(reset)
    }

    /// What a comparison with its row looks at; the rest is as if it were not told.
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

    /// Whether no more than this may be spent in a window.
    pub fn allows_at_most(&self, amount: NanoUsd) -> bool {
        let limit = self.limit.and_then(NanoUsd::from_upstream);
        limit.is_some_and(|limit| limit <= amount)
    }

    /// What the limit's own window says is gone of it: it may know more than the figures do.
    fn gone(&self) -> Option<(LimitReset, NanoUsd)> {
        let limit = NanoUsd::from_upstream(self.limit?)?;
        let left = NanoUsd::from_upstream(self.limit_remaining?)?;
        let reset = LimitReset::from_upstream(self.limit_reset.as_deref())?;
        Some((reset, limit.minus(left)))
    }

    /// Credits and BYOK together, and at least what is gone of the limit; `None` when a part is missing or is no amount.
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
