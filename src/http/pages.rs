//! Documents: filled by the Worker from configuration, escaped by construction. Their data beyond that comes from the API.

use askama::Template;

use super::{Context, Reply};
use crate::config::Config;
use crate::error::Error;

#[derive(Template)]
#[template(path = "index.html")]
struct Landing<'a> {
    open: bool,
    closed_reason: &'a str,
    limit_usd: &'a str,
    limit_reset: &'a str,
    expiry_days: u32,
    min_account_age_days: u32,
    sign_in: bool,
    auth_error: Option<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys;

#[derive(Template)]
#[template(path = "error.html")]
struct Failure<'a> {
    title: &'a str,
    text: &'a str,
    request_id: &'a str,
    status: u16,
}

pub async fn show_landing(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let plan = config.plan_seed.as_ref().ok_or(Error::NotConfigured)?;
    let auth_error = context.query("auth_error");
    let page = Landing {
        open: config.claims_open(),
        closed_reason: closed_reason(config),
        limit_usd: &plan.limit.to_string(),
        limit_reset: plan.limit_reset.name(),
        expiry_days: plan.expiry_days,
        min_account_age_days: config.terms.min_account_age_days,
        sign_in: config.sign_in_configured(),
        auth_error: auth_error.as_deref().map(in_words),
    };
    render(200, &page)
}

pub async fn show_keys(_: Context) -> Result<Reply, Error> {
    render(200, &Keys)
}

/// An error as a page.
pub fn error(error: &Error, request_id: &str) -> Reply {
    let body = error.problem(request_id);
    let member = |name: &str| body.get(name).and_then(|value| value.as_str());
    let page = Failure {
        title: member("title").unwrap_or_default(),
        text: member("detail").unwrap_or_default(),
        request_id,
        status: error.status(),
    };
    render(error.status(), &page).unwrap_or_else(|_| Reply {
        status: error.status(),
        ..Reply::default()
    })
}

fn render(status: u16, page: &impl Template) -> Result<Reply, Error> {
    let html = page.render().map_err(|_| Error::Internal)?;
    Ok(Reply::html(status, html))
}

fn closed_reason(config: &Config) -> &'static str {
    if config.claims_open() {
        ""
    } else if config.terms.project_live {
        "New keys are not given out at the moment."
    } else {
        "This service has not opened yet."
    }
}

/// Why a sign-in came back without a session, told without blame, with what to do.
fn in_words(code: &str) -> (&'static str, &'static str) {
    match code {
        "denied" => (
            "You did not sign in.",
            "GitHub says that you declined. Nothing was changed. Continue with GitHub whenever you like.",
        ),
        "state" => (
            "That sign-in could not be matched to this browser.",
            "It was too old, was used before, or began somewhere else. Start again from here.",
        ),
        "expired" => (
            "That sign-in took too long.",
            "GitHub's code lasts ten minutes and works once. Start again from here.",
        ),
        "blocked" => (
            "This account may not use keys here.",
            "It was blocked by whoever runs this service. Ask them if you think that is wrong.",
        ),
        "not_a_person" => (
            "That is not a person's account.",
            "Only personal GitHub accounts can claim; bots and organisations cannot.",
        ),
        "account_suspended" => (
            "GitHub says that your account is suspended.",
            "Sort it out with GitHub, then sign in again.",
        ),
        "unverified_email" => (
            "GitHub wants a verified e-mail address first.",
            "Verify your primary address in GitHub's settings, then sign in again.",
        ),
        "rate_limited" => (
            "GitHub asks for patience.",
            "Too many sign-ins in a short time. Try again in a few minutes.",
        ),
        "github_unavailable" => (
            "GitHub did not answer.",
            "You are not signed in. Try again in a minute.",
        ),
        "storage_unavailable" => (
            "The sign-in could not be written down.",
            "You are not signed in. Try again in a minute.",
        ),
        "not_configured" | "misconfigured" | "suspended_app" => (
            "Sign-in does not work here at the moment.",
            "Whoever runs this service has to mend its connection to GitHub.",
        ),
        _ => (
            "You are not signed in.",
            "Something went wrong on the way. Start again from here.",
        ),
    }
}
