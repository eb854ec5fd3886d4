//! Outbound HTTP: `fetch` with a deadline for the whole exchange and a limit on the size. It follows no redirects.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    AbortSignal, Headers, Request, RequestInit, RequestRedirect, Response, WorkerGlobalScope,
};
use worker::js_sys;
use worker::wasm_bindgen_futures::JsFuture;

use crate::platform::small::Console;
use crate::platform::stream;
use crate::ports::{Answer, Call, HttpClient, LocalFuture, Log, Outcome};

/// The HTTP client of the Worker.
pub struct Fetcher {
    log: Console,
}

impl Fetcher {
    pub const fn new(log: Console) -> Self {
        Self { log }
    }

    /// Logs the cause of an error.
    fn failed(&self, call: &Call, error: JsValue) {
        let log: &dyn Log = &self.log;
        log.call_failed(call, &worker::Error::from(error).to_string());
    }
}

impl HttpClient for Fetcher {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        Box::pin(async move {
            match built(&call) {
                Ok(request) => exchange(request, &call).await.unwrap_or_else(|error| {
                    self.failed(&call, error);
                    Outcome::Unknown
                }),
                Err(error) => {
                    self.failed(&call, error);
                    Outcome::Unsent
                }
            }
        })
    }
}

fn built(call: &Call) -> Result<Request, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &call.headers {
        headers.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method(call.method);
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    if let Some(body) = &call.body {
        init.set_body(&JsValue::from_str(body));
    }
    // The signal is in force until the body is read, so the deadline covers the body, too.
    init.set_signal(Some(&AbortSignal::timeout_with_u32(call.deadline_ms)));
    Request::new_with_str_and_init(call.url.as_str(), &init)
}

/// An error from here on may happen after the request has arrived, so it means that the outcome is unknown.
async fn exchange(request: Request, call: &Call) -> Result<Outcome, JsValue> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await?;
    let response: Response = response.unchecked_into();
    let header = |name: &str| response.headers().get(name);
    let content_type = header("content-type")?.unwrap_or_default();
    let retry_after = header("retry-after")?;
    let (cache_control, age) = (header("cache-control")?, header("age")?);
    let Some(body) = stream::read(response.body(), call.max_bytes).await? else {
        return Err("the answer is larger than allowed".into());
    };
    Ok(Outcome::Answer(Answer {
        status: response.status(),
        content_type,
        retry_after,
        cache_control,
        age,
        body,
    }))
}
