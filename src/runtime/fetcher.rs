//! Outbound HTTP: `fetch` with a deadline over the whole exchange, a size cap, and redirects left alone.

use futures_util::TryStreamExt;
use wasm_bindgen::JsValue;
use worker::{AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect};

use crate::ports::{Answer, Call, LocalFuture, Outbound, Outcome};

pub struct Fetcher;

impl Outbound for Fetcher {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        Box::pin(async move {
            match built(&call) {
                Ok(request) => exchange(request, &call).await.unwrap_or(Outcome::Unknown),
                Err(_) => Outcome::Unsent,
            }
        })
    }
}

fn built(call: &Call) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &call.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(call.method.to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(call.body.as_deref().map(JsValue::from_str));
    Request::new_with_init(call.url.as_str(), &init)
}

/// Any error after this point may have happened after the request arrived.
async fn exchange(request: Request, call: &Call) -> worker::Result<Outcome> {
    // Kept until the body is read: the deadline covers it too.
    let deadline = AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(call.deadline_ms));
    let mut response = Fetch::Request(request).send_with_signal(&deadline).await?;
    let header = |name: &str| response.headers().get(name);
    let content_type = header("content-type")?.unwrap_or_default();
    let retry_after = header("retry-after")?;
    let status = response.status_code();
    let mut stream = response.stream()?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        if body.len().saturating_add(chunk.len()) > call.max_bytes {
            return Ok(Outcome::Unknown);
        }
        body.extend(chunk);
    }
    Ok(Outcome::Answer(Answer {
        status,
        content_type,
        retry_after,
        body,
    }))
}
