//! Foreign services, one file each, over one shared way of calling.

pub mod call;
mod figures;
pub mod github;
pub mod guardrails;
pub mod openrouter;
pub mod workspaces;
