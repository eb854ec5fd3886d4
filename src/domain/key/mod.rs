//! What a key is: its states, its secret, its holds, how it is made, rotated and removed.

pub mod drift;
pub mod generation;
pub mod hold;
pub mod key_name;
pub mod mint;
pub mod purge;
pub mod rotation;
pub mod secret;
pub mod stray;
