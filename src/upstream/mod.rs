//! The clients of foreign services, one file each. All use one shared way of calling.

pub mod client;
pub mod github;
pub mod openrouter;
