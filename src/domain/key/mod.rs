//! Keys: their states, their secret, their holds, and how they are made, rotated and removed.

pub mod clue;
pub mod drift;
pub mod generation;
pub mod hold;
pub mod key_name;
pub mod mint;
pub mod purge;
pub mod rotation;
pub mod secret;
pub mod stray;
