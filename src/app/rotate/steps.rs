//! The steps that every replacement of a key's secret has in common.

use crate::app::claim::{self, Claimed, MintLimit};
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
use crate::app::rotate::refused::refusal;
use crate::app::rotate::shares::credit_is_left;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Look, Noticed};
use crate::domain::key::mint::MintSpec;
use crate::domain::key::secret::Secret;
use crate::domain::people::session::Session;
use crate::domain::time::period::LimitReset;
use crate::store::idempotency::Taking;
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::cards::{self, Card};
use crate::store::keys::claims::ClaimDecision;
use crate::store::keys::due::Due;
use crate::store::keys::holds::Switch;
use crate::store::keys::rotations::{self, OldSecret, RotationFacts, StepResult};
use crate::upstream::openrouter::UpstreamReply;

/// Who asks for the next secret of which key.
pub struct RotationRequest<'a> {
    pub session: Session,
    /// The key's id as the request names it. It can be any text.
    pub key: &'a str,
    pub taking: Option<Taking>,
}

/// How a request for the next secret ends.
pub enum Rotated {
    /// The new secret. This is the only time that it leaves.
    New { card: Card, secret: Secret },
    /// The key leaked. It is disabled, or is being disabled, as the card says. Its replacement has to wait for the
    /// reason in `why`.
    Waits { card: Card, why: Error },
    /// An admin has reported the key. Any further step is up to its owner.
    Reported(Card),
    /// The secret that was found belongs to a generation that is being removed. If `removed` is true, it is removed
    /// now. The key's other generation goes on working.
    BeingRemoved { card: Card, removed: bool },
    /// The secret that was found had already ended. The key's other generation goes on working.
    OverBefore(Card),
}

pub(crate) fn attempt(
    app: &App,
    request: &RotationRequest<'_>,
    rotation: &Rotation,
) -> Result<Attempt, Error> {
    let attempt = claim::attempt(app, request.session.clone(), request.taking.clone())?;
    Ok(Attempt {
        rotation: Some(rotation.clone()),
        ..attempt
    })
}

pub(crate) fn made(claimed: Result<Claimed, Error>) -> Result<Rotated, Error> {
    match claimed? {
        Claimed::New { card, secret } => Ok(Rotated::New { card, secret }),
        Claimed::Existing(_) => Err(Error::Internal),
    }
}

/// The state of the key, if it belongs to the member and has something to replace.
pub(crate) fn owned(result: StepResult) -> Result<RotationFacts, Error> {
    let card = result.card.ok_or(Error::NotFound)?;
    match result.facts {
        Some(facts) => Ok(facts),
        None => Err(keys::not_replaceable(&card)),
    }
}

pub(crate) async fn card_now(app: &App, member: &str, key: &str) -> Result<Card, Error> {
    let one = cards::one_of(member, key, app.now());
    cards::read_one(&*app.db, one).await?.ok_or(Error::NotFound)
}

/// Disables the old secret and reserves the successor with what is left of the limit. The successor can then be minted.
pub(crate) async fn prepare(
    app: &App,
    attempt: &mut Attempt,
    rotation: &Rotation,
    facts: &RotationFacts,
    looked_at: Result<(), Error>,
) -> Result<(ClaimDecision, (MintLimit, MintSpec)), Error> {
    let old = disable_old(app, attempt, &facts.old).await?;
    looked_at?;
    attempt.now = app.now();
    if let (LimitReset::None, OldSecret::Off(spent)) = (facts.limit_reset, &old) {
        credit_is_left(app, attempt, spent).await?;
    }
    let (result, decision) = rotations::reserve(&*app.db, attempt, rotation, &old).await?;
    if !decision.reserved {
        return Err(refusal(attempt, rotation, &owned(result)?.gates));
    }
    let plan = claim::plan_mint(app, attempt, &decision).await?;
    Ok((decision, plan))
}

/// Checks that the old key at OpenRouter is as keycap left it. A key that someone outside keycap disabled gets no
/// successor. A limit that someone lowered stays, and the successor's limit is computed from it.
pub(crate) async fn looked_at(
    app: &App,
    attempt: &Attempt,
    old: &Due,
    look: Look,
) -> Result<(), Error> {
    let actor = attempt.session.member.as_str();
    upstream_changes::must_be_as_we_left_it(app, old, actor, &[Noticed::Lowered], look).await
}

/// Disables the old secret. It succeeds only if OpenRouter's own answer confirms this and says what was spent, or if
/// the key no longer exists.
pub(crate) async fn disable_old(
    app: &App,
    attempt: &Attempt,
    old: &Due,
) -> Result<OldSecret, Error> {
    let actor = attempt.session.member.as_str();
    match switch::switch_and_read(app, Switch::Off, old, actor).await {
        Ok(UpstreamReply::Is((SwitchOutcome::Confirmed, Some(spent)))) => Ok(OldSecret::Off(spent)),
        Ok(UpstreamReply::Is((SwitchOutcome::Gone, _))) => Ok(OldSecret::Gone),
        left => {
            // The amount that the key has spent is personal, so it is not logged.
            let outcome = left.map(|reply| reply.map(|(switched, _)| switched));
            keys::left_to_sweep(app, old, outcome);
            Err(Error::OldUnconfirmed)
        }
    }
}
