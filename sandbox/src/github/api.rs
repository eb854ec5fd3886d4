//! api.github.com: `GET /user`, `GET /user/{id}`, the members of an organization, and `DELETE /applications/{client_id}/token`.

use super::{
    limits::{Caller, Window},
    organization, personas,
    personas::{Behaviour, Persona},
};
use crate::{
    Sandbox,
    clock::{DAY_MS, timestamp_secs},
    custody,
    ledger::GithubToken,
    message::{Request, Response},
    operation::{Operation, last_segment},
};
use serde_json::{Value, json};

const VERSIONS: &[&str] = &["2022-11-28", "2026-03-10"];

/// The caller, as far as the credentials say.
enum Identity {
    Anonymous,
    App,
    /// A member of the organization, by their own token.
    Organization,
    User {
        persona: Persona,
        scope: String,
    },
}

pub(super) fn answer(
    sandbox: &mut Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Response {
    let id = sandbox.generator.request_id();
    let identity = identify(sandbox, request);
    let caller = match &identity {
        Ok(Identity::User { persona, .. }) => Caller::Account(persona.github_id),
        Ok(Identity::App | Identity::Organization) => Caller::App,
        Ok(Identity::Anonymous) | Err(_) => Caller::Anonymous,
    };
    let hourly = sandbox.settings().github_hourly_limit;
    let window = sandbox.github.limits.count(caller, hourly, now);
    let answer = match identity {
        Ok(_) if window.is_exceeded() => error(403, "API rate limit exceeded"),
        Ok(identity) => route(sandbox, operation, &identity, request, now),
        Err(refusal) => refusal,
    };
    let scope = answer.header("x-oauth-scopes").is_none();
    let answer = if scope {
        answer.with("x-oauth-scopes", "")
    } else {
        answer
    };
    window
        .write(answer)
        .with("x-accepted-oauth-scopes", "")
        .with("x-github-request-id", &id)
        .with("x-github-media-type", "github.v3; format=json")
        .with("cache-control", "private, max-age=60, s-maxage=60")
        .with("vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
}

fn route(
    sandbox: &mut Sandbox,
    operation: Operation,
    identity: &Identity,
    request: &Request,
    now: i64,
) -> Response {
    let version = request.header("x-github-api-version");
    if version.is_some_and(|version| !VERSIONS.contains(&version)) {
        return error(400, "Requested API version is not supported");
    }
    match (operation, identity) {
        (Operation::GithubRevoke, Identity::App) => revoke(sandbox, request, now),
        (Operation::GithubRevoke, _) => error(404, "Not Found"),
        (Operation::GithubOrgMembers, Identity::Organization) => {
            organization::members(&sandbox.github.organization, request)
        }
        (Operation::GithubOrgMember, Identity::Organization) => {
            organization::member(&sandbox.github.organization, request)
        }
        (Operation::GithubOrgMembers | Operation::GithubOrgMember, _) => error(404, "Not Found"),
        (_, Identity::User { persona, scope }) if last_segment(request) == "user" => {
            own_profile(sandbox, persona, scope, now)
        }
        _ if last_segment(request) == "user" => error(401, "Requires authentication"),
        _ => profile(sandbox, last_segment(request), now),
    }
}

/// Reads the credentials. An unknown or revoked token and wrong app credentials are refused, whatever the request is.
fn identify(sandbox: &Sandbox, request: &Request) -> Result<Identity, Response> {
    let settings = sandbox.settings();
    if let Some(pair) = custody::decoded_basic(request) {
        let own = pair.split_once(':')
            == Some((&settings.github_client_id, &settings.github_client_secret));
        return if own {
            Ok(Identity::App)
        } else {
            Err(error(401, "Bad credentials"))
        };
    }
    if request.header("authorization").is_none() {
        return Ok(Identity::Anonymous);
    }
    let bearer = request
        .credential("bearer")
        .or_else(|| request.credential("token"))
        .unwrap_or_default();
    if bearer == organization::ORGANIZATION_TOKEN {
        return Ok(Identity::Organization);
    }
    let token = sandbox
        .ledger()
        .github_tokens
        .iter()
        .rev()
        .find(|token| token.access_token == bearer && token.revoked_at_ms.is_none());
    let user =
        token.and_then(|token| Some((personas::persona(&token.persona)?, token.scope.clone())));
    match user {
        Some((persona, scope)) if persona.behaviour != Behaviour::Revoked => {
            Ok(Identity::User { persona, scope })
        }
        _ => Err(error(401, "Bad credentials")),
    }
}

fn own_profile(sandbox: &Sandbox, persona: &Persona, scope: &str, now: i64) -> Response {
    if persona.behaviour == Behaviour::Suspended {
        return error(403, "Sorry. Your account was suspended.");
    }
    Response::json(200, &user(sandbox, persona, now))
        .with("x-oauth-scopes", &scope.replace(',', ", "))
}

/// The public profile. If one id has two logins, it shows the one that signed in last. Suspended accounts get 404.
fn profile(sandbox: &Sandbox, id: &str, now: i64) -> Response {
    let persona = id.parse().ok().and_then(|id: u64| {
        let last = sandbox.github.last_persona.get(&id);
        last.and_then(|last| personas::persona(last))
            .or_else(|| personas::by_github_id(id))
    });
    let deleted = &sandbox.github.organization.deleted;
    let is_shown = |persona: &Persona| {
        persona.behaviour != Behaviour::Suspended && !deleted.contains(&persona.github_id)
    };
    match persona.filter(is_shown) {
        Some(persona) => Response::json(200, &user(sandbox, &persona, now)),
        None => error(404, "Not Found"),
    }
}

fn revoke(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let client = request.path().rsplit('/').nth(1).unwrap_or_default();
    if client != sandbox.settings().github_client_id {
        return error(404, "Not Found");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(given) = body.get("access_token").and_then(Value::as_str) else {
        return error(422, "Validation Failed");
    };
    let live =
        |token: &&mut GithubToken| token.access_token == given && token.revoked_at_ms.is_none();
    match sandbox.ledger.github_tokens.iter_mut().rev().find(live) {
        Some(token) => {
            token.revoked_at_ms = Some(now);
            Response::empty(204)
        }
        None => error(422, "Validation Failed"),
    }
}

fn user(sandbox: &Sandbox, persona: &Persona, now: i64) -> Value {
    let (id, login) = (persona.github_id, persona.login.as_ref());
    let created = sandbox.origin_ms.unwrap_or(now) - persona.age_days * DAY_MS;
    let api = format!("https://api.github.com/users/{login}");
    json!({
        "login": login, "id": id, "node_id": format!("U_sandbox{id}"), "type": persona.kind, "site_admin": false, "user_view_type": "public",
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "gravatar_id": "",
        "url": api, "html_url": format!("https://github.com/{login}"),
        "followers_url": format!("{api}/followers"), "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"), "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"), "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"), "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null, "twitter_username": null,
        "public_repos": 3, "public_gists": 0, "followers": 1, "following": 1,
        "created_at": timestamp_secs(created), "updated_at": timestamp_secs(created),
    })
}

#[must_use]
pub(crate) fn error(status: u16, message: &str) -> Response {
    let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()});
    Response::json(status, &body)
}

#[must_use]
pub(crate) const fn usual_text(status: u16) -> &'static str {
    match status {
        401 => "Bad credentials",
        403 => "Forbidden",
        404 => "Not Found",
        422 => "Validation Failed",
        _ => "Server Error",
    }
}

/// A refusal by the secondary rate limit if there is a `Retry-After` in seconds; otherwise by the primary rate limit.
#[must_use]
pub(crate) fn rate_limited(retry_after: Option<u64>, now: i64) -> Response {
    match retry_after {
        Some(_) => error(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        ),
        None => Window::exhausted(now).write(error(403, "API rate limit exceeded")),
    }
}
