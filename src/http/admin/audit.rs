//! `GET /api/v1/admin/audit`: every change, newest first, by who made it, what it was made to, what it was, and when.

use serde::Serialize;

use crate::app::error::Error;
use crate::domain::time::Timestamp;
use crate::http::admin::rows_of_page;
use crate::http::api::cursor;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::ops::trail::{self, AuditEntry, TrailFilter};
use crate::store::query::rows_of;

/// What the positions in the audit are sealed as.
const LIST: &str = "admin audit";

/// A page of changes, newest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AuditPage {
    entries: Vec<AuditEntry>,
    /// What `after` has to be for the next page. A page may have fewer rows than fit, and a next one: it looks through a
    /// bounded number of rows for those that meet every filter.
    next: Option<String>,
}

/// Answers 200 with a page of the audit.
pub async fn show_audit(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let filter = filter(&context)?;
    let actor = filter.actor.clone();
    let most = rows_of_page(&context)?;
    let read = trail::page(filter, cursor::opened(&context, LIST)?, most);
    let (_, rows) = members::signed_in(&*context.app.db, &session, vec![read]).await?;
    let (mut entries, next) = trail::read_page(rows_of(&rows, 0)?, most)?;
    entries.retain(|entry| actor.as_ref().is_none_or(|actor| entry.actor == *actor));
    let next = next.map(|next| cursor::sealed(&context.app, LIST, &next));
    let next = next.transpose()?;
    Reply::json(200, &AuditPage { entries, next })
}

fn filter(context: &Context) -> Result<TrailFilter, Error> {
    let moment = |name: &str| {
        let wrong = Error::BadRequest {
            detail: "since and until must be moments, as 2027-01-31T00:00:00Z.",
        };
        let text = context.query(name);
        let read = text.map(|text| Timestamp::parse(&text).ok_or(wrong));
        read.transpose()
    };
    Ok(TrailFilter {
        actor: context.query("actor"),
        target: context.query("target"),
        member: context.query("member"),
        action: context.query("action"),
        since: moment("since")?,
        until: moment("until")?,
    })
}
