//! The handlers of the administrators' API.

pub(crate) mod allotments;
pub(crate) mod audit;
pub mod blocks;
pub(crate) mod credit;
pub(crate) mod departures;
pub(crate) mod description;
pub(crate) mod findings;
pub(crate) mod jobs;
pub(crate) mod keys;
pub mod members;
pub(crate) mod overview;
pub(crate) mod plan_reach;
pub(crate) mod plans;
pub(crate) mod providers;
pub mod settings;
pub(crate) mod workspaces;
