//! Sign-in attempts. Starting one writes nothing to the database: the state and the PKCE verifier travel sealed in a
//! cookie of this attempt, so that two tabs can sign in side by side. Cookies of unfinished attempts would pile up
//! until the browser drops other cookies, possibly the session. So a browser keeps at most [`MOST`], and a new attempt
//! ends the oldest.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::{random, seal, sha256_hex};
use crate::domain::people::identity::Provider;
use crate::domain::policy::return_target::ReturnTarget;
use crate::domain::time::Timestamp;
use crate::http::server::context::Context;
use crate::http::server::cookies;

/// How long a person may take at the provider, in seconds.
pub const ATTEMPT_SECS: i64 = 600;
/// The value of `account` with which the caller asks for another account than the one that the provider would choose.
pub const ANOTHER_ACCOUNT: &str = "another";
/// One browser may have at most this many attempts under way.
const MOST: usize = 5;

from_json! {
    /// What the callback needs of its attempt, sealed in the attempt's cookie.
    #[derive(Serialize)]
    pub struct Pending {
        /// The provider that the person was sent to. Its callback is the only one that may end the attempt.
        pub provider: Provider,
        pub state: String,
        pub verifier: String,
        next: String,
        expires_at: i64,
        /// The preview that the person came from.
        pub relay: Option<RelayTo>,
    }
}

from_json! {
    /// Where a ticket goes, and which attempt of which browser it is for.
    #[derive(Serialize)]
    pub struct RelayTo {
        /// The preview's origin.
        pub origin: String,
        /// The suffix of the preview's attempt.
        pub attempt: String,
        /// SHA-256 of what only that attempt's cookie has.
        pub proof: String,
    }
}

impl Pending {
    /// The PKCE challenge of this attempt (RFC 7636, S256).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// The nonce that an ID token of this attempt has to repeat. It is made of what only the cookie and, at the end, the
    /// provider know.
    pub fn nonce(&self) -> String {
        sha256_hex(format!("nonce {}", self.verifier).as_bytes())
    }

    /// What a ticket for this attempt has to repeat. Only the browser with the cookie can have asked for it.
    pub fn proof(&self) -> String {
        sha256_hex(format!("relay {}", self.verifier).as_bytes())
    }

    /// Returns where the browser goes after the sign-in.
    pub fn target(&self) -> ReturnTarget {
        ReturnTarget::from_name(Some(&self.next))
    }
}

/// Begins an attempt. Returns it with the cookies that store it and end older attempts; `None` while there is no key to
/// seal it with.
pub fn begin(
    context: &Context,
    provider: Provider,
    next: ReturnTarget,
    relay: Option<RelayTo>,
) -> Result<Option<(Pending, Vec<String>)>, Error> {
    let app = &*context.app;
    let Some(key) = app.keyring.newest(Purpose::SignInAttempt) else {
        return Ok(None);
    };
    let suffix = hex::encode(random::bytes::<4>(&*app.random)?);
    let pending = Pending {
        provider,
        // The target's name is for a browser that comes back a second time, when the cookie is gone.
        state: format!("{suffix}.{}.{}", random::token(&*app.random)?, next.name()),
        verifier: random::token(&*app.random)?,
        next: next.name().to_owned(),
        expires_at: app.now().plus(ATTEMPT_SECS).secs(),
        relay,
    };
    let plain = serde_json::to_vec(&pending).map_err(|_| Error::Internal)?;
    let name = cookies::attempt_name(&suffix);
    let sealed = seal::seal(key, &name, &plain, &*app.random)?;
    let mut lines = vec![cookies::set(&name, &sealed, ATTEMPT_SECS)];
    lines.extend(beyond_the_newest(app, context.cookies.as_deref()));
    Ok(Some((pending, lines)))
}

/// Returns the cookies that end all but the newest attempts: with the new one, [`MOST`] are left. An attempt that
/// cannot be opened is over.
fn beyond_the_newest(app: &App, header: Option<&str>) -> Vec<String> {
    let mut attempts: Vec<(i64, &str)> = cookies::attempts(header)
        .map(|(name, sealed)| (open(app, name, sealed).map_or(0, |is| is.expires_at), name))
        .collect();
    // Among attempts of the same second, the last cookie is the newest, because browsers send older cookies first (RFC 6265, section 5.4).
    attempts.reverse();
    attempts.sort_by_key(|(expires_at, _)| std::cmp::Reverse(*expires_at));
    let now = app.now().secs();
    let older = MOST.saturating_sub(1);
    let is_over = |(n, (expires_at, _)): &(usize, (i64, &str))| *n >= older || *expires_at <= now;
    let over = attempts.into_iter().enumerate().filter(is_over);
    over.map(|(_, (_, name))| cookies::clear(name)).collect()
}

/// Returns the cookies that end every attempt of this browser.
pub fn end_all(header: Option<&str>) -> Vec<String> {
    cookies::attempts(header)
        .map(|(name, _)| cookies::clear(name))
        .collect()
}

/// Returns the cookie that ends the attempt which this state names, if the state has the form of one.
pub fn end_one(state: &str) -> Option<String> {
    let suffix = suffix_of(state);
    cookies::is_attempt_suffix(suffix).then(|| cookies::clear(&cookies::attempt_name(suffix)))
}

/// Returns the attempt that this state belongs to, from this browser's own cookie, if it is not over.
pub fn of_state(context: &Context, provider: Provider, state: &str) -> Option<Pending> {
    let pending = current(context, provider, suffix_of(state))?;
    let same = bool::from(pending.state.as_bytes().ct_eq(state.as_bytes()));
    same.then_some(pending)
}

/// Returns the attempt with this suffix for which a ticket was made, if it is this browser's and not over.
pub fn of_ticket(
    context: &Context,
    provider: Provider,
    suffix: &str,
    proof: &str,
) -> Option<Pending> {
    let pending = current(context, provider, suffix)?;
    let same = bool::from(pending.proof().as_bytes().ct_eq(proof.as_bytes()));
    same.then_some(pending)
}

/// Returns the attempt with this suffix from this browser's own cookie, if it is one at this provider and not over.
fn current(context: &Context, provider: Provider, suffix: &str) -> Option<Pending> {
    let name = cookies::attempt_name(suffix);
    let sealed = cookies::value(context.cookies.as_deref(), &name)?;
    let pending = open(&context.app, &name, sealed)?;
    let in_time = context.app.now() < Timestamp::from_secs(pending.expires_at);
    (in_time && pending.provider == provider).then_some(pending)
}

/// Returns where a browser goes that comes back with a used state: a name of the closed list, whatever the state
/// contains.
pub fn target_named_in(state: &str) -> ReturnTarget {
    ReturnTarget::from_name(state.rsplit('.').next())
}

/// The part of a state that names its attempt.
pub fn suffix_of(state: &str) -> &str {
    state.split('.').next().unwrap_or_default()
}

fn open(app: &App, name: &str, sealed: &str) -> Option<Pending> {
    let keys = app.keyring.keys(Purpose::SignInAttempt);
    crate::ports::json::read(&seal::open(keys, name, sealed)?)
}
