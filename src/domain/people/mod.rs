//! The people who use keycap: their identities, addresses, texts, requests and history.

pub mod address;
pub mod departure;
pub mod device;
pub mod handoff;
pub mod history;
pub mod identity;
pub mod notice;
pub mod project;
pub mod request;
pub mod session;
pub mod text;
pub mod typed_code;
