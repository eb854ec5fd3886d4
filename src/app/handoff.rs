//! Hand-offs: a member signs in at a billing provider and gets a key that their own account there pays for.
//!
//! D1 has the record and decides what happens once. KV has what the provider sent back, sealed; it is opened only with the
//! verifier, which nothing but the cookie of the browser that began has. The exchange happens inside the redeeming, after
//! the member has confirmed it, once, and is never repeated. So no key is ever at rest, and a sign-in that nobody confirms
//! makes none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::seal::{self, Bond};
use crate::crypto::{hmac_hex, random, sha256_hex};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::secret::Secret;
use crate::domain::people::handoff::{HandoffRefusal, HandoffState, HandoffStatus};
use crate::domain::people::session::Session;
use crate::domain::people::typed_code::{self, code_of};
use crate::ports::{KV_TTL_SECS, NoRandomness};
use crate::store::handoffs::begun::{self, HandoffStarted};
use crate::store::handoffs::linked::{NewProviderKey, ProviderKey};
use crate::store::handoffs::{self, Handoff, HandoffAct, settled};
use crate::store::query::StoreError;
use crate::upstream::billing;
use crate::upstream::billing::provider::{BillingProvider, Exchanged, Proof, SignInRequest, mask};

/// A hand-off as the browser that began knows it: by its id, and with the verifier of its cookie.
pub struct OwnHandoff<'a> {
    pub session: &'a Session,
    pub id: &'a PublicId,
    pub verifier: &'a str,
}

impl OwnHandoff<'_> {
    /// The PKCE challenge of the verifier (RFC 7636, section 4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// The `state` with which the provider sends the browser back: it names the hand-off, and only this browser can say it
    /// belongs to it.
    pub fn state(&self) -> String {
        let own = Sha256::digest(["state", self.verifier].concat().as_bytes());
        format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(own))
    }

    /// The name of the key at the provider. A key of an unknown outcome is found by it.
    fn key_name(&self) -> String {
        format!("keycap {}", self.id)
    }

    /// The code that the page after the sign-in shows, under each of our secrets, newest first. It is never stored.
    pub fn codes(&self, app: &App) -> Vec<String> {
        let keys = app.keyring.keys(Purpose::Handoff).iter();
        keys.filter_map(|key| hmac_hex(key, self.id.as_str(), self.verifier))
            .filter_map(|hash| hex::decode(hash).ok())
            .map(|bytes| code_of(&bytes))
            .collect()
    }

    fn is_code(&self, app: &App, typed: &str) -> bool {
        let typed = typed_code::typed(typed);
        let codes = self.codes(app);
        let mut codes = codes.iter();
        codes.any(|code| bool::from(code.as_bytes().ct_eq(typed.as_bytes())))
    }

    fn bond<'b>(&'b self, provider: &'b BillingProvider, blob: &'b str) -> Bond<'b> {
        Bond {
            purpose: provider.slug,
            name: blob,
            verifier: self.verifier,
        }
    }
}

/// The id that a `state` names, if it has the form of one.
pub fn named_in(state: &str) -> Option<PublicId> {
    PublicId::parse(IdKind::Handoff, state.split('.').next()?)
}

fn act<'a>(
    app: &App,
    own: &OwnHandoff<'a>,
    challenge: &'a str,
) -> Result<HandoffAct<'a>, NoRandomness> {
    Ok(HandoffAct {
        session: own.session,
        handoff: own.id,
        challenge,
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    })
}

/// Begins a hand-off. Returns it with the address at which the member signs in.
pub async fn start(app: &App, own: &OwnHandoff<'_>, slug: &str) -> Result<(Handoff, Url), Error> {
    let provider = billing::provider(slug).ok_or(Error::NotFound)?;
    if app.keyring.is_empty() {
        return Err(Error::NotConfigured);
    }
    let challenge = own.challenge();
    let callback = format!(
        "{}/auth/providers/{}/callback",
        app.config.public_origin.as_str(),
        provider.slug
    );
    let request = SignInRequest {
        callback: &callback,
        state: &own.state(),
        challenge: &challenge,
        key_name: &own.key_name(),
    };
    let url = provider.sign_in_url(&app.config.upstreams, &request);
    let act = act(app, own, &challenge)?;
    match begun::start(&*app.db, &act, provider.slug).await? {
        HandoffStarted::Begun(begun) => Ok((begun, url.ok_or(Error::Internal)?)),
        HandoffStarted::NoProvider => Err(Error::NotFound),
        HandoffStarted::UsedUp => Err(Error::daily_quota(act.now)),
    }
}

