//! A key as OpenRouter lists it.

use crate::domain::key::drift::ObservedKey;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::json::IfFitting;

from_json! {
    /// A key in the answer of `GET /keys`, as far as a walk reads it: no other member may make a page unreadable.
    #[derive(Clone, Debug)]
    pub struct Listed {
        pub hash: String,
        pub name: Option<String>,
        pub disabled: Option<bool>,
        pub created_at: Option<String>,
        limit: IfFitting<f64>,
        limit_reset: IfFitting<String>,
        include_byok_in_limit: IfFitting<bool>,
        expires_at: IfFitting<String>,
    }
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
            limit: self.limit.0.and_then(NanoUsd::from_upstream),
            limit_reset: self.limit_reset.0.as_deref(),
            include_byok_in_limit: self.include_byok_in_limit.0,
            expires_at: self.expires_at.0.as_deref().and_then(Timestamp::parse),
        }
    }

    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}
