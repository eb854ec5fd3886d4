//! The shared way of calling a foreign service: JSON in both directions, a deadline, a size limit, our User-Agent, no
//! redirects. Only calls that may be repeated are retried. The caller decides what a lost answer means.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use url::Url;

use crate::domain::key::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::json::members::read_typed;
use crate::ports::json::parse;
use crate::ports::upstreams::Upstreams;
use crate::ports::{Answer, Call, Clock, HttpClient, Log, Outcome};

/// The deadline of one attempt of a call that may be repeated, in milliseconds.
const READ_DEADLINE_MS: u32 = 5_000;
/// The waits before the second and the third attempt of such a call, in milliseconds.
const PAUSES_MS: [u32; 2] = [250, 1_000];
/// The longest `Retry-After` that such a call waits for, in seconds.
const PATIENCE_SECS: u32 = 2;
/// The most bytes of an answer. A page of 100 keys is about 80 KB.
const MAX_BYTES: usize = 1_000_000;

/// Our User-Agent. GitHub refuses calls without one.
pub const USER_AGENT: &str = concat!("keycap/", env!("CARGO_PKG_VERSION"));

/// What a call needs: the HTTP client, the clock for the waits between attempts, the addresses and the credential.
#[derive(Clone, Copy)]
pub struct UpstreamClient<'a> {
    pub http: &'a dyn HttpClient,
    pub clock: &'a dyn Clock,
    pub log: &'a dyn Log,
    /// Without the management key, no call goes to OpenRouter.
    pub management_key: Option<&'a Secret>,
    pub bases: &'a Upstreams,
    /// When it is too late to send a call, for calls whose change was marked as in flight.
    pub send_by: Option<Timestamp>,
}

impl UpstreamClient<'_> {
    /// The same client for calls whose change was marked as in flight: none of them is sent after this moment.
    #[must_use]
    pub const fn sending_by(self, moment: Timestamp) -> Self {
        Self {
            send_by: Some(moment),
            ..self
        }
    }
}

/// A call to `path` below `base`, still without a credential. `path` begins with a slash, and all of it is written by
/// us.
pub fn call(method: &'static str, base: &Url, path: &str) -> Option<Call> {
    let base = base.as_str().trim_end_matches('/');
    let url = Url::parse(&format!("{base}{path}")).ok()?;
    Some(Call {
        method,
        url,
        headers: vec![
            ("user-agent", USER_AGENT.to_owned()),
            ("accept", String::from("application/json")),
        ],
        body: None,
        deadline_ms: READ_DEADLINE_MS,
        send_by: None,
        max_bytes: MAX_BYTES,
    })
}

impl Call {
    /// Sets a header, in place of an earlier one of the same name.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self.header("content-type", String::from("application/json"))
    }

    /// Sets the deadline of one attempt, in milliseconds.
    #[must_use]
    pub fn within_ms(mut self, deadline_ms: u32) -> Self {
        self.deadline_ms = deadline_ms;
        self
    }
}

/// Reads a `T` from JSON that a foreign service sent. If it cannot be read, the log names the member that is wrong.
pub fn read<T: DeserializeOwned>(log: &dyn Log, body: Value) -> Option<T> {
    let read = read_typed(body);
    if let Err(error) = &read {
        let more = json!({ "what": error.to_string() });
        log.note("warn", "answer_unreadable", more);
    }
    read.ok()
}

/// An error of OpenRouter's.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "error")]
    _error: IgnoredAny,
}

impl Answer {
    /// The body as JSON. Anything else, such as an HTML page, is `None`.
    pub fn json(&self) -> Option<Value> {
        let is_json = self.content_type.to_ascii_lowercase();
        if !is_json.starts_with("application/json") {
            return None;
        }
        parse(&self.body)
    }

    /// Answers whether OpenRouter itself sent this error: its errors are JSON with the member `error`. An edge, a proxy
    /// or a challenge page on the way refuses with a status of its own, which says nothing about keys and credentials.
    pub fn is_openrouters(&self) -> bool {
        let body = self.json();
        body.is_some_and(|body| read_typed::<ErrorBody>(body).is_ok())
    }

    /// `Retry-After` in seconds. It is `None` if the header is missing or is no number.
    pub fn retry_after_secs(&self) -> Option<u32> {
        self.retry_after.as_deref()?.trim().parse().ok()
    }
}

/// Sends a call that may be repeated, in up to three attempts. It retries if there is no answer, after a 5xx, and after
/// a 429 with a short `Retry-After`.
pub async fn send_safe(upstream: &UpstreamClient<'_>, call: Call) -> Outcome {
    send_again(upstream, call).await.0
}

/// The same. The second value is whether an attempt before the last may still take effect: it got no answer, or a 5xx.
pub async fn send_again(upstream: &UpstreamClient<'_>, call: Call) -> (Outcome, bool) {
    let mut may_land = false;
    for pause_ms in PAUSES_MS {
        let outcome = upstream.http.send(call.clone()).await;
        match worth_repeating(&outcome) {
            None => return (outcome, may_land),
            Some(0) => upstream.clock.pause(pause_ms).await,
            Some(secs) => upstream.clock.pause(secs.saturating_mul(1_000)).await,
        }
        may_land |= !matches!(&outcome, Outcome::Answer(answer) if answer.status == 429);
    }
    (upstream.http.send(call).await, may_land)
}

/// The seconds that the service asks us to wait, or zero if it names none. Returns `None` if a retry is useless.
fn worth_repeating(outcome: &Outcome) -> Option<u32> {
    match outcome {
        Outcome::Unknown => Some(0),
        Outcome::Unsent => None,
        Outcome::Answer(answer) => match answer.status {
            429 => answer
                .retry_after_secs()
                .filter(|secs| *secs <= PATIENCE_SECS),
            500..=599 => Some(0),
            _ => None,
        },
    }
}
