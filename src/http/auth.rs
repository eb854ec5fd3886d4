//! Signing in with GitHub, and out again (A9).
//!
//! Starting writes nothing: state and PKCE verifier travel sealed in a cookie of this one attempt. The callback opens
//! it, burns the state in the batch that makes the member, and forgets GitHub's token.

use serde::Serialize;
use subtle::ConstantTimeEq;

use super::body::NoMembers;
use super::{Body, Context, Reply, cookies};
use crate::app::App;
use crate::crypto::keyring::Purpose;
use crate::crypto::session::{self, SESSION_SECS, Session};
use crate::crypto::{left, random, seal, sha256_hex};
use crate::domain::id::Kind;
use crate::domain::identity::Identity;
use crate::domain::target::ReturnTarget;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::store::members::{self, SignIn, SignedIn};
use crate::upstream::github::{self, Failed};

/// How long a person may take at GitHub, in seconds.
const ATTEMPT_SECS: i64 = 600;
/// Where GitHub sends the browser back to; registered exactly like this.
const CALLBACK: &str = "/auth/github/callback";

from_json! {
    /// What one attempt needs to come back to, sealed in its cookie.
    #[derive(Serialize)]
    struct Pending {
        state: String,
        verifier: String,
        next: String,
        expires_at: i64,
    }
}

/// Why a sign-in came back without a session, as the start page tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    State,
    NotConfigured,
    Storage,
    Blocked,
    GitHub(Failed),
}

impl Refused {
    const fn code(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::NotConfigured => "not_configured",
            Self::Storage => "storage_unavailable",
            Self::Blocked => "blocked",
            Self::GitHub(failed) => failed.code(),
        }
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        Self::GitHub(failed)
    }
}

/// `GET /auth/github?next=keys`: on to GitHub.
pub async fn start_github(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let key = app.config.keyring.newest(Purpose::SignInAttempt);
    let (Some(oauth), Some(key), true) = (&app.config.github, key, app.config.sign_in_configured())
    else {
        return Ok(refused(Refused::NotConfigured));
    };
    let suffix = hex::encode(random::bytes::<4>(&*app.random)?);
    let pending = Pending {
        state: format!("{suffix}.{}", random::token(&*app.random)?),
        verifier: random::token(&*app.random)?,
        next: ReturnTarget::from_name(context.query("next").as_deref())
            .name()
            .to_owned(),
        expires_at: app.now().plus(ATTEMPT_SECS).secs(),
    };
    let plain = serde_json::to_vec(&pending).map_err(|_| Error::Internal)?;
    let name = cookies::attempt_name(&suffix);
    let sealed = seal::seal(key, &name, &plain, &*app.random)?;
    let callback = callback(app);
    let url = github::authorize_url(app, oauth, &callback, &pending.state, &pending.verifier)
        .ok_or(Error::Internal)?;
    let reply = Reply::redirect(302, url.as_str());
    Ok(reply.header("set-cookie", cookies::set(&name, &sealed, ATTEMPT_SECS)))
}

/// `GET /auth/github/callback`: back from GitHub. The attempt's cookie is cleared whatever comes of it (S4-05).
pub async fn finish_github(context: Context) -> Result<Reply, Error> {
    let state = context.query("state").unwrap_or_default();
    let suffix = state.split('.').next().unwrap_or_default();
    let known = suffix.len() == 8 && suffix.bytes().all(|b| b.is_ascii_hexdigit());
    let reply = match finish(&context, &state, suffix).await {
        Ok((session, target)) => {
            let token = signed(&context.app, &session).ok_or(Error::Internal)?;
            let cookie = cookies::set(cookies::SESSION, &token, SESSION_SECS);
            Reply::redirect(303, target.path()).header("set-cookie", cookie)
        }
        Err(why) => {
            let reason = why.code();
            context.app.note(
                "info",
                "sign_in_refused",
                serde_json::json!({ "reason": reason }),
            );
            refused(why)
        }
    };
    Ok(if known {
        reply.header("set-cookie", cookies::clear(&cookies::attempt_name(suffix)))
    } else {
        reply
    })
}

