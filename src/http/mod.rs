//! HTTP: the route table as data, one pipeline that every request passes, one file for each resource.

#[macro_use]
pub mod server;
pub mod admin;
pub mod api;
pub mod auth;
pub mod pages;
pub mod routes;

pub use crate::http::server::checks::PREFETCH_HEADERS;
pub use crate::http::server::context::Context;
pub use crate::http::server::pipeline::Service;
pub use crate::http::server::reply::Reply;

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
