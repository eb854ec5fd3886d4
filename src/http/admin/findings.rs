//! `/api/v1/admin/findings`: OpenRouter keys that carry our marker and have no row. An administrator looks at each and
//! acknowledges it.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::Rows;
use crate::store::members;
use crate::store::ops::findings::{self, Finding, PAGE_ROWS};

/// A page of findings, newest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct FindingsPage {
    findings: Vec<Finding>,
    next: Option<String>,
}

/// A finding.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct FindingBody {
    finding: Finding,
}

/// Answers 200 with a page of findings.
pub async fn list_findings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![findings::page(context.after(IdKind::Finding)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut findings = findings::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut findings, PAGE_ROWS, |one| Some(&one.id));
    Reply::json(200, &FindingsPage { findings, next })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AcknowledgeRequest {
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
    let finding = known.ok_or(Error::NotFound)?;
    Reply::json(200, &FindingBody { finding })
}
