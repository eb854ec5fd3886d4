//! Brings a key at OpenRouter to what the database says: whether it is enabled, its limit, and its guardrail.

pub(crate) mod absence;
pub(crate) mod cap;
pub(crate) mod guardrail;
pub(crate) mod limit;
pub(crate) mod switch;
pub(crate) mod upstream_changes;
