//! Signatures by the runtime's own WebCrypto.

use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::{self, Array, ArrayBuffer, Function, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen_futures::JsFuture;

use crate::ports::{LocalFuture, Signer};

const ALGORITHM: &str = "RSASSA-PKCS1-v1_5";

pub struct WebCryptoSigner;

impl Signer for WebCryptoSigner {
    fn sign_rs256<'a>(
        &'a self,
        pkcs8: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move { signed(pkcs8, message).await.ok() })
    }
}

/// `subtle.importKey` and `subtle.sign`. The imported key cannot be read back.
async fn signed(pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, JsValue> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &ALGORITHM.into())?;
    Reflect::set(&algorithm, &"hash".into(), &"SHA-256".into())?;
    let (form, usages) = (JsValue::from("pkcs8"), Array::of1(&"sign".into()));
    let bytes = Uint8Array::from(pkcs8);
    let import = [&form, &bytes, &algorithm, &JsValue::FALSE, &usages];
    let key = called(&subtle, "importKey", &import).await?;
    let bytes = Uint8Array::from(message);
    let sign: [&JsValue; 3] = [&ALGORITHM.into(), &key, &bytes];
    let signature = called(&subtle, "sign", &sign).await?;
    Ok(Uint8Array::new(&signature.unchecked_into::<ArrayBuffer>()).to_vec())
}

async fn called(on: &JsValue, name: &str, with: &[&JsValue]) -> Result<JsValue, JsValue> {
    let method: Function = Reflect::get(on, &name.into())?.dyn_into()?;
    let with: Array = with.iter().copied().collect();
    let promise = Reflect::apply(&method, on, &with)?;
    JsFuture::from(promise.dyn_into::<Promise>()?).await
}
