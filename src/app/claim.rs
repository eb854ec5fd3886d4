//! Makes a key from end to end: reserve, mint, check the echo, record, deliver. This takes two database round trips and
//! one call to OpenRouter. At each step, a lost answer has a defined meaning.
//!
//! 1. Reserve. One batch decides every gate and writes the generation straight into the state `minting`.
//! 2. Mint. One `POST /keys` asks for a key under the generation's own name.
//! 3. Check the echo. A key that differs from the request is never delivered. If the plan has a guardrail, a second
//!    call assigns it before anyone has the secret.
//! 4. Record. One batch writes the key down if state, nonce and every gate that a decision can close still hold.
//!    Otherwise the key is deleted again.
//! 5. Deliver. The secret leaves in this one answer, after its row is committed.

mod decision;
mod endings;
mod removal;
mod restrictions;

use serde_json::json;

pub use crate::app::claim::decision::{
    Claimed, MintLimit, NOT_OFFERED, busy_until, refusal_error, share, share_but,
};
use crate::app::claim::decision::{not_reserved, spec};
use crate::app::claim::endings::mark_unknown;
pub use crate::app::claim::endings::refuse;
use crate::app::claim::removal::{erase, remove};
use crate::app::claim::restrictions::{restrict, why_rejected};
use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::random;
use crate::crypto::sha256_hex;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::mint::{Echo, MintSpec, check_echo};
use crate::domain::key::rotation::renewable_at;
use crate::domain::key::secret::Secret;
use crate::domain::people::session::Session;
use crate::ports::DbError;
use crate::store::audit;
use crate::store::idempotency::Taking;
use crate::store::keys::attempt::{Attempt, Minted, NewKey};
use crate::store::keys::cards::{Card, CardProject, Issue};
use crate::store::keys::claims::{self, ClaimDecision};
use crate::store::keys::mints::{self, Recorded};
use crate::upstream::openrouter::{self, Created, UpstreamRefusal, UpstreamReply};

/// If OpenRouter asks us to slow down, no mint is tried for this many seconds: the first number applies if it does not
/// say how long, and the second is the most we accept.
const BUSY_SECS: u32 = 30;
const BUSY_SECS_MAX: u32 = 300;

/// Claims the member's first key.
pub async fn claim(
    app: &App,
    session: Session,
    taking: Option<Taking>,
    accepts_terms: bool,
    workspace: Option<PublicId>,
) -> Result<Claimed, Error> {
    let attempt = Attempt {
        accepts_terms,
        workspace,
        ..attempt(app, session, taking)?
    };
    reserve(app, attempt).await
}

/// Makes a further key, if the plan allows one.
pub async fn create(
    app: &App,
    session: Session,
    taking: Option<Taking>,
    new: NewKey,
    workspace: Option<PublicId>,
) -> Result<Claimed, Error> {
    let attempt = Attempt {
        create: Some(new),
        workspace,
        ..attempt(app, session, taking)?
    };
    reserve(app, attempt).await
}

async fn reserve(app: &App, attempt: Attempt) -> Result<Claimed, Error> {
    let decision = claims::reserve(&*app.db, &attempt)
        .await?
        .ok_or(Error::SignInRequired)?;
    if !decision.reserved {
        return not_reserved(app, &attempt, decision);
    }
    let (share, spec) = plan_mint(app, &attempt, &decision).await?;
    execute_mint(app, &attempt, &decision, &share, &spec).await
}

/// Decides what to ask OpenRouter for once the reservation is written. An owner whose prepaid credit is spent has no
/// later window to wait for, so the mint is refused.
pub async fn plan_mint(
    app: &App,
    attempt: &Attempt,
    decision: &ClaimDecision,
) -> Result<(MintLimit, MintSpec), Error> {
    let share = share(&decision.grants, &decision.siblings, attempt.now);
    if share.is_never(&decision.grants) {
        refuse(app, attempt, "credit_spent", None).await?;
        return Err(Error::CreditSpent);
    }
    let spec = spec(decision, &share).ok_or(Error::Internal)?;
    Ok((share, spec))
}

