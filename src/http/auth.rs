//! Signing in with GitHub, and signing out.
//!
//! Starting a sign-in writes nothing (see `attempts`). The callback opens its attempt, uses up the state in the batch
//! that makes the member, and discards GitHub's token.

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::session::{self, SESSION_SECS};
use crate::crypto::{pseudonym, random, sha256_hex};
use crate::domain::id::IdKind;
use crate::domain::people::identity::Identity;
use crate::domain::people::session::Session;
use crate::domain::policy::return_target::ReturnTarget;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::message::Body;
use crate::http::server::reply::Reply;
use crate::http::server::{attempts, cookies};
use crate::store::members;
use crate::store::members::sign_in::{self, SignIn, SignedIn};
use crate::upstream::github::{self, Failed};

/// Where GitHub sends the browser back to; the OAuth app has exactly this path registered.
const CALLBACK: &str = "/auth/github/callback";

/// Why a sign-in came back without a session, as the start page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignInRefusal {
    State,
    NotConfigured,
    Storage,
    Blocked,
    GitHub(Failed),
}

impl SignInRefusal {
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

impl From<Failed> for SignInRefusal {
    fn from(failed: Failed) -> Self {
        Self::GitHub(failed)
    }
}

/// The value of `account` with which the caller asks for another account than the one that GitHub would choose.
const ANOTHER_ACCOUNT: &str = "another";

/// `GET /auth/github?next=keys`: redirects to GitHub. GitHub asks for the account if the caller wants another one, and
/// on the first start after a sign-out, since someone else may be signing in now.
pub async fn start_github(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let (Some(oauth), true) = (&app.config.github, app.config.sign_in_configured()) else {
        return Ok(refused(SignInRefusal::NotConfigured));
    };
    let next = ReturnTarget::from_name(context.query("next").as_deref());
    let Some((pending, lines)) = attempts::begin(&context, next)? else {
        return Ok(refused(SignInRefusal::NotConfigured));
    };
    let signed_out = cookies::value(context.cookies.as_deref(), cookies::SIGNED_OUT).is_some();
    let another = context.query("account").as_deref() == Some(ANOTHER_ACCOUNT);
    let ask = github::Authorization {
        callback: &callback(app),
        state: &pending.state,
        verifier: &pending.verifier,
        choose_account: signed_out || another,
    };
    let url = github::authorize_url(&app.upstream(), oauth, &ask).ok_or(Error::Internal)?;
    let reply = Reply::redirect(302, url.as_str()).cookies(lines);
    Ok(if signed_out {
        reply.cookies([cookies::clear(cookies::SIGNED_OUT)])
    } else {
        reply
    })
}

/// `GET /auth/github/callback`: the browser comes back from GitHub. The attempt's cookie is cleared, whether or not the
/// sign-in succeeds.
///
/// A browser may open this address again, from its history or its restored tabs. There is no attempt any more then, and
/// a caller who is signed in is redirected to where the sign-in led.
pub async fn finish_github(context: Context) -> Result<Reply, Error> {
    let state = context.query("state").unwrap_or_default();
    let why = match finish(&context, &state).await {
        Ok((session, target)) => {
            let token = signed(&context.app, &session).ok_or(Error::Internal)?;
            let cookie = cookies::set(cookies::SESSION, &token, SESSION_SECS);
            let over = attempts::end_all(context.cookies.as_deref());
            return Ok(Reply::redirect(303, path_of(&context.app, target))
                .cookies([cookie])
                .cookies(over));
        }
        Err(why) => why,
    };
    if why == SignInRefusal::State && is_signed_in(&context).await {
        let target = attempts::target_named_in(&state);
        return Ok(Reply::redirect(303, path_of(&context.app, target)));
    }
    context.app.note(
        "info",
        "sign_in_refused",
        serde_json::json!({ "reason": why.code() }),
    );
    Ok(refused(why).cookies(attempts::end_one(&state)))
}

fn path_of(app: &App, target: ReturnTarget) -> &'static str {
    target.path(app.config.keys_page)
}

