//! The directory of a Google Workspace: a token for the service account (RFC 7523), the pages of its people, and one
//! person. No answer here means that somebody has left unless it says so in words.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use crate::domain::key::secret::Secret;
use crate::domain::people::departure::{Doubt, Found};
use crate::domain::time::Timestamp;
use crate::ports::json::members::read_typed;
use crate::ports::upstreams::ServiceAccount;
use crate::ports::{Answer, Call, Outcome, Signer};
use crate::upstream::client::{self, UpstreamClient, read, send_safe};

/// The only audience that Google's token endpoint accepts, whatever its address is here.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a signed request is valid, in seconds. Google allows an hour.
const VALID_SECS: i64 = 3_600;
/// How far the time of the request is set back, in seconds, because the clocks differ a little.
const BACK_SECS: i64 = 30;
/// The largest page that Google gives.
const PAGE: &str = "500";
const FIELDS: &str = "nextPageToken,users(id,suspended,archived,deletionTime)";
/// What Google says of an account that was deleted, with 412.
const IS_DELETED: &str = "User is deleted.";

/// Why a call gave nothing.
pub enum Trouble {
    /// The token is not accepted any more. One new token may help.
    Expired,
    Doubt(Doubt),
}

impl From<Doubt> for Trouble {
    fn from(doubt: Doubt) -> Self {
        Self::Doubt(doubt)
    }
}

/// A person as a page shows them.
pub struct ListedPerson {
    /// The account's id, which is the subject of the member.
    pub id: String,
    pub found: Found,
    /// When the account was deleted, if it was.
    pub deleted_at: Option<Timestamp>,
}

/// A page of a directory.
pub struct DirectoryPage {
    pub people: Vec<ListedPerson>,
    /// The name of the next page. The last page has none.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct AccessTokenBody {
    access_token: String,
}

#[derive(Deserialize)]
struct TokenRefusalBody {
    error: String,
    error_description: Option<String>,
}

/// Gets an access token. It is used for one run, and never stored.
pub async fn token(
    upstream: &UpstreamClient<'_>,
    signer: &dyn Signer,
    account: &ServiceAccount,
    now: Timestamp,
) -> Result<Secret, Doubt> {
    let assertion = signed(signer, account, now)
        .await
        .ok_or(Doubt::KeyUnusable)?;
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", GRANT)
        .append_pair("assertion", assertion.expose())
        .finish();
    let mut call =
        client::call("POST", &upstream.bases.google_token, "").ok_or(Doubt::Unavailable)?;
    call.body = Some(body);
    let form = String::from("application/x-www-form-urlencoded");
    let call = call.header("content-type", form);
    // A token that was issued and not received expires by itself, so the call may be repeated.
    let Outcome::Answer(answer) = send_safe(upstream, call).await else {
        return Err(Doubt::Unavailable);
    };
    if answer.status != 200 {
        return Err(token_refused(&answer));
    }
    let body = answer.json().ok_or(Doubt::Unreadable)?;
    let body: AccessTokenBody = read(upstream.log, body).ok_or(Doubt::Unreadable)?;
    // It becomes a header.
    let is_sendable = body
        .access_token
        .bytes()
        .all(|byte| byte.is_ascii_graphic());
    is_sendable
        .then(|| Secret::new(body.access_token))
        .ok_or(Doubt::Unreadable)
}

