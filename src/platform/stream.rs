//! Reads the body of a request or of an answer, up to a limit.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ReadableStream, ReadableStreamDefaultReader};
use worker::js_sys::{Reflect, Uint8Array};
use worker::wasm_bindgen_futures::JsFuture;

/// All bytes of a stream. The result is `None` if there are more than `most`, and then no more of them are read.
pub async fn read(stream: Option<ReadableStream>, most: usize) -> Result<Option<Vec<u8>>, JsValue> {
    let mut bytes = Vec::new();
    let Some(stream) = stream else {
        return Ok(Some(bytes));
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let step = JsFuture::from(reader.read()).await?;
        let chunk = Reflect::get(&step, &"value".into())?;
        if chunk.is_undefined() {
            return Ok(Some(bytes));
        }
        let chunk: Uint8Array = chunk.dyn_into()?;
        let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
        if bytes.len().saturating_add(length) > most {
            // It does not matter whether this succeeds.
            let _: worker::js_sys::Promise = reader.cancel();
            return Ok(None);
        }
        bytes.extend(chunk.to_vec());
    }
}
