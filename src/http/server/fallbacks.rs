//! The answers to requests that do not reach the route table, and to requests that get no answer from it.

use serde_json::json;

use crate::app::error::Error;
use crate::config::Problem;
use crate::http::server::finish::finished;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;

/// The answer to a request whose headers cannot be read.
pub fn malformed() -> Outbound {
    let error = Error::BadRequest {
        detail: "A header has characters that no header may have.",
    };
    problem(&error, error.problem("").to_string())
}

/// The answer to a request whose address is longer than any of ours.
pub fn address_too_long() -> Outbound {
    let error = Error::AddressTooLong;
    problem(&error, error.problem("").to_string())
}

/// The answer if a request ended without one.
pub fn failed() -> Outbound {
    problem(&Error::Internal, Error::Internal.problem("").to_string())
}

/// The answer to every request while the configuration cannot be read. It names the settings, never their values.
pub fn misconfigured(problems: &[Problem]) -> Outbound {
    let mut body = Error::Misconfigured.problem("");
    if let Some(members) = body.as_object_mut() {
        members.insert(String::from("problems"), json!(problems));
    }
    problem(&Error::Misconfigured, body.to_string())
}

fn problem(error: &Error, body: String) -> Outbound {
    finished(Reply::problem(error.status(), body), "", false)
}
