//! Sealed values: AES-256-GCM with a random nonce, in base64url. Each is bound to a name, which is the associated data.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::keyring::Key;
use crate::crypto::random;
use crate::ports::{NoRandomness, Random};

const NONCE_BYTES: usize = 12;

/// Seals `plain` under `name`. The text can stand in a cookie. Fails if there is no randomness, or if the encryption
/// fails.
pub fn seal(
    key: &Key,
    name: &str,
    plain: &[u8],
    source: &dyn Random,
) -> Result<String, NoRandomness> {
    let nonce = random::bytes::<NONCE_BYTES>(source)?;
    let payload = Payload {
        msg: plain,
        aad: name.as_bytes(),
    };
    let sealed = cipher(key)
        .encrypt(Nonce::from_slice(&nonce), payload)
        .map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// Opens a value that any of the keys sealed under the same name. Returns `None` for any other text.
pub fn open(keys: &[Key], name: &str, sealed: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
    keys.iter().find_map(|key| {
        let payload = Payload {
            msg: text,
            aad: name.as_bytes(),
        };
        cipher(key).decrypt(Nonce::from_slice(nonce), payload).ok()
    })
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(aes_gcm::Key::<Aes256Gcm>::from_slice(key.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    struct Counting(std::cell::Cell<u8>);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
            self.0.set(self.0.get().wrapping_add(1));
            bytes.fill(self.0.get());
            Ok(())
        }
    }

    #[test]
    fn opens_only_what_was_sealed_under_the_same_name_by_a_known_key() {
        let source = Counting(std::cell::Cell::new(0));
        let key = |n: u8| Zeroizing::new([n; 32]);
        let sealed = seal(&key(1), "a", b"plain", &source).unwrap();
        assert_eq!(
            open(&[key(2), key(1)], "a", &sealed).unwrap(),
            b"plain".to_vec()
        );
        assert_eq!(open(&[key(1)], "b", &sealed), None);
        assert_eq!(open(&[key(2)], "a", &sealed), None);
        for cut in 0..sealed.len() {
            assert_eq!(open(&[key(1)], "a", sealed.get(..cut).unwrap()), None);
        }
        assert_ne!(sealed, seal(&key(1), "a", b"plain", &source).unwrap());
    }
}
