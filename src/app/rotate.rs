//! A key's next secret. Id, name and history stay; the generation under them is another.
//!
//! At once: take the key in hand by a hold → put the old one off, and hear what it had spent → reserve the successor
//! → mint it with what is left → record it, with which the old one goes and the hold ends. Whatever comes to nothing gives
//! the old one back. A leak's hold stays until a successor is recorded, whatever that waits for.
//!
//! With grace: reserve the successor → read what the old one has spent → leave it half of the rest → mint the successor
//! with the other half. Both work, and never for more than the cap together.

use serde_json::json;

use crate::app::claim::{self, Claimed, MintLimit};
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
use crate::app::sync::absence;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Look, Noticed};
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::mint::MintSpec;
use crate::domain::key::rotation::{RENEWAL_GRACE_HOURS, split};
use crate::domain::key::secret::Secret;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::Sibling;
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::DbError;
use crate::store::idempotency::Taking;
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::cards::{self, Card};
use crate::store::keys::claims::ClaimDecision;
use crate::store::keys::due::Due;
use crate::store::keys::holds::Switch;
use crate::store::keys::rotations::{self, OldSecret, RotationFacts, StepResult};
use crate::store::keys::successors;
use crate::upstream::openrouter::{self, UpstreamReply};

mod credit;
mod leak;
mod refused;

pub use crate::app::rotate::leak::{report_found, report_leak};
use crate::app::rotate::refused::refusal;

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

/// Replaces the secret: at once, or with so many hours in which the old one works too.
pub async fn rotate(
    app: &App,
    asked: &RotationRequest<'_>,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    replace(app, asked, false, grace_hours).await
}

/// The same with a life of its own, since an expiry cannot be moved. With grace, unless too little is left for two.
pub async fn renew(
    app: &App,
    asked: &RotationRequest<'_>,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    let hours = grace_hours.unwrap_or(RENEWAL_GRACE_HOURS);
    match replace(app, asked, true, Some(hours)).await {
        Err(Error::NothingToSplit) => replace(app, asked, true, None).await,
        other => other,
    }
}

async fn replace(
    app: &App,
    asked: &RotationRequest<'_>,
    renews: bool,
    grace_hours: Option<i64>,
) -> Result<Rotated, Error> {
    let rotation = Rotation {
        key: asked.key.to_owned(),
        renews,
        grace_hours,
        lowered: None,
    };
    if grace_hours.is_some() {
        return match with_grace(app, attempt(app, asked, &rotation)?, rotation).await? {
            Graced::Done(rotated) => Ok(*rotated),
            // No older secret is left that could work beside the new one.
            Graced::OldIsGone => Box::pin(replace(app, asked, renews, None)).await,
        };
    }
    let mut attempt = attempt(app, asked, &rotation)?;
    let facts = owned(rotations::begin(&*app.db, &attempt, &rotation).await?)?;
    if !facts.begun {
        return Err(refusal(&attempt, &rotation, &facts.gates));
    }
    if let Err(error) = looked_at(app, &attempt, &facts.old, Look::Needed).await {
        // Nothing was sent, so nothing is sent back: somebody else may have disabled it just now.
        // A lock that could not be released is the sweep's.
        let _: Result<bool, DbError> = release(app, &attempt, asked.key).await;
        return Err(error);
    }
    let made = match prepare(app, &mut attempt, &rotation, &facts, Ok(())).await {
        Ok((decision, (share, spec))) => {
            made(claim::execute_mint(app, &attempt, &decision, &share, &spec).await)
        }
        Err(error) => Err(error),
    };
    if made.is_err() {
        release_rotation_lock(app, &attempt, asked.key, &facts.old).await;
    }
    made
}

fn attempt(app: &App, asked: &RotationRequest<'_>, rotation: &Rotation) -> Result<Attempt, Error> {
    let attempt = claim::attempt(app, asked.session.clone(), asked.taking.clone())?;
    Ok(Attempt {
        rotation: Some(rotation.clone()),
        ..attempt
    })
}

fn made(claimed: Result<Claimed, Error>) -> Result<Rotated, Error> {
    match claimed? {
        Claimed::New { card, secret } => Ok(Rotated::New { card, secret }),
        Claimed::Existing(_) => Err(Error::Internal),
    }
}

