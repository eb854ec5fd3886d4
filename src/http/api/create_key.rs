//! Keys in addition to the claimed one: `POST /api/v1/keys` makes another one as far as the plan allows. Owners also
//! say what they prefer for the keys that they have.

use serde::Deserialize;

use crate::app::claim;
use crate::app::error::Error;
use crate::app::keys::Carried;
use crate::app::sync::limit;
use crate::domain::key::key_name::key_name;
use crate::domain::policy::quota::{OWN_LIMITS_A_DAY, PREFERENCES_A_DAY};
use crate::http::admin::plans::{amount, change};
use crate::http::api::claim::{answer, workspace};
use crate::http::api::{keys, projects};
use crate::http::server::body::{NoMembers, Nullable};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::access::quotas;
use crate::store::budget::allowances::{self, OwnerLookup};
use crate::store::budget::preferences::{self, Preference};
use crate::store::keys::attempt::NewKey;
use crate::store::keys::cards::CardProject;
use crate::store::members::projects::Project;

/// A further key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct CreateKeyRequest {
    /// 1 to 64 characters. The name stays here and is no part of the key's name at OpenRouter.
    name: String,
    /// A lower limit than the plan gives, in USD, with at most two decimals.
    limit_usd: Option<String>,
    /// The id of a project of the caller's, or a name; a project of this name is created if there is none.
    project: Option<String>,
    /// The id of the workspace in which the key is made. It is needed while several are enabled.
    workspace_id: Option<String>,
}

/// Answers 201 with the secret.
pub async fn create_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let CreateKeyRequest {
        name,
        limit_usd,
        project,
        workspace_id,
    } = context.json()?;
    let workspace = workspace(workspace_id.as_deref())?;
    let name = key_name(&name).map_err(|_| keys::BAD_NAME)?;
    let own_limit = limit_usd.as_deref();
    let own_limit = own_limit.map(|text| amount("/limit_usd", text));
    let own_limit = own_limit.transpose()?;
    let project = match project {
        Some(choice) => Some(projects::chosen(&context, &session, &choice).await?),
        None => None,
    };
    let new = NewKey {
        name,
        own_limit,
        project: project.map(|Project { id, name, .. }| CardProject { id, name }),
    };
    let made = claim::create(
        &context.app,
        session,
        context.taking.clone(),
        new,
        workspace,
    )
    .await?;
    answer(made, context.app.now())
}

/// A limit of the owner's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OwnLimitRequest {
    /// At most what the plan gives, in USD, with at most two decimals. `null` removes the limit.
    limit_usd: Nullable<String>,
}

/// Answers 200 with the key; 202 while its limit, or that of another key of the owner, still has to follow with the
/// next sweep.
pub async fn limit_key(context: Context) -> Result<Reply, Error> {
    let OwnLimitRequest { limit_usd } = context.json()?;
    let limit = limit_usd.0.as_deref();
    let limit = limit.map(|text| amount("/limit_usd", text)).transpose()?;
    prefer(&context, &Preference::Limit(limit)).await
}

/// Answers 200 with the key: it stays enabled if the plan allows fewer keys than there are.
pub async fn prefer_key(context: Context) -> Result<Reply, Error> {
    let _: NoMembers = context.json()?;
    prefer(&context, &Preference::Stays).await
}

async fn prefer(context: &Context, preference: &Preference) -> Result<Reply, Error> {
    let session = context.member()?;
    let (app, key) = (&*context.app, context.segment_before_last());
    let card = keys::own(context, &session, key).await?;
    if card.ended {
        return Err(Error::KeyEnded);
    }
    let owner = allowances::owner(&*app.db, OwnerLookup::Key(key)).await?;
    let owner = owner.ok_or(Error::NotFound)?.owner;
    let by = change(context, &session)?;
    if !preferences::prefer(&*app.db, &by, key, owner, preference).await? {
        let today = quotas::today(&*app.db, &session.member, by.now).await?;
        if today.pause_until > by.now {
            return Err(claim::busy_until(today.pause_until, by.now));
        }
        return Err(match preference {
            Preference::Limit(_) if today.own_limits >= OWN_LIMITS_A_DAY => {
                Error::daily_quota(by.now)
            }
            Preference::Stays if today.preferences >= PREFERENCES_A_DAY => {
                Error::daily_quota(by.now)
            }
            Preference::Limit(_) => {
                Error::bad_member("/limit_usd", "must not be above what the plan gives")
            }
            Preference::Stays => Error::KeyEnded,
        });
    }
    let left = limit::follow_owner(app, owner, session.member.as_str()).await;
    let card = keys::own(context, &session, key).await?;
    let confirmed = left == 0;
    keys::carried_out(context, Carried { card, confirmed })
}