/// The request for a token, signed with the key of the service account.
async fn signed(signer: &dyn Signer, account: &ServiceAccount, now: Timestamp) -> Option<Secret> {
    let from = now.plus(-BACK_SECS);
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let (Some(header), Some(kid)) = (header.as_object_mut(), &account.key_id) {
        header.insert(String::from("kid"), json!(kid));
    }
    let claims = json!({
        "iss": account.email, "sub": account.subject, "scope": SCOPE, "aud": AUDIENCE,
        "iat": from.secs(), "exp": from.plus(VALID_SECS).secs(),
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let key = zeroize::Zeroizing::new(STANDARD.decode(account.key.expose()).ok()?);
    let signature = signer.sign_rs256(&key, text.as_bytes()).await?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Some(Secret::new(format!("{text}.{signature}")))
}

/// What an error of the token endpoint means. None of them says anything about people.
fn token_refused(answer: &Answer) -> Doubt {
    if answer.status == 429 {
        return Doubt::Busy;
    }
    if answer.status >= 500 {
        return Doubt::Unavailable;
    }
    let body = answer.json().map(read_typed::<TokenRefusalBody>);
    let Some(Ok(body)) = body else {
        return Doubt::Unavailable;
    };
    let about = body
        .error_description
        .unwrap_or_default()
        .to_ascii_lowercase();
    match body.error.as_str() {
        "unauthorized_client"
        | "access_denied"
        | "admin_policy_enforced"
        | "org_internal"
        | "invalid_scope" => Doubt::Unauthorized,
        "invalid_grant" if about.contains("timeframe") => Doubt::Clock,
        "invalid_grant" if about.contains("email") => Doubt::NoSubject,
        "invalid_grant" if about.contains("signature") || about.contains("account not found") => {
            Doubt::KeyRefused
        }
        "invalid_client" | "deleted_client" | "disabled_client" => Doubt::KeyRefused,
        _ => Doubt::TokenRefused,
    }
}

#[derive(Deserialize)]
struct UsersBody {
    /// It is absent when the page is empty.
    #[serde(default)]
    users: Vec<DirectoryUser>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct DirectoryUser {
    id: String,
    suspended: Option<bool>,
    archived: Option<bool>,
    #[serde(rename = "deletionTime")]
    deleted_at: Option<String>,
}

impl DirectoryUser {
    /// What the account is. An account that does not say whether it is suspended is unknown.
    const fn found(&self) -> Found {
        match (self.suspended, self.archived) {
            (Some(true), _) => Found::Suspended,
            (_, Some(true)) => Found::Archived,
            (Some(false), _) => Found::Active,
            (None, _) => Found::Unknown,
        }
    }
}

/// Reads a page: of the accounts there are, or of the deleted ones.
pub async fn page(
    upstream: &UpstreamClient<'_>,
    token: &Secret,
    at: Option<&str>,
    deleted: bool,
) -> Result<DirectoryPage, Trouble> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("customer", "my_customer");
    query.append_pair("maxResults", PAGE);
    query.append_pair("fields", FIELDS);
    if deleted {
        query.append_pair("showDeleted", "true");
    }
    if let Some(at) = at {
        query.append_pair("pageToken", at);
    }
    let path = format!("/admin/directory/v1/users?{}", query.finish());
    let answer = asked(upstream, token, &path).await?;
    if answer.status != 200 {
        return Err(refused(&answer));
    }
    let body = answer.json().ok_or(Doubt::Unreadable)?;
    let body: UsersBody = read(upstream.log, body).ok_or(Doubt::Unreadable)?;
    let people = body.users.into_iter().map(|user| ListedPerson {
        found: if deleted {
            Found::Deleted
        } else {
            user.found()
        },
        deleted_at: user.deleted_at.as_deref().and_then(Timestamp::parse),
        id: user.id,
    });
    Ok(DirectoryPage {
        people: people.collect(),
        next: body.next.filter(|next| !next.is_empty()),
    })
}

/// Reads one account by its id. An alias of another account answers too, so the id of the answer is compared.
pub async fn person(
    upstream: &UpstreamClient<'_>,
    token: &Secret,
    id: &str,
) -> Result<Found, Trouble> {
    let segment: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let path = format!("/admin/directory/v1/users/{segment}?fields=id,suspended,archived");
    let answer = asked(upstream, token, &path).await?;
    match answer.status {
        200 => {
            let user = answer.json().ok_or(Doubt::Unreadable)?;
            let user: DirectoryUser = read(upstream.log, user).ok_or(Doubt::Unreadable)?;
            Ok(if user.id == id {
                user.found()
            } else {
                Found::Unknown
            })
        }
        404 if reason(&answer).0 == "notFound" => Ok(Found::Gone),
        412 if reason(&answer).1 == IS_DELETED => Ok(Found::Gone),
        404 | 412 => Ok(Found::Unknown),
        _ => Err(refused(&answer)),
    }
}

async fn asked(upstream: &UpstreamClient<'_>, token: &Secret, path: &str) -> Result<Answer, Doubt> {
    let call: Call =
        client::call("GET", &upstream.bases.google_directory, path).ok_or(Doubt::Unavailable)?;
    let call = call.header("authorization", format!("Bearer {}", token.expose()));
    match send_safe(upstream, call).await {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Unsent | Outcome::Unknown => Err(Doubt::Unavailable),
    }
}

#[derive(Deserialize)]
struct DirectoryErrorBody {
    error: ErrorDetails,
}

#[derive(Deserialize)]
struct ErrorDetails {
    message: Option<String>,
    #[serde(default)]
    errors: Vec<ErrorReason>,
}

#[derive(Deserialize)]
struct ErrorReason {
    reason: String,
}

/// The reason and the words of an error. Both are empty if a proxy on the way answered.
fn reason(answer: &Answer) -> (String, String) {
    let body = answer.json().map(read_typed::<DirectoryErrorBody>);
    let Some(Ok(DirectoryErrorBody { error })) = body else {
        return Default::default();
    };
    let reason = error.errors.into_iter().next().map(|one| one.reason);
    (
        reason.unwrap_or_default(),
        error.message.unwrap_or_default(),
    )
}

fn refused(answer: &Answer) -> Trouble {
    let reason = reason(answer).0;
    let is_busy = reason.contains("ateLimitExceeded") || reason == "quotaExceeded";
    Trouble::Doubt(match answer.status {
        401 => return Trouble::Expired,
        429 => Doubt::Busy,
        403 if is_busy => Doubt::Busy,
        403 => Doubt::Forbidden,
        500..=599 => Doubt::Unavailable,
        _ => Doubt::Unreadable,
    })
}