/// How the key stands, if it is the member's and there is something to replace.
fn owned(told: StepResult) -> Result<RotationFacts, Error> {
    let card = told.card.ok_or(Error::NotFound)?;
    match told.facts {
        Some(facts) => Ok(facts),
        None => Err(keys::not_replaceable(&card)),
    }
}

async fn card_now(app: &App, member: &str, key: &str) -> Result<Card, Error> {
    let one = cards::one_of(member, key, app.now());
    cards::read_one(&*app.db, one).await?.ok_or(Error::NotFound)
}

/// Disables the old secret and reserves the successor with what is left of the limit: it is then ready to be minted.
async fn prepare(
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
        credit::is_left(app, attempt, spent).await?;
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
async fn looked_at(app: &App, attempt: &Attempt, old: &Due, look: Look) -> Result<(), Error> {
    let actor = attempt.session.member.as_str();
    upstream_changes::must_be_as_we_left_it(app, old, actor, &[Noticed::Lowered], look).await
}

/// Off, by upstream's own word, with what it had spent in the same answer; or gone, which is as good. Nothing less will do
///.
async fn disable_old(app: &App, attempt: &Attempt, old: &Due) -> Result<OldSecret, Error> {
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

/// Ends the rotation's lock. True where nothing else holds the key now.
async fn release(app: &App, attempt: &Attempt, key: &str) -> Result<bool, DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    successors::release_rotation_lock(&*app.db, attempt, key, &change, app.now()).await
}

/// It came to nothing: the old one comes back, unless somebody else wants it off. What fails here, the sweep does.
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

/// What asking for grace ends with.
enum Graced {
    Done(Box<Rotated>),
    /// Upstream no longer has the old key: nothing was made.
    OldIsGone,
}

async fn with_grace(app: &App, mut attempt: Attempt, rotation: Rotation) -> Result<Graced, Error> {
    let reserved = rotations::reserve(&*app.db, &attempt, &rotation, &OldSecret::Works).await?;
    let (told, mut decision) = reserved;
    let facts = owned(told)?;
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

/// Leaves the old one half of what is left, by upstream's own word; the siblings of `decision` are as they are then. What it
/// spends until its limit is lowered is told by that answer, and is not given to its successor. `None` where
/// upstream no longer has the old one.
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
            // What it has spent is nobody's in a log.
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

/// What the old one's limit becomes; `None` where it cannot be split, as under a limit that counts another window.
fn half(
    decision: &mut ClaimDecision,
    facts: &RotationFacts,
    spent: Spend,
    now: Timestamp,
) -> Option<NanoUsd> {
    let reset = decision.grants.limit_reset;
    if facts.limit_reset != reset {
        return None;
    }
    let (spent, before) = count_old_as(decision, facts.limit, spent)?;
    // A limit without a window counts what was spent before it was paid for, too.
    let before = match reset {
        LimitReset::None => before,
        _ => NanoUsd::ZERO,
    };
    let used = spent.of(reset).minus(before);
    let both = claim::share_but(decision, is_old, now);
    split(both, used, facts.limit.minus(before)).map(|to| before.plus(to))
}

/// The one generation of the key that lives.
fn is_old(sibling: &Sibling) -> bool {
    sibling.same_key && sibling.ended_at.is_none()
}

/// Counts the old one with this limit, and with what it was read to have spent: that never falls below what was known. What
/// is known then, and what it had spent before its owner prepaid.
fn count_old_as(
    decision: &mut ClaimDecision,
    cap: NanoUsd,
    spent: Spend,
) -> Option<(Spend, NanoUsd)> {
    let old = decision
        .siblings
        .iter_mut()
        .find(|sibling| is_old(sibling))?;
    let spent = old.usage.map_or(spent, |known| known.joined(spent));
    (old.cap, old.usage) = (cap, Some(spent));
    Some((spent, old.before_prepaid))
}

/// The limit that was lowered for nothing is due to be looked at; should this fail, it is so in a few minutes anyway.
async fn raise_again(app: &App, old: &Due) {
    let generation = old.public_id.as_str();
    if successors::cap_due(&*app.db, generation, app.now())
        .await
        .is_err()
    {
        app.note("warn", "cap_left_low", json!({ "generation": generation }));
    }
}
