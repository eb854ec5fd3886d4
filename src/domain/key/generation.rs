//! The life of a generation: one upstream key from its reservation to its tombstone. It is one enum and one function
//! `next`.
//!
//! The database holds the same edges in its table `transitions` and refuses all others. A test compares the two.

/// A mint that takes more seconds than this is not recorded any more, because its request has long been answered.
pub const RECORD_WITHIN_SECS: i64 = 60;
/// After this many seconds a rotation whose request died is undone, because no mint of it can be recorded any more.
pub const DEAD_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;
/// A request that has had no effect this many seconds after it was sent is taken to have none.
pub const LANDS_WITHIN_SECS: i64 = 300;

/// A change counts as in flight for some minutes after it was written down. If writing it down took longer than this,
/// the change is no longer sent: it might undo something that was decided and confirmed in the meantime.
pub const SEND_WITHIN_SECS: i64 = 60;

/// The state of a secret of a key.
// It is stored as text, and the table's column `live` is computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum GenerationState {
    /// The row waits until another generation settles, and may be minted then.
    Reserved,
    /// The request that creates the key is under way, or may be.
    Minting,
    /// The outcome of the create is unknown. Its secret can no longer be delivered.
    Verifying,
    /// The key is recorded. Its secret was delivered, or still can be.
    Active,
    /// The key is disabled, and can be enabled again.
    Disabled,
    /// The key must be disabled for good. It counts as live until OpenRouter has confirmed that.
    Revoking,
    /// Revoking the key has failed six times. The sweep tries again: in every run while the secret may still work, else
    /// daily.
    Stuck,
    /// A tombstone: the key existed, and is disabled for ever.
    Revoked,
    /// At least five minutes have passed since `expires_at`.
    Expired,
    /// The key never existed at OpenRouter, or only as a stray whose secret nobody had.
    Void,
}

/// What may happen to a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A reserved row may be minted now.
    Start,
    /// The answer of the mint was checked, and every gate still holds.
    Record,
    /// The same for a key with nothing left to spend: it was disabled before it was recorded.
    RecordOff,
    /// OpenRouter refused the mint, or the mint was never sent.
    Refuse,
    /// The outcome of the mint is unknown, or its attempt is too old to be waited for.
    LoseOutcome,
    /// The key exists and must not: OpenRouter made another key than the one asked for, or a gate closed meanwhile.
    Abandon,
    /// It is proven that no key of this name is left at OpenRouter.
    Clear,
    /// OpenRouter confirmed that the key is disabled because of a hold.
    Disable,
    Enable,
    /// The key must be disabled for good.
    Revoke,
    /// Revoking the key has failed six times.
    GiveUp,
    /// OpenRouter confirmed that the key is disabled for good.
    ConfirmOff,
    /// Five minutes have passed since `expires_at`.
    Expire,
}

impl GenerationState {
    pub const ALL: [Self; 10] = [
        Self::Reserved,
        Self::Minting,
        Self::Verifying,
        Self::Active,
        Self::Disabled,
        Self::Revoking,
        Self::Stuck,
        Self::Revoked,
        Self::Expired,
        Self::Void,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Minting => "minting",
            Self::Verifying => "verifying",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoking => "revoking",
            Self::Stuck => "stuck",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }

    /// Answers whether a generation in this state holds a seat and its slot.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Reserved
            | Self::Minting
            | Self::Verifying
            | Self::Active
            | Self::Disabled
            | Self::Revoking
            | Self::Stuck => true,
            Self::Revoked | Self::Expired | Self::Void => false,
        }
    }
}

impl Event {
    pub const ALL: [Self; 13] = [
        Self::Start,
        Self::Record,
        Self::RecordOff,
        Self::Refuse,
        Self::LoseOutcome,
        Self::Abandon,
        Self::Clear,
        Self::Disable,
        Self::Enable,
        Self::Revoke,
        Self::GiveUp,
        Self::ConfirmOff,
        Self::Expire,
    ];
}

/// The state after `event`, or `None` where the event cannot happen in `state`.
pub const fn next(state: GenerationState, event: Event) -> Option<GenerationState> {
    match (state, event) {
        (GenerationState::Reserved, Event::Start) => Some(GenerationState::Minting),
        (GenerationState::Minting, Event::Record) => Some(GenerationState::Active),
        (GenerationState::Minting, Event::RecordOff) => Some(GenerationState::Disabled),
        (GenerationState::Minting | GenerationState::Reserved, Event::Refuse) => {
            Some(GenerationState::Void)
        }
        (GenerationState::Minting, Event::LoseOutcome) => Some(GenerationState::Verifying),
        (GenerationState::Minting, Event::Abandon) => Some(GenerationState::Revoking),
        (GenerationState::Verifying, Event::Clear) => Some(GenerationState::Void),
        (GenerationState::Active, Event::Disable) => Some(GenerationState::Disabled),
        (GenerationState::Disabled, Event::Enable) => Some(GenerationState::Active),
        (GenerationState::Active | GenerationState::Disabled, Event::Revoke) => {
            Some(GenerationState::Revoking)
        }
        (GenerationState::Revoking, Event::GiveUp) => Some(GenerationState::Stuck),
        (GenerationState::Revoking | GenerationState::Stuck, Event::ConfirmOff) => {
            Some(GenerationState::Revoked)
        }
        (GenerationState::Active | GenerationState::Disabled, Event::Expire) => {
            Some(GenerationState::Expired)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, GenerationState, next};

    #[test]
    fn a_generation_that_has_ended_never_becomes_live_again() {
        for state in GenerationState::ALL
            .into_iter()
            .filter(|state| !state.is_live())
        {
            for event in Event::ALL {
                assert_eq!(next(state, event), None, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_mint_of_unknown_outcome_never_becomes_active() {
        for event in Event::ALL {
            assert_ne!(
                next(GenerationState::Verifying, event),
                Some(GenerationState::Active)
            );
        }
    }

    #[test]
    fn the_names_of_states_are_those_in_json() {
        for state in GenerationState::ALL {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("\"{}\"", state.name())
            );
        }
    }
}
