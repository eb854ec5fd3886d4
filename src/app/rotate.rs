//! Makes the next secret of a key. The key's id, name and history stay; a new generation takes over.
//!
//! A rotation at once locks the key with a hold, disables the old secret and reads what it had spent, reserves the
//! successor, mints it with what is left, and records it. The record ends the hold and removes the old secret for good.
//! If any step fails, the old secret is enabled again. The hold of a leak stays until a successor is recorded, however
//! long that takes.
//!
//! A rotation with grace reserves the successor, reads what the old secret has spent, leaves it half of the rest, and
//! mints the successor with the other half. Both secrets work, and together they never exceed the cap.

mod leak;
mod refused;
mod shares;
mod steps;

use serde_json::json;

use crate::app::claim;
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
pub use crate::app::rotate::leak::{disable_reported, report_by_anyone, report_found, report_leak};
use crate::app::rotate::refused::refusal;
use crate::app::rotate::shares::{count_old_as, half};
pub use crate::app::rotate::steps::{Rotated, RotationRequest};
use crate::app::rotate::steps::{attempt, looked_at, made, owned, prepare};
use crate::app::sync::absence;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Look};
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::rotation::RENEWAL_GRACE_HOURS;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::ports::DbError;
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::claims::ClaimDecision;
use crate::store::keys::due::Due;
use crate::store::keys::holds::Switch;
use crate::store::keys::rotations::{self, OldSecret, RotationFacts};
use crate::store::keys::successors;
use crate::upstream::openrouter::{self, UpstreamReply};

/// Replaces the secret, either at once or with some hours of grace in which the old secret works as well.
pub async fn rotate(
    app: &App,
    request: &RotationRequest<'_>,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    replace(app, request, false, grace_hours).await
}

/// Replaces the secret by one with a full lifetime, because OpenRouter cannot move an expiry. There is a grace period
/// unless too little is left to divide between two secrets.
pub async fn renew(
    app: &App,
    request: &RotationRequest<'_>,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    let hours = grace_hours.unwrap_or(RENEWAL_GRACE_HOURS);
    match replace(app, request, true, Some(hours)).await {
        Err(Error::NothingToSplit) => replace(app, request, true, None).await,
        other => other,
    }
}

async fn replace(
    app: &App,
    request: &RotationRequest<'_>,
    renews: bool,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    let rotation = Rotation {
        key: request.key.to_owned(),
        renews,
        grace_hours,
        lowered: None,
    };
    if grace_hours.is_some() {
        return match with_grace(app, attempt(app, request, &rotation)?, rotation).await? {
            Graced::Done(rotated) => Ok(*rotated),
            // The old secret no longer exists, so none can work beside the new one.
            Graced::OldIsGone => Box::pin(replace(app, request, renews, None)).await,
        };
    }
    let mut attempt = attempt(app, request, &rotation)?;
    let facts = owned(rotations::begin(&*app.db, &attempt, &rotation).await?)?;
    if !facts.begun {
        return Err(refusal(&attempt, &rotation, &facts.gates));
    }
    if let Err(error) = looked_at(app, &attempt, &facts.old, Look::Needed).await {
        // Nothing was sent, so no switch is sent back: someone outside keycap may have disabled the key just now. The
        // sweep releases the lock if this fails.
        let _: Result<bool, DbError> = release(app, &attempt, request.key).await;
        return Err(error);
    }
    let made = match prepare(app, &mut attempt, &rotation, &facts, Ok(())).await {
        Ok((decision, (share, spec))) => {
            made(claim::execute_mint(app, &attempt, &decision, &share, &spec).await)
        }
        Err(error) => Err(error),
    };
    if made.is_err() {
        release_rotation_lock(app, &attempt, request.key, &facts.old).await;
    }
    made
}

/// Releases the rotation's lock. It returns true if the key has no other hold now.
async fn release(app: &App, attempt: &Attempt, key: &str) -> Result<bool, DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    successors::release_rotation_lock(&*app.db, attempt, key, &change, app.now()).await
}

/// Undoes a rotation that failed: the old secret is enabled again, unless another hold disables the key. The sweep
/// repeats whatever fails here.
async fn release_rotation_lock(app: &App, attempt: &Attempt, key: &str, old: &Due) {
    let freed = release(app, attempt, key).await;
    if freed == Ok(true) {
        let actor = attempt.session.member.as_str();
        match switch::switch(app, Switch::On, old, actor).await {
            Ok(UpstreamReply::Is(_) | UpstreamReply::Missing) => {}
            left => keys::left_to_sweep(app, old, left),
        }
    }
}

