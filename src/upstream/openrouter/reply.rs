//! What OpenRouter's answers mean: done, missing, refused or unknown.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ports::{Answer, Call, Outcome};
use crate::upstream::client::{self, UpstreamClient, send_safe};

/// Why OpenRouter refused. Nothing was made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamRefusal {
    /// Our management key is missing, wrong or not allowed to do this.
    Credential,
    /// 429, with the seconds that OpenRouter asks us to wait.
    Busy(Option<u32>),
    /// Any other 4xx.
    Rejected,
}

impl UpstreamRefusal {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Busy(_) => "busy",
            Self::Rejected => "rejected",
        }
    }
}

/// How a read or a repeatable change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamReply<T> {
    Is(T),
    /// The answer was a 404.
    Missing,
    Refused(UpstreamRefusal),
    Unknown,
}

impl<T> UpstreamReply<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> UpstreamReply<U> {
        match self {
            Self::Is(value) => UpstreamReply::Is(f(value)),
            Self::Missing => UpstreamReply::Missing,
            Self::Refused(refused) => UpstreamReply::Refused(refused),
            Self::Unknown => UpstreamReply::Unknown,
        }
    }
}

/// An answer that has what was asked for in the member `data`.
#[derive(Deserialize)]
struct DataBody<T> {
    data: T,
}

impl UpstreamReply<Value> {
    /// Reads the body as a `T`. Anything else makes the outcome unknown.
    pub(crate) fn typed<T: DeserializeOwned>(
        self,
        upstream: &UpstreamClient<'_>,
    ) -> UpstreamReply<T> {
        match self {
            Self::Is(body) => {
                let body = client::read(upstream.log, body);
                body.map_or(UpstreamReply::Unknown, UpstreamReply::Is)
            }
            Self::Missing => UpstreamReply::Missing,
            Self::Refused(refused) => UpstreamReply::Refused(refused),
            Self::Unknown => UpstreamReply::Unknown,
        }
    }

    /// Reads the member `data` as a `T`. Anything else makes the outcome unknown.
    pub(crate) fn data<T: DeserializeOwned>(
        self,
        upstream: &UpstreamClient<'_>,
    ) -> UpstreamReply<T> {
        self.typed(upstream).map(|DataBody { data }| data)
    }
}

#[derive(Deserialize)]
pub(crate) struct Thing {
    pub(crate) id: String,
}

/// `GET` of one object. Answers whether the account of our credential has it.
pub(crate) async fn has(upstream: &UpstreamClient<'_>, path: &str, id: &str) -> UpstreamReply<()> {
    match safe(upstream, "GET", path).await.data::<Thing>(upstream) {
        UpstreamReply::Is(thing) if thing.id == id => UpstreamReply::Is(()),
        UpstreamReply::Is(_) => UpstreamReply::Missing,
        other => other.map(|_| ()),
    }
}

/// The same, with the body as a `T`.
pub(crate) async fn safe_typed<T: DeserializeOwned>(
    upstream: &UpstreamClient<'_>,
    method: &'static str,
    path: &str,
) -> UpstreamReply<T> {
    safe(upstream, method, path).await.typed(upstream)
}

pub(crate) async fn safe(
    upstream: &UpstreamClient<'_>,
    method: &'static str,
    path: &str,
) -> UpstreamReply<Value> {
    match management(upstream, method, path) {
        Some(call) => read(&send_safe(upstream, call).await),
        None => UpstreamReply::Refused(UpstreamRefusal::Credential),
    }
}

pub(crate) fn read(outcome: &Outcome) -> UpstreamReply<Value> {
    let Outcome::Answer(answer) = outcome else {
        return UpstreamReply::Unknown;
    };
    if answer.status == 404 && answer.is_openrouters() {
        return UpstreamReply::Missing;
    }
    if let Some(refused) = refusal(answer) {
        return UpstreamReply::Refused(refused);
    }
    let ok = (200..300).contains(&answer.status);
    match answer.json() {
        Some(value) if ok => UpstreamReply::Is(value),
        _ => UpstreamReply::Unknown,
    }
}

/// The meaning of a 4xx. A 408 says that it took too long, not that nothing happened. An answer that is not
/// OpenRouter's says nothing about the request, except that any 429 asks us to wait.
fn refusal(answer: &Answer) -> Option<UpstreamRefusal> {
    match answer.status {
        408 => None,
        429 => Some(UpstreamRefusal::Busy(answer.retry_after_secs())),
        _ if !answer.is_openrouters() => None,
        401 | 403 => Some(UpstreamRefusal::Credential),
        400..=499 => Some(UpstreamRefusal::Rejected),
        _ => None,
    }
}

/// A call with the management key. It goes to OpenRouter's host and to no other.
pub(crate) fn management(
    upstream: &UpstreamClient<'_>,
    method: &'static str,
    path: &str,
) -> Option<Call> {
    let key = upstream.management_key?;
    let mut call = client::call(method, &upstream.bases.openrouter_api, path)?;
    call.send_by = upstream.send_by;
    Some(call.header("authorization", format!("Bearer {}", key.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_404_without_json_comes_from_a_proxy_and_proves_nothing() {
        let answer = |content_type: &str, body: &str| {
            Outcome::Answer(Answer {
                status: 404,
                content_type: content_type.to_owned(),
                retry_after: None,
                cache_control: None,
                age: None,
                body: body.as_bytes().to_vec(),
            })
        };
        let json = answer("application/json", r#"{"error":{"code":404}}"#);
        assert_eq!(read(&json), UpstreamReply::Missing);
        for (kind, body) in [
            ("text/html", "<h1>404</h1>"),
            ("application/json", "<"),
            ("", ""),
        ] {
            assert_eq!(read(&answer(kind, body)), UpstreamReply::Unknown, "{kind}");
        }
    }
}
