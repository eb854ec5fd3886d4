//! What an owner calls a key. It is ours alone and never sent upstream.

use crate::domain::people::text::{self, Refused};

/// The most characters of a name.
const NAME_CHARS: usize = 64;

/// A name as it is kept: one line, without what nobody can see.
pub fn key_name(text: &str) -> Result<String, Refused> {
    text::line(text, NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS, Refused, key_name};

    #[test]
    fn a_name_has_1_to_64_characters() {
        let full = "ü".repeat(NAME_CHARS);
        for (text, kept) in [
            ("  laptop ", Ok("laptop")),
            ("今日", Ok("今日")),
            ("", Err(Refused::Invisible)),
            (" \u{200f}\r\n ", Err(Refused::Invisible)),
            (full.as_str(), Ok(full.as_str())),
            (&format!("{full}x"), Err(Refused::TooLong)),
        ] {
            assert_eq!(
                key_name(text).as_deref().map_err(|why| *why),
                kept,
                "{text:?}"
            );
        }
    }
}
