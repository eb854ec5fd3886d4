//! A member's own data: to take along, and to have erased.

use super::auth::signed_out;
use super::{Context, Reply};
use crate::error::Error;
use crate::offboard;
use crate::ports::Rows;
use crate::store::{export, members};

/// `GET /api/v1/me/export`: everything that is kept about the member, in one round trip.
pub async fn export(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![export::own(&session)];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let reply = Reply::json(
        200,
        &export::read_own(rows.first().unwrap_or(&Rows::new()))?,
    )?;
    let file = String::from("attachment; filename=\"keycap-export.json\"");
    Ok(reply.header("content-disposition", file))
}

body! {
    /// The member's own login.
    struct Confirmation {
        confirm: String,
    }
}

/// `DELETE /api/v1/me`: everything of the member's ends, and who they are is erased (A16).
pub async fn leave(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let Confirmation { confirm } = context.json()?;
    offboard::leave(&context.app, &session, &confirm).await?;
    Ok(Reply::no_content().cookies(signed_out(&context)))
}
