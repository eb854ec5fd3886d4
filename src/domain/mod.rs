//! The pure core: decisions from values to values. No clock, no randomness, no platform, nothing asynchronous;
//! time, random bytes and configuration are arguments.

pub mod address;
pub mod budget;
pub mod drift;
pub mod erasure;
pub mod gate;
pub mod generation;
pub mod hold;
pub mod id;
pub mod identity;
pub mod key_name;
pub mod mint;
pub mod money;
pub mod origin;
pub mod period;
pub mod quota;
pub mod request;
pub mod rotation;
pub mod secret;
pub mod spend;
pub mod stray;
pub mod target;
pub mod terms;
pub mod text;
pub mod time;
