//! `/api/v1/provider-keys`: what is on record of the keys that billing providers made for a member. keycap has neither their
//! secrets nor any way to disable them; it can only forget them.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::key_name::key_name;
use crate::http::api::projects;
use crate::http::server::body::{NoMembers, Patch};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::handoffs::linked::{self, ProviderKey, ProviderKeyChange, UnknownHandoff};

/// The member's keys at billing providers, newest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderKeysBody {
    keys: Vec<ProviderKey>,
    /// Sign-ins of the last thirty days of which it is not known whether they made a key.
    unknown: Vec<UnknownHandoff>,
}

/// A key at a billing provider.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OneProviderKeyBody {
    key: ProviderKey,
}

/// The request has at least one of these members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderKeyRequest {
    /// 1 to 64 characters; `null` for none.
    #[serde(default)]
    label: Patch<Option<String>>,
    /// The id of a project of the member, or a name; `null` for none.
    #[serde(default)]
    project: Patch<Option<String>>,
}

/// Answers 200 with the member's keys.
pub async fn list(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let (keys, unknown) = linked::list(&*context.app.db, &session).await?;
    Reply::json(200, &ProviderKeysBody { keys, unknown })
}

fn named(context: &Context) -> Result<PublicId, Error> {
    PublicId::parse(IdKind::ProviderKey, context.last_segment()).ok_or(Error::NotFound)
}

/// Answers 200 with the key as it is then.
pub async fn change(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let ProviderKeyRequest {
        label: Patch(label),
        project: Patch(project),
    } = context.json()?;
    if label.is_none() && project.is_none() {
        return Err(Error::bad_member("", "must have label, project or both"));
    }
    let key = named(&context)?;
    let label = match label {
        Some(Some(text)) => Some(Some(key_name(&text).map_err(|_| {
            let detail = "must have 1 to 64 characters, and at least one that can be seen";
            Error::bad_member("/label", detail)
        })?)),
        other => other,
    };
    let project = match project {
        Some(Some(choice)) => Some(Some(
            projects::chosen(&context, &session, &choice).await?.id,
        )),
        other => other,
    };
    let wanted = ProviderKeyChange {
        label: label.as_ref().map(Option::as_deref),
        project: project.as_ref().map(Option::as_deref),
    };
    let (change, now) = (context.id(IdKind::Change, "")?, context.app.now());
    let changed = linked::change(&*context.app.db, &session, &change, &key, &wanted, now).await?;
    let key = changed.ok_or(Error::NotFound)?;
    let is_as_wanted = wanted
        .label
        .is_none_or(|label| key.label.as_deref() == label)
        && wanted
            .project
            .is_none_or(|project| key.project.as_ref().map(|of| of.id.as_str()) == project);
    if !is_as_wanted {
        return Err(Error::daily_quota(now));
    }
    Reply::json(200, &OneProviderKeyBody { key })
}

/// Answers 204 once the key is forgotten. It goes on working at the provider until its owner ends it there.
pub async fn unlink(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let key = named(&context)?;
    let (change, now) = (context.id(IdKind::Change, "")?, context.app.now());
    match linked::unlink(&*context.app.db, &session, &change, &key, now).await? {
        true => Ok(Reply::no_content()),
        false => Err(Error::NotFound),
    }
}
