//! `GET /api/v1/workspaces`: where a member may have a new key made.

use serde::Serialize;

use crate::app::error::Error;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::ops::workspaces::{self, WorkspaceName};
use crate::store::query::rows_of;

/// The workspaces in which I may have a key made, at most 100, the default one first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct WorkspacesBody {
    workspaces: Vec<WorkspaceName>,
}

/// Answers 200 with the enabled workspaces that the plan offers.
pub async fn list_workspaces(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let read = vec![workspaces::offered(
        &session,
        app.config.default_workspace(),
    )];
    let (_, rows) = members::signed_in(&*app.db, &session, read).await?;
    let workspaces = workspaces::read_offered(rows_of(&rows, 0)?)?;
    Reply::json(200, &WorkspacesBody { workspaces })
}
