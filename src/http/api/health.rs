//! `GET /healthz`: says that the Worker runs, and what keeps anything closed. It may be polled: an isolate asks the
//! database at most once a minute, except while OpenRouter's terms are not confirmed.

use serde::Serialize;

use crate::app::context::App;
use crate::app::error::Error;
use crate::config::Problem;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::ops::alarms::{self, HealthFlags};

/// For this many seconds, an isolate repeats what the database said.
const HEARD_FOR_SECS: i64 = 60;

/// Whether the service runs, and which settings keep something closed.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HealthBody {
    /// Always `ok`: a service that does not run does not answer.
    status: &'static str,
    claims_open: bool,
    /// Whether sign-in is configured.
    sign_in: bool,
    closed_by: Vec<Problem>,
}

pub async fn show_health(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let config = &app.config;
    let shut = match health_flags(app).await {
        Some(flags) => shut_by(app, flags),
        None => vec![Problem {
            setting: "database",
            problem: "not known: the database did not answer",
        }],
    };
    let body = HealthBody {
        status: "ok",
        claims_open: config.claims_open() && shut.is_empty(),
        sign_in: config.sign_in_configured(),
        closed_by: config.closed_by.iter().chain(&shut).copied().collect(),
    };
    Reply::json(200, &body)
}

/// The conditions in the database that keep claims closed, as read within the last minute. It is `None` if the database
/// does not answer.
pub async fn health_flags(app: &App) -> Option<HealthFlags> {
    let waived = app.config.terms.upstream_terms_waived;
    let heard = app.health_cache.get().filter(|(at, heard)| {
        app.now() < at.plus(HEARD_FOR_SECS) && (heard.upstream_terms_confirmed || waived)
    });
    if let Some((_, heard)) = heard {
        return Some(heard);
    }
    let flags = alarms::health_flags(&*app.db).await.ok()?;
    app.health_cache.set(Some((app.now(), flags)));
    Some(flags)
}

/// Answers whether anything besides the configuration keeps claims closed.
pub fn closes_claims(app: &App, flags: HealthFlags) -> bool {
    !shut_by(app, flags).is_empty()
}

/// The conditions that only an admin can end.
fn shut_by(app: &App, flags: HealthFlags) -> Vec<Problem> {
    let unconfirmed = !flags.upstream_terms_confirmed && !app.config.terms.upstream_terms_waived;
    let shut = [
        (
            unconfirmed,
            "upstream_terms",
            "not confirmed by an admin: claims are closed",
        ),
        (
            flags.restored,
            "restore",
            "the database is behind what it was: claims are closed and nothing is deleted until an admin accepts it",
        ),
        (
            flags.foreign_account,
            "account",
            "the management key is another account's: claims are closed and nothing is swept",
        ),
        (
            flags.minting_stopped,
            "minting",
            "stopped by an admin: claims are closed",
        ),
    ];
    let shut = shut.into_iter().filter(|(is_shut, ..)| *is_shut);
    shut.map(|(_, setting, problem)| Problem { setting, problem })
        .collect()
}
