//! What members ask an admin for: to be let in, or to be let off a rule that refuses them.

/// Requests a member may make in a UTC day, of all kinds.
pub const REQUESTS_A_DAY: i64 = 3;
/// The most characters of a note or an answer, as the schema has it too.
pub const NOTE_CHARS: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// To be let in while claims are by approval.
    Claim,
    /// Against a block or the age of the account.
    Appeal,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Appeal => "appeal",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Open,
    Approved,
    Declined,
}

impl State {
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
    pub kind: Kind,
    /// Open or declined; an approval that does not help is no answer to wait for.
    pub standing: Option<State>,
}

impl Offer {
    pub fn new(kind: Kind, last: Option<State>) -> Self {
        Self {
            kind,
            standing: last.filter(|state| *state != State::Approved),
        }
    }
}

/// A note is too long.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// A person's words as they are kept: one kind of line end, no control characters and none that turn the direction of
/// what an admin reads, no space around; nothing at all is none.
pub fn note(text: &str) -> Result<Option<String>, TooLong> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain: String = lines
        .chars()
        .filter(|c| *c == '\n' || is_plain(*c))
        .collect();
    let note = plain.trim();
    if note.chars().count() > NOTE_CHARS {
        Err(TooLong)
    } else {
        Ok((!note.is_empty()).then(|| note.to_owned()))
    }
}

pub(super) fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::{NOTE_CHARS, TooLong, note};

    #[test]
    fn a_note_is_kept_as_plain_words() {
        for (text, kept) in [
            ("", None),
            (" \t\r\n ", None),
            ("\u{202e}\0", None),
            ("  I teach.  ", Some("I teach.")),
            ("one\r\ntwo\rthree", Some("one\ntwo\nthree")),
            ("a\u{0}b\u{1b}c\u{202e}d\u{2066}e", Some("abcde")),
            ("Grüße, 今日は", Some("Grüße, 今日は")),
        ] {
            assert_eq!(note(text), Ok(kept.map(str::to_owned)), "{text:?}");
        }
    }

    #[test]
    fn a_note_has_at_most_so_many_characters_after_that() {
        let full = "ü".repeat(NOTE_CHARS);
        assert_eq!(note(&format!(" {full}\0 ")), Ok(Some(full.clone())));
        assert_eq!(note(&format!("{full}x")), Err(TooLong));
    }
}
