//! What every request passes: the pipeline, the route, the body, the headers, the answer. It knows no handler.

#[macro_use]
pub(crate) mod body;
pub(crate) mod attempts;
pub(crate) mod checks;
pub(crate) mod context;
pub mod cookies;
pub mod headers;
pub(crate) mod idempotency;
pub(crate) mod pipeline;
pub mod rate;
pub(crate) mod reply;
pub(crate) mod route;
