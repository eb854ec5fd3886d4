//! `/api/v1/admin/settings`: the house's switches (S4-22). Stopping minting acts at once, in every isolate; putting every
//! key off is written down at once, and the sweep carries it out, key by key, until all are off.

use serde::Deserialize;

use super::{Context, Reply};
use crate::crypto::random;
use crate::domain::id::Kind;
use crate::error::Error;
use crate::store::members;
use crate::store::settings::{self, Minting, Switched};

pub async fn show_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![settings::settings()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    Reply::json(200, &settings::read_settings(&rows)?)
}

/// One switch a request. Putting every key off has to name how many that are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    minting: Option<String>,
    keys: Option<String>,
    confirm: Option<i64>,
    instance: Option<String>,
}

enum Wanted {
    Minting(Minting),
    KeysOff { confirmed: i64 },
    KeysOn,
    TakeOver,
}

impl Change {
    /// Exactly one of the switches, in exactly its words.
    fn wanted(&self) -> Result<Wanted, Error> {
        let (minting, keys) = (self.minting.as_deref(), self.keys.as_deref());
        match (minting, keys, self.confirm, self.instance.as_deref()) {
            (Some("open"), None, None, None) => Ok(Wanted::Minting(Minting::Open)),
            (Some("stopped"), None, None, None) => Ok(Wanted::Minting(Minting::Stopped)),
            (None, Some("off"), Some(confirmed), None) => Ok(Wanted::KeysOff { confirmed }),
            (None, Some("on"), None, None) => Ok(Wanted::KeysOn),
            (None, None, None, Some("take_over")) => Ok(Wanted::TakeOver),
            _ => Err(Error::MalformedJson),
        }
    }
}

pub async fn change_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted = context.json::<Change>()?.wanted()?;
    let app = &*context.app;
    let (db, now) = (&*app.db, app.now());
    let change = random::public_id(&*app.random, Kind::Change)?;
    let switched = match wanted {
        Wanted::Minting(minting) => {
            settings::switch_minting(db, &session, &change, minting, now).await?
        }
        Wanted::KeysOff { confirmed } => {
            settings::keys_off(db, &session, &change, confirmed, now).await?
        }
        Wanted::KeysOn => settings::keys_on(db, &session, &change, now).await?,
        Wanted::TakeOver => {
            let origin = app.config.public_origin.as_str();
            settings::take_over(db, &session, &change, origin, now).await?
        }
    };
    match (switched, wanted) {
        (Switched::Done(after), _) => Reply::json(200, &after),
        (Switched::Refused(is), Wanted::KeysOff { confirmed }) if is.live_keys > confirmed => {
            Err(Error::ConfirmationMismatch {
                live_keys: is.live_keys,
            })
        }
        (Switched::Refused(_), _) => Err(Error::SignInRequired),
    }
}
