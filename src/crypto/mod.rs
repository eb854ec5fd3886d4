//! Derived keys, session tokens, sealed values and hashes. Nothing in this room knows what they are used for beyond
//! that.

pub mod id_token;
pub mod keyring;
pub mod pseudonym;
pub mod random;
pub mod seal;
pub mod session;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::domain::id::{ID_BYTES, IdKind, PublicId};

/// SHA-256 as lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Derives an id from a secret seed. The same kind, seed and `of` always give the same id, and any others give another.
pub fn derived_id(kind: IdKind, seed: &str, of: &str) -> PublicId {
    let text = format!("{seed}/{}/{of}", kind.prefix());
    let mut bytes = [0; ID_BYTES];
    for (byte, digest) in bytes.iter_mut().zip(Sha256::digest(text.as_bytes())) {
        *byte = digest;
    }
    PublicId::new(kind, bytes)
}

/// HMAC-SHA256 of two texts, as lower-case hexadecimal. `first` contains no NUL, so no two pairs give the same message.
pub fn hmac_hex(key: &keyring::Key, first: &str, second: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).ok()?;
    mac.update(first.as_bytes());
    mac.update(b"\0");
    mac.update(second.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_the_same_for_the_same_input_and_different_for_any_other() {
        let id = derived_id(IdKind::Raise, "seed", "one");
        assert_eq!(id, derived_id(IdKind::Raise, "seed", "one"));
        assert_eq!(
            PublicId::parse(IdKind::Raise, id.as_str()),
            Some(id.clone())
        );
        for (kind, seed, of) in [
            (IdKind::Change, "seed", "one"),
            (IdKind::Raise, "another", "one"),
            (IdKind::Raise, "seed", "another"),
        ] {
            let other = derived_id(kind, seed, of);
            assert_ne!(id.as_str().get(4..), other.as_str().get(4..));
        }
    }
}
