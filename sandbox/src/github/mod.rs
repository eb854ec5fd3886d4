//! GitHub: the OAuth web flow of github.com and the three calls of api.github.com that keycap makes.

mod api;
mod authorize;
mod limits;
mod organization;
pub(crate) mod page;
mod personas;
pub(crate) mod redirect;
mod token;

pub(crate) use api::{error as api_error, rate_limited, usual_text};
pub use organization::{ORGANIZATION, ORGANIZATION_TOKEN, Organization};
pub(crate) use page::stylesheet;
pub use personas::{Behaviour, PERSONAS, Persona, persona};

use crate::{
    Sandbox,
    message::{Request, Response},
    operation::Operation,
};
use std::collections::BTreeMap;

const NO_USER_AGENT: &str = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n";

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Authorization codes that have not been exchanged.
    codes: BTreeMap<String, Grant>,
    /// For each account number, the persona that signed in last with it. Several personas may share a number.
    last_persona: BTreeMap<u64, String>,
    limits: limits::Limits,
    pub organization: Organization,
}

/// What an authorization code grants.
#[derive(Clone, Debug)]
struct Grant {
    persona: Persona,
    redirect_uri: String,
    challenge: Option<String>,
    scope: String,
    issued_at_ms: i64,
}

pub(crate) fn perform(
    sandbox: &mut Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Response {
    if !request.has_user_agent() {
        return Response::text(403, NO_USER_AGENT);
    }
    match operation {
        Operation::GithubAuthorize => authorize::answer(sandbox, request, now),
        Operation::GithubToken => token::exchange(sandbox, request, now),
        _ => api::answer(sandbox, operation, request, now),
    }
}
