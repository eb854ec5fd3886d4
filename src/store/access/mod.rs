//! The statements about terms, quotas, and who may claim.

pub mod allotments;
pub(crate) mod facts;
pub mod quotas;
pub mod terms;
