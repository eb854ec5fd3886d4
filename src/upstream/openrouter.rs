//! OpenRouter's management API: keys and workspaces (upstreams/openrouter, sections 1, 2 and 4).
//!
//! A create is sent once: there is no idempotency key, so a repeated one could leave a second live key.

use serde::Deserialize;
use serde_json::json;

use super::call::{self, send_again, send_safe};
use crate::app::App;
use crate::domain::mint::{Echo, MintSpec};
use crate::domain::money::NanoUsd;
use crate::domain::secret::Secret;
use crate::domain::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::{Answer, Call, Outcome};

/// After this, in milliseconds, a create's outcome is unknown and its answer is never delivered.
const CREATE_DEADLINE_MS: u32 = 10_000;
/// How a create ended.
pub enum Created {
    Made {
        echo: Echo,
        secret: Secret,
    },
    /// It was made, but the secret is not in the answer: nobody can use it.
    WithoutSecret(Echo),
    Refused(Refused),
    Unknown,
}

/// Why upstream said no; nothing was made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Our management key is missing, wrong or not allowed.
    Credential,
    /// 429; the seconds that upstream asks for.
    Busy(Option<u32>),
    /// Any other 4xx.
    Rejected,
}

impl Refused {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Busy(_) => "busy",
            Self::Rejected => "rejected",
        }
    }
}

/// A key as `GET /keys` lists it. Only what a walk reads: somebody else's odd row must not make a page unreadable.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub hash: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub disabled: Option<bool>,
    #[serde(default)]
    pub created_at: Option<String>,
}

/// A key's spend in USD, credits and BYOK apart; what is missing is not known.
#[derive(Clone, Debug, Deserialize)]
pub struct SpendBody {
    pub name: String,
    #[serde(default)]
    pub disabled: Option<bool>,
    pub usage: Option<f64>,
    pub usage_daily: Option<f64>,
    pub usage_weekly: Option<f64>,
    pub usage_monthly: Option<f64>,
    pub byok_usage: Option<f64>,
    pub byok_usage_daily: Option<f64>,
    pub byok_usage_weekly: Option<f64>,
    pub byok_usage_monthly: Option<f64>,
}

impl SpendBody {
    /// Credits and BYOK together; `None` when a part is missing or is no amount.
    pub fn read_at(&self, read_at: Timestamp) -> Option<Spend> {
        let sum =
            |credits: Option<f64>, byok: Option<f64>| NanoUsd::from_upstream(credits? + byok?);
        Some(Spend {
            daily: sum(self.usage_daily, self.byok_usage_daily)?,
            weekly: sum(self.usage_weekly, self.byok_usage_weekly)?,
            monthly: sum(self.usage_monthly, self.byok_usage_monthly)?,
            lifetime: sum(self.usage, self.byok_usage)?,
            read_at,
        })
    }
}

impl Listed {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}

/// How a read or a repeatable change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<T> {
    Is(T),
    /// 404.
    Missing,
    Refused(Refused),
    Unknown,
}

#[derive(Deserialize)]
struct CreateBody {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    data: Option<EchoBody>,
}

