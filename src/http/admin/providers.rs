//! `/api/v1/admin/providers`: which billing providers members may use, in which order, and what they read about them.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::domain::id::IdKind;
use crate::domain::people::text;
use crate::http::server::body::Patch;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::handoffs::providers::{self, ProviderChange, ProviderRow};
use crate::store::members;
use crate::store::query::rows_of;

/// The most characters of a name and of a text. The schema has the same numbers.
const NAME_CHARS: usize = 64;
const ABOUT_CHARS: usize = 300;

/// Every billing provider, in its place.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderRowsBody {
    providers: Vec<ProviderRow>,
}

/// A billing provider.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderRowBody {
    provider: ProviderRow,
}

/// What a change does not name stays as it is. It names at least one member.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderRequest {
    /// Whether members may begin a sign-in there. Disabling it ends those that are under way.
    enabled: Patch<bool>,
    /// 0 to 99.
    position: Patch<i64>,
    /// 1 to 64 characters.
    name: Patch<String>,
    /// 1 to 300 characters, which members read before they sign in there.
    about: Patch<String>,
}

/// Answers 200 with every provider.
pub async fn list_providers(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![providers::list()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let providers = providers::read_list(rows_of(&rows, 0)?)?;
    Reply::json(200, &ProviderRowsBody { providers })
}

fn line(pointer: &'static str, text: Option<String>, most: usize) -> Result<Option<String>, Error> {
    let line = text.map(|text| text::line(&text, most)).transpose();
    let detail = "must be one line that can be seen, and not too long";
    line.map_err(|_| Error::bad_member(pointer, detail))
}

/// Answers 200 with the provider as it is then.
pub async fn change_provider(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let asked: ProviderRequest = context.json()?;
    let wanted = ProviderChange {
        name: line("/name", asked.name.0, NAME_CHARS)?,
        about: line("/about", asked.about.0, ABOUT_CHARS)?,
        enabled: asked.enabled.0,
        position: asked.position.0,
    };
    if wanted
        .position
        .is_some_and(|place| !(0..=99).contains(&place))
    {
        return Err(Error::bad_member(
            "/position",
            "must be a number from 0 to 99",
        ));
    }
    if wanted.name.is_none()
        && wanted.about.is_none()
        && wanted.enabled.is_none()
        && wanted.position.is_none()
    {
        return Err(Error::bad_member("", "must have at least one member"));
    }
    let change = context.id(IdKind::Change, "")?;
    let (slug, now) = (context.last_segment(), context.app.now());
    let changed =
        providers::change(&*context.app.db, &session, &change, slug, &wanted, now).await?;
    let provider = changed.ok_or(Error::NotFound)?;
    Reply::json(200, &ProviderRowBody { provider })
}
