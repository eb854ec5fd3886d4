//! Keys for each purpose, session tokens, sealed values and hashes. Nothing here knows what they are for beyond that.

pub mod keyring;
pub mod left;
pub mod random;
pub mod seal;
pub mod session;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// SHA-256 as lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// HMAC-SHA256 of two texts as lower-case hexadecimal. The first has no NUL in it, so no two pairs are one message.
pub fn hmac_hex(key: &keyring::Key, first: &str, second: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).ok()?;
    mac.update(first.as_bytes());
    mac.update(b"\0");
    mac.update(second.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}