/// Whether this browser has a current session. If the database does not answer, it has none.
async fn is_signed_in(context: &Context) -> bool {
    match &context.session {
        Some(session) => members::signed_in(&*context.app.db, session, Vec::new())
            .await
            .is_ok(),
        None => false,
    }
}

async fn finish(context: &Context, state: &str) -> Result<(Session, ReturnTarget), SignInRefusal> {
    let app = &*context.app;
    let oauth = app
        .config
        .github
        .as_ref()
        .ok_or(SignInRefusal::NotConfigured)?;
    let pending = attempts::of_state(context, state).ok_or(SignInRefusal::State)?;
    if let Some(error) = context.query("error") {
        return Err(Failed::from_github(&error).into());
    }
    let code = context.query("code").ok_or(SignInRefusal::State)?;
    let callback = callback(app);
    let token =
        github::exchange(&app.upstream(), oauth, &callback, &code, &pending.verifier).await?;
    let identity = github::identify(&app.upstream(), &token).await;
    // The token is used once and revoked, whatever GitHub answered.
    github::revoke(&app.upstream(), oauth, &token).await;
    drop(token);
    let session = enter(app, &identity?, state).await?;
    Ok((session, pending.target()))
}

/// Uses up the state and makes or refreshes the member, in one batch.
async fn enter(app: &App, identity: &Identity, state: &str) -> Result<Session, SignInRefusal> {
    let plan = app
        .config
        .plan_seed
        .as_ref()
        .ok_or(SignInRefusal::NotConfigured)?;
    let fresh = |kind| random::public_id(&*app.random, kind).map_err(|_| SignInRefusal::Storage);
    let now = app.now();
    let (keyring, provider) = (&app.keyring, identity.provider.name());
    let sign_in = SignIn {
        identity,
        left_as: pseudonym::subjects(keyring, provider, &identity.subject),
        new_member: fresh(IdKind::Member)?,
        change: fresh(IdKind::Change)?,
        state_sha256: sha256_hex(state.as_bytes()),
        state_expires_at: now.plus(attempts::ATTEMPT_SECS),
        public_origin: app.config.public_origin.as_str(),
        plan,
        now,
    };
    match sign_in::sign_in(&*app.db, &sign_in).await {
        Ok(SignedIn::As(session)) => Ok(session),
        Ok(SignedIn::Replayed) => Err(SignInRefusal::State),
        Ok(SignedIn::NotActive(_)) => Err(SignInRefusal::Blocked),
        Err(_) => Err(SignInRefusal::Storage),
    }
}

/// `POST /auth/logout`: ends this browser's session. It works as a form without scripts.
pub async fn sign_out(context: Context) -> Result<Reply, Error> {
    if context.body != Body::Empty {
        let _: NoMembers = context.json()?;
    }
    Ok(Reply::redirect(303, "/").cookies(signed_out(&context)))
}

/// `POST /api/v1/me/sign-out-everywhere`: ends every session of the member by raising the epoch.
pub async fn sign_out_everywhere(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let change = random::public_id(&*app.random, IdKind::Change)?;
    if !members::end_sessions(&*app.db, &session, &change, app.now()).await? {
        return Err(Error::SignInRequired);
    }
    Ok(Reply::no_content().cookies(signed_out(&context)))
}

/// Returns the cookies of a browser that signs out: no session, no attempt, and a note that the next start asks for the
/// account.
pub fn signed_out(context: &Context) -> Vec<String> {
    let mut lines = attempts::end_all(context.cookies.as_deref());
    lines.push(cookies::clear(cookies::SESSION));
    lines.push(cookies::set(cookies::SIGNED_OUT, "1", SESSION_SECS));
    lines
}

fn signed(app: &App, session: &Session) -> Option<String> {
    let key = app.keyring.newest(Purpose::Session)?;
    session::issue(key, session, app.now())
}

fn callback(app: &App) -> String {
    format!("{}{CALLBACK}", app.config.public_origin.as_str())
}

fn refused(why: SignInRefusal) -> Reply {
    Reply::redirect(303, &format!("/?auth_error={}", why.code()))
}
