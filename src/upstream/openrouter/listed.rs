//! A key as OpenRouter lists it.

use serde::Deserialize;

use crate::domain::key::drift::ObservedKey;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::json::members::if_fitting;

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

    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}
