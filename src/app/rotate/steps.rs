//! The steps that every way to a key's next secret takes.

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
    /// As the request names it; anything may stand there.
    pub key: &'a str,
    pub taking: Option<Taking>,
}

/// What asking ends with.
pub enum Rotated {
    /// The only time that the secret is seen.
    New { card: Card, secret: Secret },
    /// It leaked and is off, or is being disabled, as the card says; its replacement has to wait, for this reason.
    Waits { card: Card, why: Error },
    /// An admin has reported it: what follows is its owner's.
    Reported(Card),
    /// The secret that was found is to be removed already, and now is, where `removed`. Whatever else its key has goes on
    /// working.
    BeingRemoved { card: Card, removed: bool },
    /// The secret that was found had ended before: whatever else its key has goes on working.
    OverBefore(Card),
}

pub(crate) fn attempt(
    app: &App,
    asked: &RotationRequest<'_>,
    rotation: &Rotation,
) -> Result<Attempt, Error> {
    let attempt = claim::attempt(app, asked.session.clone(), asked.taking.clone())?;
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

/// How the key stands, if it is the member's and there is something to replace.
pub(crate) fn owned(told: StepResult) -> Result<RotationFacts, Error> {
    let card = told.card.ok_or(Error::NotFound)?;
    match told.facts {
        Some(facts) => Ok(facts),
        None => Err(keys::not_replaceable(&card)),
    }
}

pub(crate) async fn card_now(app: &App, member: &str, key: &str) -> Result<Card, Error> {
    let one = cards::one_of(member, key, app.now());
    cards::read_one(&*app.db, one).await?.ok_or(Error::NotFound)
}

/// Disables the old secret and reserves the successor with what is left of the limit: it is then ready to be minted.
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
    let (told, decision) = rotations::reserve(&*app.db, attempt, rotation, &old).await?;
    if !decision.reserved {
        return Err(refusal(attempt, rotation, &owned(told)?.gates));
    }
    let offer = claim::plan_mint(app, attempt, &decision).await?;
    Ok((decision, offer))
}

/// Whether the old one is as we left it at OpenRouter: what somebody else disabled gets no successor. A lower limit is kept,
/// and what the successor gets is computed from it.
pub(crate) async fn looked_at(
    app: &App,
    attempt: &Attempt,
    old: &Due,
    look: Look,
) -> Result<(), Error> {
    let actor = attempt.session.member.as_str();
    upstream_changes::must_be_as_we_left_it(app, old, actor, &[Noticed::Lowered], look).await
}

/// Off, by upstream's own word, with what it had spent in the same answer; or gone, which is as good. Nothing less will
/// do.
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
            // What it has spent is nobody's in a log.
            let outcome = left.map(|reply| reply.map(|(switched, _)| switched));
            keys::left_to_sweep(app, old, outcome);
            Err(Error::OldUnconfirmed)
        }
    }
}
