//! `/api/v1/admin/settings`: the deployment's switches. Stopping minting takes effect at once, in every isolate.
//! Disabling all keys is written down at once, and the sweep carries it out, key by key, until all are disabled.

use serde::Deserialize;

use crate::app::error::{Confirmed, Error};
use crate::app::run::QueuedWork;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::policy::switches::{Claims, KeysSwitch, Minting};
use crate::http::server::body::Patch;
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::ops::alarms;
use crate::store::ops::origin;
use crate::store::ops::settings::{self, SettingsOutcome};

/// Answers 200 with the settings.
pub async fn show_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![settings::settings()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    Reply::json(200, &settings::read_settings(&rows)?)
}

/// One switch per request. A request that disables all keys has to confirm how many there are; a request that ends all
/// sessions has to confirm the epoch that is shown.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct SettingsRequest {
    minting: Patch<Minting>,
    keys: Patch<KeysSwitch>,
    confirm: Patch<i64>,
    instance: Patch<InstanceWord>,
    claims: Patch<Claims>,
    upstream_terms: Patch<ConfirmWord>,
    restore: Patch<AcceptWord>,
    account: Patch<AcceptWord>,
    sessions: Patch<EndWord>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum InstanceWord {
    TakeOver,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum ConfirmWord {
    Confirmed,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum AcceptWord {
    Accept,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum EndWord {
    End,
}

#[derive(Clone, Copy)]
enum SettingChange {
    Minting(Minting),
    KeysOff { confirmed: i64 },
    KeysOn,
    TakeOver,
    Claims(Claims),
    ConfirmUpstreamTerms,
    AcceptRestore,
    AcceptAccount,
    EndSessions { confirmed: i64 },
}

impl SettingsRequest {
    /// Returns the change, if the request names exactly one switch.
    fn wanted(&self) -> Result<SettingChange, Error> {
        let keys = match self.keys.0 {
            None => None,
            Some(KeysSwitch::On) => Some(SettingChange::KeysOn),
            Some(KeysSwitch::Off) => {
                let confirmed = self.confirmed()?;
                Some(SettingChange::KeysOff { confirmed })
            }
        };
        let sessions = match self.sessions.0 {
            None => None,
            Some(EndWord::End) => {
                let confirmed = self.confirmed()?;
                Some(SettingChange::EndSessions { confirmed })
            }
        };
        let switches = [
            self.minting.0.map(SettingChange::Minting),
            keys,
            (self.instance.0).map(|InstanceWord::TakeOver| SettingChange::TakeOver),
            self.claims.0.map(SettingChange::Claims),
            (self.upstream_terms.0)
                .map(|ConfirmWord::Confirmed| SettingChange::ConfirmUpstreamTerms),
            (self.restore.0).map(|AcceptWord::Accept| SettingChange::AcceptRestore),
            (self.account.0).map(|AcceptWord::Accept| SettingChange::AcceptAccount),
            sessions,
        ];
        let mut named = switches.into_iter().flatten();
        let (Some(change), None) = (named.next(), named.next()) else {
            return Err(Error::malformed("", "must name exactly one switch"));
        };
        match change {
            SettingChange::KeysOff { .. } | SettingChange::EndSessions { .. } => Ok(change),
            _ if self.confirm.0.is_none() => Ok(change),
            _ => Err(Error::malformed("/confirm", "is not for this switch")),
        }
    }

    /// The number that the request confirms.
    fn confirmed(&self) -> Result<i64, Error> {
        let confirmed = self.confirm.0;
        confirmed.ok_or(Error::malformed("/confirm", "is required for this switch"))
    }
}

/// Answers 200 with the settings as they are after the change.
pub async fn change_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted = context.json::<SettingsRequest>()?.wanted()?;
    let app = &*context.app;
    let (db, now) = (&*app.db, app.now());
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let switched = match wanted {
        SettingChange::Minting(minting) => {
            settings::switch_minting(db, &session, &change, minting, now).await?
        }
        SettingChange::KeysOff { confirmed } => {
            settings::keys_off(db, &session, &change, confirmed, now).await?
        }
        SettingChange::KeysOn => settings::keys_on(db, &session, &change, now).await?,
        SettingChange::TakeOver => {
            let origin = app.config.public_origin.as_str();
            origin::take_over(db, &session, &change, origin, now).await?
        }
        SettingChange::Claims(claims) => {
            settings::switch_claims(db, &session, &change, claims, now).await?
        }
        SettingChange::ConfirmUpstreamTerms => {
            settings::confirm_upstream_terms(db, &session, &change, now).await?
        }
        SettingChange::AcceptRestore => alarms::accept_restore(db, &session, &change, now).await?,
        SettingChange::AcceptAccount => alarms::accept_account(db, &session, &change, now).await?,
        SettingChange::EndSessions { confirmed } => {
            settings::end_sessions(db, &session, &change, confirmed, now).await?
        }
    };
    let is_done = matches!(switched, SettingsOutcome::Done(_));
    let of_keys = matches!(
        wanted,
        SettingChange::KeysOff { .. } | SettingChange::KeysOn
    );
    if is_done && of_keys {
        let actor = session.member.clone();
        let closure = QueuedWork::Closure { actor };
        app.queued_work.borrow_mut().push(closure);
    }
    // This isolate answers with the new state at once, and the others within a minute.
    app.health_cache.set(None);
    match (switched, wanted) {
        // The administrator's own session has ended, too.
        (SettingsOutcome::Done(after), SettingChange::EndSessions { .. }) => {
            let cleared = cookies::clear(cookies::SESSION);
            Ok(Reply::json(200, &after)?.header("set-cookie", cleared))
        }
        (SettingsOutcome::Done(after), _) => Reply::json(200, &after),
        (SettingsOutcome::Refused(is), SettingChange::KeysOff { confirmed })
            if is.live_keys > confirmed =>
        {
            Err(Error::ConfirmationMismatch {
                named: Confirmed::LiveKeys,
                is: is.live_keys,
            })
        }
        (SettingsOutcome::Refused(is), SettingChange::EndSessions { confirmed })
            if is.session_epoch != confirmed =>
        {
            Err(Error::ConfirmationMismatch {
                named: Confirmed::SessionEpoch,
                is: is.session_epoch,
            })
        }
        (SettingsOutcome::Refused(_), _) => Err(Error::SignInRequired),
    }
}
