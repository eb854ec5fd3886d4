//! A member's own data: to export, and to have erased.

use serde::Deserialize;

use crate::app::error::Error;
use crate::app::membership;
use crate::http::api::cursor;
use crate::http::auth::signed_out;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::members::export as store_export;
use crate::store::members::export::ExportPosition;

/// `GET /api/v1/me/export`: everything that is stored about the member, in pages, each in one round trip. `after` is
/// what the page before named as `next`.
pub async fn export(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let name = format!("export {}", session.member);
    let from = cursor::opened(&context, &name)?;
    let from = from.unwrap_or_else(ExportPosition::first);
    let (_, rows) =
        members::signed_in(&*app.db, &session, store_export::page(&session, &from)).await?;
    let (mut page, next) = store_export::read_page(&rows, &from)?;
    let next = next
        .map(|next| cursor::sealed(app, &name, &next))
        .transpose()?;
    page.next = next;
    let file = String::from("attachment; filename=\"keycap-export.json\"");
    Ok(Reply::json(200, &page)?.header("content-disposition", file))
}

/// The member confirms with their own login.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct LeaveRequest {
    /// The member's own login, exactly as it is shown.
    confirm: String,
}

/// `DELETE /api/v1/me`: ends everything of the member's and erases who they are. Answers 204, or 202 while OpenRouter
/// has not confirmed that their keys are disabled.
pub async fn leave(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let LeaveRequest { confirm } = context.json()?;
    let is_off = membership::leave(&context.app, &session, &confirm).await?;
    let reply = Reply::empty(if is_off { 204 } else { 202 });
    Ok(reply.cookies(signed_out(&context)))
}