#[derive(Deserialize, Default)]
struct EchoBody {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    limit: Option<f64>,
    #[serde(default)]
    limit_reset: Option<String>,
    #[serde(default)]
    include_byok_in_limit: Option<bool>,
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
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

#[derive(Deserialize)]
struct One<T> {
    data: T,
}

/// `POST /keys`, once. Every parameter of the spec is sent; BYOK spend counts toward the limit (S4-15).
pub async fn create_key(app: &App, spec: &MintSpec) -> Created {
    let mut body = json!({
        "name": spec.name(),
        "limit": spec.limit().to_upstream(),
        "limit_reset": spec.limit_reset().name(),
        "include_byok_in_limit": true,
        "expires_at": spec.expires_at().rfc3339(),
    });
    if let (Some(workspace_id), Some(members)) = (spec.workspace_id(), body.as_object_mut()) {
        members.insert(String::from("workspace_id"), json!(workspace_id));
    }
    let Some(call) = management(app, "POST", "/keys") else {
        return Created::Refused(Refused::Credential);
    };
    match app
        .http
        .send(call.json(&body).within_ms(CREATE_DEADLINE_MS))
        .await
    {
        Outcome::Unsent => Created::Refused(Refused::Rejected),
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
    let Some(CreateBody { key, data }) = answer.json() else {
        return Created::Unknown;
    };
    let echo = data.map(Echo::from);
    match (key, echo) {
        (Some(key), echo) if !key.is_empty() => Created::Made {
            echo: echo.unwrap_or_default(),
            secret: Secret::new(key),
        },
        (_, Some(echo)) => Created::WithoutSecret(echo),
        (_, None) => Created::Unknown,
    }
}

/// `GET /keys/{hash}` as an echo, for a create whose answer left members out (F16).
pub async fn read_echo(app: &App, hash: &str) -> Reply<Echo> {
    match one::<EchoBody>(app, hash).await {
        Reply::Is(body) => Reply::Is(body.into()),
        Reply::Missing => Reply::Missing,
        Reply::Refused(refused) => Reply::Refused(refused),
        Reply::Unknown => Reply::Unknown,
    }
}

/// `GET /keys/{hash}`.
pub async fn read_key(app: &App, hash: &str) -> Reply<SpendBody> {
    one(app, hash).await
}

/// The same, asked once: somebody waits, and may ask again.
pub async fn read_key_once(app: &App, hash: &str) -> Reply<SpendBody> {
    match management(app, "GET", &key_path(hash)) {
        Some(call) => read::<One<SpendBody>>(&app.http.send(call).await).map(|one| one.data),
        None => Reply::Refused(Refused::Credential),
    }
}

async fn one<T: serde::de::DeserializeOwned>(app: &App, hash: &str) -> Reply<T> {
    let reply = safe::<One<T>>(app, "GET", &key_path(hash)).await;
    reply.map(|one| one.data)
}

/// One page of `GET /keys`: one workspace, newest first, disabled and expired included.
pub async fn list_keys(app: &App, workspace_id: Option<&str>, offset: usize) -> Reply<Vec<Listed>> {
    let mut path = format!("/keys?offset={offset}&include_disabled=true&include_expired=true");
    if let Some(workspace_id) = workspace_id {
        path.push_str("&workspace_id=");
        path.extend(url::form_urlencoded::byte_serialize(
            workspace_id.as_bytes(),
        ));
    }
    safe::<One<Vec<Listed>>>(app, "GET", &path)
        .await
        .map(|one| one.data)
}

/// `DELETE /keys/{hash}`: final. Repeating it is harmless.
pub async fn delete_key(app: &App, hash: &str) -> Reply<()> {
    #[derive(Deserialize)]
    struct Deleted {
        deleted: bool,
    }
    match safe::<Deleted>(app, "DELETE", &key_path(hash)).await {
        Reply::Is(Deleted { deleted: true }) => Reply::Is(()),
        Reply::Is(Deleted { deleted: false }) | Reply::Unknown => Reply::Unknown,
        Reply::Missing => Reply::Missing,
        Reply::Refused(refused) => Reply::Refused(refused),
    }
}

/// How surely a switch has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Surely,
    /// It was repeated after a try without an answer, which may land after whatever comes next (X4).
    AfterDoubt,
}

/// `PATCH /keys/{hash}` with `disabled`; done only when the answer says so.
pub async fn switch_key(app: &App, hash: &str, disabled: bool) -> Reply<Done> {
    #[derive(Deserialize)]
    struct Switched {
        disabled: bool,
    }
    let Some(call) = management(app, "PATCH", &key_path(hash)) else {
        return Reply::Refused(Refused::Credential);
    };
    let (outcome, may_land) = send_again(app, call.json(&json!({ "disabled": disabled }))).await;
    match read::<One<Switched>>(&outcome) {
        Reply::Is(One { data }) if data.disabled == disabled => Reply::Is(if may_land {
            Done::AfterDoubt
        } else {
            Done::Surely
        }),
        Reply::Is(_) | Reply::Unknown => Reply::Unknown,
        Reply::Missing => Reply::Missing,
        Reply::Refused(refused) => Reply::Refused(refused),
    }
}

/// `GET /workspaces/{id}`: whether this credential's account has it. What a 404 or an empty list is worth depends on it (X6).
pub async fn read_workspace(app: &App, workspace_id: &str) -> Reply<()> {
    #[derive(Deserialize)]
    struct Workspace {
        id: String,
    }
    let id: String = url::form_urlencoded::byte_serialize(workspace_id.as_bytes()).collect();
    let reply = safe::<One<Workspace>>(app, "GET", &format!("/workspaces/{id}")).await;
    match reply {
        Reply::Is(One { data }) if data.id == workspace_id => Reply::Is(()),
        Reply::Is(_) | Reply::Missing => Reply::Missing,
        Reply::Refused(refused) => Reply::Refused(refused),
        Reply::Unknown => Reply::Unknown,
    }
}

fn key_path(hash: &str) -> String {
    let hash: String = url::form_urlencoded::byte_serialize(hash.as_bytes()).collect();
    format!("/keys/{hash}")
}

impl<T> Reply<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reply<U> {
        match self {
            Self::Is(value) => Reply::Is(f(value)),
            Self::Missing => Reply::Missing,
            Self::Refused(refused) => Reply::Refused(refused),
            Self::Unknown => Reply::Unknown,
        }
    }
}

async fn safe<T: serde::de::DeserializeOwned>(
    app: &App,
    method: &'static str,
    path: &str,
) -> Reply<T> {
    match management(app, method, path) {
        Some(call) => read(&send_safe(app, call).await),
        None => Reply::Refused(Refused::Credential),
    }
}

fn read<T: serde::de::DeserializeOwned>(outcome: &Outcome) -> Reply<T> {
    let Outcome::Answer(answer) = outcome else {
        return Reply::Unknown;
    };
    if answer.status == 404 {
        return Reply::Missing;
    }
    if let Some(refused) = refusal(answer) {
        return Reply::Refused(refused);
    }
    let ok = (200..300).contains(&answer.status);
    match answer.json() {
        Some(value) if ok => Reply::Is(value),
        _ => Reply::Unknown,
    }
}

/// The meaning of a 4xx. 408 says that it took too long, not that it did not happen.
fn refusal(answer: &Answer) -> Option<Refused> {
    match answer.status {
        408 => None,
        401 | 403 => Some(Refused::Credential),
        429 => Some(Refused::Busy(answer.retry_after_secs())),
        400..=499 => Some(Refused::Rejected),
        _ => None,
    }
}

/// A call with the management key, which goes to OpenRouter's host and nowhere else (P9).
fn management(app: &App, method: &'static str, path: &str) -> Option<Call> {
    let key = app.config.management_key.as_ref()?;
    let call = call::call(method, &app.config.upstreams.openrouter_api, path)?;
    Some(call.header("authorization", format!("Bearer {}", key.expose())))
}
