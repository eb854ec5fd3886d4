//! A request and an answer, in the form in which the platform gives and takes them.

/// A request from the platform: its body is already read, up to [`MAX_BODY`].
pub type Inbound = http::Request<Body>;

/// An answer with one complete body.
pub type Outbound = http::Response<Vec<u8>>;

/// The largest body that any route takes, in bytes. More is never read.
pub const MAX_BODY: usize = 16 * 1024;

/// The longest URL that is read, in bytes, its origin included: the code and state of a callback fit many times over.
pub const MAX_ADDRESS: usize = 8 * 1024;

/// A request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    Empty,
    Bytes(Vec<u8>),
    /// The body has more than [`MAX_BODY`] bytes; the rest was not read.
    TooLarge,
}
