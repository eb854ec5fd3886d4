//! Signing in for a preview (`domain::policy::relay`). The preview sends the browser to the deployment that signs its
//! people in, with a proof that only this browser's attempt can make. That deployment sends it back with a sealed ticket,
//! which says who signed in. The ticket lasts a minute, is for one preview and one browser, and is used once.

use serde::Serialize;
use url::Url;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::{random, seal};
use crate::domain::people::identity::{Identity, Provider};
use crate::domain::policy::origin::Origin;
use crate::domain::policy::relay::Relay;
use crate::domain::time::Timestamp;
use crate::http::auth::conclude::{Entered, SignInRefusal, conclude, enter};
use crate::http::server::attempts::{self, ANOTHER_ACCOUNT, Pending, RelayTo};
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::reply::Reply;

/// How long a ticket lasts, in seconds.
const TICKET_SECS: i64 = 60;
/// The name that tickets are sealed under.
const TICKET: &str = "keycap relay ticket";
/// Digits of a proof, which is a SHA-256.
const PROOF_DIGITS: usize = 64;

from_json! {
    /// Who signed in, for one preview and one attempt.
    #[derive(Serialize)]
    struct Ticket {
        /// Tells this ticket from every other, so that it is used once.
        id: String,
        provider: Provider,
        subject: String,
        login: String,
        /// In seconds.
        account_created_at: i64,
        hosted_domain: Option<String>,
        /// The preview's origin.
        audience: String,
        attempt: String,
        proof: String,
        expires_at: i64,
    }
}

impl Ticket {
    /// The ticket of a text that this deployment is meant to have, if it still lasts.
    fn open(app: &App, sealed: &str) -> Option<Self> {
        let keys = app.keyring.keys(Purpose::RelayTicket);
        let ticket: Self = crate::ports::json::read(&seal::open(keys, TICKET, sealed)?)?;
        let is_ours = ticket.audience == app.config.public_origin.as_str();
        let lasts = app.now().secs() < ticket.expires_at;
        (is_ours && lasts).then_some(ticket)
    }

    fn identity(self) -> Identity {
        Identity {
            provider: self.provider,
            subject: self.subject,
            login: self.login,
            account_created_at: Timestamp::from_secs(self.account_created_at),
            hosted_domain: self.hosted_domain,
        }
    }
}

/// A request to sign a person in for a preview that is not on the list, or that is malformed.
pub struct UnknownPreview;

/// The preview for which a request asks to sign a person in. It is `None` for a sign-in of our own.
pub fn asked(context: &Context) -> Result<Option<RelayTo>, UnknownPreview> {
    let Some(origin) = context.query("relay") else {
        return Ok(None);
    };
    let Relay::For(trusted) = &context.app.config.relay else {
        return Err(UnknownPreview);
    };
    let origin = trusted.find(&origin).ok_or(UnknownPreview)?;
    let attempt = context.query("attempt").unwrap_or_default();
    let proof = context.query("proof").unwrap_or_default();
    let is_proof = proof.len() == PROOF_DIGITS && proof.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_proof || !cookies::is_attempt_suffix(&attempt) {
        return Err(UnknownPreview);
    }
    Ok(Some(RelayTo {
        origin: origin.as_str().to_owned(),
        attempt,
        proof,
    }))
}

/// Where a preview sends a person who signs in.
pub fn start_url(app: &App, to: &Origin, pending: &Pending, another: bool) -> Option<String> {
    let start = format!("{}/auth/{}", to.as_str(), pending.provider.name());
    let mut url = Url::parse(&start).ok()?;
    url.query_pairs_mut()
        .append_pair("relay", app.config.public_origin.as_str())
        .append_pair("attempt", attempts::suffix_of(&pending.state))
        .append_pair("proof", &pending.proof());
    if another {
        url.query_pairs_mut()
            .append_pair("account", ANOTHER_ACCOUNT);
    }
    Some(url.into())
}

/// Where a person goes who signed in for a preview.
pub(super) fn ticket_url(
    app: &App,
    to: &RelayTo,
    identity: &Identity,
) -> Result<String, SignInRefusal> {
    // The list may have become shorter meanwhile.
    let still_trusted = match &app.config.relay {
        Relay::For(trusted) => trusted.find(&to.origin),
        Relay::Off | Relay::Through(_) => None,
    };
    let origin = still_trusted.ok_or(SignInRefusal::UnknownPreview)?;
    let key = app.keyring.newest(Purpose::RelayTicket);
    let key = key.ok_or(SignInRefusal::UnknownPreview)?;
    let ticket = Ticket {
        id: random::nonce(&*app.random).map_err(|_| SignInRefusal::Storage)?,
        provider: identity.provider,
        subject: identity.subject.clone(),
        login: identity.login.clone(),
        account_created_at: identity.account_created_at.secs(),
        hosted_domain: identity.hosted_domain.clone(),
        audience: origin.as_str().to_owned(),
        attempt: to.attempt.clone(),
        proof: to.proof.clone(),
        expires_at: app.now().plus(TICKET_SECS).secs(),
    };
    let plain = serde_json::to_vec(&ticket).map_err(|_| SignInRefusal::Storage)?;
    let sealed = seal::seal(key, TICKET, &plain, &*app.random);
    let sealed = sealed.map_err(|_| SignInRefusal::Storage)?;
    Ok(format!("{}/auth/relay?ticket={sealed}", origin.as_str()))
}

/// `GET /auth/relay?ticket=…`: a browser comes back to this preview. A browser without the attempt spends nothing.
pub async fn finish(context: Context) -> Result<Reply, Error> {
    let ticket = context.query("ticket").unwrap_or_default();
    // Only a preview takes tickets. Each preview knows the secret, and none of them may sign anybody in anywhere else.
    let is_preview = matches!(context.app.config.relay, Relay::Through(_));
    let ticket = is_preview.then(|| Ticket::open(&context.app, &ticket));
    let Some(ticket) = ticket.flatten() else {
        return conclude(&context, Provider::GitHub, "", Err(SignInRefusal::State)).await;
    };
    let (provider, attempt) = (ticket.provider, ticket.attempt.clone());
    let result = redeem(&context, ticket).await;
    conclude(&context, provider, &attempt, result).await
}

async fn redeem(context: &Context, ticket: Ticket) -> Result<Entered, SignInRefusal> {
    let pending = attempts::of_ticket(context, ticket.provider, &ticket.attempt, &ticket.proof);
    let pending = pending.ok_or(SignInRefusal::State)?;
    // The id stands for a state, which the same batch uses up.
    let state = format!("{TICKET} {}", ticket.id);
    let session = enter(&context.app, &ticket.identity(), &state).await?;
    Ok(Entered::As(session, pending.target()))
}
