//! The answers to requests that do not reach the route table, and to requests that get no answer from it.

use serde::Serialize;

use crate::app::error::Error;
use crate::app::error::problem_body::ProblemBody;
use crate::config::Problem;
use crate::http::server::finish::finished;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;

/// The answer to a request whose headers cannot be read.
pub fn malformed() -> Outbound {
    let error = Error::BadRequest {
        detail: "A header has characters that no header may have.",
    };
    problem(&error, &error.problem(""))
}

/// The answer to a request whose address is longer than any of ours.
pub fn address_too_long() -> Outbound {
    let error = Error::AddressTooLong;
    problem(&error, &error.problem(""))
}

/// The answer if a request ended without one.
pub fn failed() -> Outbound {
    problem(&Error::Internal, &Error::Internal.problem(""))
}

/// The answer to every request while the configuration cannot be read. It names the settings, never their values.
pub fn misconfigured(problems: &[Problem]) -> Outbound {
    let body = MisconfiguredBody {
        problem: Error::Misconfigured.problem(""),
        problems,
    };
    problem(&Error::Misconfigured, &body)
}

#[derive(Serialize)]
struct MisconfiguredBody<'a> {
    #[serde(flatten)]
    problem: ProblemBody,
    problems: &'a [Problem],
}

fn problem(error: &Error, body: &impl Serialize) -> Outbound {
    finished(Reply::problem(error.status(), body), "", false)
}
