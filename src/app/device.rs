//! Device grants (RFC 8628): a terminal begins, its person types the code and approves in a browser, and the terminal's next
//! question makes the key and gets it.
//!
//! The key is made by the same steps as a claim on the page, with the same gates, in the name of the member who approved. So
//! nothing has to be kept for a terminal that is not there, and no secret is ever at rest. The grant is taken for its one
//! mint before the mint begins: however often the terminal asks, and at whatever moment an answer is lost, at most one key is
//! made. What is not known is told as that.

use serde_json::json;

use crate::app::claim::{self, Claimed, MintLimit};
use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::{hmac_hex, random, sha256_hex};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::secret::Secret;
use crate::domain::people::device::{DeviceRefusal, DeviceState, is_open};
use crate::domain::people::session::Session;
use crate::domain::people::typed_code::{self, CODE_LETTERS, code_of};
use crate::domain::policy::gate::{Refusal, first_refusal};
use crate::domain::policy::terms::REVISION;
use crate::store::devices::asked::{self, AskedGrant, DeviceQuestion, NewDeviceGrant};
use crate::store::devices::{self, DeviceDecision, TypedCode, TypedGrant};
use crate::store::keys::attempt::Attempt;
use crate::store::keys::cards::Card;
use crate::store::keys::claims;

/// What a terminal says when it begins, and where it is.
pub struct Terminal<'a> {
    pub client: &'a str,
    pub device: Option<&'a str>,
    /// The part of its network address that one subscriber holds.
    pub address: Option<&'a str>,
}

/// The codes of a grant that was begun. They are nowhere else.
pub struct DeviceCodes {
    pub device_code: Secret,
    pub user_code: String,
}

/// Begins a grant.
pub async fn begin(app: &App, terminal: &Terminal<'_>) -> Result<DeviceCodes, Error> {
    let key = app.keyring.newest(Purpose::Device);
    let key = key.ok_or(Error::NotConfigured)?;
    let device_code = random::token(&*app.random)?;
    let user_code = code_of(&random::bytes::<CODE_LETTERS>(&*app.random)?);
    let address_hmac = terminal
        .address
        .and_then(|address| hmac_hex(key, "address", address));
    let new = NewDeviceGrant {
        device_code_sha256: &sha256_hex(device_code.as_bytes()),
        user_code_hmac: &hmac_hex(key, "code", &user_code).ok_or(Error::Internal)?,
        client: terminal.client,
        device: terminal.device,
        address_hmac: address_hmac.as_deref(),
    };
    if !asked::begin(&*app.db, &new, app.now()).await? {
        return Err(DeviceRefusal::TooManyOpen.into());
    }
    Ok(DeviceCodes {
        device_code: Secret::new(device_code),
        user_code: typed_code::shown(&user_code),
    })
}

/// A code that a member has typed, and the network address of their browser.
pub struct Typing<'a> {
    pub session: &'a Session,
    pub code: &'a str,
    pub address: Option<&'a str>,
}

/// The hashes of a text under each of our secrets, as a JSON list.
fn hashes(app: &App, of: &str, text: Option<&str>) -> Result<String, Error> {
    let keys = app.keyring.keys(Purpose::Device).iter();
    let all: Vec<String> = text
        .map(|text| keys.filter_map(|key| hmac_hex(key, of, text)).collect())
        .unwrap_or_default();
    serde_json::to_string(&all).map_err(|_| Error::Internal)
}

/// Finds the grant that waits for this member's decision, or on which they have decided.
pub async fn look_up(app: &App, typing: &Typing<'_>) -> Result<TypedGrant, Error> {
    let code = typed_code::typed(typing.code);
    if code.len() != CODE_LETTERS {
        return Err(DeviceRefusal::UnknownUserCode.into());
    }
    let typed = TypedCode {
        session: typing.session,
        user_codes: &hashes(app, "code", Some(&code))?,
        addresses: &hashes(app, "address", typing.address)?,
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    };
    let (found, is_over) = devices::look_up(&*app.db, &typed).await?;
    if is_over {
        return Err(Error::daily_quota(typed.now));
    }
    let found = found.ok_or(DeviceRefusal::UnknownUserCode)?;
    let waits = matches!(found.state, DeviceState::Pending | DeviceState::Approved);
    if waits && !is_open(found.state, found.expires_at, typed.now) {
        return Err(DeviceRefusal::CodeExpired.into());
    }
    Ok(found)
}

/// What a member approves with.
pub struct Approval {
    /// Whether they accept the terms in force.
    pub accepts_terms: bool,
    /// The workspace in which the key is to be made.
    pub workspace: Option<PublicId>,
}

/// Approves the grant with this code. A member whom a rule would refuse, or who has a key, is told so here, where they can
/// act on it; the rules are asked again when the key is made.
pub async fn approve(
    app: &App,
    typing: &Typing<'_>,
    approval: Approval,
) -> Result<TypedGrant, Error> {
    let found = look_up(app, typing).await?;
    if found.state != DeviceState::Pending {
        return Err(DeviceRefusal::Decided.into());
    }
    may_claim(app, typing.session, &approval).await?;
    let decision = DeviceDecision::Approve {
        accepts_terms: approval.accepts_terms,
        workspace: approval.workspace,
    };
    decide(app, typing, &decision).await
}

