//! The server that every request passes: the pipeline, the route, the body, the headers, the answer. It knows no
//! handler.

#[macro_use]
pub(crate) mod body;
pub(crate) mod attempts;
pub mod checks;
pub mod context;
pub mod cookies;
pub mod fallbacks;
mod finish;
pub mod headers;
pub(crate) mod idempotency;
pub mod message;
pub mod pipeline;
pub mod rate;
pub mod reply;
pub mod route;
