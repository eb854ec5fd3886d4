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
#[serde(untagged, deny_unknown_fields)]
enum Change {
    Minting { minting: Minting },
    KeysOff { keys: OffWord, confirm: i64 },
    KeysOn { keys: OnWord },
    TakeOver { instance: TakeOverWord },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TakeOverWord {
    TakeOver,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OffWord {
    Off,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnWord {
    On,
}

pub async fn change_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: Change = context.json()?;
    let confirmed = match &wanted {
        Change::KeysOff { confirm, .. } => Some(*confirm),
        Change::Minting { .. } | Change::KeysOn { .. } | Change::TakeOver { .. } => None,
    };
    let app = &*context.app;
    let (db, now) = (&*app.db, app.now());
    let change = random::public_id(&*app.random, Kind::Change)?;
    let switched = match wanted {
        Change::Minting { minting } => {
            settings::switch_minting(db, &session, &change, minting, now).await?
        }
        Change::KeysOff {
            keys: OffWord::Off,
            confirm,
        } => settings::keys_off(db, &session, &change, confirm, now).await?,
        Change::TakeOver {
            instance: TakeOverWord::TakeOver,
        } => {
            let origin = app.config.public_origin.as_str();
            settings::take_over(db, &session, &change, origin, now).await?
        }
        Change::KeysOn { keys: OnWord::On } => {
            settings::keys_on(db, &session, &change, now).await?
        }
    };
    match (switched, confirmed) {
        (Switched::Done(after), _) => Reply::json(200, &after),
        (Switched::Refused(is), Some(confirmed)) if is.live_keys > confirmed => {
            Err(Error::ConfirmationMismatch {
                live_keys: is.live_keys,
            })
        }
        (Switched::Refused(_), _) => Err(Error::SignInRequired),
    }
}
