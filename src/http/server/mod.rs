//! The server that every request passes: the pipeline, the route, the body, the headers, the answer. It knows no
//! handler.

pub(crate) mod attempts;
pub(crate) mod body;
pub mod checks;
pub mod context;
pub mod cookies;
pub mod described;
pub mod fallbacks;
mod finish;
pub mod headers;
pub(crate) mod idempotency;
pub mod message;
pub mod pipeline;
pub mod rate;
pub mod reply;
pub mod route;
