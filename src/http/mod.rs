//! HTTP: the route table as data, one pipeline that every request passes, one file for each resource.

#[macro_use]
mod body;
mod allotments;
mod attempts;
pub mod auth;
pub mod blocks;
mod checks;
pub mod claim;
mod context;
pub mod cookies;
mod credit;
mod findings;
pub mod headers;
pub mod health;
mod idempotency;
mod jobs;
mod key_answer;
pub mod keys;
pub mod leaving;
pub mod me;
pub mod members;
mod more_keys;
mod openapi;
pub mod pages;
mod pipeline;
mod plans;
pub mod rate;
mod reply;
pub mod requests;
pub mod rotations;
mod route;
pub mod routes;
pub mod settings;

pub use checks::PREFETCH_HEADERS;
pub use context::Context;
pub use pipeline::Service;
pub use reply::Reply;

/// A request as the platform hands it over: its body already read, cut off at [`MAX_BODY`].
pub type Inbound = http::Request<Body>;

/// An answer with one fixed body.
pub type Outbound = http::Response<Vec<u8>>;

/// Bytes of the largest body that any route takes. More is never read.
pub const MAX_BODY: usize = 16 * 1024;

/// Bytes of the longest address that is read, its origin included: a callback's code and state fit many times over.
pub const MAX_ADDRESS: usize = 8 * 1024;

/// A request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    Empty,
    Bytes(Vec<u8>),
    /// More than [`MAX_BODY`]; the rest was not read.
    TooLarge,
}
