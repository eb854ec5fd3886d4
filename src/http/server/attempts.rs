//! Sign-in attempts. Starting one writes nothing to the database: the state and the PKCE verifier travel sealed in a
//! cookie of this attempt, so that two tabs can sign in side by side. Cookies of unfinished attempts would pile up
//! until the browser drops other cookies, possibly the session. So a browser keeps at most [`MOST`], and a new attempt
//! ends the oldest.

use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::{random, seal};
use crate::domain::policy::return_target::ReturnTarget;
use crate::domain::time::Timestamp;
use crate::http::server::context::Context;
use crate::http::server::cookies;

/// How long a person may take at GitHub, in seconds.
pub const ATTEMPT_SECS: i64 = 600;
/// One browser may have at most this many attempts under way.
const MOST: usize = 5;

from_json! {
    /// What the callback needs of its attempt, sealed in the attempt's cookie.
    #[derive(Serialize)]
    pub struct Pending {
        pub state: String,
        pub verifier: String,
        next: String,
        expires_at: i64,
    }
}

impl Pending {
    /// Returns where the browser goes after the sign-in.
    pub fn target(&self) -> ReturnTarget {
        ReturnTarget::from_name(Some(&self.next))
    }
}

/// Begins an attempt. Returns it with the cookies that store it and end older attempts; `None` while there is no key to
/// seal it with.
pub fn begin(
    context: &Context,
    next: ReturnTarget,
) -> Result<Option<(Pending, Vec<String>)>, Error> {
    let app = &*context.app;
    let Some(key) = app.keyring.newest(Purpose::SignInAttempt) else {
        return Ok(None);
    };
    let suffix = hex::encode(random::bytes::<4>(&*app.random)?);
    let pending = Pending {
        // The target's name is for a browser that comes back a second time, when the cookie is gone.
        state: format!("{suffix}.{}.{}", random::token(&*app.random)?, next.name()),
        verifier: random::token(&*app.random)?,
        next: next.name().to_owned(),
        expires_at: app.now().plus(ATTEMPT_SECS).secs(),
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
pub fn of_state(context: &Context, state: &str) -> Option<Pending> {
    let name = cookies::attempt_name(suffix_of(state));
    let sealed = cookies::value(context.cookies.as_deref(), &name)?;
    let pending = open(&context.app, &name, sealed)?;
    let same = bool::from(pending.state.as_bytes().ct_eq(state.as_bytes()));
    let current = context.app.now() < Timestamp::from_secs(pending.expires_at);
    (same && current).then_some(pending)
}

/// Returns where a browser goes that comes back with a used state: a name of the closed list, whatever the state
/// contains.
pub fn target_named_in(state: &str) -> ReturnTarget {
    ReturnTarget::from_name(state.rsplit('.').next())
}

fn suffix_of(state: &str) -> &str {
    state.split('.').next().unwrap_or_default()
}

fn open(app: &App, name: &str, sealed: &str) -> Option<Pending> {
    let keys = app.keyring.keys(Purpose::SignInAttempt);
    crate::ports::json::read(&seal::open(keys, name, sealed)?)
}
