//! The pages. The Worker fills them from the configuration, and the templates escape every value. All other data comes
//! from the API.

pub mod console;
mod examples;
pub mod handoff;
pub mod security;
mod sign_in_notice;

use askama::Template;

use crate::app::context::App;
use crate::app::error::Error;
use crate::config::Config;
use crate::config::page_files::PageFiles;
use crate::domain::people::identity::Provider;
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::time::period::LimitReset;
use crate::http::api::{health, overview};
use crate::http::pages::examples::{Api, Example, Uses};
use crate::http::pages::sign_in_notice::SignInNotice;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// What the frame around every page shows.
struct Frame<'a> {
    keys_page: bool,
    source_url: Option<&'a str>,
    files: &'a PageFiles,
    /// The names of the providers that people can sign in with, for the pages' scripts.
    sign_in: String,
    config: &'a Config,
}

impl<'a> Frame<'a> {
    fn of(config: &'a Config) -> Self {
        Self {
            keys_page: config.keys_page,
            source_url: config.published.source_url.as_ref().map(url::Url::as_str),
            files: &config.page_files,
            sign_in: names(config),
            config,
        }
    }

    /// The providers that people can sign in with.
    fn providers(&self) -> Vec<Provider> {
        providers(self.config)
    }

    fn github(&self) -> bool {
        self.config.signs_in_with(Provider::GitHub)
    }

    fn google(&self) -> bool {
        self.config.signs_in_with(Provider::Google)
    }
}

fn providers(config: &Config) -> Vec<Provider> {
    let all = Provider::ALL.into_iter();
    all.filter(|provider| config.signs_in_with(*provider))
        .collect()
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = providers(config).into_iter().map(Provider::name).collect();
    names.join(" ")
}

/// The plan's figures in the words of sentences: "$5", "a day", "daily at 00:00 UTC".
struct Rules {
    limit_usd: String,
    limit: String,
    period: &'static str,
    per_period: &'static str,
    resets: &'static str,
    expiry_days: u32,
    min_account_age_days: u32,
    audit_retention_days: u32,
}

impl Rules {
    fn of(config: &Config) -> Result<Self, Error> {
        let plan: &PlanSeed = config.plan_seed.as_ref().ok_or(Error::NotConfigured)?;
        let limit_usd = plan.limit.to_string();
        let (per_period, resets) = match plan.limit_reset {
            LimitReset::Daily => ("a day", "daily at 00:00 UTC"),
            LimitReset::Weekly => ("a week", "on Mondays at 00:00 UTC"),
            LimitReset::Monthly => ("a month", "on the 1st of each month at 00:00 UTC"),
            LimitReset::None => ("in all", "never"),
        };
        Ok(Self {
            limit: limit_usd.trim_end_matches(".00").to_owned(),
            limit_usd,
            period: plan.limit_reset.name(),
            per_period,
            resets,
            expiry_days: plan.expiry_days,
            min_account_age_days: config.terms.min_account_age_days,
            audit_retention_days: config.audit_retention_days,
        })
    }
}

/// Why nobody can claim now, and what the button says instead.
struct Closed {
    button: &'static str,
    reason: &'static str,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Landing<'a> {
    frame: Frame<'a>,
    rules: Rules,
    api: Api<'a>,
    curl: Example,
    closed: Option<Closed>,
    /// People of some Google Workspaces may claim.
    workspaces: bool,
    auth_error: Option<SignInNotice>,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage<'a> {
    frame: Frame<'a>,
    uses: Uses<'a>,
    /// What the page shows, if somebody is signed in: its script then has nothing to wait for.
    overview: Option<String>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    overview: Option<String>,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    frame: Frame<'a>,
    overview: Option<String>,
}

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage<'a> {
    frame: Frame<'a>,
    overview: Option<String>,
}

