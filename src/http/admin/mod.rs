//! The handlers of the administrators' API.

pub(crate) mod allotments;
pub mod blocks;
pub(crate) mod credit;
pub(crate) mod description;
pub(crate) mod findings;
pub(crate) mod jobs;
pub mod members;
pub(crate) mod overview;
pub(crate) mod plans;
pub mod settings;
