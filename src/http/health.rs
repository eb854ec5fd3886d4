//! `GET /healthz`: the Worker runs, and which settings keep something closed. Asks nobody else, so that it may be polled.

use serde_json::json;

use super::{Context, Outbound, Reply};
use crate::config::Problem;
use crate::error::Error;

pub async fn show_health(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let body = json!({
        "status": "ok",
        "claims_open": config.claims_open(),
        "sign_in": config.sign_in_configured(),
        "closed_by": config.closed_by,
    });
    Reply::json(200, &body)
}

/// The answer to a request whose headers are none.
pub fn malformed() -> Outbound {
    let error = Error::BadRequest {
        detail: "A header has characters that no header may have.",
    };
    problem(&error, error.problem("").to_string())
}

/// The answer when there is none to give.
pub fn failed() -> Outbound {
    problem(&Error::Internal, Error::Internal.problem("").to_string())
}

/// The answer to everything while the configuration cannot be read: which settings, never their values.
pub fn misconfigured(problems: &[Problem]) -> Outbound {
    let mut body = Error::Misconfigured.problem("");
    if let Some(members) = body.as_object_mut() {
        members.insert(String::from("problems"), json!(problems));
    }
    problem(&Error::Misconfigured, body.to_string())
}

fn problem(error: &Error, body: String) -> Outbound {
    let reply = Reply {
        status: error.status(),
        headers: vec![("content-type", String::from("application/problem+json"))],
        body: body.into_bytes(),
    };
    super::pipeline::finished(reply, "", false)
}