#[derive(Template)]
#[template(path = "leak.html")]
struct LeakPage<'a> {
    frame: Frame<'a>,
    origin: &'a str,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs<'a> {
    frame: Frame<'a>,
    rules: Rules,
    uses: Uses<'a>,
    refusal: Example,
    terminal: Example,
    closed: Option<Closed>,
    security_contact: bool,
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure<'a> {
    frame: Frame<'a>,
    title: &'a str,
    text: &'a str,
    request_id: &'a str,
    status: u16,
}

pub async fn show_landing(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let api = Api::of(config);
    let closed = closed(&context.app).await;
    let auth_error = context.query("auth_error");
    let page = Landing {
        frame: Frame::of(config),
        rules: Rules::of(config)?,
        curl: examples::curl(&api),
        api,
        closed,
        workspaces: config.signs_in_with(Provider::Google) && !config.google_domains.is_empty(),
        auth_error: auth_error
            .as_deref()
            .map(|code| SignInNotice::of(config, code)),
    };
    render(200, &page)
}

pub async fn show_leak(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let page = LeakPage {
        frame: Frame::of(config),
        origin: config.public_origin.as_str(),
    };
    render(200, &page)
}

pub async fn show_keys(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let page = KeysPage {
        frame: Frame::of(config),
        uses: Uses::of(config),
        overview: overview_of(&context).await,
    };
    render(200, &page)
}

pub async fn show_account(context: Context) -> Result<Reply, Error> {
    let page = AccountPage {
        frame: Frame::of(&context.app.config),
        overview: overview_of(&context).await,
    };
    render(200, &page)
}

pub async fn show_device(context: Context) -> Result<Reply, Error> {
    let page = DevicePage {
        frame: Frame::of(&context.app.config),
        overview: overview_of(&context).await,
    };
    render(200, &page)
}

pub async fn show_usage(context: Context) -> Result<Reply, Error> {
    let page = UsagePage {
        frame: Frame::of(&context.app.config),
        overview: overview_of(&context).await,
    };
    render(200, &page)
}

/// The overview of the member who is signed in, as JSON for a data block of a document. It is `None` if nobody is signed
/// in, or if it cannot be read now: the page's script then asks the API, which says why.
async fn overview_of(context: &Context) -> Option<String> {
    context.session.as_ref()?;
    let body = overview::overview(context).await.ok()?;
    let json = serde_json::to_string(&body).ok()?;
    // Within a JSON text `<` is only part of strings. Written so, no string ends the block or opens another one.
    Some(json.replace('<', "\\u003c"))
}

pub async fn show_docs(context: Context) -> Result<Reply, Error> {
    let config = &context.app.config;
    let rules = Rules::of(config)?;
    let page = Docs {
        frame: Frame::of(config),
        refusal: examples::refusal(rules.period),
        terminal: examples::terminal(config),
        rules,
        uses: Uses::of(config),
        closed: closed(&context.app).await,
        security_contact: config.published.security_contact.is_some(),
    };
    render(200, &page)
}

/// An error as a page.
pub fn error(config: &Config, error: &Error, request_id: &str) -> Reply {
    let problem = error.problem(request_id);
    let page = Failure {
        frame: Frame::of(config),
        title: problem.title,
        text: &problem.detail,
        request_id,
        status: error.status(),
    };
    render(error.status(), &page).unwrap_or_else(|_| Reply::empty(error.status()))
}

fn render(status: u16, page: &impl Template) -> Result<Reply, Error> {
    let html = page.render().map_err(|_| Error::Internal)?;
    Ok(Reply::html(status, html))
}

/// The reason why claims are closed, which is the configuration or an admin's switch. If the database does not answer,
/// the page is shown as if claims were open.
async fn closed(app: &App) -> Option<Closed> {
    let config = &app.config;
    let paused = Closed {
        button: "Claims are paused",
        reason: "New keys are not given out at the moment.",
    };
    if config.claims_open() {
        let flags = health::health_flags(app).await?;
        health::closes_claims(app, flags).then_some(paused)
    } else if config.terms.project_live {
        Some(paused)
    } else {
        Some(Closed {
            button: "Project pending",
            reason: "This service has not opened yet.",
        })
    }
}
