//! OpenRouter's management API: keys and workspaces.
//!
//! A create is sent once: there is no idempotency key, so a repeated one could leave a second live key.

pub mod activity;
pub mod analytics;
pub(crate) mod figures;
pub mod guardrails;
pub(crate) mod listed;
mod reply;
pub mod rules;
pub mod workspaces;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::key::mint::{Echo, MintSpec};
use crate::domain::key::secret::Secret;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::Outcome;
use crate::upstream::client::{UpstreamClient, send_again};
pub use crate::upstream::openrouter::figures::SpendBody;
pub use crate::upstream::openrouter::listed::Listed;
pub use crate::upstream::openrouter::reply::{UpstreamRefusal, UpstreamReply};
pub(crate) use crate::upstream::openrouter::reply::{has, management, read, safe, safe_typed};

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

#[derive(Deserialize)]
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

/// The answer of `POST /keys`. The secret stands beside the key and not in it.
#[derive(Deserialize)]
struct CreatedBody {
    key: Option<String>,
    data: Option<EchoBody>,
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
    let call = call.json(&body).within_ms(CREATE_DEADLINE_MS);
    let outcome = upstream.http.send(call).await;
    if let Outcome::Unsent = outcome {
        return Created::Refused(UpstreamRefusal::Rejected);
    }
    match read(&outcome).typed(upstream) {
        UpstreamReply::Is(body) => created(body),
        UpstreamReply::Missing => Created::Refused(UpstreamRefusal::Rejected),
        UpstreamReply::Refused(refused) => Created::Refused(refused),
        UpstreamReply::Unknown => Created::Unknown,
    }
}

fn created(body: CreatedBody) -> Created {
    let echo = body.data.map(Echo::from);
    match (body.key, echo) {
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
            read(&upstream.http.send(call).await).data(upstream)
        }
        None => UpstreamReply::Refused(UpstreamRefusal::Credential),
    }
}

/// The same in one attempt, since a person waits and may try again.
pub async fn read_key_once(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<SpendBody> {
    match management(upstream, "GET", &key_path(hash)) {
        Some(call) => read(&upstream.http.send(call).await).data(upstream),
        None => UpstreamReply::Refused(UpstreamRefusal::Credential),
    }
}

async fn one<T: DeserializeOwned>(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<T> {
    safe(upstream, "GET", &key_path(hash)).await.data(upstream)
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
    safe(upstream, "GET", &path).await.data(upstream)
}

#[derive(Deserialize)]
struct DeletedBody {
    deleted: bool,
}

/// `DELETE /keys/{hash}`, which is final. A repeated call is harmless.
pub async fn delete_key(upstream: &UpstreamClient<'_>, hash: &str) -> UpstreamReply<()> {
    match safe_typed(upstream, "DELETE", &key_path(hash)).await {
        UpstreamReply::Is(DeletedBody { deleted: true }) => UpstreamReply::Is(()),
        UpstreamReply::Is(_) => UpstreamReply::Unknown,
        other => other.map(|_| ()),
    }
}

/// Whether an earlier attempt of a change may still take effect after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Surely,
    /// An attempt before the last got no answer, and may take effect after whatever is sent next.
    AfterUnknown,
}

#[derive(Deserialize)]
struct SwitchedKey {
    disabled: bool,
}

/// `PATCH /keys/{hash}` with `disabled`. It is done only if the answer says so. The answer also has the key's spend,
/// which is `None` if it cannot be read.
pub async fn switch_key(
    upstream: &UpstreamClient<'_>,
    hash: &str,
    disabled: bool,
) -> UpstreamReply<(Done, Option<SpendBody>)> {
    let (changed, done) = change_key(upstream, hash, &json!({ "disabled": disabled })).await;
    match changed.clone().data::<SwitchedKey>(upstream) {
        UpstreamReply::Is(key) if key.disabled == disabled => {
            let spend = match changed.data(upstream) {
                UpstreamReply::Is(spend) => Some(spend),
                _ => None,
            };
            UpstreamReply::Is((done, spend))
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
        (UpstreamReply::Is(_), Done::AfterUnknown) => UpstreamReply::Unknown,
        (changed, _) => changed.data(upstream),
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
    (read(&outcome), done)
}

fn key_path(hash: &str) -> String {
    let hash: String = url::form_urlencoded::byte_serialize(hash.as_bytes()).collect();
    format!("/keys/{hash}")
}
