//! Signing in, and signing out.
//!
//! Starting a sign-in writes nothing (see `attempts`). The callback opens its attempt, uses up the state in the batch
//! that makes the member, and discards what the provider gave. All providers share this; what differs is in their clients.

mod conclude;
pub mod relay;

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::google as google_identity;
use crate::crypto::random;
use crate::crypto::session::SESSION_SECS;
use crate::domain::id::IdKind;
use crate::domain::people::identity::{Identity, Provider};
use crate::domain::policy::relay::Relay;
use crate::domain::policy::return_target::ReturnTarget;
use crate::http::auth::conclude::{Entered, SignInRefusal, conclude, enter, refused};
use crate::http::server::attempts::{self, ANOTHER_ACCOUNT, Pending};
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::message::Body;
use crate::http::server::reply::Reply;
use crate::ports::upstreams::OAuthApp;
use crate::store::members;
use crate::upstream::sign_in::{Authorization, Failed};
use crate::upstream::{github, google};

/// `GET /auth/github?next=keys` and `GET /auth/google?next=keys`: redirects to the provider, or from a preview to the
/// deployment that signs its people in. The provider asks for the account if the caller wants another one, and on the
/// first start after a sign-out, since someone else may be signing in now.
pub async fn start(context: Context, provider: Provider) -> Result<Reply, Error> {
    let app = &*context.app;
    if !app.config.signs_in_with(provider) {
        return Ok(refused(provider, SignInRefusal::NotConfigured));
    }
    let Ok(relay_to) = relay::asked(&context) else {
        return Ok(refused(provider, SignInRefusal::UnknownPreview));
    };
    let next = ReturnTarget::from_name(context.query("next").as_deref());
    let Some((pending, lines)) = attempts::begin(&context, provider, next, relay_to)? else {
        return Ok(refused(provider, SignInRefusal::NotConfigured));
    };
    let signed_out = cookies::value(context.cookies.as_deref(), cookies::SIGNED_OUT).is_some();
    let another = context.query("account").as_deref() == Some(ANOTHER_ACCOUNT);
    let url = authorize_url(app, &pending, signed_out || another).ok_or(Error::Internal)?;
    let reply = Reply::redirect(302, &url).cookies(lines);
    Ok(if signed_out {
        reply.cookies([cookies::clear(cookies::SIGNED_OUT)])
    } else {
        reply
    })
}

/// The address where the person signs in.
fn authorize_url(app: &App, pending: &Pending, choose_account: bool) -> Option<String> {
    if let Relay::Through(origin) = &app.config.relay {
        return relay::start_url(app, origin, pending, choose_account);
    }
    let ask = Authorization {
        callback: &callback(app, pending.provider),
        state: &pending.state,
        challenge: &pending.challenge(),
        nonce: &pending.nonce(),
        choose_account,
    };
    let oauth = app.config.oauth_app(pending.provider)?;
    let url = match pending.provider {
        Provider::GitHub => github::authorize_url(&app.upstream(), oauth, &ask),
        Provider::Google => google::authorize_url(&app.upstream(), oauth, &ask),
    };
    url.map(String::from)
}

/// `GET /auth/github/callback` and `GET /auth/google/callback`: the browser comes back from the provider. The attempt's
/// cookie is cleared, whether or not the sign-in succeeds.
///
/// A browser may open this address again, from its history or its restored tabs. There is no attempt any more then, and
/// a caller who is signed in is redirected to where the sign-in led.
pub async fn finish(context: Context, provider: Provider) -> Result<Reply, Error> {
    let state = context.query("state").unwrap_or_default();
    let result = come_back(&context, provider, &state).await;
    conclude(&context, provider, &state, result).await
}

async fn come_back(
    context: &Context,
    provider: Provider,
    state: &str,
) -> Result<Entered, SignInRefusal> {
    let app = &*context.app;
    let oauth = app
        .config
        .oauth_app(provider)
        .ok_or(SignInRefusal::NotConfigured)?;
    let pending = attempts::of_state(context, provider, state).ok_or(SignInRefusal::State)?;
    // RFC 9207: an answer that names its issuer has to name the provider of this callback.
    if provider == Provider::Google
        && context
            .query("iss")
            .is_some_and(|iss| iss != google::ISSUER)
    {
        return Err(SignInRefusal::State);
    }
    if let Some(error) = context.query("error") {
        let failed = match provider {
            Provider::GitHub => github::failed(&error),
            Provider::Google => google::failed(&error),
        };
        return Err(failed.into());
    }
    let code = context.query("code").ok_or(SignInRefusal::State)?;
    let identity = identify(app, oauth, &pending, &code).await?;
    if let Some(to) = &pending.relay {
        return relay::ticket_url(app, to, &identity).map(Entered::Preview);
    }
    let session = enter(app, &identity, state).await?;
    Ok(Entered::As(session, pending.target()))
}

/// Exchanges the code for the person that it belongs to.
async fn identify(
    app: &App,
    oauth: &OAuthApp,
    pending: &Pending,
    code: &str,
) -> Result<Identity, Failed> {
    let callback = callback(app, pending.provider);
    let verifier = pending.verifier.as_str();
    match pending.provider {
        Provider::GitHub => {
            let upstream = app.upstream();
            let token = github::exchange(&upstream, oauth, &callback, code, verifier).await?;
            let identity = github::identify(&upstream, &token).await;
            // The token is used once and revoked, whatever GitHub answered.
            github::revoke(&upstream, oauth, &token).await;
            identity
        }
        Provider::Google => {
            let nonce = pending.nonce();
            google_identity::identify(app, oauth, &callback, code, verifier, &nonce).await
        }
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

/// Where the provider sends the browser back to; our app there has exactly this address registered.
fn callback(app: &App, provider: Provider) -> String {
    let origin = app.config.public_origin.as_str();
    format!("{origin}/auth/{}/callback", provider.name())
}
