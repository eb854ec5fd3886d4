//! The pure core: decisions from values to values. No clock, no randomness, no platform, nothing asynchronous;
//! time, random bytes and configuration are arguments.

pub mod id;
pub mod key;
pub mod money;
pub mod people;
pub mod policy;
pub mod time;
