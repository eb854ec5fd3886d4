//! How a sign-in ends: with a session, with a ticket for a preview, or with a reason that the start page says in words.

use crate::app::context::App;
use crate::app::error::Error;
use crate::config::people::admin_name;
use crate::crypto::keyring::Purpose;
use crate::crypto::session::{self, SESSION_SECS};
use crate::crypto::{pseudonym, random, sha256_hex};
use crate::domain::id::IdKind;
use crate::domain::people::identity::{Identity, Provider};
use crate::domain::people::session::Session;
use crate::domain::policy::return_target::ReturnTarget;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::{attempts, cookies};
use crate::store::members;
use crate::store::members::sign_in::{self, AdminAddress, SignIn, SignedIn};
use crate::upstream::sign_in::Failed;

/// Why a sign-in came back without a session, as the start page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    State,
    NotConfigured,
    Storage,
    Blocked,
    /// A preview sent the person here, and it is not one that this deployment signs people in for.
    UnknownPreview,
    Provider(Failed),
}

impl SignInRefusal {
    const fn code(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::NotConfigured => "not_configured",
            Self::Storage => "storage_unavailable",
            Self::Blocked => "blocked",
            Self::UnknownPreview => "unknown_preview",
            Self::Provider(failed) => failed.code(),
        }
    }

    /// The code with the provider in front of it, if the page's words are about the provider.
    fn code_at(self, provider: Provider) -> String {
        match (provider, self) {
            (_, Self::State | Self::Storage | Self::UnknownPreview) => self.code().to_owned(),
            (Provider::GitHub, Self::Provider(Failed::Unavailable)) => {
                String::from("github_unavailable")
            }
            (Provider::GitHub, _) => self.code().to_owned(),
            (Provider::Google, _) => format!("google_{}", self.code()),
        }
    }
}

impl From<Failed> for SignInRefusal {
    fn from(failed: Failed) -> Self {
        Self::Provider(failed)
    }
}

/// Where a sign-in that succeeded leads.
pub enum Entered {
    As(Session, ReturnTarget),
    /// To the preview where it began.
    Preview(String),
}

/// Answers a browser that came back. `state` is that of its attempt, or the suffix of one.
pub async fn conclude(
    context: &Context,
    provider: Provider,
    state: &str,
    result: Result<Entered, SignInRefusal>,
) -> Result<Reply, Error> {
    let why = match result {
        Ok(Entered::As(session, target)) => {
            let token = signed(&context.app, &session).ok_or(Error::Internal)?;
            let cookie = cookies::set(cookies::SESSION, &token, SESSION_SECS);
            let over = attempts::end_all(context.cookies.as_deref());
            return Ok(Reply::redirect(303, path_of(&context.app, target))
                .cookies([cookie])
                .cookies(over));
        }
        Ok(Entered::Preview(url)) => {
            return Ok(Reply::redirect(303, &url).cookies(attempts::end_one(state)));
        }
        Err(why) => why,
    };
    if why == SignInRefusal::State && is_signed_in(context).await {
        let target = attempts::target_named_in(state);
        return Ok(Reply::redirect(303, path_of(&context.app, target)));
    }
    context.app.note(
        "info",
        "sign_in_refused",
        serde_json::json!({ "provider": provider.name(), "reason": why.code() }),
    );
    Ok(refused(provider, why).cookies(attempts::end_one(state)))
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

/// Uses up the state and makes or refreshes the member, in one batch. A person whose address is an admin's becomes that
/// admin, unless another account has been it before.
pub async fn enter(app: &App, identity: &Identity, state: &str) -> Result<Session, SignInRefusal> {
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
        admin: match admin_address(app, identity) {
            Some(address) => Some((address, fresh(IdKind::AdminPin)?)),
            None => None,
        },
        now,
    };
    match sign_in::sign_in(&*app.db, &sign_in).await {
        Ok(SignedIn::As {
            session,
            address_is_anothers,
        }) => {
            if address_is_anothers {
                app.note(
                    "error",
                    "admin_address_reused",
                    serde_json::json!({ "member": session.member.as_str() }),
                );
            }
            Ok(session)
        }
        Ok(SignedIn::Replayed) => Err(SignInRefusal::State),
        Ok(SignedIn::NotActive(_)) => Err(SignInRefusal::Blocked),
        Err(_) => Err(SignInRefusal::Storage),
    }
}

/// The address of an admin, if it is this person's: the address is on the list, and the Workspace that manages the
/// account is the one of the address.
fn admin_address(app: &App, identity: &Identity) -> Option<AdminAddress> {
    let domain = identity.hosted_domain.as_deref()?;
    let (_, of_address) = identity.login.rsplit_once('@')?;
    let name = admin_name(&identity.login);
    (of_address == domain && app.config.admins.contains(&name)).then(|| AdminAddress {
        name,
        domain: domain.to_owned(),
    })
}

fn signed(app: &App, session: &Session) -> Option<String> {
    let key = app.keyring.newest(Purpose::Session)?;
    session::issue(key, session, app.now())
}

pub fn refused(provider: Provider, why: SignInRefusal) -> Reply {
    Reply::redirect(303, &format!("/?auth_error={}", why.code_at(provider)))
}
