//! `/api/v1/admin/departures`: what the directories say, and the lists of people who are gone. A list that is implausibly
//! long is held, and an administrator releases exactly that list or rejects it.

use serde::Serialize;

use crate::app::departures::decide;
use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::members::departures::{self, DepartingMember, DepartureList, ListDecision};
use crate::store::members::presences::{self, DirectoryRow};
use crate::store::query::rows_of;

/// A directory that members are compared with.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DirectoryBody {
    /// `google` or `github`.
    directory: String,
    /// When the last walk began that was believed, and how many people it listed. Null if there was none.
    good_at: Option<Timestamp>,
    people: i64,
    /// Since when no walk was believed, and why the last one was not. Null if the last one was.
    unknown_since: Option<Timestamp>,
    code: Option<String>,
}

impl From<DirectoryRow> for DirectoryBody {
    fn from(row: DirectoryRow) -> Self {
        Self {
            directory: row.provider,
            good_at: row.good_at,
            people: row.people,
            unknown_since: row.unknown_since,
            code: row.code,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeparturesBody {
    directories: Vec<DirectoryBody>,
    /// The newest twenty lists.
    lists: Vec<DepartureList>,
    /// The people of the lists that are held, at most 2,000.
    held: Vec<DepartingMember>,
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DepartureListBody {
    list: DepartureList,
}

/// Answers 200 with the directories and the lists.
pub async fn list_departures(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    Reply::json(200, &read(&context, &session).await?)
}

async fn read(context: &Context, session: &Session) -> Result<DeparturesBody, Error> {
    let [lists, people] = departures::shown();
    let stmts = vec![presences::directories(), lists, people];
    let (_, rows) = members::signed_in(&*context.app.db, session, stmts).await?;
    let directories = presences::read_directories(rows_of(&rows, 0)?)?;
    let (lists, held) = departures::read_shown(rows_of(&rows, 1)?, rows_of(&rows, 2)?)?;
    Ok(DeparturesBody {
        directories: directories.into_iter().map(DirectoryBody::from).collect(),
        lists,
        held,
    })
}

/// Releases a held list. Answers 202 with the list: its people are put out after the answer.
pub async fn release_departures(context: Context) -> Result<Reply, Error> {
    decided(context, ListDecision::Release, 202).await
}

/// Rejects a held list. Answers 200 with the list: nothing happens to its people, and each needs two days to be listed again.
pub async fn reject_departures(context: Context) -> Result<Reply, Error> {
    decided(context, ListDecision::Reject, 200).await
}

async fn decided(context: Context, decision: ListDecision, status: u16) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let id = context.segment_before_last();
    let list = PublicId::parse(IdKind::Departure, id).ok_or(Error::NotFound)?;
    let decided = decide(&context.app, &session, &list, decision).await?;
    let lists = read(&context, &session).await?.lists;
    let found = lists.into_iter().find(|one| one.id == list.as_str());
    match found {
        Some(list) if decided => Reply::json(status, &DepartureListBody { list }),
        Some(_) => Err(Error::ListNotHeld),
        None => Err(Error::NotFound),
    }
}
