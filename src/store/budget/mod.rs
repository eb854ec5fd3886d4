//! The statements about plans, limits, and what an owner may still spend.

pub mod allowances;
pub mod caps;
pub mod limits;
pub mod over_quota;
pub mod payments;
pub mod plans;
pub mod preferences;
pub mod raises;
pub mod reach;
