//! GitHub's OAuth web flow, and the one read that sign-in needs. Sign-in uses the token once, revokes it and drops it.
//! The token is never stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::domain::key::secret::Secret;
use crate::domain::people::identity::{Identity, Provider};
use crate::domain::time::Timestamp;
use crate::ports::json::members::read_typed;
use crate::ports::upstreams::OAuthApp;
use crate::ports::{Answer, Call, Outcome};
use crate::upstream::client::{self, UpstreamClient, read, send_safe};
use crate::upstream::sign_in::{Authorization, Failed};

/// The version of GitHub's REST API whose answers are read here.
const API_VERSION: &str = "2022-11-28";
/// Sign-in reads public data only.
const SCOPE: &str = "read:user";
/// The most characters of a login that are stored. A GitHub login has at most 39, and an Enterprise one a few more.
const LOGIN_CHARS: usize = 64;

/// Reads the `error` that GitHub sends with the callback or in a token answer. An unknown one counts as an expired code.
pub fn failed(error: &str) -> Failed {
    match error {
        "access_denied" => Failed::Denied,
        "application_suspended" => Failed::SuspendedApp,
        "incorrect_client_credentials" | "redirect_uri_mismatch" => Failed::Misconfigured,
        "unverified_user_email" => Failed::UnverifiedEmail,
        _ => Failed::Expired,
    }
}

/// The URL where the person approves the sign-in. It uses PKCE with S256, and GitHub offers no sign-up there.
pub fn authorize_url(
    upstream: &UpstreamClient<'_>,
    oauth: &OAuthApp,
    ask: &Authorization<'_>,
) -> Option<Url> {
    let base = upstream.bases.github.as_str().trim_end_matches('/');
    let mut url = Url::parse(&format!("{base}/login/oauth/authorize")).ok()?;
    url.query_pairs_mut()
        .append_pair("client_id", &oauth.client_id)
        .append_pair("redirect_uri", ask.callback)
        .append_pair("scope", SCOPE)
        .append_pair("state", ask.state)
        .append_pair("code_challenge", ask.challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("allow_signup", "false");
    if ask.choose_account {
        url.query_pairs_mut()
            .append_pair("prompt", "select_account");
    }
    Some(url)
}

/// The answer to a code: a token or an error.
#[derive(Deserialize)]
struct TokenBody {
    access_token: Option<String>,
    error: Option<String>,
}

/// Exchanges the callback's code for a token. GitHub sends errors as HTTP 200 with a member `error`. The call is sent
/// once: a code can be used only once, so a repeated call could only fail.
pub async fn exchange(
    upstream: &UpstreamClient<'_>,
    oauth: &OAuthApp,
    callback: &str,
    code: &str,
    verifier: &str,
) -> Result<Secret, Failed> {
    let body = json!({
        "client_id": oauth.client_id,
        "client_secret": oauth.client_secret.expose(),
        "code": code,
        "redirect_uri": callback,
        "code_verifier": verifier,
    });
    let base = &upstream.bases.github;
    let call =
        client::call("POST", base, "/login/oauth/access_token").ok_or(Failed::Misconfigured)?;
    let Outcome::Answer(answer) = upstream.http.send(call.json(&body)).await else {
        return Err(Failed::Unavailable);
    };
    let body = match answer.status {
        200 => answer.json().ok_or(Failed::Unavailable)?,
        403 | 429 => return Err(forbidden(&answer)),
        404 if answer.json().is_some() => return Err(Failed::Misconfigured),
        _ => return Err(Failed::Unavailable),
    };
    let body: TokenBody = read(upstream.log, body).ok_or(Failed::Unavailable)?;
    match (body.error, body.access_token) {
        (Some(error), _) => Err(failed(&error)),
        (None, Some(token)) => Ok(Secret::new(token)),
        (None, None) => Err(Failed::Unavailable),
    }
}

/// The account of a token, as far as sign-in reads it.
#[derive(Deserialize)]
struct UserBody {
    id: u64,
    login: String,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
}

/// The error of GitHub's REST API.
#[derive(Deserialize)]
struct MessageBody {
    message: String,
}

/// The identity of the token's owner. Only people may sign in, so bots and organisations are refused.
pub async fn identify(upstream: &UpstreamClient<'_>, token: &Secret) -> Result<Identity, Failed> {
    let call = api(upstream, "GET", "/user")
        .ok_or(Failed::Misconfigured)?
        .header("authorization", format!("Bearer {}", token.expose()));
    let Outcome::Answer(answer) = send_safe(upstream, call).await else {
        return Err(Failed::Unavailable);
    };
    match answer.status {
        200 => identity(upstream, &answer),
        // A proxy on the way that refuses with a page of its own knows nothing of the token.
        401 if answer.json().is_some() => Err(Failed::Expired),
        403 | 429 => Err(forbidden(&answer)),
        _ => Err(Failed::Unavailable),
    }
}

fn identity(upstream: &UpstreamClient<'_>, answer: &Answer) -> Result<Identity, Failed> {
    let user = answer.json().ok_or(Failed::Unavailable)?;
    let user: UserBody = read(upstream.log, user).ok_or(Failed::Unavailable)?;
    let account_created_at = Timestamp::parse(&user.created_at).ok_or(Failed::Unavailable)?;
    if user.kind != "User" || user.id == 0 {
        return Err(Failed::NotAPerson);
    }
    Ok(Identity {
        provider: Provider::GitHub,
        subject: user.id.to_string(),
        login: user.login.chars().take(LOGIN_CHARS).collect(),
        account_created_at,
        hosted_domain: None,
    })
}

/// The reason of a 403 or 429. GitHub gives 403 for several reasons, and only the headers or the message tell which.
fn forbidden(answer: &Answer) -> Failed {
    let body = answer.json().map(read_typed::<MessageBody>);
    let message = body.and_then(Result::ok).map(|body| body.message);
    let message = message.unwrap_or_default().to_ascii_lowercase();
    if message.contains("account was suspended") || message.contains("account is suspended") {
        Failed::AccountSuspended
    } else if is_rate_limit(answer) || message.contains("rate limit") {
        Failed::RateLimited
    } else {
        Failed::Unavailable
    }
}

/// Answers whether GitHub asks to be called less often.
pub(super) fn is_rate_limit(answer: &Answer) -> bool {
    answer.status == 429 || (answer.status == 403 && answer.retry_after.is_some())
}

/// Revokes the token. A failure changes nothing, since the token is dropped in any case.
pub async fn revoke(upstream: &UpstreamClient<'_>, oauth: &OAuthApp, token: &Secret) {
    let client: String = url::form_urlencoded::byte_serialize(oauth.client_id.as_bytes()).collect();
    let Some(call) = api(upstream, "DELETE", &format!("/applications/{client}/token")) else {
        return;
    };
    let basic = STANDARD.encode(format!(
        "{}:{}",
        oauth.client_id,
        oauth.client_secret.expose()
    ));
    let call = call
        .header("authorization", format!("Basic {basic}"))
        .json(&json!({ "access_token": token.expose() }));
    upstream.http.send(call).await;
}

/// A call of the REST API, still without a credential.
pub(super) fn api(upstream: &UpstreamClient<'_>, method: &'static str, path: &str) -> Option<Call> {
    let call = client::call(method, &upstream.bases.github_api, path)?;
    Some(
        call.header("accept", String::from("application/vnd.github+json"))
            .header("x-github-api-version", API_VERSION.to_owned()),
    )
}
