//! OpenRouter's management surface: who is asking, and where each operation is played.

mod credits;
mod key_request;
mod key_view;
mod keys;
mod workspace_request;
mod workspaces;

pub use key_request::NewKey;
pub(crate) use keys::mint;
pub(crate) use workspaces::State;

use crate::{
    Sandbox,
    generator::sha256_hex,
    message::{Request, Response},
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
        Operation::GithubAuthorize
        | Operation::GithubToken
        | Operation::GithubUser
        | Operation::GithubRevoke => Err(error(404, usual_text(404))),
    };
    result.unwrap_or_else(|refusal| refusal)
}

/// The management key for everything but `GET /key`, which any live key may ask.
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
        // These three list 401 and no 403.
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
