//! WebCrypto checks signatures: `crypto.subtle`, called by name, since the Worker needs two of its methods only.

use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::{self, Array, Function, JsString, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen_futures::JsFuture;

use crate::ports::LocalFuture;
use crate::ports::signatures::{RsaPublicKey, SignatureUnchecked, Signatures};

pub struct WebCrypto;

impl Signatures for WebCrypto {
    fn is_rs256<'a>(
        &'a self,
        key: &'a RsaPublicKey,
        signed: &'a str,
        signature: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, SignatureUnchecked>> {
        Box::pin(async move {
            let checked = check(key, signed.as_bytes(), signature).await;
            checked.map_err(|_| SignatureUnchecked)
        })
    }
}

async fn check(key: &RsaPublicKey, signed: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let algorithm = object(&[
        ("name", "RSASSA-PKCS1-v1_5".into()),
        ("hash", "SHA-256".into()),
    ])?;
    let jwk = object(&[
        ("kty", "RSA".into()),
        ("n", key.n.as_str().into()),
        ("e", key.e.as_str().into()),
    ])?;
    let uses = Array::of1(&JsString::from("verify"));
    let import = [
        "jwk".into(),
        jwk.into(),
        algorithm.clone().into(),
        JsValue::FALSE,
        uses.into(),
    ];
    let imported = subtle("importKey", &import).await?;
    let check = [
        algorithm.into(),
        imported,
        Uint8Array::from(signature).into(),
        Uint8Array::from(signed).into(),
    ];
    Ok(subtle("verify", &check).await? == JsValue::TRUE)
}

fn object(members: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), value)?;
    }
    Ok(object)
}

/// Calls a method of `crypto.subtle` and waits for what it promises.
async fn subtle(method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    let method: Function = Reflect::get(&subtle, &method.into())?.dyn_into()?;
    let promise = method.apply(&subtle, &arguments.iter().collect())?;
    JsFuture::from(Promise::from(promise)).await
}
