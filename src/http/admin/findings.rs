//! `/api/v1/admin/findings`: upstream keys with our marker and without a row. An admin looks at each, and says so.

use serde_json::json;

use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::{cut_to_page, id_of};
use crate::ports::Rows;
use crate::store::members;
use crate::store::ops::findings::{self, PAGE_ROWS};

pub async fn list_findings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![findings::page(context.after(IdKind::Finding)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut found = findings::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut found, PAGE_ROWS, id_of);
    Reply::json(200, &json!({ "findings": found, "next": next }))
}

body! {
    struct Change {
        acknowledged: bool,
    }
}

/// 200 with the finding, also where it was acknowledged before: it is told no more, unless it is found enabled again.
pub async fn acknowledge_finding(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let Change { acknowledged } = context.json()?;
    if !acknowledged {
        return Err(Error::MalformedJson);
    }
    let id = context.last_segment();
    let finding = PublicId::parse(IdKind::Finding, id).ok_or(Error::NotFound)?;
    let app = &*context.app;
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let known = findings::acknowledge(&*app.db, &session, &finding, &change, app.now()).await?;
    Reply::json(200, &json!({ "finding": known.ok_or(Error::NotFound)? }))
}
