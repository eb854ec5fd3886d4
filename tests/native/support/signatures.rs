//! The port that checks signatures in native tests: the crate `rsa`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keycap::ports::LocalFuture;
use keycap::ports::signatures::{RsaPublicKey, SignatureUnchecked, Signatures};
use rsa::BigUint;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::Verifier;

pub struct RsaCrate;

impl Signatures for RsaCrate {
    fn is_rs256<'a>(
        &'a self,
        key: &'a RsaPublicKey,
        signed: &'a str,
        signature: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, SignatureUnchecked>> {
        let checked = check(key, signed, signature).ok_or(SignatureUnchecked);
        Box::pin(std::future::ready(checked))
    }
}

/// `None` if this is no key. A signature of another length is a wrong one, as for WebCrypto.
fn check(key: &RsaPublicKey, signed: &str, signature: &[u8]) -> Option<bool> {
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(BigUint::from_bytes_be(&bytes))
    };
    let key = rsa::RsaPublicKey::new(number(&key.n)?, number(&key.e)?).ok()?;
    let signature = Signature::try_from(signature);
    let is_good = signature.is_ok_and(|signature| {
        VerifyingKey::<Sha256>::new(key)
            .verify(signed.as_bytes(), &signature)
            .is_ok()
    });
    Some(is_good)
}
