//! `/api/v1/admin/findings`: OpenRouter keys that carry our marker and have no row. An administrator looks at each and
//! acknowledges it.

use serde::Deserialize;
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

/// Answers 200 with a page of findings.
pub async fn list_findings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![findings::page(context.after(IdKind::Finding)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut found = findings::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut found, PAGE_ROWS, id_of);
    Reply::json(200, &json!({ "findings": found, "next": next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgeRequest {
    acknowledged: bool,
}

/// Answers 200 with the finding, also if it was acknowledged before. It is reported no more, unless it is found enabled
/// again.
pub async fn acknowledge_finding(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let AcknowledgeRequest { acknowledged } = context.json()?;
    if !acknowledged {
        return Err(Error::malformed("/acknowledged", "must be true"));
    }
    let id = context.last_segment();
    let finding = PublicId::parse(IdKind::Finding, id).ok_or(Error::NotFound)?;
    let app = &*context.app;
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let known = findings::acknowledge(&*app.db, &session, &finding, &change, app.now()).await?;
    Reply::json(200, &json!({ "finding": known.ok_or(Error::NotFound)? }))
}
