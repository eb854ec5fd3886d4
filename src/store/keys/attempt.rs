//! One attempt to make a key, or the next generation of a key: who asks, for what, and under which fresh ids.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::policy::gate::ClaimPolicy;
use crate::domain::time::Timestamp;
use crate::store::idempotency::Taking;
use crate::store::keys::cards::CardProject;

/// One attempt to make a generation: who asks, under which policy, and the fresh ids that it uses.
pub struct Attempt {
    pub session: Session,
    pub change: PublicId,
    pub key: PublicId,
    pub generation: PublicId,
    pub nonce: String,
    /// The Idempotency-Key, if the request came with one.
    pub taking: Option<Taking>,
    /// The further key to make. `None` claims the one key that every member may have.
    pub create: Option<NewKey>,
    /// The enabled workspace that the request names for the key.
    pub workspace: Option<PublicId>,
    /// The member accepts the terms in force together with the claim.
    pub accepts_terms: bool,
    /// How the next generation of an existing key is made. `None` if the attempt is a claim or makes a further key.
    pub rotation: Option<Rotation>,
    pub policy: ClaimPolicy,
    pub now: Timestamp,
}

/// A key that its owner asks for in addition to the claimed one.
pub struct NewKey {
    pub name: String,
    /// A limit below the one of the plan.
    pub own_limit: Option<NanoUsd>,
    pub project: Option<CardProject>,
}

/// How an attempt makes the next generation of a key.
#[derive(Clone)]
pub struct Rotation {
    /// The id of the key in the request; it may be any text.
    pub key: String,
    /// The successor gets a full lifetime.
    pub renews: bool,
    /// For how many hours the old secret works beside the new one. `None` replaces it at once.
    pub grace_hours: Option<i64>,
    /// With grace, the limit that the old generation has got for it.
    pub lowered: Option<NanoUsd>,
}

impl Rotation {
    /// Returns when a grace that begins `now` is over, or `None` if there is no grace.
    pub fn grace_until(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = self.grace_hours?;
        Some(now.plus(hours.saturating_mul(3_600)))
    }
}

/// A mint whose answer was checked, so that it can be recorded.
pub struct Minted<'a> {
    pub attempt: &'a Attempt,
    /// The change that records the mint.
    pub record: PublicId,
    /// The change that abandons it, if a gate has closed in the meantime.
    pub abandon: PublicId,
    pub upstream_hash: String,
    pub secret_sha256: String,
    pub label: Option<String>,
    pub workspace_id: Option<String>,
    /// The workspace is the account's default one, and was not known to be.
    pub shows_home: bool,
    pub limit: NanoUsd,
    /// The guardrail to which OpenRouter has confirmed that the key is assigned.
    pub guardrail_id: Option<&'a str>,
    /// `active`, or `disabled` if nothing is left to spend.
    pub state: GenerationState,
    /// When its limit is to be computed again.
    pub cap_due_at: Option<Timestamp>,
    pub now: Timestamp,
}
