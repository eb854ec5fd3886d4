//! Foreign services, one file each, over one shared way of calling.

pub mod client;
pub mod github;
pub mod openrouter;
