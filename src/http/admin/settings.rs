//! `/api/v1/admin/settings`: the deployment's switches. Stopping minting takes effect at once, in every isolate.
//! Disabling all keys is written down at once, and the sweep carries it out, key by key, until all are disabled.

use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::ops::alarms;
use crate::store::ops::settings::{self, Claims, Minting, SettingsOutcome};

/// Answers 200 with the settings.
pub async fn show_settings(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![settings::settings()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    Reply::json(200, &settings::read_settings(&rows)?)
}

body! {
    /// One switch per request. A request that disables all keys has to confirm how many there are; a request that ends
    /// all sessions has to confirm the epoch that is shown.
    struct SettingsRequest {
        minting: Option<String>,
        keys: Option<String>,
        confirm: Option<i64>,
        instance: Option<String>,
        claims: Option<String>,
        upstream_terms: Option<String>,
        restore: Option<String>,
        account: Option<String>,
        sessions: Option<String>,
    }
}

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
    /// Returns the change, if the request names exactly one switch in exactly its words.
    fn wanted(&self) -> Result<SettingChange, Error> {
        let switches = [
            ("minting", self.minting.as_deref()),
            ("keys", self.keys.as_deref()),
            ("instance", self.instance.as_deref()),
            ("claims", self.claims.as_deref()),
            ("upstream_terms", self.upstream_terms.as_deref()),
            ("restore", self.restore.as_deref()),
            ("account", self.account.as_deref()),
            ("sessions", self.sessions.as_deref()),
        ];
        let mut said = switches
            .into_iter()
            .filter_map(|(switch, word)| Some((switch, word?)));
        match (said.next(), said.next(), self.confirm) {
            (Some(("minting", "open")), None, None) => Ok(SettingChange::Minting(Minting::Open)),
            (Some(("minting", "stopped")), None, None) => {
                Ok(SettingChange::Minting(Minting::Stopped))
            }
            (Some(("keys", "off")), None, Some(confirmed)) => {
                Ok(SettingChange::KeysOff { confirmed })
            }
            (Some(("keys", "on")), None, None) => Ok(SettingChange::KeysOn),
            (Some(("instance", "take_over")), None, None) => Ok(SettingChange::TakeOver),
            (Some(("claims", "open")), None, None) => Ok(SettingChange::Claims(Claims::Open)),
            (Some(("claims", "by_approval")), None, None) => {
                Ok(SettingChange::Claims(Claims::ByApproval))
            }
            (Some(("upstream_terms", "confirmed")), None, None) => {
                Ok(SettingChange::ConfirmUpstreamTerms)
            }
            (Some(("restore", "accept")), None, None) => Ok(SettingChange::AcceptRestore),
            (Some(("account", "accept")), None, None) => Ok(SettingChange::AcceptAccount),
            (Some(("sessions", "end")), None, Some(confirmed)) => {
                Ok(SettingChange::EndSessions { confirmed })
            }
            _ => Err(Error::MalformedJson),
        }
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
            settings::take_over(db, &session, &change, origin, now).await?
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
                named: "live_keys",
                is: is.live_keys,
            })
        }
        (SettingsOutcome::Refused(is), SettingChange::EndSessions { confirmed })
            if is.session_epoch != confirmed =>
        {
            Err(Error::ConfirmationMismatch {
                named: "session_epoch",
                is: is.session_epoch,
            })
        }
        (SettingsOutcome::Refused(_), _) => Err(Error::SignInRequired),
    }
}
