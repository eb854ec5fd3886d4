//! Who uses keycap: identities, addresses, the texts and requests of people.

pub mod address;
pub mod identity;
pub mod request;
pub mod session;
pub mod text;
