//! `POST /api/v1/claim`: the member's claimed key. `app::claim` has the steps.

use serde::Deserialize;

use crate::app::claim::{self, Claimed};
use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::http::api::key_answer;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// A member who has not accepted the terms in force accepts them with the claim.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ClaimRequest {
    /// The revision of the terms that the member accepts with this claim: the one in force. It is needed while no
    /// acceptance is on record.
    accept_terms: Option<i64>,
    /// The id of the workspace in which the key is made. It is needed while several are enabled.
    workspace_id: Option<String>,
}

/// Whether a request accepts the terms of this revision. Those of another revision are other terms, and are refused.
pub fn accepts_terms(revision: Option<i64>) -> Result<bool, Error> {
    match revision {
        None => Ok(false),
        Some(REVISION) => Ok(true),
        Some(_) => Err(Error::TermsChanged),
    }
}

/// Answers 201 with the secret, or 200 with the existing key.
pub async fn claim_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: ClaimRequest = context.json()?;
    let accepts_terms = accepts_terms(wanted.accept_terms)?;
    let workspace = workspace(wanted.workspace_id.as_deref())?;
    let (app, taking) = (&*context.app, context.taking.clone());
    let claimed = claim::claim(app, session, taking, accepts_terms, workspace).await?;
    answer(claimed, app.now())
}

/// Reads the id of the workspace that a request for a key names. Whether it is enabled is decided with the other gates.
pub fn workspace(id: Option<&str>) -> Result<Option<PublicId>, Error> {
    let read = |id| PublicId::parse(IdKind::Workspace, id).ok_or(claim::NOT_OFFERED);
    id.map(read).transpose()
}

/// Answers with the key, and with the secret of a key that was made just now.
pub fn answer(claimed: Claimed, now: Timestamp) -> Result<Reply, Error> {
    match claimed {
        Claimed::New { card, secret } => key_answer::new_secret(card, secret, now),
        Claimed::Existing(card) => key_answer::without_secret(200, card, None, now),
    }
}