/// Does steps 2 to 5 for a reservation, whether it is for a first key, a further key or a successor.
pub async fn execute_mint(
    app: &App,
    attempt: &Attempt,
    decision: &ClaimDecision,
    share: &MintLimit,
    spec: &MintSpec,
) -> Result<Claimed, Error> {
    match openrouter::create_key(&app.upstream(), spec).await {
        Created::Made { echo, secret } => {
            settle(app, attempt, decision, spec, share, echo, secret).await
        }
        Created::WithoutSecret(echo) => Err(remove(app, attempt, spec, &echo, "key").await),
        Created::Refused(refused) => Err(refused_by_upstream(app, attempt, spec, refused).await),
        Created::Unknown => Err(mark_unknown(app, attempt).await),
    }
}

/// Makes the fresh ids of one attempt.
pub fn attempt(app: &App, session: Session, taking: Option<Taking>) -> Result<Attempt, Error> {
    let random = &*app.random;
    Ok(Attempt {
        session,
        change: random::public_id(random, IdKind::Change)?,
        key: random::public_id(random, IdKind::Key)?,
        generation: random::public_id(random, IdKind::Generation)?,
        nonce: random::nonce(random)?,
        taking,
        create: None,
        workspace: None,
        accepts_terms: false,
        rotation: None,
        policy: app.claim_policy(),
        now: app.now(),
    })
}

/// Does steps 3 to 5.
async fn settle(
    app: &App,
    attempt: &Attempt,
    decision: &ClaimDecision,
    spec: &MintSpec,
    share: &MintLimit,
    echo: Echo,
    secret: Secret,
) -> Result<Claimed, Error> {
    let echo = completed(app, spec, echo).await;
    if let Err(mismatch) = check_echo(spec, &echo) {
        return Err(remove(app, attempt, spec, &echo, mismatch.name()).await);
    }
    let (Some(hash), Some(key)) = (echo.hash.clone(), decision.key.clone()) else {
        return Err(Error::Internal);
    };
    let guardrail_id = decision.plan.guardrail_id.as_deref();
    if let Err(failure) = restrict(app, guardrail_id, share, &hash).await {
        remove(app, attempt, spec, &echo, failure).await;
        return Err(Error::ClaimUnknown);
    }
    let label = echo.label.clone();
    let minted = Minted {
        attempt,
        record: random::public_id(&*app.random, IdKind::Change)?,
        abandon: random::public_id(&*app.random, IdKind::Change)?,
        upstream_hash: hash.clone(),
        secret_sha256: fingerprint(app, attempt, &secret, &hash),
        // The label is stored and shown, so a label that contains the secret is dropped.
        label: label.filter(|label| !label.contains(secret.expose())),
        workspace_id: echo.workspace_id.clone(),
        shows_home: spec.workspace_id().is_none() && decision.home_workspace_id.is_none(),
        limit: spec.limit(),
        guardrail_id,
        state: if share.exhausted {
            GenerationState::Disabled
        } else {
            GenerationState::Active
        },
        cap_due_at: share.due,
        now: app.now(),
    };
    match recorded(app, &minted).await {
        Ok(Recorded::Active) => {
            let named = decision.cards.iter().find(|card| card.id == key);
            let grace = attempt
                .rotation
                .as_ref()
                .and_then(|r| r.grace_until(minted.now));
            let card = Card {
                name: named.and_then(|card| card.name.clone()),
                id: key,
                state: minted.state,
                label: minted.label,
                limit: spec.limit(),
                limit_reset: spec.limit_reset(),
                created_at: decision.key_created_at.unwrap_or(attempt.now),
                expires_at: spec.expires_at(),
                issue: Issue {
                    number: decision.generation,
                    at: attempt.now,
                    grace_until: grace.and_then(|until| Some(until.min(named?.expires_at))),
                },
                spend: None,
                holds: share
                    .exhausted
                    .then_some(Reason::Budget)
                    .into_iter()
                    .collect(),
                project: project_of(attempt, named),
                workspace: decision.workspace.clone(),
                ended: false,
                missing: false,
                has_guardrail: decision.plan.guardrail_id.is_some(),
                all_off: share.exhausted,
                allowance: decision.grants.allowance().key,
                cap_due_at: minted.cap_due_at,
                own_limit: decision.grants.own_limit,
                upstream_limit: decision.grants.upstream_limit,
                renewable_at: renewable_at(spec.expires_at(), decision.plan.expiry_days),
            };
            Ok(Claimed::New { card, secret })
        }
        Ok(Recorded::Abandoned) => Err(erase(app, attempt, &hash, true).await),
        Ok(Recorded::Lost) => Err(erase(app, attempt, &hash, false).await),
        // The record may be committed, or may be committed later. Nothing is touched here; the sweep decides.
        Err(DbError::Unknown) => Err(Error::StorageUnavailable),
        Err(DbError::Unique | DbError::Constraint | DbError::Broken) => {
            remove(app, attempt, spec, &echo, "record").await;
            Err(Error::Internal)
        }
    }
}

