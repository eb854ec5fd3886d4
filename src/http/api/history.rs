//! The history of a key, and of the account: what has happened, newest first, page by page, each page in one round
//! trip.

use serde::Serialize;

use crate::app::error::Error;
use crate::domain::people::session::Session;
use crate::http::api::cursor;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::members;
use crate::store::members::history::{self, HistoryEntry, HistoryPage, HistoryPosition};

/// A page of at most fifty events, newest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HistoryBody {
    events: Vec<HistoryEntry>,
    /// What `after` has to be for the next page. It is null at the end.
    next: Option<String>,
}

/// What the positions of a member's history are sealed as.
fn seal_name(session: &Session) -> String {
    format!("history {}", session.member)
}

fn from(context: &Context, session: &Session) -> Result<HistoryPosition, Error> {
    let from = cursor::opened(context, &seal_name(session))?;
    Ok(from.unwrap_or(HistoryPosition::first()))
}

fn answer(context: &Context, session: &Session, page: HistoryPage) -> Result<Reply, Error> {
    let (events, next) = page;
    let next = next.map(|next| cursor::sealed(&context.app, &seal_name(session), &next));
    let next = next.transpose()?;
    Reply::json(200, &HistoryBody { events, next })
}

/// Answers 200 with a page of the history of a key of the member's, also of one that has ended.
pub async fn of_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let from = from(&context, &session)?;
    let read = history::of_key(&session, context.segment_before_last(), from);
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let page = history::read_of_key(&rows)?.ok_or(Error::NotFound)?;
    answer(&context, &session, page)
}

/// Answers 200 with a page of the history of the account and of all its keys.
pub async fn of_account(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let from = from(&context, &session)?;
    let read = vec![history::of_account(&session, from)];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let page = history::page(rows.first().unwrap_or(&Rows::new()))?;
    answer(&context, &session, page)
}
