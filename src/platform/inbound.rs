//! From the platform's request to ours: only the headers that are read, and a body that is never read beyond the limit.

use web_sys::Request;

use crate::http::routes::MEMBER_HEADER;
use crate::http::server::checks::PREFETCH_HEADERS;
use crate::http::server::message::Body;
use crate::http::server::message::Inbound;
use crate::http::server::message::MAX_ADDRESS;
use crate::http::server::message::MAX_BODY;
use crate::platform::stream;

/// The headers that anything here reads: copying one across the wasm boundary costs.
const HEADERS: [&str; 4] = ["accept", "cf-connecting-ip", "cookie", "x-request-id"];

/// Those that are read where a request may change anything.
const OF_CHANGES: [&str; 5] = [
    "content-type",
    "idempotency-key",
    "origin",
    "sec-fetch-site",
    MEMBER_HEADER,
];

/// What the addresses of a sign-in have in them: only there it counts whether a browser fetches ahead.
const SIGN_IN: &str = "/auth/";

/// Why a request is not read.
#[derive(Clone, Copy)]
pub enum Unread {
    /// Its address is longer than any of ours.
    Address,
    /// A control character is in one of the headers that count: dropping that one could open what it closes.
    Header,
}

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