async fn finish(
    context: &Context,
    state: &str,
    suffix: &str,
) -> Result<(Session, ReturnTarget), Refused> {
    let app = &*context.app;
    let oauth = app.config.github.as_ref().ok_or(Refused::NotConfigured)?;
    let pending = opened(context, state, suffix).ok_or(Refused::State)?;
    if let Some(error) = context.query("error") {
        return Err(Failed::from_github(&error).into());
    }
    let code = context.query("code").ok_or(Refused::State)?;
    let callback = callback(app);
    let token = github::exchange(app, oauth, &callback, &code, &pending.verifier).await?;
    let identity = github::identify(app, &token).await;
    // Used once and dropped, whatever it said (S4-03).
    github::revoke(app, oauth, &token).await;
    drop(token);
    let session = enter(app, &identity?, state).await?;
    Ok((session, ReturnTarget::from_name(Some(&pending.next))))
}

/// The attempt that this state belongs to, from this browser's own cookie.
fn opened(context: &Context, state: &str, suffix: &str) -> Option<Pending> {
    let name = cookies::attempt_name(suffix);
    let sealed = cookies::value(context.cookies.as_deref(), &name)?;
    let keys = context.app.config.keyring.keys(Purpose::SignInAttempt);
    let pending: Pending = crate::json::read(&seal::open(keys, &name, sealed)?)?;
    let same = bool::from(pending.state.as_bytes().ct_eq(state.as_bytes()));
    let current = context.app.now() < Timestamp::from_secs(pending.expires_at);
    (same && current).then_some(pending)
}

/// Burns the state and makes or refreshes the member, in one batch.
async fn enter(app: &App, identity: &Identity, state: &str) -> Result<Session, Refused> {
    let plan = app
        .config
        .plan_seed
        .as_ref()
        .ok_or(Refused::NotConfigured)?;
    let fresh = |kind| random::public_id(&*app.random, kind).map_err(|_| Refused::Storage);
    let now = app.now();
    let (keyring, provider) = (&app.config.keyring, identity.provider.name());
    let sign_in = SignIn {
        identity,
        left_as: left::subjects(keyring, provider, &identity.subject),
        member: fresh(Kind::Member)?,
        change: fresh(Kind::Change)?,
        state_sha256: sha256_hex(state.as_bytes()),
        state_expires_at: now.plus(ATTEMPT_SECS),
        public_origin: app.config.public_origin.as_str(),
        plan,
        now,
    };
    match members::sign_in(&*app.db, &sign_in).await {
        Ok(SignedIn::As(session)) => Ok(session),
        Ok(SignedIn::Replayed) => Err(Refused::State),
        Ok(SignedIn::NotActive(_)) => Err(Refused::Blocked),
        Err(_) => Err(Refused::Storage),
    }
}

/// `POST /auth/logout`: this browser's session ends. Works as a form without scripts (C15).
pub async fn sign_out(context: Context) -> Result<Reply, Error> {
    if context.body != Body::Empty {
        let _: NoMembers = context.json()?;
    }
    let reply = Reply::redirect(303, "/");
    Ok(reply.header("set-cookie", cookies::clear(cookies::SESSION)))
}

/// `POST /api/v1/me/sign-out-everywhere`: every session of the member ends, by raising the epoch.
pub async fn sign_out_everywhere(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let change = random::public_id(&*app.random, Kind::Change)?;
    if !members::end_sessions(&*app.db, &session, &change, app.now()).await? {
        return Err(Error::SignInRequired);
    }
    Ok(Reply::no_content().header("set-cookie", cookies::clear(cookies::SESSION)))
}

fn signed(app: &App, session: &Session) -> Option<String> {
    let key = app.config.keyring.newest(Purpose::Session)?;
    session::issue(key, session, app.now())
}

fn callback(app: &App) -> String {
    format!("{}{CALLBACK}", app.config.public_origin.as_str())
}

fn refused(why: Refused) -> Reply {
    Reply::redirect(303, &format!("/?auth_error={}", why.code()))
}
