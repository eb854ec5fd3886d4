//! Fresh ids, nonces and tokens, made from the port for randomness.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::id::{ID_BYTES, IdKind, PublicId};
use crate::ports::{NoRandomness, Random};

/// A fresh public id.
pub fn public_id(random: &dyn Random, kind: IdKind) -> Result<PublicId, NoRandomness> {
    Ok(PublicId::new(kind, bytes::<ID_BYTES>(random)?))
}

/// 256 random bits in base64url: 43 characters, the least that RFC 7636 allows for a `code_verifier`.
pub fn token(random: &dyn Random) -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>(random)?))
}

/// 128 random bits in hexadecimal.
pub fn nonce(random: &dyn Random) -> Result<String, NoRandomness> {
    Ok(hex::encode(bytes::<16>(random)?))
}

pub fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
