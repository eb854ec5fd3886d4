//! What every native test uses.

pub mod account;
pub mod browser;
pub mod by_hand;
pub mod bystanders;
pub mod canaries;
pub mod coverage;
pub mod database;
pub mod described;
pub mod effects;
pub mod kv;
pub mod mutant;
pub mod oracle;
pub mod probes;
pub mod schema;
pub mod signatures;
pub mod upstream;
pub mod world;

pub use browser::{Browser, Cookies};
pub use effects::Fate;
pub use world::{TEN_MINUTES, World};
