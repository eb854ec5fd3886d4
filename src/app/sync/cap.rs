//! What a generation's cap is to be: computed from scratch each time, never a stored amount.

use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{self, WindowStart};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SKEW_SECS};
use crate::store::budget::limits::{AGAIN_SECS, Basis};

/// What is to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    /// Nothing is left: the key is to be off.
    pub exhausted: bool,
    /// When to compute it anew.
    pub next: Option<Timestamp>,
}

/// Whether there is more to be had, if only the window has begun.
pub fn evidence_wanted(basis: &Basis, now: Timestamp) -> bool {
    let allowed = basis.grants.allowance();
    let fresh = fresh(basis, now);
    let certain = budget::certain(allowed, &basis.siblings, now).min(fresh);
    budget::begun(allowed.limit_reset, now) == WindowStart::OnEvidence
        && certain < fresh
        && in_force(basis) < fresh
}

/// What the cap is to be; `spend` is what was just read, where that was asked for.
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
    // What is in force is not lowered for want of evidence: it was right in the window before.
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
        exhausted: (least || (basis.paired && basis.held)) && !basis.put_off,
        next: basis.grants.not_after_a_raise(next),
    }
}

/// Whether it is another than is in force.
pub fn differs(cap: &Cap, basis: &Basis) -> bool {
    cap.limit != basis.limit || cap.limit_reset != basis.limit_reset || cap.exhausted != basis.held
}

/// Whether it gives less than is in force, or was sent.
pub fn lowers(cap: &Cap, basis: &Basis) -> bool {
    let same = cap.limit == basis.limit && cap.limit_reset == basis.limit_reset;
    cap.exhausted >= basis.held
        && (cap.limit < basis.limit || (same && (basis.sent || cap.exhausted != basis.held)))
}

/// What it may have: what its siblings leave, or what it has as far as they will leave that once they have followed. One
/// that the plan does not allow gets nothing more.
fn fresh(basis: &Basis, now: Timestamp) -> NanoUsd {
    if basis.put_off {
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

/// What of this window's money the key has now; nothing, while its window is another one or it is off for want of it.
fn in_force(basis: &Basis) -> NanoUsd {
    if basis.held || basis.limit_reset != basis.grants.limit_reset {
        return NanoUsd::ZERO;
    }
    allowed_now(basis)
}

/// What its limit lets it spend: of one that counts a whole life, what is above what was spent before it was paid for.
fn allowed_now(basis: &Basis) -> NanoUsd {
    match basis.limit_reset {
        LimitReset::None => basis.limit.minus(basis.before_prepaid),
        _ => basis.limit,
    }
}
