//! The shared way of calling a foreign service: JSON in and out, a deadline, a size cap, our User-Agent, no redirects.
//! Only safe calls are tried again; what a lost answer means is the caller's to say.

use url::Url;

use crate::domain::key::secret::Secret;
use crate::ports::json;
use crate::ports::upstreams::Upstreams;
use crate::ports::{Answer, Call, Clock, HttpClient, Log, Outcome};

/// One try of a call that may be repeated, in milliseconds.
const READ_DEADLINE_MS: u32 = 5_000;
/// Waits before the second and third try of a safe call, in milliseconds.
const PAUSES_MS: [u32; 2] = [250, 1_000];
/// The longest `Retry-After` that a safe call waits for itself, in seconds.
const PATIENCE_SECS: u32 = 2;
/// Bytes of an answer: a page of 100 keys is about 80 KB.
const MAX_BYTES: usize = 1_000_000;

/// What services see as our User-Agent; GitHub refuses calls without one.
pub const USER_AGENT: &str = concat!("keycap/", env!("CARGO_PKG_VERSION"));

/// What a call needs: the way out, the clock for the waits between tries, and where and as whom to call.
#[derive(Clone, Copy)]
pub struct UpstreamClient<'a> {
    pub http: &'a dyn HttpClient,
    pub clock: &'a dyn Clock,
    pub log: &'a dyn Log,
    /// Without it no call goes to OpenRouter.
    pub management_key: Option<&'a Secret>,
    pub bases: &'a Upstreams,
}

/// A call to `path` below `base`, without credential yet. `path` begins with a slash and its parts are ours.
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
        max_bytes: MAX_BYTES,
    })
}

impl Call {
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(body.to_string());
        self.header("content-type", String::from("application/json"))
    }

    #[must_use]
    pub fn within_ms(mut self, deadline_ms: u32) -> Self {
        self.deadline_ms = deadline_ms;
        self
    }
}

impl Answer {
    /// The body as JSON; anything else, an HTML page included, is `None`.
    pub fn json(&self) -> Option<serde_json::Value> {
        let is_json = self.content_type.to_ascii_lowercase();
        if !is_json.starts_with("application/json") {
            return None;
        }
        json::parse(&self.body)
    }

    /// Whether OpenRouter itself gave this error: its errors are JSON with `error`. An edge, a proxy or a challenge page on
    /// the way refuses with a status of its own and knows nothing of keys and credentials.
    pub fn is_openrouters(&self) -> bool {
        self.json().is_some_and(|body| body.get("error").is_some())
    }

    /// `Retry-After` in seconds, when it is a number.
    pub fn retry_after_secs(&self) -> Option<u32> {
        self.retry_after.as_deref()?.trim().parse().ok()
    }
}

/// Sends a call that may be repeated, up to three times.
pub async fn send_safe(upstream: &UpstreamClient<'_>, call: Call) -> Outcome {
    send_again(upstream, call).await.0
}

/// The same, and whether one of the tries before the last got no answer to go by: it may happen yet.
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

/// The seconds that upstream itself asks for, zero when it does not say; `None` when repeating is no use.
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
