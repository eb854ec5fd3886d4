//! What members ask an admin for: to be let in, or to be let off a rule that refuses them.

use crate::domain::people::text::{self, Refused};

/// Requests a member may make in a UTC day, of all kinds.
pub const REQUESTS_A_DAY: i64 = 3;
/// The most characters of a note or an answer, as the schema has it too.
pub const NOTE_CHARS: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// To be let in while claims are by approval.
    Claim,
    /// Against a block or the age of the account.
    Appeal,
}

impl RequestKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Appeal => "appeal",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    Open,
    Approved,
    Declined,
}

impl RequestState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Declined => "declined",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Approved, Self::Declined]
            .into_iter()
            .find(|state| state.name() == word)
    }
}

/// What a refused member may ask for, and how the last request of that kind stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub kind: RequestKind,
    /// Open or declined; an approval that does not help is no answer to wait for.
    pub standing: Option<RequestState>,
}

impl Offer {
    pub fn new(kind: RequestKind, last: Option<RequestState>) -> Self {
        Self {
            kind,
            standing: last.filter(|state| *state != RequestState::Approved),
        }
    }
}

/// A person's words as they are kept; nothing at all is none.
pub fn note(text: &str) -> Result<Option<String>, Refused> {
    text::lines(text, NOTE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::{NOTE_CHARS, Refused, note};

    #[test]
    fn a_note_has_at_most_so_many_characters() {
        let full = "ü".repeat(NOTE_CHARS);
        assert_eq!(note(&format!(" {full}\0 ")), Ok(Some(full.clone())));
        assert_eq!(note(&format!("{full}x")), Err(Refused::TooLong));
    }
}
