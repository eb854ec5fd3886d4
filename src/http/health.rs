//! `GET /healthz`: the Worker runs, and what keeps something closed. It may be polled: until the upstream's terms are
//! confirmed it asks the database whether they are, and nobody anything after that.

use serde_json::json;

use super::{Context, Outbound, Reply};
use crate::app::App;
use crate::config::Problem;
use crate::error::Error;
use crate::store::settings;

pub async fn show_health(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let config = &app.config;
    let unconfirmed = upstream_terms(app).await;
    let closed_by: Vec<&Problem> = config.closed_by.iter().chain(&unconfirmed).collect();
    let body = json!({
        "status": "ok",
        "claims_open": config.claims_open() && unconfirmed.is_none(),
        "sign_in": config.sign_in_configured(),
        "closed_by": closed_by,
    });
    Reply::json(200, &body)
}

/// What closes claims until an admin has confirmed OpenRouter's terms (S4-21). Once confirmed they stay so.
async fn upstream_terms(app: &App) -> Option<Problem> {
    if app.config.terms.upstream_terms_waived || app.upstream_terms_seen.get() {
        return None;
    }
    let problem = match settings::upstream_terms_confirmed(&*app.db).await {
        Ok(true) => {
            app.upstream_terms_seen.set(true);
            return None;
        }
        Ok(false) => "not confirmed by an admin: claims are closed",
        Err(_) => "not known: the database did not answer",
    };
    Some(Problem {
        setting: "upstream_terms",
        problem,
    })
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
