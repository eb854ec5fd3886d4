//! Checking signatures that other services make with their own keys.

use crate::ports::LocalFuture;

/// A public RSA key as a JWK has it (RFC 7518, section 6.3.1): modulus and exponent, both in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    pub n: String,
    pub e: String,
}

/// The platform could not check a signature, because it does not take the key or has no such algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureUnchecked;

/// Checks signatures. The Worker asks WebCrypto, because RSA in WebAssembly would cost a part of the Worker's size and
/// of the time that a request has.
pub trait Signatures {
    /// Answers whether `signature` is the RS256 signature (RSASSA-PKCS1-v1_5 with SHA-256) of `signed` by this key.
    fn is_rs256<'a>(
        &'a self,
        key: &'a RsaPublicKey,
        signed: &'a str,
        signature: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, SignatureUnchecked>>;
}
