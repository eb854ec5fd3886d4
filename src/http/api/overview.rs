//! `GET /api/v1/me/overview`: what the page of the member's keys shows, in one answer and one round trip.

use serde::Serialize;

use crate::app::claim;
use crate::app::error::Error;
use crate::domain::run::Job;
use crate::http::api::keys::{KeyBody, KeysBody, UpstreamHealth};
use crate::http::api::me::{self, MeBody};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::keys::claims;
use crate::store::keys::ended::{self, EndedKey};
use crate::store::members;
use crate::store::members::notices::{self, Notice};
use crate::store::members::projects::{self, Project};
use crate::store::members::requests::{self, Request};
use crate::store::ops::runs;
use crate::store::ops::workspaces::{self, UnreadWorkspace};

/// Who I am, my keys, my projects, my latest requests and my notices.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OverviewBody {
    me: MeBody,
    keys: Vec<KeyBody>,
    /// The keys that have ended, the latest first, at most 100.
    ended: Vec<EndedKey>,
    /// If OpenRouter does not answer, the figures are as old as they say.
    openrouter: UpstreamHealth,
    /// The workspaces of keys of mine that could not be read lately.
    workspaces_unread: Vec<UnreadWorkspace>,
    /// The latest fifty, newest first.
    requests: Vec<Request>,
    /// First those that are not archived, by name.
    projects: Vec<Project>,
    /// The latest fifty of the last sixty days, the latest first.
    notices: Vec<Notice>,
}

/// Answers 200 with what `GET` of `/api/v1/me`, `/api/v1/keys` and `/api/v1/requests` answer.
pub async fn show_overview(context: Context) -> Result<Reply, Error> {
    Reply::json(200, &overview(&context).await?)
}

/// Reads the overview of the member who is signed in.
pub async fn overview(context: &Context) -> Result<OverviewBody, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let attempt = claim::attempt(app, session.clone(), None)?;
    // What decides about a claim includes the member's keys.
    let [cards, decision] = claims::facts(&attempt);
    let sweep = runs::last_ended(Job::Sweep.name());
    let ended = ended::of_member(&session);
    let projects = projects::list(&session);
    let own = requests::own(&session);
    let notices = notices::list(&session, attempt.now);
    let unread = workspaces::unread_of(&session);
    let offered = workspaces::offered(&session, app.config.default_workspace());
    let stmts = vec![
        notices, own, projects, ended, unread, sweep, offered, cards, decision,
    ];
    let (member, rows) = members::signed_in(&*app.db, &session, stmts).await?;
    let [
        notices,
        own,
        projects,
        ended,
        unread,
        sweep,
        offered,
        cards,
        _,
    ] = rows.as_slice()
    else {
        return Err(Error::Internal);
    };
    let keys = KeysBody::read([cards, ended, unread, sweep], attempt.now)?;
    Ok(OverviewBody {
        me: me::body(context, member, offered, &rows, attempt.now)?,
        keys: keys.keys,
        ended: keys.ended,
        openrouter: keys.openrouter,
        workspaces_unread: keys.workspaces_unread,
        requests: requests::read_own(own)?,
        projects: projects::read_list(projects)?,
        notices: notices::read_list(notices)?,
    })
}
