//! `/api/v1/notices`: what the member is told on every page until they have read it, on whatever device.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::domain::people::notice::READ_AT_ONCE;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::members;
use crate::store::members::notices::{self, Notice};

/// The member's notices of the last sixty days, the latest first, at most fifty.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NoticesBody {
    notices: Vec<Notice>,
}

/// Notices that the member has read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NoticesReadRequest {
    /// Their ids, at most fifty. An id that is none of the member's notices changes nothing.
    ids: Vec<String>,
}

/// Answers 200 with the member's notices.
pub async fn list_notices(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![notices::list(&session, context.app.now())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let notices = notices::read_list(rows.first().unwrap_or(&Rows::new()))?;
    Reply::json(200, &NoticesBody { notices })
}

/// Answers 200 with the member's notices, after these were marked as read.
pub async fn mark_read(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let NoticesReadRequest { ids } = context.json()?;
    if ids.is_empty() || ids.len() > READ_AT_ONCE {
        return Err(Error::bad_member("/ids", "must name 1 to 50 notices"));
    }
    let ids = serde_json::to_string(&ids).map_err(|_| Error::Internal)?;
    let app = &*context.app;
    let notices = notices::mark_read(&*app.db, &session, &ids, app.now()).await?;
    Reply::json(200, &NoticesBody { notices })
}
