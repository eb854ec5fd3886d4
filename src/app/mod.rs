//! The use cases. This is the only room that awaits the store and OpenRouter together.

pub(crate) mod auth;
pub(crate) mod budget;
pub(crate) mod bulk;
pub(crate) mod chunk;
pub(crate) mod claim;
pub(crate) mod closure;
pub mod context;
pub(crate) mod departures;
pub(crate) mod device;
pub mod error;
pub(crate) mod google;
pub(crate) mod handoff;
pub(crate) mod keys;
pub(crate) mod membership;
pub(crate) mod rotate;
pub mod run;
pub(crate) mod runs;
pub mod sync;
pub mod workspaces;
