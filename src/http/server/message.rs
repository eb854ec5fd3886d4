//! A request and an answer, as the platform hands them over and takes them back.

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
