//! The keys that sign ID tokens, and the address that publishes them.
//!
//! The keys protect nothing: each prime is the first one after the digests of a text that stands below, so anybody can
//! make them.

use crate::{Sandbox, message::Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rsa::{
    BigUint, RsaPrivateKey,
    pkcs1v15::SigningKey,
    signature::{SignatureEncoding, Signer},
    traits::PublicKeyParts,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// How far the two primes of each key are behind the digests of its texts.
const OFFSETS: [[u32; 2]; 3] = [[421, 2_432], [160, 1_363], [864, 558]];
/// The public exponent of every key.
const EXPONENT: u32 = 65_537;
/// The number of the key that is never published unless two rotations lead to it.
const STRANGER: usize = 2;

/// Which key signs, and whether the one before it is still published.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    rotations: usize,
    /// Only the signing key is published.
    alone: bool,
}

impl State {
    pub const fn rotate(&mut self) {
        self.rotations += 1;
        self.alone = false;
    }

    pub const fn retire(&mut self) {
        self.alone = true;
    }

    const fn signing(self) -> usize {
        self.rotations % OFFSETS.len()
    }

    /// The key that signs and, until it is retired, the one that signed before it.
    fn published(self) -> Vec<usize> {
        let before = (self.rotations + OFFSETS.len() - 1) % OFFSETS.len();
        match (self.alone, self.rotations) {
            (true, _) | (false, 0) => vec![self.signing()],
            (false, _) => vec![before, self.signing()],
        }
    }
}

/// Which key signs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer256 {
    /// The key that signs now.
    Current,
    /// A key that is not published.
    Unpublished,
}

impl Signer256 {
    fn number(self, state: State) -> usize {
        match self {
            Self::Current => state.signing(),
            Self::Unpublished => STRANGER,
        }
    }
}

/// The `kid` of the key.
pub(super) fn kid(state: State, signer: Signer256) -> String {
    kid_of(signer.number(state))
}

fn kid_of(number: usize) -> String {
    let digest = crate::sha256_hex(format!("sandbox google key {number}").as_bytes());
    digest.get(..40).unwrap_or_default().to_owned()
}

/// The RS256 signature of a text in base64url.
pub(super) fn sign(state: State, signer: Signer256, text: &str) -> String {
    let key = keys().get(signer.number(state)).and_then(Option::as_ref);
    key.map_or_else(String::new, |key| {
        let signature = SigningKey::<Sha256>::new(key.clone()).sign(text.as_bytes());
        URL_SAFE_NO_PAD.encode(signature.to_bytes())
    })
}

/// `GET /oauth2/v3/certs`.
pub(super) fn published(sandbox: &Sandbox) -> Response {
    let tokens = &sandbox.google.tokens;
    let numbers = match tokens.no_keys {
        true => Vec::new(),
        false => sandbox.google.certs.published(),
    };
    let keys: Vec<Value> = numbers.into_iter().filter_map(jwk).collect();
    let age = format!(
        "public, max-age={}, must-revalidate, no-transform",
        tokens.max_age
    );
    Response::json(200, &json!({ "keys": keys })).with("cache-control", &age)
}

fn jwk(number: usize) -> Option<Value> {
    let key = keys().get(number)?.as_ref()?;
    Some(json!({
        "kid": kid_of(number), "kty": "RSA", "alg": "RS256", "use": "sig",
        "n": URL_SAFE_NO_PAD.encode(key.n().to_bytes_be()),
        "e": URL_SAFE_NO_PAD.encode(key.e().to_bytes_be()),
    }))
}

fn keys() -> &'static [Option<RsaPrivateKey>; 3] {
    static KEYS: OnceLock<[Option<RsaPrivateKey>; 3]> = OnceLock::new();
    KEYS.get_or_init(|| [0, 1, 2].map(made))
}

fn made(number: usize) -> Option<RsaPrivateKey> {
    let [p, q] = *OFFSETS.get(number)?;
    let prime = |name: &str, offset: u32| {
        digests(&format!("keycap sandbox google key {number} {name}")) + BigUint::from(offset)
    };
    RsaPrivateKey::from_p_q(prime("p", p), prime("q", q), BigUint::from(EXPONENT)).ok()
}

/// 1,024 bits out of a text. The two highest are set, so that a product of two has 2,048.
fn digests(text: &str) -> BigUint {
    let mut bytes: Vec<u8> = (0..4)
        .flat_map(|n| Sha256::digest(format!("{text} {n}").as_bytes()))
        .collect();
    if let Some(first) = bytes.first_mut() {
        *first |= 0b1100_0000;
    }
    BigUint::from_bytes_be(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_an_rsa_key_of_2048_bits() {
        for key in keys() {
            let key = key.as_ref().unwrap();
            assert!(key.validate().is_ok());
            assert_eq!(key.n().bits(), 2_048);
        }
    }

    #[test]
    fn a_rotation_keeps_the_old_key_until_it_is_retired() {
        let mut state = State::default();
        assert_eq!(state.published(), [0]);
        state.rotate();
        assert_eq!((state.signing(), state.published()), (1, vec![0, 1]));
        state.retire();
        assert_eq!(state.published(), [1]);
        state.rotate();
        assert_eq!(state.published(), [1, 2]);
    }
}