/// How a rotation with grace ends.
enum Graced {
    Done(Box<Rotated>),
    /// OpenRouter no longer has the old key. No new key was made.
    OldIsGone,
}

async fn with_grace(app: &App, mut attempt: Attempt, rotation: Rotation) -> Result<Graced, Error> {
    let reserved = rotations::reserve(&*app.db, &attempt, &rotation, &OldSecret::Works).await?;
    let (result, mut decision) = reserved;
    let facts = owned(result)?;
    if !decision.reserved {
        return Err(refusal(&attempt, &rotation, &facts.gates));
    }
    let Some(lowered) = lower(app, &attempt, &mut decision, &facts).await? else {
        return Ok(Graced::OldIsGone);
    };
    attempt.now = app.now();
    let (share, spec) = claim::plan_mint(app, &attempt, &decision).await?;
    attempt.rotation = Some(Rotation {
        lowered: Some(lowered),
        ..rotation
    });
    let made = made(claim::execute_mint(app, &attempt, &decision, &share, &spec).await);
    if made.is_err() {
        raise_again(app, &facts.old).await;
    }
    made.map(|rotated| Graced::Done(Box::new(rotated)))
}

/// Leaves half of the remaining amount to the old secret, once OpenRouter confirms the lower limit, and updates the
/// siblings in `decision` accordingly. The same answer says what the old secret has spent until then, and that amount
/// is not given to the successor. It returns `None` if OpenRouter no longer has the old key.
async fn lower(
    app: &App,
    attempt: &Attempt,
    decision: &mut ClaimDecision,
    facts: &RotationFacts,
) -> Result<Option<NanoUsd>, Error> {
    if let Err(error) = upstream_changes::must_be_as_we_left_it(
        app,
        &facts.old,
        attempt.session.member.as_str(),
        &[],
        Look::Needed,
    )
    .await
    {
        claim::refuse(app, attempt, "old_unconfirmed", None).await?;
        return Err(error);
    }
    let spent = match read_spent(app, attempt, &facts.old).await? {
        UpstreamReply::Is(Some(spent)) => spent,
        UpstreamReply::Missing => {
            claim::refuse(app, attempt, "key_missing", None).await?;
            return Ok(None);
        }
        UpstreamReply::Is(None) | UpstreamReply::Refused(_) | UpstreamReply::Unknown => {
            claim::refuse(app, attempt, "old_unconfirmed", None).await?;
            return Err(Error::OldUnconfirmed);
        }
    };
    let Some(to) = half(decision, facts, spent, app.now()) else {
        claim::refuse(app, attempt, "budget_spent", None).await?;
        return Err(Error::NothingToSplit);
    };
    let actor = attempt.session.member.as_str();
    let (failure, error) = match switch::limit(app, &facts.old, to, actor).await {
        Ok(UpstreamReply::Is((SwitchOutcome::Confirmed, Some(spent)))) => {
            count_old_as(decision, to, spent);
            if !claim::share(&decision.grants, &decision.siblings, app.now()).exhausted {
                return Ok(Some(to));
            }
            ("budget_spent", Error::NothingToSplit)
        }
        left => {
            // The amount that the key has spent is personal, so it is not logged.
            let outcome = left.map(|reply| reply.map(|(switched, _)| switched));
            keys::left_to_sweep(app, &facts.old, outcome);
            ("old_unconfirmed", Error::OldUnconfirmed)
        }
    };
    claim::refuse(app, attempt, failure, None).await?;
    raise_again(app, &facts.old).await;
    Err(error)
}

async fn read_spent(
    app: &App,
    attempt: &Attempt,
    old: &Due,
) -> Result<UpstreamReply<Option<Spend>>, Error> {
    let Some(hash) = old.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let answer = openrouter::read_key_once(&app.upstream(), hash).await;
    let spent = answer.map(|body| body.read_at(app.now()));
    let actor = attempt.session.member.as_str();
    Ok(absence::judge(app, old, spent, actor).await?)
}

/// Marks the limit that was lowered in vain as due, so that it is raised again. If this fails, the sweep still looks at
/// it within a few minutes.
async fn raise_again(app: &App, old: &Due) {
    let generation = old.public_id.as_str();
    if successors::cap_due(&*app.db, generation, app.now())
        .await
        .is_err()
    {
        app.note("warn", "cap_left_low", json!({ "generation": generation }));
    }
}
