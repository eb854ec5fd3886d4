//! The clients of foreign services, one file each. All use one shared way of calling.

pub mod billing;
pub mod client;
pub mod directory;
pub mod github;
pub mod google;
pub mod google_keys;
pub mod openrouter;
pub mod organization;
pub mod sign_in;
