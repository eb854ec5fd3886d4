//! A leaked key: it is disabled at once, whatever its state is, and replaced as soon as possible.

use crate::app::auth::is_admin;
use crate::app::claim;
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
use crate::app::rotate::steps::{
    Rotated, RotationRequest, attempt, card_now, disable_old, looked_at, made, owned, prepare,
};
use crate::app::run::QueuedWork;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Look, Noticed};
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::generation::GenerationState;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::LEAK_REPORTS_A_DAY;
use crate::store::idempotency::Taking;
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::holds::Switch;
use crate::store::keys::leaks::{self, ReportedGeneration};
use crate::store::keys::rotations::{self, RotationFacts};
use crate::upstream::openrouter::UpstreamReply;

/// Disables a leaked key at once, whatever its state is, and replaces it if that is possible.
pub async fn report_leak(app: &App, request: &RotationRequest<'_>) -> Result<Rotated, Error> {
    let rotation = Rotation {
        key: request.key.to_owned(),
        renews: false,
        grace_hours: None,
        lowered: None,
    };
    let mut attempt = attempt(app, request, &rotation)?;
    let result = rotations::report_leak(&*app.db, &attempt, request.key, false).await?;
    if result.card.is_none() && is_admin(app, &result.member) {
        return match report_as_admin(app, &attempt, request.key).await? {
            Some(reported) => Ok(reported),
            None => Err(keys::why_not_replaceable(app, &attempt.session, request.key).await?),
        };
    }
    let facts = owned(result)?;
    if !facts.begun && facts.gates.leaked && facts.gates.leak_reports_today >= LEAK_REPORTS_A_DAY {
        return Err(Error::daily_quota(attempt.now));
    }
    if !facts.begun {
        return Err(Error::ClaimSuperseded);
    }
    end_older(app, &attempt, &facts).await;
    // The old secret is disabled whatever this reading found. Only a successor depends on the reading.
    let looked_at = looked_at(app, &attempt, &facts.old, Look::Brief).await;
    let replaced = match prepare(app, &mut attempt, &rotation, &facts, looked_at).await {
        Ok((decision, (share, spec))) => {
            made(claim::execute_mint(app, &attempt, &decision, &share, &spec).await)
        }
        Err(error) => Err(error),
    };
    match replaced {
        Ok(rotated) => Ok(rotated),
        Err(error @ (Error::StorageUnavailable | Error::Internal | Error::SignInRequired)) => {
            Err(error)
        }
        Err(why) => {
            let card = card_now(app, &facts.member, request.key).await?;
            Ok(Rotated::Waits { card, why })
        }
    }
}

/// Reports a secret, or its fingerprint, that an admin has found. The key that it belongs to is disabled, unless that
/// secret no longer works. It answers `None` if no key here has this secret. No new secret is made, not even if the
/// admin owns the key.
pub async fn report_found(
    app: &App,
    session: Session,
    taking: Option<Taking>,
    secret_sha256: &str,
) -> Result<Option<Rotated>, Error> {
    let attempt = claim::attempt(app, session, taking)?;
    let session = &attempt.session;
    let Some(mut found) = rotations::find(&*app.db, session, secret_sha256).await? else {
        return Ok(None);
    };
    if found.live && found.being_removed.is_none() {
        let reported = report_as_admin(app, &attempt, &found.key).await?;
        if reported.is_some() {
            return Ok(reported);
        }
        // The key or its member has ended since the first lookup.
        let again = rotations::find(&*app.db, session, secret_sha256).await?;
        found = again.ok_or(Error::Internal)?;
    }
    let removed = match &found.being_removed {
        Some(row) => keys::remove(app, session.member.as_str(), row).await,
        None => !found.live,
    };
    let card = card_now(app, &found.owner, &found.key).await?;
    Ok(Some(if found.live {
        Rotated::BeingRemoved { card, removed }
    } else {
        Rotated::OverBefore(card)
    }))
}

/// How long the work after the answer waits, in milliseconds, so that the answer has left before it begins: otherwise a
/// report of a key of ours would be answered a little later than any other.
const ANSWER_LEAVES_MS: u32 = 50;
/// The actor of a leak that anyone has reported.
const BY_ANYONE: &str = "leak-report";

/// Reports a secret that anyone has found, by its SHA-256. What OpenRouter has to be told waits until after the answer, so
/// that the answer takes as long for a secret of somebody else.
pub async fn report_by_anyone(app: &App, secret_sha256: &str) -> Result<(), Error> {
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let found = leaks::report(&*app.db, secret_sha256, &change, app.now()).await?;
    let work = found.into_iter().map(QueuedWork::LeakedSecret);
    app.queued_work.borrow_mut().extend(work);
    Ok(())
}

/// Disables a secret that was reported. What OpenRouter does not confirm is left to the sweep.
pub async fn disable_reported(app: &App, reported: &ReportedGeneration) {
    let ReportedGeneration { state, row } = reported;
    app.clock.pause(ANSWER_LEAVES_MS).await;
    if *state == GenerationState::Revoking {
        keys::remove(app, BY_ANYONE, row).await;
        return;
    }
    // A change by someone outside keycap is recorded, but it does not stop us from disabling the key.
    let kept = [Noticed::Lowered];
    let look =
        upstream_changes::must_be_as_we_left_it(app, row, BY_ANYONE, &kept, Look::Brief).await;
    if let Err(error) = look {
        keys::left_to_sweep(app, row, error.code());
    }
    let answer = switch::switch(app, Switch::Off, row, BY_ANYONE).await;
    let is_off = matches!(
        answer,
        Ok(UpstreamReply::Is(
            SwitchOutcome::Confirmed | SwitchOutcome::Gone
        ))
    );
    if !is_off {
        keys::left_to_sweep(app, row, answer);
    }
}

/// Removes the older of two secrets in a grace period at once, because it has leaked as well and has no successor of
/// its own.
async fn end_older(app: &App, attempt: &Attempt, facts: &RotationFacts) {
    if let Some(older) = &facts.older {
        keys::remove(app, attempt.session.member.as_str(), older).await;
    }
}

/// Acts on an admin's report about a key of another member: the key is disabled at once, and no new secret is made. It
/// answers `None` if the key has nothing to disable, because it has ended or is being removed.
async fn report_as_admin(
    app: &App,
    attempt: &Attempt,
    key: &str,
) -> Result<Option<Rotated>, Error> {
    let result = rotations::report_leak(&*app.db, attempt, key, true).await?;
    let Some(facts) = result.facts else {
        return Ok(None);
    };
    end_older(app, attempt, &facts).await;
    // A change by someone outside keycap is recorded, but it does not stop us from disabling the key.
    if let Err(error) = looked_at(app, attempt, &facts.old, Look::Brief).await {
        keys::left_to_sweep(app, &facts.old, error.code());
    }
    if let Err(error) = disable_old(app, attempt, &facts.old).await {
        keys::left_to_sweep(app, &facts.old, error.code());
    }
    let card = card_now(app, &facts.member, key).await?;
    Ok(Some(Rotated::Reported(card)))
}
