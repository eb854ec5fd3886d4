//! OpenRouter's management API: keys and workspaces.
//!
//! A create is sent once: there is no idempotency key, so a repeated one could leave a second live key.

pub(crate) mod figures;
pub mod guardrails;
pub(crate) mod listed;
pub mod workspaces;

use serde_json::{Value, json};

use crate::domain::key::mint::{Echo, MintSpec};
use crate::domain::key::secret::Secret;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::{FromJson, named, take_text};
use crate::ports::{Answer, Call, Outcome};
use crate::upstream::client::{self, UpstreamClient, send_again, send_safe};
pub use crate::upstream::openrouter::figures::SpendBody;
pub use crate::upstream::openrouter::listed::Listed;

/// After this, in milliseconds, the outcome of a create is unknown, and its answer is never delivered.
const CREATE_DEADLINE_MS: u32 = 10_000;
/// How a create ended.
pub enum Created {
    Made {
        echo: Echo,
        secret: Secret,
    },
    /// The key was made, but the secret is not in the answer, so nobody can use the key.
    WithoutSecret(Echo),
    Refused(UpstreamRefusal),
    Unknown,
}

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

from_json! {
    struct EchoBody {
        name: Option<String>,
        hash: Option<String>,
        label: Option<String>,
        limit: Option<f64>,
        limit_reset: Option<String>,
        include_byok_in_limit: Option<bool>,
        disabled: Option<bool>,
        expires_at: Option<String>,
        workspace_id: Option<String>,
    }
}

impl From<EchoBody> for Echo {
    fn from(body: EchoBody) -> Self {
        Self {
            name: body.name,
            hash: body.hash,
            label: body.label,
            limit: body.limit.and_then(NanoUsd::from_upstream),
            limit_reset: body.limit_reset,
            include_byok_in_limit: body.include_byok_in_limit,
            disabled: body.disabled,
            expires_at: body.expires_at.as_deref().and_then(Timestamp::parse),
            workspace_id: body.workspace_id,
        }
    }
}

/// `POST /keys`, sent once with every parameter of the spec. BYOK spend counts toward the limit.
pub async fn create_key(upstream: &UpstreamClient<'_>, spec: &MintSpec) -> Created {
    let mut body = json!({
        "name": spec.name(),
        "limit": spec.limit().to_upstream(),
        "limit_reset": spec.limit_reset().upstream_name(),
        "include_byok_in_limit": true,
        "expires_at": spec.expires_at().rfc3339(),
    });
    if let (Some(workspace_id), Some(members)) = (spec.workspace_id(), body.as_object_mut()) {
        members.insert(String::from("workspace_id"), json!(workspace_id));
    }
    let Some(call) = management(upstream, "POST", "/keys") else {
        return Created::Refused(UpstreamRefusal::Credential);
    };
    match upstream
        .http
        .send(call.json(&body).within_ms(CREATE_DEADLINE_MS))
        .await
    {
        Outcome::Unsent => Created::Refused(UpstreamRefusal::Rejected),
        Outcome::Unknown => Created::Unknown,
        Outcome::Answer(answer) => created(&answer),
    }
}

fn created(answer: &Answer) -> Created {
    if let Some(refused) = refusal(answer) {
        return Created::Refused(refused);
    }
    if !(200..300).contains(&answer.status) {
        return Created::Unknown;
    }
    let Some(mut body) = answer.json() else {
        return Created::Unknown;
    };
    let echo = named::<Option<EchoBody>>(&body, "data");
    let (Some(key), Some(echo)) = (take_text(&mut body, "key"), echo) else {
        return Created::Unknown;
    };
    let echo = echo.map(Echo::from);
    match (key, echo) {
        (Some(key), echo) if !key.is_empty() => Created::Made {
            echo: echo.unwrap_or_default(),
            secret: Secret::new(key),
        },
        (_, Some(echo)) => Created::WithoutSecret(echo),
        (_, None) => Created::Unknown,
    }
}

