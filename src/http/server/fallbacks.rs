//! The answers to what does not come as far as the route table, and to what comes back from it without an answer.

use serde_json::json;

use crate::app::error::Error;
use crate::config::Problem;
use crate::http::server::finish::finished;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;

/// The answer to a request whose headers are none.
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
    finished(Reply::problem(error.status(), body), "", false)
}
