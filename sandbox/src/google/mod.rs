//! Google: the OpenID sign-in of accounts.google.com, the token endpoint, the certificates of its ID tokens, and the
//! directory of a Workspace with the service account that reads it.

mod certs;
pub(crate) mod directory;
mod directory_people;
pub(crate) mod service_account;
mod sign_in;
mod sign_in_personas;
mod tokens;

pub use directory_people::{DirectoryLie, DirectoryPerson, Standing};
pub use sign_in_personas::{GOOGLE_PERSONAS, GoogleBehaviour, GooglePersona, google_persona};
pub use tokens::{GoogleTokens, TokenLie};

use crate::{
    Sandbox,
    message::{Request, Response},
    operation::Operation,
};
use serde_json::json;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    sign_in: sign_in::State,
    certs: certs::State,
    pub tokens: GoogleTokens,
}

impl State {
    /// Signs with the next key from now on. The key until now is still published.
    pub const fn rotate(&mut self) {
        self.certs.rotate();
    }

    /// Publishes no key but the one that signs.
    pub const fn retire(&mut self) {
        self.certs.retire();
    }
}

pub(crate) fn perform(
    sandbox: &mut Sandbox,
    operation: Operation,
    request: &Request,
    now: i64,
) -> Response {
    match operation {
        Operation::GoogleAuthorize => sign_in::authorize(sandbox, request, now),
        Operation::GoogleServiceToken => service_account::exchange(sandbox, request, now),
        Operation::GoogleToken => tokens::exchange(sandbox, request, now),
        _ => certs::published(sandbox),
    }
}

/// An error in the form of Google's OAuth endpoints.
pub(crate) fn oauth_error(status: u16, error: &str, description: &str) -> Response {
    Response::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

/// The name that Google's OAuth endpoints give to an error of this status.
pub(crate) const fn usual_error(status: u16) -> &'static str {
    match status {
        401 => "invalid_client",
        400..=499 => "invalid_request",
        _ => "internal_failure",
    }
}
