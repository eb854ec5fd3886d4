//! The handlers of the members' API.

pub mod account_data;
pub mod claim;
pub(crate) mod create_key;
pub(crate) mod cursor;
pub mod devices;
pub mod handoffs;
pub mod health;
pub mod history;
pub(crate) mod key_answer;
mod key_facts;
pub mod keys;
pub mod leaks;
pub mod me;
pub mod notices;
pub mod overview;
pub mod projects;
pub mod provider_keys;
pub mod requests;
pub mod rotations;
pub mod usage;
pub mod workspaces;
