//! Divides a key's money between its old secret and its next one.

use crate::app::claim;
use crate::app::context::App;
use crate::app::error::Error;
use crate::domain::key::rotation::split;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::Sibling;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::store::keys::attempt::Attempt;
use crate::store::keys::claims::{self, ClaimDecision};
use crate::store::keys::rotations::RotationFacts;

/// The limit that the old secret gets. It is `None` if the limit cannot be split, for example because it counts another
/// window.
pub(crate) fn half(
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
    // A limit without a window also counts what was spent before the owner began to prepay.
    let before = match reset {
        LimitReset::None => before,
        _ => NanoUsd::ZERO,
    };
    let used = spent.of(reset).minus(before);
    let both = claim::share_but(decision, is_old, now);
    split(both, used, facts.limit.minus(before)).map(|to| before.plus(to))
}

/// Answers whether this is the key's one live generation.
fn is_old(sibling: &Sibling) -> bool {
    sibling.same_key && sibling.ended_at.is_none()
}

/// Counts the old secret with this limit and with the amount that was just read. The amount never falls below what was
/// known. It returns the amount that is known then, and what the secret had spent before its owner began to prepay.
pub(crate) fn count_old_as(
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

/// Refuses a rotation if no prepaid credit is left. A mint could not succeed, so no row is written for one.
pub(crate) async fn credit_is_left(
    app: &App,
    attempt: &Attempt,
    spent: &Spend,
) -> Result<(), Error> {
    let rows = app.db.batch(claims::facts(attempt).into()).await?;
    let mut decision = claims::read_decision(&rows)?.ok_or(Error::SignInRequired)?;
    count_old_as(&mut decision, spent.lifetime, *spent);
    if claim::share(&decision.grants, &decision.siblings, attempt.now).exhausted {
        return Err(Error::CreditSpent);
    }
    Ok(())
}
