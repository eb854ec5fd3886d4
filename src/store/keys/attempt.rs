//! One try to make a key, or a key's next secret: who asks, for what, and under which fresh ids.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::policy::gate::ClaimPolicy;
use crate::domain::time::Timestamp;
use crate::store::idempotency::Taking;

/// One try to claim: who asks, under which terms, and the fresh ids it would use.
pub struct Attempt {
    pub session: Session,
    pub change: PublicId,
    pub key: PublicId,
    pub generation: PublicId,
    pub nonce: String,
    /// The request came with an Idempotency-Key.
    pub taking: Option<Taking>,
    /// A further key; `None` claims the one that everybody may.
    pub create: Option<NewKey>,
    /// The claim brings the acceptance of the terms in force along.
    pub accepts_terms: bool,
    /// It makes the next generation of a key that is there, instead of the first of the claimed one.
    pub rotation: Option<Rotation>,
    pub house: ClaimPolicy,
    pub now: Timestamp,
}

/// A key that its owner asks for beside the claimed one.
pub struct NewKey {
    pub name: String,
    /// Less than the plan gives.
    pub own_limit: Option<NanoUsd>,
}

/// How an attempt makes a key's next generation, instead of its first.
#[derive(Clone)]
pub struct Rotation {
    /// The key, as the request names it; anything may stand there.
    pub key: String,
    /// The successor gets a life of its own.
    pub renews: bool,
    /// Hours for which the old one goes on working; `None` is at once.
    pub grace_hours: Option<i64>,
    /// With grace: the limit that the old one has been given for it.
    pub lowered: Option<NanoUsd>,
}

impl Rotation {
    /// When a grace that begins `now` is over.
    pub fn grace_until(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = self.grace_hours?;
        Some(now.plus(hours.saturating_mul(3_600)))
    }
}

/// A mint whose echo was checked, to be recorded.
pub struct Minted<'a> {
    pub attempt: &'a Attempt,
    /// The change that records it, and the one that gives it up should a gate have closed.
    pub record: PublicId,
    pub abandon: PublicId,
    pub upstream_hash: String,
    pub secret_sha256: String,
    pub label: Option<String>,
    pub workspace_id: Option<String>,
    /// That workspace is the account's default.
    pub is_home: bool,
    pub limit: NanoUsd,
    /// What upstream has confirmed it is held to.
    pub guardrail_id: Option<&'a str>,
    /// `active`, or `disabled` where nothing is left to spend.
    pub state: GenerationState,
    /// When its cap is to be computed anew.
    pub cap_due_at: Option<Timestamp>,
    pub now: Timestamp,
}
