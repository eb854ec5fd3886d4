//! The statements about keys and their generations.

pub mod attempt;
pub mod cards;
pub mod claims;
pub mod due;
pub mod ended;
pub mod expiries;
pub mod generations;
pub mod guardrails;
pub mod holds;
pub mod leaks;
pub mod listed;
pub mod mints;
pub mod missing;
pub mod own_keys;
pub mod refresh;
pub mod retained;
pub mod rotations;
pub mod strays;
pub mod successors;
pub mod upstream_holds;