/// Reads a hand-off of this browser. Anyone else's is unknown.
pub async fn find(app: &App, own: &OwnHandoff<'_>) -> Result<Handoff, Error> {
    let found = handoffs::find(&*app.db, own.session, own.id, &own.challenge()).await?;
    found.ok_or(Error::NotFound)
}

/// Why a browser that came back from a provider is told no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnRefusal {
    /// The state is unknown, was used, or belongs to another provider, browser or member.
    State,
    /// Too little time is left.
    Expired,
    /// The provider or the member declined.
    Declined,
    /// The database or KV did not answer. Nothing was used up.
    Unavailable,
}

impl ReturnRefusal {
    pub const fn code(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::Unavailable => "storage_unavailable",
        }
    }
}

impl From<StoreError> for ReturnRefusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Db(_) | StoreError::Unwritable => Self::Unavailable,
            _ => Self::State,
        }
    }
}

/// What the provider's redirect says.
pub struct Returned<'a> {
    pub slug: &'a str,
    pub state: &'a str,
    /// The code or token, if there is one.
    pub value: Option<Secret>,
}

/// Takes what a provider sent back: checks that it belongs to this hand-off, stores it sealed, and writes that down. The
/// record comes last, so a hand-off that is ready has what it needs.
pub async fn come_back(
    app: &App,
    own: &OwnHandoff<'_>,
    back: Returned<'_>,
) -> Result<(), ReturnRefusal> {
    let provider = billing::provider(back.slug).ok_or(ReturnRefusal::State)?;
    if !bool::from(own.state().as_bytes().ct_eq(back.state.as_bytes())) {
        return Err(ReturnRefusal::State);
    }
    let challenge = own.challenge();
    let found = handoffs::find(&*app.db, own.session, own.id, &challenge).await?;
    let found = found.ok_or(ReturnRefusal::State)?;
    let is_its = found.provider == provider.slug && found.enabled;
    match found.status(app.now()) {
        HandoffStatus::Expired => return Err(ReturnRefusal::Expired),
        HandoffStatus::Pending if is_its => {}
        _ => return Err(ReturnRefusal::State),
    }
    let act = act(app, own, &challenge).map_err(|_| ReturnRefusal::Unavailable)?;
    let Some(value) = back.value else {
        begun::decline(&*app.db, &act, provider.slug).await?;
        return Err(ReturnRefusal::Declined);
    };
    let blob = random::nonce(&*app.random).map_err(|_| ReturnRefusal::Unavailable)?;
    let blob = ["handoff/", blob.as_str()].concat();
    let (keys, bond) = (
        app.keyring.keys(Purpose::Handoff),
        own.bond(provider, &blob),
    );
    let plain = value.expose().as_bytes();
    let sealed = seal::seal_for(keys, &bond, plain, found.expires_at, &*app.random);
    let sealed = sealed.map_err(|_| ReturnRefusal::Unavailable)?;
    let ttl_secs = found.expires_at.since(act.now).max(KV_TTL_SECS);
    let put = app.kv.put(&blob, sealed, Some(ttl_secs)).await;
    put.map_err(|_| ReturnRefusal::Unavailable)?;
    match begun::come_back(&*app.db, &act, provider.slug, &blob).await? {
        true => Ok(()),
        false => Err(ReturnRefusal::State),
    }
}

/// Takes the code that the member typed. Returns the hand-off as it is then.
pub async fn confirm(app: &App, own: &OwnHandoff<'_>, typed: &str) -> Result<Handoff, Error> {
    let challenge = own.challenge();
    let act = act(app, own, &challenge)?;
    let is_code = own.is_code(app, typed);
    let found = if is_code {
        begun::confirm(&*app.db, &act).await?
    } else {
        begun::count_wrong_code(&*app.db, &act).await?
    };
    let status = found.status(act.now);
    match (status, is_code) {
        (HandoffStatus::Ready, true) if found.confirmed => Ok(found),
        // Nothing is counted after the confirmation.
        (HandoffStatus::Ready, _) => Err(HandoffRefusal::WrongCode.into()),
        (HandoffStatus::Refused, false) => {
            forget(app, &found).await;
            Err(HandoffRefusal::Burnt.into())
        }
        (status, _) => Err(HandoffRefusal::of(status).into()),
    }
}

/// What a request to redeem came to.
pub enum Redeeming {
    Key(ProviderKey, Secret),
    /// KV does not have it yet. It is asked again.
    NotYet(Handoff),
}

/// What the member wants the new key to be called, and where it belongs.
pub struct Wanted<'a> {
    pub label: Option<&'a str>,
    /// The id of a project of theirs.
    pub project: Option<&'a str>,
}

