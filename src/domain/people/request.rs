//! What members ask an administrator for: to be let in, to be exempt from a rule that refuses them, or for more.

use crate::domain::people::text::{self, Refused};

/// How many requests of all kinds a member may make in a UTC day.
pub const REQUESTS_A_DAY: i64 = 3;
/// The most characters of a note or an answer. The schema has the same number.
pub const NOTE_CHARS: usize = 500;

/// The kind of a request.
// It is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum RequestKind {
    /// The member asks to be let in while claims need an approval.
    Claim,
    /// The member appeals against a block or against the rule about the age of the account.
    Appeal,
    /// The member asks for a higher limit of one key, until a moment or for good.
    Limit,
}

impl RequestKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Appeal => "appeal",
            Self::Limit => "limit",
        }
    }
}

/// The state of a request.
// It is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum RequestState {
    Open,
    Approved,
    Declined,
    /// The member took it back before it was decided.
    Withdrawn,
}

impl RequestState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the name of a state. Returns `None` for an unknown name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Approved, Self::Declined, Self::Withdrawn]
            .into_iter()
            .find(|state| state.name() == word)
    }
}

/// What a refused member may ask for, and the state of their last request of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub kind: RequestKind,
    /// Open or declined. An approved request counts as none: it did not help, and there is no answer to wait for. So does
    /// one that was withdrawn.
    pub state: Option<RequestState>,
}

impl Offer {
    pub fn new(kind: RequestKind, last: Option<RequestState>) -> Self {
        Self {
            kind,
            state: last
                .filter(|state| matches!(state, RequestState::Open | RequestState::Declined)),
        }
    }
}

/// A person's note as it is stored. Returns `None` if the text is blank.
pub fn note(text: &str) -> Result<Option<String>, Refused> {
    text::lines(text, NOTE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::{NOTE_CHARS, Refused, note};

    #[test]
    fn a_note_has_a_maximum_length() {
        let full = "ü".repeat(NOTE_CHARS);
        assert_eq!(note(&format!(" {full}\0 ")), Ok(Some(full.clone())));
        assert_eq!(note(&format!("{full}x")), Err(Refused::TooLong));
    }
}
