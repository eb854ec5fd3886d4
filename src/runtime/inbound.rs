//! From the platform's request to ours: only the headers that are read, and a body that is never read beyond the limit.

use futures_util::TryStreamExt;
use worker::Request;

use crate::http::{Body, Inbound, MAX_BODY};

/// Copying a header across the wasm boundary costs; these are the ones that anything here reads.
const HEADERS: [&str; 9] = [
    "accept",
    "cf-connecting-ip",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "origin",
    "sec-fetch-site",
    "x-request-id",
];

/// `None` for a request with a control character in one of these headers: dropping the header could open what it closes.
pub async fn read(mut request: Request) -> worker::Result<Option<Inbound>> {
    let mut builder = http::Request::builder()
        // The crate's own method turns whatever it does not know into GET.
        .method(request.inner().method().as_str())
        .uri(request.inner().url());
    for name in HEADERS {
        if let Some(value) = request.headers().get(name)? {
            builder = builder.header(name, value.as_bytes());
        }
    }
    let body = body(&mut request).await?;
    Ok(builder.body(body).ok())
}

async fn body(request: &mut Request) -> worker::Result<Body> {
    if request.inner().body().is_none() {
        return Ok(Body::Empty);
    }
    let mut stream = request.stream()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        if bytes.len().saturating_add(chunk.len()) > MAX_BODY {
            return Ok(Body::TooLarge);
        }
        bytes.extend(chunk);
    }
    Ok(if bytes.is_empty() {
        Body::Empty
    } else {
        Body::Bytes(bytes)
    })
}
