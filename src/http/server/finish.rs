//! Adds what every answer has.

use http::{HeaderName, HeaderValue};

use crate::http::server::headers;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;

/// Turns a reply into the answer that leaves.
pub fn finished(reply: Reply, request_id: &str, without_body: bool) -> Outbound {
    let mut response = http::Response::new(Vec::new());
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let own = reply.headers.iter();
    // An answer without a body has no effect in the browser either.
    let own = own.filter(|(name, _)| !without_body || *name != "set-cookie");
    for (name, value) in headers::fixed() {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let own = own.map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain([("x-request-id", request_id)]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    if !without_body {
        *response.body_mut() = reply.into_body();
    }
    response
}
