//! `/api/v1/admin/workspaces`: in which workspaces of the account keys may be made.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::app::context::App;
use crate::app::error::{BodyError, Error};
use crate::app::workspaces as account;
use crate::domain::id::IdKind;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::members::blocks::AdminActor;
use crate::store::ops::workspaces::{
    self, COUNTED_UP_TO, MOST, NewWorkspace, ShutPlan, Stored, StoredWorkspace, UnreadWorkspace,
};
use crate::upstream::openrouter::workspaces::{Listing, list};
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// The workspaces of the account, with whether keys may be made in them.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AccountWorkspacesBody {
    /// First those that OpenRouter lists, in its order, and then those that it does not list.
    workspaces: Vec<AccountWorkspace>,
    /// OpenRouter's list was read to its end. Otherwise workspaces may be missing here, and `at_openrouter` is `null`
    /// where it is not known.
    is_whole: bool,
    /// A count that reaches this number means "this many, or more".
    counted_up_to: i64,
    /// Plans that tie their keys to a workspace which is not enabled, so that no key is made under them.
    shut_plans: Vec<ShutPlan>,
    /// The workspaces whose keys the latest run could not read.
    workspaces_unread: Vec<UnreadWorkspace>,
}

/// A workspace of the account.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AccountWorkspace {
    /// OpenRouter's id.
    id: String,
    name: String,
    /// Keys may be made in it.
    enabled: bool,
    /// It is the one of `OPENROUTER_WORKSPACE_ID`: the first that members are offered.
    is_default: bool,
    /// OpenRouter has it; `null` if that could not be read.
    at_openrouter: Option<bool>,
    /// The live keys of ours in it; `null` for a workspace that was never enabled.
    live_keys: Option<i64>,
    /// Since when its keys could not be read.
    unread_since: Option<Timestamp>,
}

/// The set of enabled workspaces, as a whole. Keys in a workspace that is not enabled any more stay as they are, and no new
/// ones are made in it. With no workspace enabled, keys are made where their plan says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct WorkspacesRequest {
    /// OpenRouter's ids of at most 100 workspaces of the account, each once.
    workspace_ids: Vec<String>,
}

/// Answers 200 with the workspaces. If OpenRouter does not answer, these are the stored ones.
pub async fn list_workspaces(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let listing = match list(&app.upstream()).await {
        UpstreamReply::Is(listing) => listing,
        UpstreamReply::Missing | UpstreamReply::Refused(_) | UpstreamReply::Unknown => Listing {
            workspaces: Vec::new(),
            is_whole: false,
        },
    };
    answer(app, &session, listing).await
}

/// Answers 200 with the workspaces as they are then. An id that the account does not have is named, and changes nothing.
pub async fn choose_workspaces(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let WorkspacesRequest { workspace_ids } = context.json()?;
    let app = &*context.app;
    if workspace_ids.len() > MOST {
        return Err(Error::malformed(
            "/workspace_ids",
            "must be a list of at most 100",
        ));
    }
    let listing = match list(&app.upstream()).await {
        UpstreamReply::Is(listing) => listing,
        UpstreamReply::Refused(UpstreamRefusal::Credential) => {
            return Err(Error::CredentialRefused);
        }
        UpstreamReply::Missing | UpstreamReply::Refused(_) | UpstreamReply::Unknown => {
            return Err(Error::WorkspaceUnread);
        }
    };
    let mut wanted: Vec<NewWorkspace> = Vec::new();
    for (at, id) in workspace_ids.iter().enumerate() {
        let wrong = |detail| {
            Error::BadMember(BodyError {
                pointer: Cow::Owned(format!("/workspace_ids/{at}")),
                detail: Cow::Borrowed(detail),
            })
        };
        if wanted.iter().any(|known| known.upstream_id == *id) {
            return Err(wrong("is named twice"));
        }
        let Some(listed) = listing.workspaces.iter().find(|one| one.id == *id) else {
            // A list that broke off does not say that there is no such workspace.
            return Err(if listing.is_whole {
                wrong("must be a workspace that OpenRouter has in this account")
            } else {
                Error::WorkspaceUnread
            });
        };
        wanted.push(NewWorkspace {
            id: context.id(IdKind::Workspace, id)?.to_string(),
            upstream_id: id.clone(),
            name: account::name(listed),
        });
    }
    let by = AdminActor {
        session: &session,
        change: context.id(IdKind::Change, "")?,
        now: app.now(),
    };
    workspaces::replace(&*app.db, &by, &wanted).await?;
    account::refresh(app, &listing.workspaces).await?;
    answer(app, &session, listing).await
}

async fn answer(app: &App, session: &Session, listing: Listing) -> Result<Reply, Error> {
    let default = app.config.default_workspace();
    let stored = workspaces::stored(default).into();
    let (_, rows) = members::signed_in(&*app.db, session, stored).await?;
    let stored = workspaces::read_stored(&rows)?;
    Reply::json(200, &body(listing, stored, default))
}

fn body(listing: Listing, stored: Stored, default: Option<&str>) -> AccountWorkspacesBody {
    let Stored {
        workspaces,
        shut_plans,
        unread,
    } = stored;
    let mut known: HashMap<String, StoredWorkspace> = HashMap::new();
    let mut order = Vec::new();
    for one in workspaces {
        order.push(one.upstream_id.clone());
        known.insert(one.upstream_id.clone(), one);
    }
    let is_default = |id: &str| default == Some(id);
    let mut shown: Vec<AccountWorkspace> = Vec::new();
    for listed in &listing.workspaces {
        let stored = known.remove(&listed.id);
        let unread_since = (unread.iter())
            .find(|one| one.id.as_deref() == Some(&listed.id))
            .map(|one| one.since);
        shown.push(AccountWorkspace {
            id: listed.id.clone(),
            name: account::name(listed),
            enabled: stored.as_ref().is_some_and(|one| one.enabled),
            is_default: is_default(&listed.id),
            at_openrouter: Some(true),
            live_keys: stored.map(|one| one.live_keys),
            unread_since,
        });
    }
    let unlisted = order.iter().filter_map(|id| known.remove(id));
    shown.extend(unlisted.map(|one| AccountWorkspace {
        is_default: is_default(&one.upstream_id),
        id: one.upstream_id,
        name: one.name,
        enabled: one.enabled,
        at_openrouter: listing.is_whole.then_some(false),
        live_keys: Some(one.live_keys),
        unread_since: one.unread_since,
    }));
    AccountWorkspacesBody {
        workspaces: shown,
        is_whole: listing.is_whole,
        counted_up_to: COUNTED_UP_TO,
        shut_plans,
        workspaces_unread: unread,
    }
}