/// Denies the grant with this code, also one that was approved and whose terminal has not asked yet.
pub async fn deny(app: &App, typing: &Typing<'_>) -> Result<TypedGrant, Error> {
    let found = look_up(app, typing).await?;
    if !is_open(found.state, found.expires_at, app.now()) {
        return Err(DeviceRefusal::Decided.into());
    }
    decide(app, typing, &DeviceDecision::Deny).await
}

async fn decide(
    app: &App,
    typing: &Typing<'_>,
    decision: &DeviceDecision,
) -> Result<TypedGrant, Error> {
    let code = typed_code::typed(typing.code);
    let typed = TypedCode {
        session: typing.session,
        user_codes: &hashes(app, "code", Some(&code))?,
        addresses: &hashes(app, "address", typing.address)?,
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    };
    match devices::decide(&*app.db, &typed, decision).await? {
        (found, true) => Ok(found),
        (_, false) => Err(DeviceRefusal::Decided.into()),
    }
}

/// Asks every gate of a claim, without making one.
async fn may_claim(app: &App, session: &Session, approval: &Approval) -> Result<(), Error> {
    let attempt = Attempt {
        workspace: approval.workspace.clone(),
        ..claim::attempt(app, session.clone(), None)?
    };
    let rows = app.db.batch(claims::facts(&attempt).into()).await?;
    let decision = claims::read_decision(&rows)?.ok_or(Error::SignInRequired)?;
    let mut facts = decision.facts;
    if approval.accepts_terms {
        facts.policy.terms_rev = REVISION;
        facts.policy.terms_at = Some(attempt.now);
    }
    match first_refusal(&facts, &app.config.terms, attempt.now) {
        Some(Refusal::Exists) => return Err(DeviceRefusal::HasKey.into()),
        Some(Refusal::WorkspaceClosed) if attempt.workspace.is_some() => {
            return Err(claim::NOT_OFFERED);
        }
        Some(refusal) => return Err(claim::refusal_error(refusal, attempt.now)),
        None => {}
    }
    let share: MintLimit = claim::share(&decision.grants, &decision.siblings, attempt.now);
    if share.is_never(&decision.grants) {
        return Err(Error::CreditSpent);
    }
    Ok(())
}

/// Answers a terminal's question: with the key, if its grant is approved and this is the question that takes it.
pub async fn ask(app: &App, device_code: &Secret, client: &str) -> Result<(Card, Secret), Error> {
    let device_code_sha256 = sha256_hex(device_code.expose().as_bytes());
    let question = DeviceQuestion {
        device_code_sha256: &device_code_sha256,
        client,
        change: random::public_id(&*app.random, IdKind::Change)?,
        nonce: &random::nonce(&*app.random)?,
        now: app.now(),
    };
    let found = asked::ask(&*app.db, &question).await?;
    let grant = found.ok_or(DeviceRefusal::UnknownDeviceCode)?;
    if grant.state == DeviceState::Redeemed && grant.change == question.change.as_str() {
        return mint(app, question, grant).await;
    }
    let waits = matches!(grant.state, DeviceState::Pending | DeviceState::Approved);
    let why = if waits && !is_open(grant.state, grant.expires_at, question.now) {
        DeviceRefusal::Expired
    } else if waits && grant.was_early {
        DeviceRefusal::SlowDown
    } else {
        // An approval that was not taken in this very batch is one whose session has ended.
        DeviceRefusal::of(grant.state).unwrap_or(DeviceRefusal::Withdrawn)
    };
    Err(why.into())
}

/// Makes the key of a grant that this question has taken.
async fn mint(
    app: &App,
    question: DeviceQuestion<'_>,
    grant: AskedGrant,
) -> Result<(Card, Secret), Error> {
    let member = grant.member.as_deref();
    let member = member.and_then(|id| PublicId::parse(IdKind::Member, id));
    let session = Session {
        member: member.ok_or(Error::Internal)?,
        epoch: grant.epoch.ok_or(Error::Internal)?,
    };
    let member = session.member.clone();
    let workspace = grant.workspace.as_deref();
    let workspace = workspace.and_then(|id| PublicId::parse(IdKind::Workspace, id));
    let claimed = claim::claim(app, session, None, grant.accepts_terms, workspace).await;
    let why = match claimed {
        Ok(Claimed::New { card, secret }) => return Ok((card, secret)),
        Ok(Claimed::Existing(_)) => DeviceRefusal::HasKey.into(),
        Err(error) => error,
    };
    if makes_no_key(&why) {
        failed(app, question, &member, &why).await?;
    }
    Err(why)
}

/// Whether it is certain that a claim that ended so has made no key that works.
const fn makes_no_key(why: &Error) -> bool {
    !matches!(
        why,
        Error::ClaimUnknown
            | Error::OpenRouterMismatch
            | Error::StorageUnavailable
            | Error::Internal
    )
}

/// Writes down that a question made no key. If this cannot be written, later questions are told that it is not known.
async fn failed(
    app: &App,
    question: DeviceQuestion<'_>,
    member: &PublicId,
    why: &Error,
) -> Result<(), Error> {
    let redeemed = question.change.clone();
    let ending = DeviceQuestion {
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
        ..question
    };
    let written = asked::fail(&*app.db, &ending, member, &redeemed, why.code()).await;
    let more = json!({ "code": why.code(), "written": written.is_ok() });
    app.note("warn", "device_not_redeemed", more);
    Ok(())
}
