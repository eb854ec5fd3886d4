//! Sealed values: AES-256-GCM with a random nonce, in base64url. Each is bound to a name, which is the associated data.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::keyring::Key;
use crate::crypto::{hmac_hex, random};
use crate::domain::time::Timestamp;
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

/// What a value is sealed for. It opens only for the same purpose and name, by the holder of the verifier, and before its
/// end.
pub struct Bond<'a> {
    pub purpose: &'a str,
    pub name: &'a str,
    /// A secret that is stored nowhere beside the value. The value is sealed with a key that is derived from it, so our
    /// own secret alone does not open it.
    pub verifier: &'a str,
}

impl Bond<'_> {
    /// The associated data: what the value is for, and when it ends.
    fn data(&self, key_id: &str, ends: i64) -> String {
        format!("{}\n{}\n{key_id}\n{ends}", self.purpose, self.name)
    }

    /// The key of this value, from one of ours and the verifier.
    fn key(&self, key: &Key) -> Option<Key> {
        let mut own = Key::default();
        let hash = zeroize::Zeroizing::new(hmac_hex(key, "verifier", self.verifier)?);
        hex::decode_to_slice(hash.as_bytes(), own.as_mut()).ok()?;
        Some(own)
    }
}

/// A short name of one of our keys, by which a sealed value says which key opens it. It tells nothing of the key.
fn id_of(key: &Key) -> Option<String> {
    let mut id = hmac_hex(key, "key id", "")?;
    id.truncate(8);
    Some(id)
}

/// Seals `plain` with the newest of `keys`: `key id . end . sealed`.
pub fn seal_for(
    keys: &[Key],
    bond: &Bond<'_>,
    plain: &[u8],
    ends_at: Timestamp,
    source: &dyn Random,
) -> Result<String, NoRandomness> {
    let newest = keys.first().ok_or(NoRandomness)?;
    let key_id = id_of(newest).ok_or(NoRandomness)?;
    let own = bond.key(newest).ok_or(NoRandomness)?;
    let ends = ends_at.secs();
    let sealed = seal(&own, &bond.data(&key_id, ends), plain, source)?;
    Ok(format!("{key_id}.{ends}.{sealed}"))
}

/// Opens what [`seal_for`] sealed for the same bond by one of `keys`, before its end. Returns `None` for any other text.
pub fn open_for(keys: &[Key], bond: &Bond<'_>, sealed: &str, now: Timestamp) -> Option<Vec<u8>> {
    let (key_id, rest) = sealed.split_once('.')?;
    let (ends, sealed) = rest.split_once('.')?;
    let ends: i64 = ends.parse().ok()?;
    if now.secs() >= ends {
        return None;
    }
    let key = keys
        .iter()
        .find(|key| id_of(key).as_deref() == Some(key_id))?;
    let own = bond.key(key)?;
    open(&[own], &bond.data(key_id, ends), sealed)
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

    #[test]
    fn a_bound_value_opens_only_for_its_purpose_name_verifier_and_time_and_under_a_listed_secret() {
        let source = Counting(std::cell::Cell::new(0));
        let key = |n: u8| Zeroizing::new([n; 32]);
        let bond = |purpose, name, verifier| Bond {
            purpose,
            name,
            verifier,
        };
        let (now, ends) = (Timestamp::from_secs(1_000), Timestamp::from_secs(1_060));
        let own = bond("openrouter", "n", "v");
        let sealed = seal_for(&[key(1)], &own, b"plain", ends, &source).unwrap();
        let opens = |keys: &[Key], bond: &Bond<'_>, text: &str, now| {
            open_for(keys, bond, text, now) == Some(b"plain".to_vec())
        };
        assert!(opens(&[key(1)], &own, &sealed, now));
        assert!(opens(&[key(2), key(1)], &own, &sealed, ends.plus(-1)));
        assert!(!opens(&[key(1)], &own, &sealed, ends));
        // The secret was removed from the list.
        assert!(!opens(&[key(2)], &own, &sealed, now));
        assert!(!opens(&[], &own, &sealed, now));
        for other in [
            bond("daydream", "n", "v"),
            bond("openrouter", "m", "v"),
            bond("openrouter", "n", "w"),
            bond("openrouter\nn", "", "v"),
        ] {
            assert!(!opens(&[key(1)], &other, &sealed, now));
        }
        // Every character of the text counts, also those of its end and of the key's id.
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(!opens(&[key(1)], &own, &flipped, now), "{at}");
            assert!(!opens(&[key(1)], &own, &sealed[..at], now), "{at}");
        }
        let later = sealed.replacen("1060", "9060", 1);
        assert!(!opens(&[key(1)], &own, &later, now));
    }
}
