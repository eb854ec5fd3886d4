//! What an administrator knows of a key that they look for.

/// A name has at most 64 characters, and a secret's SHA-256 as many digits. A longer text is no clue.
const MOST_CHARS: usize = 100;
/// So many characters at the end of a secret are in its mask.
const ENDING_CHARS: usize = 3;
const SHA256_DIGITS: usize = 64;

/// What is known of a key that an administrator looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClue {
    /// The beginning of its name.
    Name(String),
    /// The last three characters of its secret, and the whole mask if it is known.
    Mask {
        ending: String,
        mask: Option<String>,
    },
    /// Its id, or the id of one of its generations.
    Id(String),
    /// The SHA-256 of one of its secrets, in lower-case hexadecimal digits.
    Sha256(String),
}

impl KeyClue {
    /// Reads what was typed into the search box: a SHA-256, an id, a mask such as `sk-or-v1-1a2...9f8` or `…9f8`, or
    /// else the beginning of a name. No character is a wildcard. Returns `None` for a text that is too long for any.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().count() > MOST_CHARS {
            return None;
        }
        if text.len() == SHA256_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(Self::Sha256(text.to_ascii_lowercase()));
        }
        if text.starts_with("key_") || text.starts_with("gen_") {
            return Some(Self::Id(text.to_owned()));
        }
        let dots = text.replace('…', "...");
        if let Some((before, after)) = dots.split_once("...") {
            let after: Vec<char> = after.chars().collect();
            let from = after.len().checked_sub(ENDING_CHARS);
            if let Some(ending) = from.and_then(|from| after.get(from..)) {
                return Some(Self::Mask {
                    ending: ending.iter().collect(),
                    mask: (!before.is_empty()).then(|| dots.clone()),
                });
            }
        }
        Some(Self::Name(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clue_is_a_digest_an_id_a_mask_or_else_a_name() {
        let digest = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD";
        let mask = |ending: &str, mask: Option<&str>| KeyClue::Mask {
            ending: ending.to_owned(),
            mask: mask.map(str::to_owned),
        };
        for (text, clue) in [
            (digest, KeyClue::Sha256(digest.to_ascii_lowercase())),
            ("key_12", KeyClue::Id(String::from("key_12"))),
            ("gen_12", KeyClue::Id(String::from("gen_12"))),
            (
                " sk-or-v1-1a2...9f8 ",
                mask("9f8", Some("sk-or-v1-1a2...9f8")),
            ),
            ("sk-or-v1-1a2…9f8", mask("9f8", Some("sk-or-v1-1a2...9f8"))),
            ("…9f8", mask("9f8", None)),
            ("...x9f8", mask("9f8", None)),
            ("…f8", KeyClue::Name(String::from("…f8"))),
            ("50% of_it", KeyClue::Name(String::from("50% of_it"))),
            ("", KeyClue::Name(String::new())),
        ] {
            assert_eq!(KeyClue::parse(text), Some(clue), "{text}");
        }
        assert_eq!(KeyClue::parse(&"a".repeat(101)), None);
    }
}
