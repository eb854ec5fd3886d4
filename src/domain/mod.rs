//! The pure core: functions that decide from values to values. They use no clock, no randomness and no platform, and
//! none is asynchronous. Time, random bytes and configuration are arguments.

pub mod id;
pub mod key;
pub mod money;
pub mod people;
pub mod policy;
pub mod run;
pub mod time;
pub mod usage;
