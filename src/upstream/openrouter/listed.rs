//! A key as OpenRouter lists it.

use serde::Deserialize;

use crate::domain::key::drift::ObservedKey;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::json::members::if_fitting;
use crate::upstream::openrouter::figures::SpendBody;

/// A key in the answer of `GET /keys`, as far as a walk reads it: no other member may make a page unreadable.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub hash: String,
    pub name: Option<String>,
    pub disabled: Option<bool>,
    pub created_at: Option<String>,
    #[serde(default, deserialize_with = "if_fitting")]
    limit: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    limit_reset: Option<String>,
    #[serde(default, deserialize_with = "if_fitting")]
    include_byok_in_limit: Option<bool>,
    #[serde(default, deserialize_with = "if_fitting")]
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "if_fitting")]
    usage: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    usage_daily: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    usage_weekly: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    usage_monthly: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    byok_usage: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    byok_usage_daily: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    byok_usage_weekly: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    byok_usage_monthly: Option<f64>,
    #[serde(default, deserialize_with = "if_fitting")]
    limit_remaining: Option<f64>,
}

impl Listed {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The members that are compared with the row.
    pub fn seen(&self) -> ObservedKey<'_> {
        ObservedKey {
            name: self.name(),
            disabled: self.disabled,
            limit: self.limit(),
            limit_reset: self.limit_reset.as_deref(),
            include_byok_in_limit: self.include_byok_in_limit,
            expires_at: self.expires_at.as_deref().and_then(Timestamp::parse),
        }
    }

    /// The limit, if it can be read.
    pub fn limit(&self) -> Option<NanoUsd> {
        self.limit.and_then(NanoUsd::from_upstream)
    }

    /// What the key has spent, if all figures can be read.
    pub fn spend_at(&self, read_at: Timestamp) -> Option<Spend> {
        let figures = SpendBody {
            name: self.name().to_owned(),
            disabled: self.disabled,
            usage: self.usage,
            usage_daily: self.usage_daily,
            usage_weekly: self.usage_weekly,
            usage_monthly: self.usage_monthly,
            byok_usage: self.byok_usage,
            byok_usage_daily: self.byok_usage_daily,
            byok_usage_weekly: self.byok_usage_weekly,
            byok_usage_monthly: self.byok_usage_monthly,
            limit: self.limit,
            limit_remaining: self.limit_remaining,
            limit_reset: self.limit_reset.clone(),
        };
        figures.read_at(read_at)
    }

    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}
