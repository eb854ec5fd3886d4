//! Usage by day and model: what a run writes of a day, the sums by month, and what is read of it.

pub mod counters;
pub mod days;
pub mod figures;
pub mod months;
pub mod panel;
