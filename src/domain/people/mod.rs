//! The people who use keycap: their identities, addresses, texts and requests.

pub mod address;
pub mod identity;
pub mod request;
pub mod session;
pub mod text;
