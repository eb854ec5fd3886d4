//! Turns the platform's request into ours. It copies only the headers that anything reads, and it never reads more of a
//! body than the limit allows.

use web_sys::Request;

use crate::http::routes::MEMBER_HEADER;
use crate::http::server::checks::PREFETCH_HEADERS;
use crate::http::server::message::Body;
use crate::http::server::message::Inbound;
use crate::http::server::message::MAX_ADDRESS;
use crate::http::server::message::MAX_BODY;
use crate::platform::stream;

/// The headers that are read in every request. Each header that is copied across the wasm boundary costs time.
const HEADERS: [&str; 4] = ["accept", "cf-connecting-ip", "cookie", "x-request-id"];

/// The headers that are also read if a request may change anything.
const OF_CHANGES: [&str; 5] = [
    "content-type",
    "idempotency-key",
    "origin",
    "sec-fetch-site",
    MEMBER_HEADER,
];

/// A part of every URL of the sign-in. Only there it matters whether a browser fetches a page in advance.
const SIGN_IN: &str = "/auth/";

/// Why a request cannot be read.
#[derive(Clone, Copy)]
pub enum Unread {
    /// The URL is longer than any of ours.
    Address,
    /// A header that is read contains a control character. Without that header, the request might be allowed something
    /// that the header forbids.
    Header,
}

/// Reads a request. The outer error comes from the platform. The inner error is why the request cannot be read.
pub async fn read(request: &Request) -> worker::Result<Result<Inbound, Unread>> {
    let method = request.method();
    let url = request.url();
    if url.len() > MAX_ADDRESS {
        return Ok(Err(Unread::Address));
    }
    let of_its_kind: &[&str] = match method.as_str() {
        "GET" | "HEAD" if url.contains(SIGN_IN) => &PREFETCH_HEADERS,
        "GET" | "HEAD" => &[],
        _ => &OF_CHANGES,
    };
    let mut builder = http::Request::builder().method(method.as_str()).uri(url);
    let headers = request.headers();
    for name in HEADERS.iter().chain(of_its_kind) {
        if let Some(value) = headers.get(name)? {
            builder = builder.header(*name, value.as_bytes());
        }
    }
    let body = body(request).await?;
    Ok(builder.body(body).map_err(|_| Unread::Header))
}

async fn body(request: &Request) -> worker::Result<Body> {
    let Some(bytes) = stream::read(request.body(), MAX_BODY).await? else {
        return Ok(Body::TooLarge);
    };
    Ok(if bytes.is_empty() {
        Body::Empty
    } else {
        Body::Bytes(bytes)
    })
}
