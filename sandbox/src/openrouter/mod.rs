//! OpenRouter's management API: it checks who calls, and passes each operation to its module.

mod activity;
mod analytics;
mod credits;
mod guardrails;
mod key_request;
mod key_view;
mod keys;
mod members;
pub(crate) mod oauth;
mod workspaces;

pub(crate) use guardrails::allows;
pub use key_request::NewKey;
pub(crate) use keys::mint;
pub(crate) use workspaces::State;

use self::members::Rules;
use crate::{
    Sandbox, custody,
    generator::sha256_hex,
    message::{Request, Response, first},
    operation::Operation,
};
use serde_json::{Map, Value, json};

pub(crate) const NOT_MANAGEMENT: &str = "Only management keys can perform this operation";

pub(crate) fn perform(
    sandbox: &mut Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Response {
    if operation == Operation::OpenrouterExchange {
        return oauth::exchange(sandbox, request, now).unwrap_or_else(|refusal| refusal);
    }
    if let Err(refusal) = admit(sandbox, operation, request, now) {
        return refusal;
    }
    let result = match operation {
        Operation::KeysCreate => keys::create(sandbox, request, now),
        Operation::KeysList => keys::list(sandbox, request, now),
        Operation::KeysGet => keys::get(sandbox, request, now),
        Operation::KeysUpdate => keys::update(sandbox, request, now),
        Operation::KeysDelete => keys::delete(sandbox, request, now),
        Operation::KeyCurrent => keys::current(sandbox, request, now),
        Operation::WorkspacesList => workspaces::list(sandbox, request, now),
        Operation::WorkspacesGet => workspaces::get(sandbox, request, now),
        Operation::WorkspacesCreate => workspaces::create(sandbox, request, now),
        Operation::WorkspacesUpdate => workspaces::update(sandbox, request, now),
        Operation::WorkspacesDelete => workspaces::delete(sandbox, request, now),
        Operation::CreditsGet => Ok(credits::get(sandbox)),
        Operation::ActivityGet => activity::get(sandbox, request, now),
        Operation::AnalyticsMeta => Ok(analytics::meta(sandbox)),
        Operation::AnalyticsQuery => analytics::query(sandbox, request, now),
        Operation::GuardrailsList => guardrails::list(sandbox, request, now),
        Operation::GuardrailsGet => guardrails::get(sandbox, request, now),
        Operation::GuardrailsCreate => guardrails::create(sandbox, request, now),
        Operation::GuardrailsUpdate => guardrails::update(sandbox, request, now),
        Operation::GuardrailsDelete => guardrails::delete(sandbox, request, now),
        Operation::GuardrailsAssignments => guardrails::assignments(sandbox, request, now),
        Operation::GuardrailsAssigned => guardrails::assigned(sandbox, request, now),
        Operation::GuardrailsAssign => guardrails::assign(sandbox, request, now),
        Operation::GuardrailsUnassign => guardrails::unassign(sandbox, request, now),
        Operation::OpenrouterAuthorize
        | Operation::OpenrouterExchange
        | Operation::DaydreamSignIn
        | Operation::DaydreamKey
        | Operation::DaydreamProfile
        | Operation::GithubAuthorize
        | Operation::GithubToken
        | Operation::GithubUser
        | Operation::GithubRevoke
        | Operation::GoogleAuthorize
        | Operation::GoogleToken
        | Operation::GoogleCerts
        | Operation::GithubOrgMembers
        | Operation::GithubOrgMember
        | Operation::GoogleServiceToken
        | Operation::GoogleUsersList
        | Operation::GoogleUsersDeleted
        | Operation::GoogleUsersGet => Err(error(404, usual_text(404))),
    };
    result.unwrap_or_else(|refusal| refusal)
}

/// Requires the management key for every operation except `GET /key`, which any live key may call.
fn admit(
    sandbox: &Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Result<(), Response> {
    let bearer = request
        .credential("bearer")
        .ok_or_else(|| error(401, "Missing Authentication header"))?;
    if bearer == sandbox.settings().management_key {
        return Ok(());
    }
    let known = sandbox
        .ledger()
        .key(&sha256_hex(bearer.as_bytes()))
        .is_some_and(|key| key.is_usable(now));
    match operation {
        _ if !known => Err(error(401, "User not found.")),
        Operation::KeyCurrent => Ok(()),
        // OpenRouter documents 401 and no 403 for these three.
        Operation::KeysList | Operation::KeysGet | Operation::KeysDelete => {
            Err(error(401, NOT_MANAGEMENT))
        }
        _ => Err(error(403, NOT_MANAGEMENT)),
    }
}

/// The members of a JSON body.
fn members(request: &Request) -> Result<Map<String, Value>, Response> {
    if !request.is_json() {
        return Err(error(400, "Content-Type must be application/json"));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(error(400, "Invalid JSON body: expected an object")),
    }
}

/// The known members of a body, and the names of the unknown ones, which the ledger notes.
fn read_members(
    sandbox: &mut Sandbox,
    rules: Rules,
    request: &Request,
    body: &Map<String, Value>,
    now: i64,
) -> Result<(Map<String, Value>, Vec<String>), Response> {
    let (known, unknown) = members::read(rules, body).map_err(|problem| error(400, &problem))?;
    for name in &unknown {
        custody::unknown_field(sandbox, request, name, now);
    }
    Ok((known, unknown))
}

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 100;

/// The page of `rows` that `offset` and `limit` select, with the number of all rows. `more` names the other parameters
/// that are known.
fn page(
    sandbox: &mut Sandbox,
    request: &Request,
    more: &[&str],
    rows: Vec<Value>,
    now: i64,
) -> Result<Response, Response> {
    let query = request.query();
    for (name, _) in &query {
        if !["offset", "limit"].contains(&name.as_str()) && !more.contains(&name.as_str()) {
            custody::unknown_field(sandbox, request, name, now);
        }
    }
    let number = |name: &str, default: usize| match first(&query, name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| error(400, &format!("{name}: Invalid input: expected integer"))),
    };
    let (offset, limit) = (number("offset", 0)?, number("limit", PAGE_DEFAULT)?);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(error(400, "limit: expected 1 to 100"));
    }
    let total = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok(Response::json(
        200,
        &json!({"data": page, "total_count": total}),
    ))
}

#[must_use]
pub(crate) fn error(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &json!({"error": {"code": status, "message": message}}),
    )
}

#[must_use]
pub(crate) fn rate_limited() -> Response {
    let metadata = json!({"error_type": "rate_limit_exceeded"});
    Response::json(
        429,
        &json!({"error": {"code": 429, "message": usual_text(429), "metadata": metadata}}),
    )
}

#[must_use]
pub(crate) const fn usual_text(status: u16) -> &'static str {
    match status {
        400 => "Invalid request parameters",
        401 => "User not found.",
        403 => NOT_MANAGEMENT,
        404 => "Resource not found",
        408 => "Operation timed out. Please try again later.",
        409 => "Resource conflict. Please try again later.",
        429 => "Rate limit exceeded",
        _ => "Internal Server Error",
    }
}
