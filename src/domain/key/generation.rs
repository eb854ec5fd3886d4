//! A generation's life: one upstream key from its reservation to its tombstone. One enum, one `next`.
//!
//! The database holds the same edges in its table `transitions` and refuses all others; a test compares the two.

/// Stored as text. `live` is a column of the table, generated from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenerationState {
    /// A row that waits for another to settle before it may be minted.
    Reserved,
    /// The request to create it is, or may be, under way.
    Minting,
    /// The create's outcome is unknown; its secret can no longer be delivered.
    Verifying,
    /// Recorded; its secret was or can still be delivered.
    Active,
    Disabled,
    /// To be off for good; counts as live until that is confirmed.
    Revoking,
    /// A revoke that failed six times; retried in every sweep while its secret may still work, else daily.
    Stuck,
    /// A tombstone: it was, and is off for ever.
    Revoked,
    /// Past `expires_at` by five minutes or more.
    Expired,
    /// It never was upstream, or only as a stray whose secret nobody had.
    Void,
}

/// What may happen to a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A waiting row's turn has come.
    Start,
    /// The mint's answer was checked and every gate still holds.
    Record,
    /// The same for a key with nothing left to spend: it was switched off first.
    RecordOff,
    /// Upstream refused the mint, or it was never sent.
    Refuse,
    /// The mint's outcome is unknown, or its attempt is too old to be waited for.
    Doubt,
    /// The key exists, and must not: a bad echo, or a gate that closed meanwhile.
    Abandon,
    /// Evidence that no key of the name is left upstream.
    Clear,
    /// Confirmed off upstream by a hold.
    Disable,
    Enable,
    /// Off for good is wanted.
    Revoke,
    /// Six failures to revoke.
    GiveUp,
    /// Off for good is confirmed.
    ConfirmOff,
    /// Five minutes past `expires_at`.
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

    /// Whether it holds a seat and its slot.
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
        Self::Doubt,
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

/// The state after `event`, or `None` where it cannot happen.
pub const fn next(state: GenerationState, event: Event) -> Option<GenerationState> {
    match (state, event) {
        (GenerationState::Reserved, Event::Start) => Some(GenerationState::Minting),
        (GenerationState::Minting, Event::Record) => Some(GenerationState::Active),
        (GenerationState::Minting, Event::RecordOff) => Some(GenerationState::Disabled),
        (GenerationState::Minting | GenerationState::Reserved, Event::Refuse) => {
            Some(GenerationState::Void)
        }
        (GenerationState::Minting, Event::Doubt) => Some(GenerationState::Verifying),
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
    fn what_has_ended_never_lives_again() {
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
    fn a_doubtful_mint_never_becomes_active() {
        for event in Event::ALL {
            assert_ne!(
                next(GenerationState::Verifying, event),
                Some(GenerationState::Active)
            );
        }
    }

    #[test]
    fn names_are_those_of_the_wire_form() {
        for state in GenerationState::ALL {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("\"{}\"", state.name())
            );
        }
    }
}