/// Redeems a confirmed hand-off: opens what the provider sent back, takes the hand-off, exchanges, records the key, and
/// hands its secret out.
pub async fn redeem(
    app: &App,
    own: &OwnHandoff<'_>,
    wanted: &Wanted<'_>,
) -> Result<Redeeming, Error> {
    let challenge = own.challenge();
    let found = find(app, own).await?;
    let now = app.now();
    let provider = billing::provider(&found.provider).ok_or(Error::Internal)?;
    let blob = match (found.status(now), &found.blob) {
        (HandoffStatus::Ready, Some(blob)) if found.confirmed => blob,
        (status, _) => return Err(HandoffRefusal::of(status).into()),
    };
    if !found.enabled {
        return Err(Error::NotFound);
    }
    // KV may not have it for a minute, and may remember that it had nothing. Nothing is used up by asking.
    let Ok(Some(sealed)) = app.kv.get(blob).await else {
        return Ok(Redeeming::NotYet(found));
    };
    let keys = app.keyring.keys(Purpose::Handoff);
    let opened = seal::open_for(keys, &own.bond(provider, blob), &sealed, now);
    let opened = opened.and_then(|bytes| String::from_utf8(bytes).ok());
    let value = Secret::new(opened.ok_or(HandoffRefusal::Unreadable)?);
    let taken = act(app, own, &challenge)?;
    let (found, is_ours) = settled::take(&*app.db, &taken).await?;
    if !is_ours {
        let status = found.status(now);
        return Err(HandoffRefusal::of(status).into());
    }
    let proof = Proof {
        value: &value,
        verifier: own.verifier,
        key_name: &own.key_name(),
    };
    let exchanged = provider.exchange(&app.upstream(), &proof).await;
    drop(value);
    forget(app, &found).await;
    match exchanged {
        Exchanged::Key(secret) => {
            let key = recorded(app, own, &taken, provider, &secret, wanted).await?;
            Ok(Redeeming::Key(key, secret))
        }
        Exchanged::Refused => {
            failed(app, own, &taken, true).await?;
            Err(HandoffRefusal::Declined.into())
        }
        Exchanged::Unknown => {
            failed(app, own, &taken, false).await?;
            Err(HandoffRefusal::Unknown.into())
        }
    }
}

/// Records the key. If that cannot be done, nobody gets the key, and it is written down that there may be one.
async fn recorded(
    app: &App,
    own: &OwnHandoff<'_>,
    taken: &HandoffAct<'_>,
    provider: &BillingProvider,
    secret: &Secret,
    wanted: &Wanted<'_>,
) -> Result<ProviderKey, Error> {
    let id = random::public_id(&*app.random, IdKind::ProviderKey)?;
    let record = act(app, own, taken.challenge)?;
    let key = NewProviderKey {
        id: &id,
        slug: provider.slug,
        label: wanted.label,
        mask: &mask(secret.expose()),
        secret_sha256: &sha256_hex(secret.expose().as_bytes()),
        project: wanted.project,
    };
    let why = match settled::record(&*app.db, &record, &taken.change, &key).await {
        Ok(Some(key)) => return Ok(key),
        Ok(None) | Err(StoreError::Db(_)) => HandoffRefusal::Unknown.into(),
        Err(error) => error.into(),
    };
    failed(app, own, taken, false).await?;
    Err(why)
}

/// Writes down that an exchange made no key, or that it is not known. If this cannot be written, the sweep writes that it is
/// not known.
async fn failed(
    app: &App,
    own: &OwnHandoff<'_>,
    taken: &HandoffAct<'_>,
    is_known: bool,
) -> Result<(), NoRandomness> {
    let act = act(app, own, taken.challenge)?;
    let written = settled::fail(&*app.db, &act, &taken.change, is_known).await;
    let known = if is_known { "refused" } else { "unknown" };
    let more = serde_json::json!({ "handoff": own.id.as_str(), "outcome": known, "written": written.is_ok() });
    app.note("warn", "handoff_not_redeemed", more);
    Ok(())
}

/// Deletes what the provider sent back. If that fails, it ends by itself, and nothing reads it any more.
async fn forget(app: &App, handoff: &Handoff) {
    if let Some(blob) = &handoff.blob {
        let _: Result<(), crate::ports::KvUnavailable> = app.kv.delete(blob).await;
    }
}

/// Whether a hand-off waits for its code, so that the code may be shown.
pub fn waits_for_code(handoff: &Handoff, status: HandoffStatus) -> bool {
    status == HandoffStatus::Ready && handoff.state == HandoffState::Ready && !handoff.confirmed
}
