//! Keys for each purpose, session tokens, sealed values and hashes. Nothing here knows what they are for beyond that.

pub mod keyring;
pub mod random;
pub mod seal;
pub mod session;

use sha2::{Digest, Sha256};

/// SHA-256 as lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
