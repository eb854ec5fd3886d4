//! Computes the cap of a generation. It is computed from scratch each time, never by adjusting a stored amount.

use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{self, WindowStart};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SKEW_SECS};
use crate::store::budget::caps::{AGAIN_SECS, Basis};

/// The limit that should be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    /// Nothing is left to spend, so the key should be disabled.
    pub exhausted: bool,
    /// When to compute the cap again.
    pub next: Option<Timestamp>,
}

/// Answers whether the key could get more if there were evidence that the window has begun.
pub fn evidence_wanted(basis: &Basis, now: Timestamp) -> bool {
    let allowed = basis.grants.allowance();
    let fresh = fresh(basis, now);
    let certain = budget::certain(allowed, &basis.siblings, now).min(fresh);
    budget::begun(allowed.limit_reset, now) == WindowStart::OnEvidence
        && certain < fresh
        && in_force(basis) < fresh
}

/// Computes the cap. `spend` is the reading that was just taken, if evidence was wanted.
pub fn decide(basis: &Basis, spend: Option<&Spend>, now: Timestamp) -> Cap {
    let allowed = basis.grants.allowance();
    let reset = allowed.limit_reset;
    let fresh = fresh(basis, now);
    let certain = budget::certain(allowed, &basis.siblings, now).min(fresh);
    let shown = || {
        spend
            .zip(basis.spend.as_ref())
            .is_some_and(|(now, then)| now.shows_reset_since(then, reset))
    };
    let sure = match budget::begun(reset, now) {
        WindowStart::Surely => true,
        WindowStart::OnEvidence => certain == fresh || shown(),
        WindowStart::Unsure => false,
    };
    // Missing evidence does not lower the limit in force, because that limit was right in the previous window.
    let amount = if sure {
        fresh
    } else {
        certain.max(in_force(basis).min(fresh))
    };
    let wait = match budget::begun(reset, now) {
        WindowStart::Unsure => reset.starts(now).plus(SKEW_SECS),
        WindowStart::OnEvidence | WindowStart::Surely => now.plus(AGAIN_SECS),
    };
    let next = if amount < fresh {
        Some(wait)
    } else if fresh < allowed.key {
        budget::due_after_reset(reset, now)
    } else {
        None
    };
    let base = match reset {
        LimitReset::None => basis.before_prepaid,
        _ => NanoUsd::ZERO,
    };
    let least = amount.floored() < NanoUsd::CENT;
    // A limit is never zero. A limit of a whole life is never above what was spent before the owner began to prepay.
    let limit = base.plus(amount).floored().max(NanoUsd::CENT);
    // Someone outside keycap may have lowered the limit below that. It is not raised then, since nothing is left to spend.
    let is_of_life = reset == LimitReset::None && basis.limit_reset == LimitReset::None;
    let limit = if least && is_of_life {
        limit.min(basis.limit)
    } else {
        limit
    };
    Cap {
        limit,
        limit_reset: reset,
        exhausted: (least || (basis.paired && basis.held)) && !basis.over_quota,
        next: basis.grants.not_after_a_raise(next),
    }
}

/// Answers whether the cap differs from what is in force.
pub fn differs(cap: &Cap, basis: &Basis) -> bool {
    cap.limit != basis.limit || cap.limit_reset != basis.limit_reset || cap.exhausted != basis.held
}

/// Answers whether the cap allows less than what is in force or was sent.
pub fn lowers(cap: &Cap, basis: &Basis) -> bool {
    let same = cap.limit == basis.limit && cap.limit_reset == basis.limit_reset;
    cap.exhausted >= basis.held
        && (cap.limit < basis.limit || (same && (basis.sent || cap.exhausted != basis.held)))
}

/// The amount that the key may have. It is what its siblings leave; or, if that is more, its present amount as far as
/// the siblings will leave it once their own limits have followed. A key over the plan's number of keys gets nothing
/// more.
fn fresh(basis: &Basis, now: Timestamp) -> NanoUsd {
    if basis.over_quota {
        return NanoUsd::ZERO;
    }
    let allowed = basis.grants.allowance();
    let settled = budget::settled(allowed, &basis.siblings, now);
    let fresh = budget::cap(allowed, &basis.siblings, now).max(in_force(basis).min(settled));
    if basis.paired {
        fresh.min(allowed_now(basis))
    } else {
        fresh
    }
}

/// The amount of this window that the key has now. It is zero while the key's limit counts another window, or while the
/// key is disabled because nothing was left.
fn in_force(basis: &Basis) -> NanoUsd {
    if basis.held || basis.limit_reset != basis.grants.limit_reset {
        return NanoUsd::ZERO;
    }
    allowed_now(basis)
}

/// The amount that the limit lets the key spend. A limit of a whole life is counted above what was spent before the
/// owner began to prepay.
fn allowed_now(basis: &Basis) -> NanoUsd {
    match basis.limit_reset {
        LimitReset::None => basis.limit.minus(basis.before_prepaid),
        _ => basis.limit,
    }
}
