//! `/api/v1/admin/settings`: the house's switches. Stopping minting acts at once, in every isolate (S4-22).

use serde::Deserialize;

use super::{Context, Reply};
use crate::crypto::random;
use crate::domain::id::Kind;
use crate::error::Error;
use crate::store::members;
use crate::store::settings::{self, Minting};

pub async fn show_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![settings::settings()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    Reply::json(200, &settings::read_settings(&rows)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    minting: Minting,
}

pub async fn change_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let Change { minting } = context.json()?;
    let app = &*context.app;
    let change = random::public_id(&*app.random, Kind::Change)?;
    let after = settings::switch_minting(&*app.db, &session, &change, minting, app.now()).await?;
    Reply::json(200, &after)
}