/// `GET /keys/{hash}` as an echo, for a create whose answer lacked members.
pub async fn read_echo(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<Echo> {
    one::<EchoBody>(upstream, hash).await.map(Echo::from)
}

/// `GET /keys/{hash}`.
pub async fn read_key(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<SpendBody> {
    one(upstream, hash).await
}

/// How long a read may delay the disabling of a key, in milliseconds.
const LOOK_DEADLINE_MS: u32 = 2_000;

/// The same in one short attempt. The key will be disabled, whatever the answer says.
pub async fn glance_at_key(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<SpendBody> {
    match management(upstream, "GET", &key_path(hash)) {
        Some(call) => {
            let call = call.within_ms(LOOK_DEADLINE_MS);
            read(&upstream.http.send(call).await).data()
        }
        None => UpstreamReply::Refused(UpstreamRefusal::Credential),
    }
}

/// The same in one attempt, since a person waits and may try again.
pub async fn read_key_once(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<SpendBody> {
    match management(upstream, "GET", &key_path(hash)) {
        Some(call) => read(&upstream.http.send(call).await).data(),
        None => UpstreamReply::Refused(UpstreamRefusal::Credential),
    }
}

async fn one<T: FromJson>(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<T> {
    safe(upstream, "GET", &key_path(hash)).await.data()
}

/// `GET /keys/{hash}`, read like a key of the list.
pub async fn read_listed(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<Listed> {
    one(upstream, hash).await
}

/// One page of `GET /keys` for one workspace, newest first. It includes disabled and expired keys.
pub async fn list_keys(
    upstream: &UpstreamClient<'_>,
    workspace_id: Option<&str>,
    offset: usize,
) -> UpstreamReply<Vec<Listed>> {
    let mut path = format!("/keys?offset={offset}&include_disabled=true&include_expired=true");
    if let Some(workspace_id) = workspace_id {
        path.push_str("&workspace_id=");
        path.extend(url::form_urlencoded::byte_serialize(
            workspace_id.as_bytes(),
        ));
    }
    safe(upstream, "GET", &path).await.data()
}

/// `DELETE /keys/{hash}`, which is final. A repeated call is harmless.
pub async fn delete_key(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<()> {
    match safe(upstream, "DELETE", &key_path(hash)).await {
        UpstreamReply::Is(body) if body.get("deleted") == Some(&Value::Bool(true)) => {
            UpstreamReply::Is(())
        }
        UpstreamReply::Is(_) | UpstreamReply::Unknown => UpstreamReply::Unknown,
        UpstreamReply::Missing => UpstreamReply::Missing,
        UpstreamReply::Refused(refused) => UpstreamReply::Refused(refused),
    }
}

/// Whether an earlier attempt of a change may still take effect after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Surely,
    /// An attempt before the last got no answer, and may take effect after whatever is sent next.
    AfterUnknown,
}

/// `PATCH /keys/{hash}` with `disabled`. It is done only if the answer says so. The answer also has the key's spend,
/// which is `None` if it cannot be read.
pub async fn switch_key(
    upstream: &UpstreamClient<'_>,
    hash: &str,
    disabled: bool,
) -> UpstreamReply<(Done, Option<SpendBody>)> {
    let (changed, done) = change_key(upstream, hash, &json!({ "disabled": disabled })).await;
    match changed {
        UpstreamReply::Is(data) if data.get("disabled") == Some(&json!(disabled)) => {
            UpstreamReply::Is((done, SpendBody::of(&data)))
        }
        UpstreamReply::Is(_) => UpstreamReply::Unknown,
        other => other.map(|_| (done, None)),
    }
}

/// `PATCH /keys/{hash}` with a limit, and with another window if `reset` names one. Returns what is in force then. The
/// outcome is unknown if an earlier attempt may still take effect.
pub async fn limit_key(
    upstream: &UpstreamClient<'_>,
    hash: &str,
    limit: NanoUsd,
    reset: Option<LimitReset>,
) -> UpstreamReply<SpendBody> {
    let mut change = json!({ "limit": limit.to_upstream() });
    if let (Some(reset), Some(members)) = (reset, change.as_object_mut()) {
        members.insert(String::from("limit_reset"), json!(reset.upstream_name()));
    }
    match change_key(upstream, hash, &change).await {
        (UpstreamReply::Is(data), Done::Surely) => {
            SpendBody::of(&data).map_or(UpstreamReply::Unknown, UpstreamReply::Is)
        }
        (UpstreamReply::Is(_), Done::AfterUnknown) => UpstreamReply::Unknown,
        (UpstreamReply::Missing, _) => UpstreamReply::Missing,
        (UpstreamReply::Refused(refused), _) => UpstreamReply::Refused(refused),
        (UpstreamReply::Unknown, _) => UpstreamReply::Unknown,
    }
}

async fn change_key(
    upstream: &UpstreamClient<'_>,
    hash: &str,
    change: &Value,
) -> (UpstreamReply<Value>, Done) {
    let Some(call) = management(upstream, "PATCH", &key_path(hash)) else {
        return (
            UpstreamReply::Refused(UpstreamRefusal::Credential),
            Done::Surely,
        );
    };
    let (outcome, may_land) = send_again(upstream, call.json(change)).await;
    let done = if may_land {
        Done::AfterUnknown
    } else {
        Done::Surely
    };
    (read(&outcome).data(), done)
}

fn key_path(hash: &str) -> String {
    let hash: String = url::form_urlencoded::byte_serialize(hash.as_bytes()).collect();
    format!("/keys/{hash}")
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

impl UpstreamReply<Value> {
    /// Reads the member `data` as a `T`. Anything else makes the outcome unknown.
    pub(crate) fn data<T: FromJson>(self) -> UpstreamReply<T> {
        match self {
            Self::Is(body) => {
                let data = body.get("data").and_then(T::of);
                data.map_or(UpstreamReply::Unknown, UpstreamReply::Is)
            }
            Self::Missing => UpstreamReply::Missing,
            Self::Refused(refused) => UpstreamReply::Refused(refused),
            Self::Unknown => UpstreamReply::Unknown,
        }
    }
}

from_json! {
    pub(crate) struct Thing {
        pub(crate) id: String,
    }
}

/// `GET` of one object. Answers whether the account of our credential has it.
pub(crate) async fn has(upstream: &UpstreamClient<'_>, path: &str, id: &str) -> UpstreamReply<()> {
    match safe(upstream, "GET", path).await.data::<Thing>() {
        UpstreamReply::Is(thing) if thing.id == id => UpstreamReply::Is(()),
        UpstreamReply::Is(_) => UpstreamReply::Missing,
        other => other.map(|_| ()),
    }
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
    let call = client::call(method, &upstream.bases.openrouter_api, path)?;
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