/// The fingerprint by which a secret that was found leads to its key. OpenRouter documents that its own hash is the
/// same value. A difference is logged, and nothing depends on it.
fn fingerprint(app: &App, attempt: &Attempt, secret: &Secret, hash: &str) -> String {
    let ours = sha256_hex(secret.expose().as_bytes());
    if ours != hash {
        let generation = attempt.generation.as_str();
        app.note(
            "warn",
            "upstream_hash_differs",
            json!({ "generation": generation }),
        );
    }
    ours
}

/// Records the key. After any failure it asks the audit whether the record was committed, because a refused retry says
/// nothing about the first try. If the audit cannot be read either, the outcome is unknown.
async fn recorded(app: &App, minted: &Minted<'_>) -> Result<Recorded, DbError> {
    let error = match mints::record(&*app.db, minted).await {
        Ok(recorded) => return Ok(recorded),
        Err(error) => error,
    };
    let generation = minted.attempt.generation.as_str();
    match audit::is_committed(&*app.db, &minted.record, generation).await {
        Ok(true) => Ok(Recorded::Active),
        Ok(false) => Err(error),
        Err(_) => Err(DbError::Unknown),
    }
}

/// Completes an answer without `expires_at` by reading the key once. OpenRouter's schema allows the member to be
/// absent.
async fn completed(app: &App, spec: &MintSpec, echo: Echo) -> Echo {
    match (echo.expires_at, echo.own_hash(spec)) {
        (None, Some(hash)) => match openrouter::read_echo(&app.upstream(), hash).await {
            UpstreamReply::Is(read) => Echo {
                expires_at: read.expires_at,
                ..echo
            },
            UpstreamReply::Missing | UpstreamReply::Refused(_) | UpstreamReply::Unknown => echo,
        },
        _ => echo,
    }
}

async fn refused_by_upstream(
    app: &App,
    attempt: &Attempt,
    spec: &MintSpec,
    refused: UpstreamRefusal,
) -> Error {
    let (error, pause) = match refused {
        UpstreamRefusal::Credential => (Error::CredentialRefused, None),
        UpstreamRefusal::Rejected => (why_rejected(app, spec).await, None),
        UpstreamRefusal::Busy(asked) => {
            let secs = asked.unwrap_or(BUSY_SECS).clamp(1, BUSY_SECS_MAX);
            let retry = Error::OpenRouterBusy {
                retry_after_secs: secs,
            };
            (retry, Some(attempt.now.plus(i64::from(secs))))
        }
    };
    match refuse(app, attempt, refused.name(), pause).await {
        Ok(()) => error,
        Err(storage) => storage,
    }
}

/// The project of the key: the one that was chosen for a new key, or the one that an older key is in.
fn project_of(attempt: &Attempt, named: Option<&Card>) -> Option<CardProject> {
    match (&attempt.create, named) {
        (Some(new), _) => new.project.clone(),
        (None, named) => named.and_then(|card| card.project.clone()),
    }
}
